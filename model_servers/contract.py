"""Holds what a model returned to what its signature promises."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from skysail.control.schema import Signature, TensorSpec
from skysail.native.codec import DATATYPES, CodecError, datatype_of

__all__ = ["ContractBroken", "OutputContract"]


class ContractBroken(Exception):
    """The model returned something else than it promised; the message names output, expected and got."""


class OutputContract:
    """Checks outputs against a signature.

    A value of another type is converted only when every value of that type is kept exactly (INT32 as INT64,
    FP32 as FP64): a narrowing that loses digits in silence is the model's decision to make, not ours.
    """

    def __init__(self, signature: Signature) -> None:
        self._outputs = signature.outputs
        self._names = {spec.name for spec in signature.outputs}
        self._stacked = all(spec.shape[:1] == (-1,) for spec in (*signature.inputs, *signature.outputs))

    def check(self, returned: object, *, rows: int, requested: Collection[str] = ()) -> dict[str, np.ndarray]:
        """The outputs to answer with, in the signature's order.

        Args:
            returned: what the model gave.
            rows: what every output must have first, when rows are stacked.
            requested: names the caller asked for; empty for all.

        Raises:
            ContractBroken: names, datatypes, shapes or rows are not as promised.
        """
        if not isinstance(returned, Mapping):
            raise ContractBroken(
                f"predict must return a dict of arrays by output name, got {type(returned).__name__}"
            )
        if returned.keys() != self._names:
            missing = sorted(self._names - returned.keys())
            extra = sorted(map(str, returned.keys() - self._names))
            raise ContractBroken(
                f"outputs must be {sorted(self._names)}:"
                + (f" {missing} missing" if missing else "")
                + (" and" if missing and extra else "")
                + (f" {extra} not in the signature" if extra else "")
            )
        return {
            spec.name: self._tensor(spec, returned[spec.name], rows)
            for spec in self._outputs
            if not requested or spec.name in requested
        }

    def _tensor(self, spec: TensorSpec, value: object, rows: int) -> np.ndarray:
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise ContractBroken(f"output {spec.name!r} is not an array: {error}") from None
        shape = array.shape
        if len(shape) != len(spec.shape) or any(
            want not in (-1, got) for want, got in zip(spec.shape, shape, strict=True)
        ):
            raise ContractBroken(
                f"output {spec.name!r} must have shape {list(spec.shape)}, got {list(shape)}"
            )
        if self._stacked and shape[0] != rows:
            raise ContractBroken(
                f"output {spec.name!r} must have {rows} rows, as the inputs have, got {shape[0]}"
            )
        dtype = DATATYPES[spec.datatype]
        if spec.datatype == "BYTES":
            return _as_bytes(spec.name, array)
        if array.dtype == dtype:
            return array
        if array.dtype.kind == "O" or not np.can_cast(array.dtype, dtype, "safe"):
            raise ContractBroken(
                f"output {spec.name!r} must be {spec.datatype}, got {_shown(array.dtype)}; "
                f"return it as numpy.{dtype.name}, or state another datatype"
            )
        return array.astype(dtype)


def _shown(dtype: np.dtype[Any]) -> str:
    try:
        return datatype_of(dtype)
    except CodecError:
        return str(dtype)


def _as_bytes(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "SUO":
        raise ContractBroken(f"output {name!r} must be BYTES (bytes or text), got {_shown(array.dtype)}")
    encoded = np.empty(array.size, dtype=object)
    for i, value in enumerate(array.ravel().tolist()):
        if isinstance(value, str):
            encoded[i] = value.encode()
        elif isinstance(value, bytes):
            encoded[i] = value
        else:
            raise ContractBroken(
                f"output {name!r} must hold bytes or text, element {i} is a {type(value).__name__}"
            )
    return encoded.reshape(array.shape)
