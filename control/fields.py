"""The field types that documents are made of: each refuses a value with its legal range."""

from collections.abc import Sized
from typing import Annotated, Final

from pydantic import AfterValidator

from skysail.control import keys

__all__ = [
    "DATATYPES",
    "Address",
    "Datatype",
    "Digest",
    "Dimension",
    "Name",
    "TensorName",
    "between",
    "count",
    "text",
]

#: Every datatype of the Open Inference Protocol.
DATATYPES: Final = (
    *("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"),
    *("FP16", "FP32", "FP64", "BF16", "BYTES"),
)


def between(low: float, high: float, unit: str = "") -> AfterValidator:
    """A finite number within [low, high]."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be between {low:g} and {high:g}{unit and ' ' + unit}, got {value:g}")
        return value

    return AfterValidator(check)


def count(low: int, high: int, what: str) -> AfterValidator:
    """A collection of low to high things."""

    def check(value: Sized) -> Sized:
        size = len(value)
        if not low <= size <= high:
            raise ValueError(f"must hold between {low} and {high} {what}, got {size}")
        return value

    return AfterValidator(check)


def text(max_length: int) -> AfterValidator:
    """A text of at most `max_length` characters, none of them a control character."""

    def check(value: str) -> str:
        if len(value) > max_length:
            raise ValueError(f"must be at most {max_length} characters long, got {len(value)}")
        if not value.isprintable():
            raise ValueError(f"must hold printable characters only, got {value!r}")
        return value

    return AfterValidator(check)


def _name(value: str) -> str:
    if keys.NAME.fullmatch(value) is None:
        raise ValueError(
            "must be 1 to 128 letters, digits, dots, dashes or underscores and begin with a letter or digit, "
            f"got {value[:140]!r}"
        )
    return value


def _datatype(value: str) -> str:
    if value not in DATATYPES:
        raise ValueError(f"must be one of {', '.join(DATATYPES)}, got {value!r}")
    return value


def _non_empty(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


def _digest(value: str) -> str:
    algorithm, _, digits = value.partition(":")
    if algorithm != "sha256" or len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise ValueError(f"must be 'sha256:' and 64 lower-case hexadecimal digits, got {value!r}")
    return value


def _address(value: str) -> str:
    if value.startswith("unix:/") and len(value) <= 256:
        return value
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f"must be 'host:port' with a port from 1 to 65535, or 'unix:/path', got {value!r}")
    return value


def _shape(value: int) -> int:
    if not -1 <= value < 2**63:
        raise ValueError(f"must be -1 (any) or from 0 to {2**63 - 1}, got {value}")
    return value


Name = Annotated[str, AfterValidator(_name)]
TensorName = Annotated[str, AfterValidator(_non_empty), text(256)]
Datatype = Annotated[str, AfterValidator(_datatype)]
Digest = Annotated[str, AfterValidator(_digest)]
Address = Annotated[str, AfterValidator(_address)]
Dimension = Annotated[int, AfterValidator(_shape)]
