"""Finds the highest rate that a server still holds."""

from __future__ import annotations

from collections.abc import Callable

STEP = 1.25
RESOLUTION = 1.03
LEAST = 50.0


def highest_passing(passes: Callable[[float], bool], *, start: float) -> float:
    """The highest rate for which ``passes`` holds, within 3% below the true border.

    Steps from ``start`` up or down until the border lies between two rates, then halves the gap. A start near
    the border costs about five probes.

    Returns:
        0.0 when not even ``LEAST`` passes.
    """
    low, high = start, start
    if passes(start):
        while passes(high := high * STEP):
            low = high
    else:
        while not passes(low := low / STEP):
            high = low
            if low < LEAST:
                return 0.0
    while high / low > RESOLUTION:
        middle = (low * high) ** 0.5
        if passes(middle):
            low = middle
        else:
            high = middle
    return low
