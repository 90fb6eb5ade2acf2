"""Tensors between JSON and the raw little-endian form of the wire, without NumPy (a service stays small).

Numbers that JSON cannot write are the texts "NaN", "Infinity" and "-Infinity", as in protobuf's JSON form.
"""

import math
import sys
from array import array
from collections.abc import Sequence
from itertools import chain
from struct import Struct, error, pack, unpack, unpack_from
from typing import Any, Final

from skysail.control.errors import InvalidArgument

__all__ = ["element_count", "flatten", "from_raw", "to_raw"]

_INTEGERS: Final = {
    **{"INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q"},
    **{"UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q"},
}
_FLOATS: Final = {"FP32": "f", "FP64": "d"}
_SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LENGTH: Final = Struct("<I")


def element_count(shape: Sequence[int]) -> int:
    """How many elements a tensor of that shape has."""
    return math.prod(shape)


def flatten(value: object) -> tuple[list[int], list[Any]]:
    """The shape of nested lists, and their elements in row-major order; a lone value has the shape [].

    Raises:
        InvalidArgument: lists of different lengths or depths stand side by side.
    """
    shape: list[int] = []
    level: list[Any] = [value]
    while level and isinstance(level[0], list):
        length = len(level[0])
        if any(not isinstance(one, list) or len(one) != length for one in level):
            raise InvalidArgument(f"ragged: not every list at depth {len(shape)} has the length {length}")
        shape.append(length)
        level = list(chain.from_iterable(level))
    if any(isinstance(one, list) for one in level):
        raise InvalidArgument(f"ragged: values and lists are mixed at depth {len(shape)}")
    return shape, level


def to_raw(elements: list[Any], datatype: str) -> bytes:
    """Packs elements of JSON as `datatype`.

    Raises:
        InvalidArgument: naming the first element that does not fit, and what would.
    """
    if datatype in _INTEGERS:
        _require(elements, {int}, datatype, "whole numbers")
        return _array(_INTEGERS[datatype], elements, datatype)
    if datatype == "BOOL":
        _require(elements, {bool}, datatype, "true or false")
        return bytes(elements)
    if datatype == "BYTES":
        _require(elements, {str}, datatype, "texts")
        encoded = [_utf8(one) for one in elements]
        return b"".join(chain.from_iterable((_LENGTH.pack(len(one)), one) for one in encoded))
    numbers = _numbers(elements, datatype)
    if datatype in _FLOATS:
        return _array(_FLOATS[datatype], numbers, datatype)
    if datatype == "FP16":
        try:
            return pack(f"<{len(numbers)}e", *numbers)
        except (OverflowError, error):
            raise InvalidArgument(f"a number is beyond what {datatype} can hold") from None
    if datatype == "BF16":
        return b"".join(map(_to_bf16, numbers))
    raise InvalidArgument(f"unknown datatype {datatype!r}")


def from_raw(raw: bytes | memoryview, datatype: str) -> list[Any]:
    """The elements of a raw tensor, as values that JSON can write.

    Raises:
        InvalidArgument: the bytes are not whole elements, or BYTES that are not UTF-8 text.
    """
    if datatype == "BOOL":
        return [byte != 0 for byte in raw]
    if datatype == "BYTES":
        return _texts(raw)
    code = _INTEGERS.get(datatype) or _FLOATS.get(datatype)
    try:
        if code is not None:
            items = array(code)
            items.frombytes(raw)
            if sys.byteorder == "big":
                items.byteswap()
            values: list[Any] = items.tolist()
        elif datatype == "FP16":
            values = list(unpack(f"<{(len(raw) + 1) // 2}e", raw))
        elif datatype == "BF16":
            halves = memoryview(raw)
            values = [unpack_from("<f", b"\0\0" + halves[i : i + 2])[0] for i in range(0, len(raw), 2)]
        else:
            raise InvalidArgument(f"unknown datatype {datatype!r}")
    except (ValueError, error):
        raise InvalidArgument(f"{len(raw)} bytes are not whole elements of {datatype}") from None
    # A sum is finite only when all its terms are: one pass in C for the usual case.
    if datatype not in _INTEGERS and not math.isfinite(sum(values)):
        return [one if math.isfinite(one) else _name(one) for one in values]
    return values


def _require(elements: list[Any], types: set[type], datatype: str, what: str) -> None:
    if set(map(type, elements)) <= types:
        return
    index, wrong = next((i, one) for i, one in enumerate(elements) if type(one) not in types)
    raise InvalidArgument(f"{datatype} takes {what}, element {index} is {_shown(wrong)}")


def _numbers(elements: list[Any], datatype: str) -> list[Any]:
    if set(map(type, elements)) <= {float, int}:
        return elements
    numbers = [_SPECIAL.get(one, one) if type(one) is str else one for one in elements]
    _require(numbers, {float, int}, datatype, 'numbers ("NaN", "Infinity" and "-Infinity" among them)')
    return numbers


def _array(code: str, elements: list[Any], datatype: str) -> bytes:
    try:
        items = array(code, elements)
    except OverflowError:
        raise InvalidArgument(f"a number is beyond what {datatype} can hold") from None
    if code == "f" and not math.isfinite(sum(items)):
        for element, item in zip(elements, items, strict=True):
            if math.isinf(item) and not math.isinf(element):
                raise InvalidArgument(f"{element:g} is beyond what {datatype} can hold")
    if sys.byteorder == "big":
        items.byteswap()
    return items.tobytes()


def _to_bf16(number: float) -> bytes:
    """The upper half of the FP32 form, rounded to nearest, ties to even."""
    if math.isnan(number):
        return b"\xc0\x7f"
    try:
        (bits,) = unpack_from("<I", pack("<f", number))
    except OverflowError:
        raise InvalidArgument(f"{number:g} is beyond what BF16 can hold") from None
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    if rounded & 0x7FFF == 0x7F80 and math.isfinite(number):
        raise InvalidArgument(f"{number:g} is beyond what BF16 can hold")
    return pack("<H", rounded)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{_shown(text)} is not valid Unicode (a lone surrogate)") from None


def _texts(raw: bytes | memoryview) -> list[str]:
    texts, at, view = [], 0, memoryview(raw)
    while at < len(view):
        if at + 4 > len(view) or at + 4 + _LENGTH.unpack_from(view, at)[0] > len(view):
            raise InvalidArgument(f"{len(view)} bytes are not whole elements of BYTES")
        (length,) = _LENGTH.unpack_from(view, at)
        try:
            texts.append(str(view[at + 4 : at + 4 + length], "utf-8"))
        except UnicodeDecodeError:
            raise InvalidArgument(
                f"element {len(texts)} of BYTES is not UTF-8, which JSON cannot write: call over gRPC"
            ) from None
        at += 4 + length
    return texts


def _name(number: float) -> str:
    return next(
        name for name, value in _SPECIAL.items() if value == number or (number != number and name == "NaN")
    )


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
