"""Every change is recorded with what it changed; any revision that is kept can be had back."""

import asyncio

import pytest
from pydantic import JsonValue

from skysail.control import changes, configuration, history, keys
from skysail.control.configuration import Configuration
from skysail.control.errors import Conflict, InvalidArgument, NotFound
from skysail.control.memory_store import MemoryStore
from skysail.control.schema import Application
from skysail.control.snapshot import Assembler
from skysail.control.store import Put
from skysail.control.transaction import Origin
from tests.control.test_changes import version


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


async def now(store: MemoryStore) -> Configuration:
    return configuration.of_snapshot(Assembler().load(await store.list(keys.PREFIX)))


async def encoded(store: MemoryStore) -> dict[str, JsonValue]:
    return configuration.encode(await now(store))


async def test_a_change_is_recorded_with_its_origin_at_its_own_revision(store: MemoryStore) -> None:
    revision = await changes.deploy(store, version(), origin=Origin("ada@host", "the first"))
    scaled = await changes.scale(store, "digits", 3)
    first, second = await history.read(store)
    assert (first.revision, second.revision) == (revision, scaled)
    assert (first.record.author, first.record.reason) == ("ada@host", "the first")
    assert first.record.action == "deploy digits version 1"
    assert second.record.action == "scale digits to 3"
    key = keys.model("digits")
    assert first.record.edits[key].before is None
    assert second.record.edits[key].before == first.record.edits[key].after
    assert [first.record.number, second.record.number] == [1, 2]


async def test_what_changes_nothing_and_what_is_refused_is_not_recorded(store: MemoryStore) -> None:
    await changes.deploy(store, version())
    await changes.deploy(store, version())
    with pytest.raises(NotFound):
        await changes.scale(store, "letters", 1)
    assert len(await history.read(store)) == 1


async def test_every_revision_can_be_had_back(store: MemoryStore) -> None:
    states: dict[int, dict[str, JsonValue]] = {}
    for change in (
        changes.deploy(store, version()),
        changes.deploy(store, version("2", content="2"), objective_ms=20.0),
        changes.set_route(store, "digits", {"2": 1.0}),
        changes.remove_version(store, "digits", "1"),
        changes.set_application(store, Application(name="digits", models=("digits",), weight=2.0)),
        changes.remove_model(store, "digits"),
    ):
        revision = await change
        states[revision] = await encoded(store)
    found, current = await history.read(store), await encoded(store)
    for revision, state in states.items():
        assert history.undone(current, found, revision) == state
    assert history.undone(current, found, 0) == {}


async def test_only_so_many_changes_are_kept(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "RETAINED", 3)
    await changes.deploy(store, version())
    for replicas in range(2, 7):
        await changes.scale(store, "digits", replicas)
    found = await history.read(store)
    assert [one.record.number for one in found] == [4, 5, 6]
    with pytest.raises(NotFound, match=f"reaches back to revision {found[0].revision}"):
        history.undone(await encoded(store), found, found[0].revision - 1)


async def test_nobody_overwrites_what_they_have_not_seen(store: MemoryStore) -> None:
    """Of two writers of one document one wins and the other is told; writers of others do not meet."""
    for model in ("digits", "letters"):
        await changes.deploy(store, version(model=model))
    results = await asyncio.gather(
        changes.scale(store, "digits", 2),
        changes.scale(store, "digits", 3),
        changes.scale(store, "letters", 4),
        return_exceptions=True,
    )
    snapshot = Assembler().load(await store.list(keys.PREFIX))
    assert snapshot.models["letters"].versions["1"].replicas == 4
    refused = [one for one in results if isinstance(one, BaseException)]
    assert all(isinstance(one, Conflict) for one in refused)
    found = await history.read(store)
    assert [one.record.number for one in found] == list(range(1, len(found) + 1))
    assert len(found) == 5 - len(refused)


async def test_a_plan_is_not_carried_out_on_what_changed_since(store: MemoryStore) -> None:
    await changes.deploy(store, version())
    before = await now(store)
    application = Application(name="digits", models=("digits",), objective_ms=20.0)
    after = {**before, keys.application("digits"): application}
    await changes.set_application(store, application.model_copy(update={"objective_ms": 30.0}))
    with pytest.raises(Conflict, match="application digits was changed by somebody else"):
        await changes.replace(store, before, after, action="apply")
    assert (await now(store))[keys.application("digits")] != application


async def test_an_illegal_document_can_be_replaced(store: MemoryStore) -> None:
    await changes.deploy(store, version())
    good = await now(store)
    await store.commit([Put(keys.model("digits"), b"nonsense")])
    assert keys.model("digits") not in await now(store)
    await changes.replace(store, await now(store), good, action="restore")
    assert await now(store) == good
    assert (await history.read(store))[-1].record.edits[keys.model("digits")].before == "nonsense"


async def test_documents_edited_by_hand_are_found(store: MemoryStore) -> None:
    await changes.deploy(store, version())
    assert history.gaps(await encoded(store), await history.read(store)) == {}
    model = (await now(store))[keys.model("digits")].model_copy(update={"salt": "x"})
    await store.commit([Put(keys.model("digits"), model.encode())])
    assert history.gaps(await encoded(store), await history.read(store)) == {keys.model("digits"): 0}
    revision = await changes.scale(store, "digits", 2)
    assert history.gaps(await encoded(store), await history.read(store)) == {keys.model("digits"): revision}


async def test_a_record_edited_by_hand_is_named(store: MemoryStore) -> None:
    await changes.deploy(store, version())
    await store.commit([Put("/skysail/history/v1/records/0000000000000001", b"{}")])
    with pytest.raises(InvalidArgument, match="records/0000000000000001 is no record of a change: .*number"):
        await history.read(store)
