"""What a model may ask about the call that it is answering: for code inside `predict` and what it calls.

Of a batch the last caller's deadline counts, and it is cancelled when every caller has left. Nothing stops a
model that does not ask: what it gives too late is thrown away.
"""

from __future__ import annotations

from contextvars import ContextVar
from math import inf
from typing import Protocol

__all__ = ["Call", "become", "cancelled", "remaining_s"]


class Call(Protocol):
    """A call as its model server knows it."""

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline; negative once it has passed."""

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""


_current: ContextVar[Call | None] = ContextVar("current_call", default=None)


def remaining_s() -> float:
    """Seconds until the last caller's deadline, negative once it has passed; infinite outside of a call."""
    call = _current.get()
    return inf if call is None else call.remaining_s


def cancelled() -> bool:
    """Whether every caller has left; False outside of a call."""
    call = _current.get()
    return call is not None and call.cancelled


def become(call: Call | None) -> None:
    """Makes `call` this thread's current one, or none: for whoever runs a model, and its tests."""
    _current.set(call)
