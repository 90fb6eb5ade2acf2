"""Datatypes of the Open Inference Protocol as NumPy knows them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from skysail.control.errors import InvalidArgument
from skysail.control.schema import Signature, TensorSpec
from skysail.control.signature_text import parse_tensor

__all__ = ["DTYPES", "datatype_of", "signature_of", "synthesise"]

#: The NumPy type of each datatype. BYTES elements are Python `bytes`; BF16 has no NumPy type, so a model
#: cannot use it.
DTYPES: dict[str, np.dtype[np.generic]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(np.object_),
}
_DATATYPES = {dtype: name for name, dtype in DTYPES.items()}


def datatype_of(dtype: np.dtype[np.generic]) -> str | None:
    """The datatype that carries a NumPy type, text included; None when there is none."""
    return "BYTES" if dtype.kind in "SUO" else _DATATYPES.get(dtype.newbyteorder("="))


def signature_of(
    inputs: Iterable[str | TensorSpec], outputs: Iterable[str | TensorSpec], *, max_rows: int = 0
) -> Signature:
    """A signature from tensors in text or parsed form.

    Raises:
        InvalidArgument: a tensor is not legal, has no NumPy type, or a name is used twice.
    """
    parsed = [
        tuple(spec if isinstance(spec, TensorSpec) else parse_tensor(spec) for spec in specs)
        for specs in (inputs, outputs)
    ]
    for spec in (*parsed[0], *parsed[1]):
        if spec.datatype not in DTYPES:
            raise InvalidArgument(
                f"tensor {spec.name!r}: {spec.datatype} has no NumPy type; use one of {', '.join(DTYPES)}"
            )
    return Signature.make(inputs=parsed[0], outputs=parsed[1], max_rows=max_rows)


def synthesise(specs: Iterable[TensorSpec], rows: int) -> dict[str, np.ndarray]:
    """Zeros (empty strings for BYTES) that fit: a leading -1 becomes `rows`, any other -1 becomes 1."""
    arrays: dict[str, np.ndarray] = {}
    for spec in specs:
        shape = tuple(
            (rows if axis == 0 else 1) if size == -1 else size for axis, size in enumerate(spec.shape)
        )
        fill = b"" if spec.datatype == "BYTES" else 0
        arrays[spec.name] = np.full(shape, fill, dtype=DTYPES[spec.datatype])
    return arrays
