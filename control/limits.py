"""Limits of what peers may do, as they are written on a command line."""

from collections.abc import Iterable

from skysail.control.errors import InvalidArgument
from skysail.native import _core as core

__all__ = ["all_limits", "parse_limits"]


def parse_limits(texts: Iterable[str]) -> dict[str, int]:
    """The limits of "name=value" texts, by name; a later one of the same name counts.

    Raises:
        InvalidArgument: naming the limit and what is legal.
    """
    ranges = {name: (low, high) for name, _, low, high, _ in core.server_limits()}
    limits: dict[str, int] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in ranges:
            raise InvalidArgument(f"--limit: there is no limit {name!r}; there are {', '.join(ranges)}")
        low, high = ranges[name]
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise InvalidArgument(
                f"--limit {name}: must be a whole number between {low} and {high}, got {value!r}"
            )
        limits[name] = int(value)
    return limits


def all_limits(texts: Iterable[str]) -> dict[str, int]:
    """The same, with the default of each limit that is not set.

    Raises:
        InvalidArgument: naming the limit and what is legal.
    """
    return {name: default for name, default, *_ in core.server_limits()} | parse_limits(texts)
