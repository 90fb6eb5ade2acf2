"""Signatures from what users write, and tensors that fit them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from skysail.control.schema import Signature, TensorSpec
from skysail.control.signature_text import parse_tensor
from skysail.native.codec import DATATYPES

__all__ = ["signature_of", "synthesise"]


def signature_of(
    inputs: Iterable[str | TensorSpec], outputs: Iterable[str | TensorSpec], *, max_rows: int = 0
) -> Signature:
    """A signature from tensors in text or parsed form.

    Raises:
        InvalidArgument: a tensor is not legal, or a name is used twice.
    """
    parsed = [
        tuple(spec if isinstance(spec, TensorSpec) else parse_tensor(spec) for spec in specs)
        for specs in (inputs, outputs)
    ]
    return Signature.make(inputs=parsed[0], outputs=parsed[1], max_rows=max_rows)


def synthesise(specs: Iterable[TensorSpec], rows: int) -> dict[str, np.ndarray]:
    """Zeros (empty strings for BYTES) that fit: a leading -1 becomes `rows`, any other -1 becomes 1."""
    arrays: dict[str, np.ndarray] = {}
    for spec in specs:
        shape = tuple(
            (rows if axis == 0 else 1) if size == -1 else size for axis, size in enumerate(spec.shape)
        )
        fill = b"" if spec.datatype == "BYTES" else 0
        arrays[spec.name] = np.full(shape, fill, dtype=DATATYPES[spec.datatype])
    return arrays
