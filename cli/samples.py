"""Calls to copy: what a request for a signature looks like."""

from __future__ import annotations

import json
import math
from typing import Any

from skysail.control.schema import Signature, TensorSpec

__all__ = ["sample", "sample_http"]

#: More numbers than this do not fit on a line that somebody would read.
MOST_ELEMENTS = 16


def sample(signature: Signature) -> str:
    """What follows `skysail predict NAME`: one row, or a file where that would be too long to read."""
    if any(_row(spec) is ... for spec in signature.inputs):
        return "--input rows.npy" if len(signature.inputs) == 1 else "--input inputs.npz"
    if len(signature.inputs) == 1:
        return f"'{_text(_row(signature.inputs[0]))}'"
    return f"'{_text({spec.name: _row(spec) for spec in signature.inputs})}'"


def sample_http(signature: Signature) -> str:
    """One row, as the plain-JSON endpoint takes it."""
    tensors = [
        {"name": spec.name, "datatype": spec.datatype, "shape": _shape(spec), "data": _row(spec)}
        for spec in signature.inputs
    ]
    return _text({"inputs": tensors})


def _shape(spec: TensorSpec) -> list[int]:
    return [1 if size == -1 else size for size in spec.shape]


def _row(spec: TensorSpec) -> Any:
    shape = _shape(spec)
    if math.prod(shape) > MOST_ELEMENTS:
        return ...
    value: Any = {"BYTES": "text", "BOOL": True}.get(spec.datatype, 0)
    for size in reversed(shape):
        value = [value] * size
    return value


def _text(value: Any) -> str:
    return json.dumps(value, default=lambda _: "...").replace('"..."', "[...]")
