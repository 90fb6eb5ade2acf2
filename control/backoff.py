"""How long to wait before the next attempt."""

import random
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass
class Backoff:
    """Doubles from `first_s` to `limit_s`; each delay is cut by up to half, so that many spread out."""

    first_s: float = 0.1
    limit_s: float = 2.0
    chance: Callable[[], float] = random.random
    _failures: int = 0

    def fail(self) -> float:
        """Counts a failure and returns the seconds to wait."""
        delay_s = min(self.limit_s, self.first_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return delay_s * (1.0 - self.chance() / 2.0)

    def succeed(self) -> None:
        """The next failure is the first again."""
        self._failures = 0
