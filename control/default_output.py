"""An application's default output: JSON for people, one encoded row for the data plane."""

from pydantic import JsonValue

from skysail.control.errors import InvalidArgument
from skysail.control.json_tensors import flatten, to_raw
from skysail.control.schema import Signature, TensorSpec
from skysail.proto import inference_pb2

__all__ = ["encode_default"]


def encode_default(value: JsonValue, signature: Signature) -> bytes:
    """One row of output as an encoded ModelInferResponse with raw contents.

    `value` is {output name: value}, or the value alone when there is one output. Each value has the output's
    shape without its leading -1 (a row), or with it as [1, ...].

    Raises:
        InvalidArgument: naming the output that is missing, unknown or of another shape or type.
    """
    outputs = {output.name: output for output in signature.outputs}
    if not isinstance(value, dict):
        if len(outputs) != 1:
            raise InvalidArgument(f"default: write {{name: value}} for the outputs {', '.join(outputs)}")
        value = {next(iter(outputs)): value}
    if value.keys() != outputs.keys():
        raise InvalidArgument(
            f"default: must have the outputs {', '.join(outputs)}, got {', '.join(value) or 'none'}"
        )
    response = inference_pb2.ModelInferResponse()
    for name, spec in outputs.items():
        try:
            shape, raw = _row(value[name], spec)
        except InvalidArgument as error:
            raise InvalidArgument(f"default: output {name!r}: {error}") from None
        response.outputs.add(name=name, datatype=spec.datatype, shape=shape)
        response.raw_output_contents.append(raw)
    return response.SerializeToString()


def _row(value: JsonValue, spec: TensorSpec) -> tuple[list[int], bytes]:
    shape, elements = flatten(value)
    stacked = spec.shape[:1] == (-1,)
    if stacked and len(shape) == len(spec.shape) - 1:
        shape = [1, *shape]
    fits = len(shape) == len(spec.shape) and all(
        wanted in (-1, got) for wanted, got in zip(spec.shape, shape, strict=True)
    )
    if not fits or (stacked and shape[0] != 1):
        row = list(spec.shape[1:] if stacked else spec.shape)
        raise InvalidArgument(f"expected one row of shape {row}, got a value of shape {flatten(value)[0]}")
    return shape, to_raw(elements, spec.datatype)
