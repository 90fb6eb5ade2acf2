"""Between which bounds a share lies, at whatever time one looks. Pure functions.

An interval for a fixed number of trials is wrong too often for somebody who looks again and again and stops
when it suits. These bounds hold at all times at once: with probability 1 - alpha the true share is never
outside of them, however long one looks (H. Robbins, Statistical methods related to the law of the iterated
logarithm, 1970; J. Ville, 1939). They are the shares p for which the ratio

    likelihood of the trials, mixed over all shares by Beta(1/2, 1/2)  /  their likelihood if p is true

is below 1 / alpha: if p is true that ratio is a martingale of mean 1, which ever reaches 1 / alpha with
probability alpha at most.
"""

from collections.abc import Callable
from math import inf, lgamma, log, log1p

__all__ = ["bounds", "surest_tail"]

_STEPS = 60


def bounds(hits: float, trials: float, *, alpha: float) -> tuple[float, float]:
    """The least and the greatest share that `hits` of `trials` leave possible.

    Args:
        hits: of the trials, those that count; need not be whole.
        trials: how many; 0: nothing is known.
        alpha: the probability that the truth is ever outside, above 0 and below 1.
    """
    if trials <= 0:
        return 0.0, 1.0
    bar = log(1 / alpha)
    mixed = _log_beta(hits + 0.5, trials - hits + 0.5) - _log_beta(0.5, 0.5)

    def possible(share: float) -> bool:
        return mixed - _log_likelihood(share, hits, trials) < bar

    seen = hits / trials
    return _edge(seen, 0.0, possible), _edge(seen, 1.0, possible)


def surest_tail(trials: int, share: float, *, alpha: float) -> int | None:
    """The most hits of which it is sure that their true share is below `share`; None: not even of no hit."""
    low, high = -1, trials
    while high - low > 1:
        middle = (low + high) // 2
        if bounds(middle, trials, alpha=alpha)[1] < share:
            low = middle
        else:
            high = middle
    return low if low >= 0 else None


def _edge(inside: float, outside: float, possible: Callable[[float], bool]) -> float:
    """Where between the two a share stops being possible."""
    if possible(outside):
        return outside
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if possible(middle):
            inside = middle
        else:
            outside = middle
    return outside


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_likelihood(share: float, hits: float, trials: float) -> float:
    misses = trials - hits
    if (share <= 0 and hits > 0) or (share >= 1 and misses > 0):
        return -inf
    return (hits * log(share) if hits > 0 else 0.0) + (misses * log1p(-share) if misses > 0 else 0.0)
