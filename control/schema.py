"""The documents of the configuration store: what each holds, and what is legal.

Documents are frozen, strict JSON; an unknown field or an illegal value is refused by name. What a user
wants (applications, models, versions) and what is running (instances, replicas) never share a document.
A version is immutable, so what may change about it (its weight in the route, the number of its
replicas) lives in its model's document: one document, one transaction, for every step of a rollout.
"""

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from skysail.control.errors import InvalidArgument
from skysail.control.fields import (
    Address,
    Datatype,
    Digest,
    Dimension,
    Name,
    TensorName,
    between,
    count,
    text,
)

__all__ = [
    "Application",
    "Artefact",
    "Batching",
    "Cache",
    "Document",
    "Instance",
    "Model",
    "Replica",
    "Resources",
    "Role",
    "Signature",
    "TensorSpec",
    "Version",
    "VersionTarget",
]

#: A replica needs some forty for itself, and one for each batcher.
FEWEST_OPEN_FILES = 64

Role = Literal["frontend", "selector", "batcher", "fused"]


class Document(BaseModel):
    """What all documents have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def encode(self) -> bytes:
        """Readable JSON, as it lies in the store. Fields that have their default value are left out."""
        return json.dumps(
            self.model_dump(mode="json", exclude_defaults=True), separators=(", ", ": ")
        ).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Reads what `encode` wrote.

        Raises:
            InvalidArgument: naming every field that is wrong, and what is legal.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise InvalidArgument(f"{_spaced(cls.__name__)}: {_explain(error)}") from None

    @classmethod
    def make(cls, **fields: Any) -> Self:
        """The constructor, with errors for people.

        Raises:
            InvalidArgument: naming every field that is wrong, and what is legal.
        """
        try:
            return cls(**fields)
        except ValidationError as error:
            raise InvalidArgument(f"{_spaced(cls.__name__)}: {_explain(error)}") from None


class TensorSpec(Document):
    """Name, datatype and shape of one tensor; -1 stands for any size."""

    name: TensorName
    datatype: Datatype
    shape: Annotated[tuple[Dimension, ...], count(0, 16, "dimensions")]


class Signature(Document):
    """What a model takes and gives.

    When every tensor's first dimension is -1, requests of several callers may be stacked into one batch.
    """

    inputs: Annotated[tuple[TensorSpec, ...], count(1, 256, "tensors")]
    outputs: Annotated[tuple[TensorSpec, ...], count(1, 256, "tensors")]
    #: The most rows that the model takes in one call; 0: it states no maximum.
    max_rows: Annotated[int, between(0, 2**31 - 1, "rows")] = 0

    @field_validator("inputs", "outputs")
    @classmethod
    def _distinct(cls, tensors: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
        names = [tensor.name for tensor in tensors]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"tensor names must be distinct, {name!r} is there twice")
        return tensors


class Application(Document):
    """A public name that clients call.

    Every model has an application of its own name even when no document says so, with the defaults below.
    """

    name: Name
    #: Every answer is owed within this time. Longer allows larger batches and longer queues.
    objective_ms: Annotated[float, between(1, 600_000, "ms")] = 1000.0
    #: Where applications ask the same model and there is more to do than it can, each is given rows by
    #: weight: one of weight 2 twice as many as one of weight 1.
    weight: Annotated[float, between(0.01, 100)] = 1.0
    #: The class of its calls: a higher one goes first, a lower one that waits is given one row for every
    #: seven that go to classes above it. A caller may lower it for a call (`skysail.priority`), not raise it.
    priority: Literal["high", "normal", "low"] = "normal"
    #: The part of its calls whose traces are recorded, where the caller does not say; those that fail, are
    #: late or answered by default are kept whatever it is. Each costs about a microsecond of every process.
    trace_sampling: Annotated[float, between(0, 1)] = 0.01
    #: The candidates, the preferred one first.
    models: Annotated[tuple[Name, ...], count(1, 64, "models")]
    #: What callers may rely on; None: the signature of the candidates' versions.
    signature: Signature | None = None
    #: One row of output, answered when no model answers in time; None: such calls fail. Either
    #: {output name: value}, or the value alone when there is one output.
    default: JsonValue = None


class VersionTarget(Document):
    """What is wanted of one version of a model."""

    #: Share of the model's calls, relative to the other versions' weights; 0: none, but kept warm.
    weight: Annotated[float, between(0, 1e6)] = 0.0
    #: Running copies. More of them serve more calls at once and use more memory.
    replicas: Annotated[int, between(0, 1024, "replicas")] = 1


class Cache(Document):
    """Whether answers of a model are remembered, and for how long."""

    enabled: bool = True
    #: An answer older than this is asked for again; 0: answers of a version never expire.
    ttl_s: Annotated[float, between(0, 31_536_000, "s")] = 0.0
    #: The most memory for each version of this model; 0: whatever the batcher's cache has free.
    quota_mib: Annotated[int, between(0, 1_048_576, "MiB")] = 0


class Batching(Document):
    """How far calls of a model may be joined."""

    #: The largest batch. Larger ones help models whose cost per row falls with the batch; 1: no batching.
    max_rows: Annotated[int, between(1, 65_536, "rows")] = 1024
    #: Whether calls of a steady stream may wait for more, where that was seen to spare the model much time:
    #: for a twelfth of the objective at most. "none": a free replica takes what is there at once.
    delay: Literal["learned", "none"] = "learned"


class Resources(Document):
    """What each replica of a model may use."""

    #: Resident memory. A replica that uses more is replaced; beyond twice that it gets no more. 0: no limit.
    memory_mib: Annotated[int, between(0, 1_048_576, "MiB")] = 0
    #: Files and connections. A replica that has more is replaced; beyond twice that it gets no more. 0: as
    #: many as the supervisor may have.
    open_files: Annotated[int, between(0, 1_048_576, "files")] = 0
    #: Raising it lets other processes go before it where the processor is short.
    nice: Annotated[int, between(0, 19)] = 0

    @field_validator("open_files")
    @classmethod
    def _enough(cls, value: int) -> int:
        if 0 < value < FEWEST_OPEN_FILES:
            raise ValueError(f"must be 0 or at least {FEWEST_OPEN_FILES}, got {value}")
        return value


class Model(Document):
    """A model's route over its versions, their scale, and its settings."""

    name: Name
    versions: Annotated[dict[Name, VersionTarget], count(1, 64, "versions")]
    #: Calls with equal context go to the same version; another salt deals the contexts anew.
    salt: Annotated[str, text(128)] = ""
    #: So many versions that take no calls any more keep their replicas, so that they can be gone back to at
    #: once. Each costs as much memory as when it took calls; 0: none is kept.
    keep_warm: Annotated[int, between(0, 16, "versions")] = 1
    cache: Cache = Cache()
    batching: Batching = Batching()
    resources: Resources = Resources()


