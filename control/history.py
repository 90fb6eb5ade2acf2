"""The record of changes: who changed what, when, why, and from what.

    /skysail/history/v1/head                      the number of the latest record
    /skysail/history/v1/records/<number>          one for each change, the oldest of many deleted

It lies beside the configuration and not under it, so that services neither read nor watch it. A record is
written in the transaction that makes the change, so its own revision in the store is that of the change.
Documents edited by hand leave no record; `gaps` finds them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import JsonValue

from skysail.control import keys
from skysail.control.errors import InvalidArgument, NotFound
from skysail.control.fields import between, count, text
from skysail.control.schema import Document
from skysail.control.store import Delete, Entry, Put, Store, Write

__all__ = ["HEAD", "RETAINED", "Change", "Edit", "Record", "gaps", "head", "read", "undone", "writes"]

_PREFIX = "/skysail/history/v1/"
HEAD = f"{_PREFIX}head"
_RECORDS = f"{_PREFIX}records/"

#: How many changes are kept; each record is about as large as the documents that it changed, twice.
RETAINED = 1000


class Edit(Document):
    """What one document said before and after a change; None: it was not there."""

    before: JsonValue = None
    after: JsonValue = None


class Record(Document):
    """One change."""

    number: Annotated[int, between(1, 2**53)]
    #: When, by the clock of who made it: RFC 3339, UTC.
    at: Annotated[str, text(64)]
    author: Annotated[str, text(256)] = ""
    #: What was done, such as "scale digits to 2".
    action: Annotated[str, text(1024)]
    reason: Annotated[str, text(1024)] = ""
    #: By key.
    edits: Annotated[dict[str, Edit], count(1, 100_000, "documents")]


@dataclass(frozen=True, slots=True)
class Change:
    """A record, and the revision of the store that it made."""

    revision: int
    record: Record


class _Head(Document):
    number: Annotated[int, between(0, 2**53)] = 0


async def head(store: Store) -> tuple[int, Entry | None]:
    """The number of the latest record (0: there is none yet), and the entry that says so."""
    entry = next((one for one in (await store.list(HEAD)).entries if one.key == HEAD), None)
    return (0 if entry is None else _Head.decode(entry.value).number), entry


def writes(record: Record) -> list[Write]:
    """What adds a record, and lets the oldest go."""
    added: list[Write] = [
        Put(HEAD, _Head(number=record.number).encode()),
        Put(_key(record.number), record.encode()),
    ]
    expired = record.number - RETAINED
    return [*added, Delete(_key(expired))] if expired > 0 else added


async def read(store: Store) -> list[Change]:
    """All records that are kept, the oldest first.

    Raises:
        InvalidArgument: one was edited by hand into something else; it is named.
    """
    found = []
    for entry in (await store.list(_RECORDS)).entries:
        try:
            found.append(Change(entry.revision, Record.decode(entry.value)))
        except InvalidArgument as error:
            raise InvalidArgument(f"{entry.key} is no record of a change: {error}") from None
    return found


def undone(
    documents: Mapping[str, JsonValue], changes: Sequence[Change], revision: int
) -> dict[str, JsonValue]:
    """The documents as the changes up to `revision` left them.

    Args:
        documents: by key, as they are now.
        changes: all records that are kept, the oldest first.
        revision: of the store.

    Raises:
        NotFound: the records do not reach back so far.
    """
    oldest = changes[0] if changes else None
    if oldest is None:
        raise NotFound("no change has been recorded yet")
    if revision < oldest.revision and oldest.record.number > 1:
        raise NotFound(f"the history reaches back to revision {oldest.revision}, not to {revision}")
    result = dict(documents)
    for change in reversed(changes):
        if change.revision <= revision:
            break
        for key, edit in change.record.edits.items():
            if edit.before is None:
                result.pop(key, None)
            else:
                result[key] = edit.before
    return result


def gaps(documents: Mapping[str, JsonValue], changes: Sequence[Change]) -> dict[str, int]:
    """Documents that say something else than the record before left them at: edited by hand.

    Rollouts are none: they note by themselves how far they are.

    Returns:
        By key: the revision of the first change that found it so; 0: it is so now.
    """
    found: dict[str, int] = {}
    last: dict[str, JsonValue] = {}
    for change in changes:
        for key, edit in change.record.edits.items():
            if not keys.is_applied(key):
                continue
            if key in last and last[key] != edit.before:
                found.setdefault(key, change.revision)
            last[key] = edit.after
    for key, value in last.items():
        if documents.get(key) != value:
            found.setdefault(key, 0)
    return found


def _key(number: int) -> str:
    # Wide enough that keys sort as their numbers do.
    return f"{_RECORDS}{number:016d}"
