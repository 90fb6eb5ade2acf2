"""Calls a frontend, or any other Open Inference Protocol server."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import grpc
import numpy as np
from numpy.typing import ArrayLike

from skysail.client.errors import InvalidRequest, error_from_code
from skysail.client.prediction import ModelMetadata, Prediction, TensorMetadata
from skysail.native import codec
from skysail.proto import inference_pb2, inference_pb2_grpc

__all__ = ["Client"]

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Clients do not share a connection, so that closing one is not felt by another.
    ("grpc.use_local_subchannel_pool", 1),
)


def _unchanged(message: bytes) -> bytes:
    return message


class Client:
    """A connection to a frontend. Thread-safe; connects when first used and again when the connection breaks.

    Args:
        address: `host:port` or `unix:/path`, as `skysail up` prints it.
        timeout_s: for calls that state no other; None leaves it to the application's objective.
    """

    def __init__(self, address: str, *, timeout_s: float | None = None) -> None:
        self._timeout_s = timeout_s
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._infer = self._channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=_unchanged,
            response_deserializer=_unchanged,
        )
        self._stub = inference_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._metadata: dict[str, ModelMetadata] = {}
        self._lock = threading.Lock()

    def predict(
        self,
        name: str,
        inputs: Mapping[str, ArrayLike] | ArrayLike,
        *,
        version: str | None = None,
        context: str | None = None,
        timeout_s: float | None = None,
    ) -> Prediction:
        """Asks a model, or an application, for a prediction.

        Args:
            name: what was deployed.
            inputs: arrays by input name, rows along the first axis; or the array alone when there is one
                input. Lists become arrays of the datatype that the model states; arrays are sent as they are,
                except that one alone, of 32-bit floats, is sent as BF16 where the model takes that.
            version: this version, where the server lets callers choose; None: as the route says.
            context: for whom the prediction is made (a user, a session); equal contexts meet the same
            version.
            timeout_s: how long to wait; None: the client's.

        Raises:
            InvalidRequest: the inputs do not fit; the message names the tensor, what was expected and what
            it got. UnknownModel: there is nothing of that name.
            CallFailed: see the other errors in `skysail.client`.
        """
        began_s = time.monotonic()
        arrays, datatypes = self._arrays(name, inputs)
        try:
            message = codec.encode_request(
                name,
                arrays,
                model_version=version or "",
                parameters={"skysail.context": context} if context is not None else None,
                datatypes=datatypes,
            )
        except codec.CodecError as error:
            raise InvalidRequest(str(error)) from None
        try:
            answer = self._infer(message, timeout=self._timeout_s if timeout_s is None else timeout_s)
        except grpc.RpcError as error:
            # Perhaps it was deployed anew with another signature.
            with self._lock:
                self._metadata.pop(name, None)
            raise error_from_code(error.code().value[0], error.details() or "") from None
        response = codec.decode_response(answer)
        parameters = response.parameters
        return Prediction(
            outputs=response.outputs,
            model=response.model_name,
            version=response.model_version,
            id=str(parameters.get("skysail.prediction", "")),
            default=bool(parameters.get("skysail.default", False)),
            reason=str(parameters.get("skysail.reason", "")),
            cache=str(parameters.get("skysail.cache", "")),
            latency_s=time.monotonic() - began_s,
        )

    def metadata(self, name: str) -> ModelMetadata:
        """What a model takes and gives, asked for afresh.

        Raises:
            UnknownModel: there is nothing of that name.
            CallFailed: it could not be asked.
        """
        request = inference_pb2.ModelMetadataRequest(name=name)
        try:
            response = self._stub.ModelMetadata(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise error_from_code(error.code().value[0], error.details() or "") from None
        found = ModelMetadata(
            name=response.name,
            versions=tuple(response.versions),
            platform=response.platform,
            inputs=tuple(TensorMetadata(t.name, t.datatype, tuple(t.shape)) for t in response.inputs),
            outputs=tuple(TensorMetadata(t.name, t.datatype, tuple(t.shape)) for t in response.outputs),
        )
        with self._lock:
            self._metadata[name] = found
        return found

    def close(self) -> None:
        """Closes the connection; calls under way fail."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _arrays(
        self, name: str, inputs: Mapping[str, ArrayLike] | ArrayLike
    ) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """The arrays by name, and which of them are sent as another datatype than their own."""
        alone = not isinstance(inputs, Mapping)
        if not isinstance(inputs, Mapping):
            known = self._known(name)
            if len(known.inputs) != 1:
                names = ", ".join(tensor.name for tensor in known.inputs) or "unknown to the server"
                raise InvalidRequest(f"give the inputs of {name!r} by name; they are {names}")
            inputs = {known.inputs[0].name: inputs}
        arrays: dict[str, np.ndarray] = {}
        datatypes: dict[str, str] = {}
        for tensor, value in inputs.items():
            if isinstance(value, np.ndarray) and not alone:
                arrays[tensor] = value
                continue
            stated = next((one.datatype for one in self._known(name).inputs if one.name == tensor), None)
            arrays[tensor] = value if isinstance(value, np.ndarray) else _array(tensor, stated, value)
            # NumPy has no such numbers: they are held as 32-bit floats.
            if stated == "BF16" and arrays[tensor].dtype == np.float32:
                datatypes[tensor] = stated
        return arrays, datatypes

    def _known(self, name: str) -> ModelMetadata:
        with self._lock:
            known = self._metadata.get(name)
        return known or self.metadata(name)


def _array(tensor: str, datatype: str | None, value: ArrayLike) -> np.ndarray:
    try:
        return np.asarray(value, dtype=codec.DATATYPES.get(datatype or ""))
    except (TypeError, ValueError, OverflowError) as error:
        wanted = f"{datatype} " if datatype else ""
        raise InvalidRequest(f"input {tensor!r} does not become a {wanted}array: {error}") from None
