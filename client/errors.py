"""What a call may raise, as one tree.

SkysailError
└── CallFailed                  .kind says what sort of error it is
    ├── InvalidRequest          the inputs do not fit the model; nothing was computed
    ├── UnknownModel            no model or application of that name
    ├── DeadlineExceeded        no answer in time
    ├── Overloaded              refused at once, because the wait would be too long
    ├── ServerUnavailable       nobody answers at the address, or no replica is left
    └── ModelFailed             the model raised, or broke its own signature
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from skysail.control.errors import GRPC_CODES, CallFailed, Kind, SkysailError

__all__ = [
    "CallFailed",
    "DeadlineExceeded",
    "InvalidRequest",
    "ModelFailed",
    "Overloaded",
    "ServerUnavailable",
    "SkysailError",
    "UnknownModel",
    "error_from_code",
]


class InvalidRequest(CallFailed):
    """The inputs do not fit the model; the message names the tensor, what was expected and what it got."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.INVALID_ARGUMENT, message)


class UnknownModel(CallFailed):
    """There is no model or application of that name; `skysail status` lists those there are."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.NOT_FOUND, message)


class DeadlineExceeded(CallFailed):
    """No answer came in time; allow more with `timeout_s`, or give the application a larger objective."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.DEADLINE_EXCEEDED, message)


class Overloaded(CallFailed):
    """Refused at once, because the wait would exceed the deadline; try again later, or add replicas."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.RESOURCE_EXHAUSTED, message)


class ServerUnavailable(CallFailed):
    """Nobody answers at the address, or no replica is left; trying again may help."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.UNAVAILABLE, message)


class ModelFailed(CallFailed):
    """The model raised, or broke its own signature; the message holds its words, `skysail logs` the rest."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.INTERNAL, message)


_KINDS: Mapping[int, Kind] = MappingProxyType({code: kind for kind, code in GRPC_CODES.items()})
_ERRORS: Mapping[Kind, Callable[[str], CallFailed]] = MappingProxyType(
    {
        Kind.INVALID_ARGUMENT: InvalidRequest,
        Kind.NOT_FOUND: UnknownModel,
        Kind.DEADLINE_EXCEEDED: DeadlineExceeded,
        Kind.RESOURCE_EXHAUSTED: Overloaded,
        Kind.UNAVAILABLE: ServerUnavailable,
        Kind.INTERNAL: ModelFailed,
    }
)


def error_from_code(code: int, message: str) -> CallFailed:
    """The error for a gRPC status code."""
    kind = _KINDS.get(code, Kind.UNKNOWN)
    make = _ERRORS.get(kind)
    return make(message) if make is not None else CallFailed(kind, message)
