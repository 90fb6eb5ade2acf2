"""The short text form of a tensor's specification: `x:FP32:[-1,16]`."""

from collections.abc import Sequence

from skysail.control.errors import InvalidArgument
from skysail.control.schema import Signature, TensorSpec

__all__ = ["format_tensor", "parse_signature", "parse_tensor"]


def parse_tensor(text: str) -> TensorSpec:
    """Reads `name:DATATYPE:[dimensions]`; the name may hold colons itself.

    Raises:
        InvalidArgument: saying what is missing or illegal.
    """
    parts = text.rsplit(":", 2)
    if len(parts) != 3 or not (parts[2].startswith("[") and parts[2].endswith("]")):
        raise InvalidArgument(f"{text!r}: write name:DATATYPE:[shape], such as x:FP32:[-1,16]")
    name, datatype, shape = parts
    inner = shape[1:-1].strip()
    try:
        dimensions = tuple(int(dimension) for dimension in inner.split(",")) if inner else ()
    except ValueError:
        raise InvalidArgument(f"{text!r}: the shape {shape} must be whole numbers, such as [-1,16]") from None
    try:
        return TensorSpec.make(name=name.strip(), datatype=datatype.strip(), shape=dimensions)
    except InvalidArgument as error:
        raise InvalidArgument(f"{text!r}: {error}") from None


def parse_signature(inputs: Sequence[str], outputs: Sequence[str], *, max_rows: int = 0) -> Signature:
    """A signature of tensors in text form.

    Raises:
        InvalidArgument: when a tensor is illegal, none is given, or a name is there twice.
    """
    return Signature.make(
        inputs=tuple(map(parse_tensor, inputs)), outputs=tuple(map(parse_tensor, outputs)), max_rows=max_rows
    )


def format_tensor(tensor: TensorSpec) -> str:
    """The inverse of `parse_tensor`."""
    return f"{tensor.name}:{tensor.datatype}:[{','.join(map(str, tensor.shape))}]"
