"""The configuration at one revision, and how it follows from what lies in the store."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from skysail.control import keys
from skysail.control.errors import InvalidArgument
from skysail.control.rollout import Rollout
from skysail.control.schema import Application, Document, Instance, Model, Replica, Version
from skysail.control.store import Change, Listing

__all__ = ["Assembler", "Snapshot"]

log = logging.getLogger(__name__)


def _nothing() -> Mapping[Any, Any]:
    return MappingProxyType({})


_TYPES: Mapping[keys.DocumentKind, type[Document]] = MappingProxyType(
    {
        "application": Application,
        "model": Model,
        "version": Version,
        "rollout": Rollout,
        "instance": Instance,
        "replica": Replica,
    }
)
#: The fields of each document that its key repeats.
_NAMES: Mapping[keys.DocumentKind, tuple[str, ...]] = MappingProxyType(
    {
        "application": ("name",),
        "model": ("name",),
        "version": ("model", "version"),
        "rollout": ("model",),
        "instance": ("role", "id"),
        "replica": ("model", "version", "id"),
    }
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is configured and registered; never changes, may be shared by threads.

    `revision` is that of the last change to anything that services apply (see `keys.is_applied`): they
    publish the revision that they have applied in their own instance documents, which must not make anybody
    apply a new one, and a rollout that notes how far it is changes nothing for them.
    """

    revision: int = 0
    applications: Mapping[str, Application] = field(default_factory=_nothing)
    models: Mapping[str, Model] = field(default_factory=_nothing)
    versions: Mapping[tuple[str, str], Version] = field(default_factory=_nothing)
    rollouts: Mapping[str, Rollout] = field(default_factory=_nothing)
    instances: Mapping[tuple[str, str], Instance] = field(default_factory=_nothing)
    replicas: Mapping[tuple[str, str, str], Replica] = field(default_factory=_nothing)


@dataclass
class Assembler:
    """Turns listings and changes into snapshots.

    A document that is not legal raises an alarm (a logged error and an entry in `rejected`) and is ignored:
    the last legal one of that key, if there was any, stays in force.
    """

    #: Why each illegal document that is in the store now was ignored.
    rejected: dict[str, str] = field(default_factory=dict)
    #: How many documents have been ignored so far.
    rejections: int = 0
    _documents: dict[str, Document] = field(default_factory=dict)
    _revision: int = 0

    def load(self, listing: Listing) -> Snapshot:
        """The snapshot of everything that is in the store."""
        there = {entry.key for entry in listing.entries}
        for key in (self._documents.keys() | self.rejected.keys()) - there:
            self._remove(key)
        for entry in listing.entries:
            self._put(entry.key, entry.value)
        self._revision = listing.revision
        return self._snapshot()

    def apply(self, changes: Iterable[Change]) -> Snapshot:
        """The snapshot after these changes."""
        for change in changes:
            if change.value is None:
                self._remove(change.key)
            else:
                self._put(change.key, change.value)
            if keys.is_applied(change.key):
                self._revision = max(self._revision, change.revision)
        return self._snapshot()

    def _put(self, key: str, value: bytes) -> None:
        parsed = keys.parse(key)
        if parsed is None:
            return
        try:
            document = _TYPES[parsed.kind].decode(value)
            named = tuple(getattr(document, name) for name in _NAMES[parsed.kind])
            if named != parsed.names:
                raise InvalidArgument(
                    f"{parsed.kind}: names {'/'.join(named)}, which is not what its key says"
                )
        except InvalidArgument as error:
            self.rejections += 1
            self.rejected[key] = str(error)
            kept = "the last legal one stays in force" if key in self._documents else "it is ignored"
            log.error("illegal document at %s: %s; %s", key, error, kept)
            return
        self.rejected.pop(key, None)
        self._documents[key] = document

    def _remove(self, key: str) -> None:
        self._documents.pop(key, None)
        self.rejected.pop(key, None)

    def _snapshot(self) -> Snapshot:
        sorts: dict[type[Document], dict[Any, Any]] = {kind: {} for kind in _TYPES.values()}
        for key in sorted(self._documents):
            parsed = keys.parse(key)
            assert parsed is not None
            names = parsed.names
            sorts[_TYPES[parsed.kind]][names[0] if len(names) == 1 else names] = self._documents[key]
        return Snapshot(
            revision=self._revision,
            applications=MappingProxyType(sorts[Application]),
            models=MappingProxyType(sorts[Model]),
            versions=MappingProxyType(sorts[Version]),
            rollouts=MappingProxyType(sorts[Rollout]),
            instances=MappingProxyType(sorts[Instance]),
            replicas=MappingProxyType(sorts[Replica]),
        )
