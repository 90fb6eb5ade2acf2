"""One change of the configuration: read, decide, and write on condition that nothing read has changed.

Every change writes a record of itself in the same transaction (`history.py`): who made it, why, and what
each document said before and after. So no change is without a record, and no record without its change.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import JsonValue

from skysail.control import history, keys
from skysail.control.errors import Conflict
from skysail.control.history import Edit, Record
from skysail.control.schema import Document
from skysail.control.snapshot import Assembler, Snapshot
from skysail.control.store import Delete, Entry, Listing, Put, Store, Unchanged, Write

__all__ = ["UNSTATED", "Draft", "Origin", "commit"]

#: How often a change is decided anew because others, of other documents, were recorded meanwhile.
_ATTEMPTS = 8

D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who makes a change, and why; both are kept with it."""

    author: str = ""
    reason: str = ""


UNSTATED = Origin()


class Draft:
    """The documents as they were read, what was asked of them, and what is to be written."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._entries = {e.key: (e.value, e.revision) for e in listing.entries if not e.lease}
        self._read: dict[str, int] = {}
        self.writes: dict[str, Write] = {}

    def get(self, kind: type[D], key: str) -> D | None:
        """A document; from now on the change depends on it."""
        value, revision = self._entries.get(key, (None, 0))
        self._read[key] = revision
        return None if value is None else kind.decode(value)

    def keys(self, prefix: str) -> list[str]:
        """What lies under a prefix; the change depends on each."""
        found = [key for key in self._entries if key.startswith(prefix)]
        self._read |= {key: self._entries[key][1] for key in found}
        return found

    def put(self, key: str, document: Document) -> None:
        """Writes a document, unless the same is there already."""
        encoded = document.encode()
        if self._entries.get(key, (None, 0))[0] != encoded:
            self.writes[key] = Put(key, encoded)

    def delete(self, key: str) -> None:
        """Deletes a document."""
        self.writes[key] = Delete(key)

    @property
    def snapshot(self) -> Snapshot:
        """Everything as it was read; the change does not depend on it."""
        return Assembler().load(self._listing)

    @property
    def conditions(self) -> list[Unchanged]:
        """That nothing read or written has changed."""
        written = {key: self._entries.get(key, (None, 0))[1] for key in self.writes}
        return [Unchanged(key, revision) for key, revision in (written | self._read).items()]

    @property
    def edits(self) -> dict[str, Edit]:
        """What each document that is written said before, and says after."""
        return {
            key: Edit(
                before=_value(self._entries.get(key, (None, 0))[0]),
                after=_value(write.value if isinstance(write, Put) else None),
            )
            for key, write in self.writes.items()
        }


async def commit(
    store: Store, decide: Callable[[Draft], None], *, action: str, origin: Origin = UNSTATED
) -> int:
    """Decides on what is in the store now, and writes all of it or nothing.

    Args:
        store: where.
        decide: reads and writes the draft; may be called again when others changed something else meanwhile.
        action: what is done, for the record, such as "scale digits to 2".
        origin: by whom, and why.

    Returns:
        The revision from which the change is in the store (now, when there was nothing to change).

    Raises:
        Conflict: somebody else changed the same; nothing was changed.
    """
    for _ in range(_ATTEMPTS):
        head, entry = await history.head(store)
        listing = await store.list(keys.PREFIX)
        draft = Draft(listing)
        decide(draft)
        if not draft.writes:
            # Not the listing's revision, which every registration raises without anybody applying it.
            return max(
                (one.revision for one in listing.entries if not one.lease and keys.is_applied(one.key)),
                default=0,
            )
        record = Record.make(
            number=head + 1,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            author=origin.author,
            action=action,
            reason=origin.reason,
            edits=draft.edits,
        )
        writes = [*draft.writes.values(), *history.writes(record)]
        try:
            return await store.commit(writes, require=[*draft.conditions, _unchanged(entry)])
        except Conflict:
            if not await _holds(store, draft.conditions):
                break
    changed = ", ".join(draft.writes)
    raise Conflict(f"somebody else changed {changed} at the same time; nothing was changed: try again")


async def _holds(store: Store, conditions: list[Unchanged]) -> bool:
    """Whether the conditions hold now: then it was the record's number that somebody else took."""
    now = {entry.key: entry.revision for entry in (await store.list(keys.PREFIX)).entries}
    return all(now.get(one.key, 0) == one.revision for one in conditions)


def _unchanged(entry: Entry | None) -> Unchanged:
    return Unchanged(history.HEAD, entry.revision if entry else 0)


def _value(encoded: bytes | None) -> JsonValue:
    """A document as it lies in the store; what is no JSON (written by hand) as text."""
    if encoded is None:
        return None
    try:
        value: JsonValue = json.loads(encoded)
    except ValueError:
        return encoded.decode(errors="replace")
    return value
