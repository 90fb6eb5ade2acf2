"""What can go wrong, as one tree.

    SkysailError                    .kind says what sort of error it is; the message says what to do next
    ├── InvalidArgument             the request, document or option is wrong whatever the state
    ├── NotFound                    no such application, model, version
    │   └── LeaseLost               the store has forgotten the lease of a registration
    ├── AlreadyExists               a version's name is taken by another artefact
    ├── FailedPrecondition          a right request in the wrong state
    ├── Conflict                    somebody else wrote first; nothing was changed
    ├── HistoryLost                 the store no longer has the changes since the revision asked for
    ├── StoreUnavailable            no etcd: configuration cannot be read or changed now
    ├── Timeout                     something awaited did not happen in time
    └── CallFailed                  a prediction ended with an error; any kind

Kinds are the canonical error space of RPC systems. The core speaks kinds only; the tables below are the
one place that maps them to gRPC and HTTP codes.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

__all__ = [
    "GRPC_CODES",
    "HTTP_STATUSES",
    "AlreadyExists",
    "CallFailed",
    "Conflict",
    "FailedPrecondition",
    "HistoryLost",
    "InvalidArgument",
    "Kind",
    "LeaseLost",
    "NotFound",
    "SkysailError",
    "StoreUnavailable",
    "Timeout",
]


class Kind(StrEnum):
    """The sort of an error; the values are the names that the native core uses."""

    OK = "Ok"
    CANCELLED = "Cancelled"
    UNKNOWN = "Unknown"
    INVALID_ARGUMENT = "InvalidArgument"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    NOT_FOUND = "NotFound"
    ALREADY_EXISTS = "AlreadyExists"
    PERMISSION_DENIED = "PermissionDenied"
    RESOURCE_EXHAUSTED = "ResourceExhausted"
    FAILED_PRECONDITION = "FailedPrecondition"
    ABORTED = "Aborted"
    OUT_OF_RANGE = "OutOfRange"
    UNIMPLEMENTED = "Unimplemented"
    INTERNAL = "Internal"
    UNAVAILABLE = "Unavailable"
    DATA_LOSS = "DataLoss"
    UNAUTHENTICATED = "Unauthenticated"

    @classmethod
    def of(cls, name: str) -> "Kind":
        """The kind of that name; UNKNOWN for a name that a newer peer may have made up."""
        try:
            return cls(name)
        except ValueError:
            return cls.UNKNOWN


GRPC_CODES: Mapping[Kind, int] = MappingProxyType(
    {
        Kind.OK: 0,
        Kind.CANCELLED: 1,
        Kind.UNKNOWN: 2,
        Kind.INVALID_ARGUMENT: 3,
        Kind.DEADLINE_EXCEEDED: 4,
        Kind.NOT_FOUND: 5,
        Kind.ALREADY_EXISTS: 6,
        Kind.PERMISSION_DENIED: 7,
        Kind.RESOURCE_EXHAUSTED: 8,
        Kind.FAILED_PRECONDITION: 9,
        Kind.ABORTED: 10,
        Kind.OUT_OF_RANGE: 11,
        Kind.UNIMPLEMENTED: 12,
        Kind.INTERNAL: 13,
        Kind.UNAVAILABLE: 14,
        Kind.DATA_LOSS: 15,
        Kind.UNAUTHENTICATED: 16,
    }
)

HTTP_STATUSES: Mapping[Kind, int] = MappingProxyType(
    {
        Kind.OK: 200,
        Kind.CANCELLED: 499,  # nginx's "client closed request": nobody is there to read it
        Kind.UNKNOWN: 500,
        Kind.INVALID_ARGUMENT: 400,
        Kind.DEADLINE_EXCEEDED: 504,
        Kind.NOT_FOUND: 404,
        Kind.ALREADY_EXISTS: 409,
        Kind.PERMISSION_DENIED: 403,
        Kind.RESOURCE_EXHAUSTED: 429,
        Kind.FAILED_PRECONDITION: 409,
        Kind.ABORTED: 409,
        Kind.OUT_OF_RANGE: 400,
        Kind.UNIMPLEMENTED: 501,
        Kind.INTERNAL: 500,
        Kind.UNAVAILABLE: 503,
        Kind.DATA_LOSS: 500,
        Kind.UNAUTHENTICATED: 401,
    }
)


class SkysailError(Exception):
    """The root: one message for people, and the kind for machines."""

    kind = Kind.UNKNOWN


class InvalidArgument(SkysailError):
    """The request, document or option is wrong; the message names the field and what is legal."""

    kind = Kind.INVALID_ARGUMENT


class NotFound(SkysailError):
    """No such thing; the message says what exists or how to make it."""

    kind = Kind.NOT_FOUND


class LeaseLost(NotFound):
    """The lease has expired or was revoked: everything under it is gone and must be registered again."""


class AlreadyExists(SkysailError):
    """The name is taken by something else, which may not be replaced."""

    kind = Kind.ALREADY_EXISTS


class FailedPrecondition(SkysailError):
    """The request is right, the state is not."""

    kind = Kind.FAILED_PRECONDITION


class Conflict(SkysailError):
    """Somebody else wrote first: nothing was changed; read again and decide again."""

    kind = Kind.ABORTED


class HistoryLost(SkysailError):
    """The changes since a revision are no longer known (compacted, or the store was replaced)."""

    kind = Kind.OUT_OF_RANGE


class StoreUnavailable(SkysailError):
    """The configuration store cannot be reached; what is being served is not affected."""

    kind = Kind.UNAVAILABLE


class Timeout(SkysailError):
    """Something awaited did not happen in time; the message says what is missing."""

    kind = Kind.DEADLINE_EXCEEDED


class CallFailed(SkysailError):
    """A prediction ended with an error of `kind`; trying again may help in `retry_after_s` (0: unknown)."""

    def __init__(self, kind: Kind, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after_s = retry_after_s
