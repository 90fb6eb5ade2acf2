"""Amounts of memory as people write them: "512MiB", "2GiB", "1.5G"."""

import math
import re

from skysail.control.errors import InvalidArgument

__all__ = ["parse_mib"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGT])(i)?B?)")
_POWER = {"K": 1, "M": 2, "G": 3, "T": 4}
MIB = 1 << 20


def parse_mib(text: str, *, option: str) -> int:
    """Whole MiB, rounded up; units of 1024 with an i ("Mi", "MiB"), of 1000 without ("M", "MB").

    Raises:
        InvalidArgument: naming the option and what is legal.
    """
    if text == "0":
        return 0
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InvalidArgument(
            f"{option}: write a number and a unit, such as 512MiB or 2GiB, or 0, got {text!r}"
        )
    number, unit, binary = found.groups()
    factor: int = (1024 if binary else 1000) ** _POWER[unit]
    return math.ceil(float(number) * factor / MIB)