class Artefact(Document):
    """A file or folder, and what it must contain."""

    uri: Annotated[str, text(4096)]
    digest: Digest


class Version(Document):
    """An immutable version of a model: the same name never means other bytes."""

    model: Name
    version: Name
    artefact: Artefact
    #: Who makes a model of the artefact: "sklearn", "python", or "endpoint" for servers that others run.
    loader: Name
    #: What that loader wants to know besides, such as the class's name.
    options: dict[str, str] = Field(default_factory=dict)
    #: Known for every artefact that we load; may be absent for an endpoint.
    signature: Signature | None = None
    #: For the loader "endpoint": Open Inference Protocol servers that others run.
    endpoints: Annotated[tuple[Address, ...], count(0, 256, "endpoints")] = ()
    #: For the loader "endpoint": the operator promises that its answers never change, so they may be cached.
    immutable: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.loader == "endpoint":
            if not self.endpoints:
                raise ValueError("endpoints: the loader 'endpoint' needs at least one address")
        elif self.signature is None:
            raise ValueError("signature: needed for every loader but 'endpoint'")
        elif self.endpoints:
            raise ValueError("endpoints: only the loader 'endpoint' has any")
        return self


class Instance(Document):
    """A service process that is running, kept under a lease."""

    role: Role
    id: Name
    #: Where other hosts reach it.
    address: Address
    #: Where processes that see the same files reach it more cheaply.
    unix: Address | None = None
    #: Plain HTTP, for a frontend.
    http: Address | None = None
    #: Where it tells its metrics.
    metrics: Address | None = None
    #: It takes many calls in one stream (skysail.v1.Hop) from callers that it trusts.
    packed: bool = False
    #: Equal for processes that see the same files (see `machine.identity`).
    machine: Annotated[str, text(128)] = ""
    pid: int = 0
    #: The configuration up to this revision of the store is in force here.
    applied_revision: int = 0


class Replica(Document):
    """A running copy of a version, warm, kept under a lease."""

    model: Name
    version: Name
    id: Name
    #: Of the artefact that it has loaded; a replica of other bytes is not used.
    digest: Digest
    address: Address
    #: Where it tells its metrics.
    metrics: Address | None = None
    machine: Annotated[str, text(128)] = ""
    pid: int = 0


def _spaced(name: str) -> str:
    """A class's name in words: "tensor spec"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _explain(error: ValidationError) -> str:
    """One line for people: every wrong field with the reason, without pydantic's own dressing."""
    reasons = []
    for item in error.errors(include_url=False, include_context=False):
        field = ".".join(str(part) for part in item["loc"])
        reason = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            reason = "there is no such field"
        reasons.append(f"{field}: {reason}" if field else reason)
    return "; ".join(reasons)
