"""The inference service's questions besides predictions, answered from the configuration in force."""

from collections.abc import Callable

import grpc

from skysail import __version__
from skysail.control import catalogue
from skysail.control.errors import GRPC_CODES, SkysailError
from skysail.control.schema import TensorSpec
from skysail.control.snapshot import Snapshot
from skysail.proto import inference_pb2 as pb
from skysail.proto import inference_pb2_grpc as pb_grpc

__all__ = ["OipServicer"]

_STATUSES = {status.value[0]: status for status in grpc.StatusCode}


class OipServicer(pb_grpc.GRPCInferenceServiceServicer):
    """Health and metadata of the server and of the names it answers to.

    Args:
        namespace: what those names are.
        snapshot: the configuration in force; called on any thread.
        ready: whether the server takes calls; called on any thread.
        model_ready: whether a call of that name and version ("": any) would be answered, if calls are taken;
            raises SkysailError for what does not exist. Called on any thread, and may wait a moment.
    """

    def __init__(
        self,
        namespace: catalogue.Namespace,
        *,
        snapshot: Callable[[], Snapshot],
        ready: Callable[[], bool],
        model_ready: Callable[[str, str], bool],
    ) -> None:
        self._namespace = namespace
        self._snapshot = snapshot
        self._ready = ready
        self._model_ready = model_ready

    def ServerLive(  # noqa: D102
        self, request: pb.ServerLiveRequest, context: grpc.ServicerContext
    ) -> pb.ServerLiveResponse:
        return pb.ServerLiveResponse(live=True)

    def ServerReady(  # noqa: D102
        self, request: pb.ServerReadyRequest, context: grpc.ServicerContext
    ) -> pb.ServerReadyResponse:
        return pb.ServerReadyResponse(ready=self._ready())

    def ModelReady(  # noqa: D102
        self, request: pb.ModelReadyRequest, context: grpc.ServicerContext
    ) -> pb.ModelReadyResponse:
        try:
            ready = self._model_ready(request.name, request.version)
        except SkysailError as error:
            context.abort(_STATUSES[GRPC_CODES[error.kind]], str(error))
        return pb.ModelReadyResponse(ready=ready and self._ready())

    def ServerMetadata(  # noqa: D102
        self, request: pb.ServerMetadataRequest, context: grpc.ServicerContext
    ) -> pb.ServerMetadataResponse:
        return pb.ServerMetadataResponse(name="skysail", version=__version__)

    def ModelMetadata(  # noqa: D102
        self, request: pb.ModelMetadataRequest, context: grpc.ServicerContext
    ) -> pb.ModelMetadataResponse:
        try:
            found = catalogue.describe(self._snapshot(), self._namespace, request.name, request.version)
        except SkysailError as error:
            context.abort(_STATUSES[GRPC_CODES[error.kind]], str(error))
        response = pb.ModelMetadataResponse(name=found.name, versions=found.versions, platform=found.platform)
        if found.signature is not None:
            response.inputs.extend(map(_tensor, found.signature.inputs))
            response.outputs.extend(map(_tensor, found.signature.outputs))
        return response


def _tensor(spec: TensorSpec) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.shape)
