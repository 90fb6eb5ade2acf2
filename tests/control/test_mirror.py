"""The mirror, one step at a time, and once with a real etcd that goes away."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest

from skysail.control import keys
from skysail.control.backoff import Backoff
from skysail.control.etcd_store import EtcdStore
from skysail.control.memory_store import MemoryStore
from skysail.control.mirror import Mirror
from skysail.control.schema import Application, Document, Instance, Model, VersionTarget
from skysail.control.snapshot import Snapshot
from skysail.control.store import Delete, Put, Store
from tests.plugins.etcd import EtcdServer

APPLICATION = Application(name="a", models=("m",), objective_ms=20.0)
MODEL = Model(name="m", versions={"1": VersionTarget(weight=1.0)})


def put(key: str, document: Document, lease: int = 0) -> Put:
    return Put(key, document.encode(), lease)


class Followed:
    """A mirror whose every snapshot is kept."""

    def __init__(self, store: Store) -> None:
        self.snapshots: list[Snapshot] = []
        self.mirror = Mirror(store, self.snapshots.append, backoff=Backoff(chance=lambda: 0.0))

    @property
    def last(self) -> Snapshot:
        return self.snapshots[-1]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def followed(store: MemoryStore) -> AsyncIterator[Followed]:
    await store.commit([put(keys.application("a"), APPLICATION)])
    made = Followed(store)
    await made.mirror.step()
    yield made


async def test_everything_there_is_comes_as_one_snapshot(followed: Followed) -> None:
    assert [s.applications for s in followed.snapshots] == [{"a": APPLICATION}]
    assert followed.mirror.applied_revision == followed.last.revision > 0


async def test_a_transaction_comes_as_one_snapshot(followed: Followed, store: MemoryStore) -> None:
    revision = await store.commit([put(keys.model("m"), MODEL), Delete(keys.application("a"))])
    await followed.mirror.step()
    assert (followed.last.revision, followed.last.models, followed.last.applications) == (
        revision,
        {"m": MODEL},
        {},
    )
    assert len(followed.snapshots) == 2


async def test_an_instance_that_publishes_its_revision_makes_no_new_one(
    followed: Followed, store: MemoryStore
) -> None:
    before = followed.mirror.applied_revision
    instance = Instance(role="batcher", id="b", address="h:1", applied_revision=before)
    await store.commit([put(keys.instance("batcher", "b"), instance)])
    await followed.mirror.step()
    assert followed.last.instances == {("batcher", "b"): instance}
    assert followed.last.revision == followed.mirror.applied_revision == before


async def test_snapshots_do_not_change_afterwards(followed: Followed, store: MemoryStore) -> None:
    first = followed.last
    await store.commit([Delete(keys.application("a"))])
    await followed.mirror.step()
    assert first.applications == {"a": APPLICATION}
    assert not followed.last.applications


async def test_an_illegal_document_raises_an_alarm_and_the_last_legal_one_stays(
    followed: Followed, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    key = keys.application("a")
    with caplog.at_level(logging.ERROR):
        await store.commit(
            [Put(key, b'{"name": "a", "models": ["m"], "objective_ms": -1}'), Put(keys.model("m"), b"{")]
        )
        await followed.mirror.step()
    assert followed.last.applications == {"a": APPLICATION}
    assert not followed.last.models
    assert "objective_ms: must be between 1 and 600000 ms, got -1" in followed.mirror.rejected[key]
    assert followed.mirror.rejections == 2
    assert "the last legal one stays in force" in caplog.text
    assert "it is ignored" in caplog.text
    await store.commit([put(key, APPLICATION), Delete(keys.model("m"))])
    await followed.mirror.step()
    assert followed.mirror.rejected == {}


async def test_a_document_under_another_name_is_illegal(followed: Followed, store: MemoryStore) -> None:
    await store.commit([put(keys.application("b"), APPLICATION)])
    await followed.mirror.step()
    assert set(followed.last.applications) == {"a"}
    assert "not what its key says" in followed.mirror.rejected[keys.application("b")]


async def test_keys_that_nobody_knows_are_left_alone(followed: Followed, store: MemoryStore) -> None:
    await store.commit([Put("/skysail/v1/later/thing", b"\xff")])
    await followed.mirror.step()
    assert followed.mirror.rejected == {}


async def test_while_the_store_is_away_nothing_goes_and_attempts_get_rarer(
    followed: Followed, store: MemoryStore
) -> None:
    lease = await store.grant(10)
    await store.commit(
        [put(keys.instance("batcher", "b"), Instance(role="batcher", id="b", address="h:1"), lease)]
    )
    await followed.mirror.step()
    await store.set_away(True)
    delays = [await followed.mirror.step() for _ in range(8)]
    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0])
    assert not followed.mirror.connected
    assert followed.mirror.snapshot.instances
    await store.set_away(False)
    await store.expire(lease)
    assert await followed.mirror.step() == 0
    assert followed.mirror.connected
    assert not followed.last.instances


async def test_an_absence_is_told_once_and_its_end_too(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    await store.set_away(True)
    followed = Followed(store)
    with caplog.at_level(logging.INFO, logger="skysail.control.mirror"):
        for _ in range(3):
            await followed.mirror.step()
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        await store.set_away(False)
        await followed.mirror.step()
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
        await store.set_away(True)
        await followed.mirror.step()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]


async def test_no_change_is_lost_or_applied_twice_over_an_absence(
    followed: Followed, store: MemoryStore
) -> None:
    await store.set_away(True)
    await followed.mirror.step()
    await store.set_away(False)
    await store.commit([put(keys.model("m"), MODEL)])
    await followed.mirror.step()
    assert len(followed.snapshots) == 2
    assert followed.last.models == {"m": MODEL}


async def test_after_compaction_everything_is_read_again(followed: Followed, store: MemoryStore) -> None:
    await store.set_away(True)
    await followed.mirror.step()
    await store.set_away(False)
    await store.commit([put(keys.model("m"), MODEL), Delete(keys.application("a"))])
    store.compact()
    assert await followed.mirror.step() == 0  # learns of the compaction
    await followed.mirror.step()
    assert (followed.last.models, followed.last.applications) == ({"m": MODEL}, {})


async def test_an_empty_store_in_place_of_the_old_one_removes_nothing() -> None:
    full, empty = MemoryStore(), MemoryStore()
    for _ in range(3):
        await full.commit([put(keys.application("a"), APPLICATION)])

    class Replaced:
        now: Store = full

        def __getattr__(self, name: str) -> Callable[..., object]:
            method: Callable[..., object] = getattr(self.now, name)
            return method

    replaced = Replaced()
    followed = Followed(replaced)  # type: ignore[arg-type]
    await followed.mirror.step()
    await full.set_away(True)
    await followed.mirror.step()
    replaced.now = empty
    await followed.mirror.step()
    assert await followed.mirror.step() > 0
    assert followed.mirror.snapshot.applications == {"a": APPLICATION}
    await empty.commit([put(keys.model("m"), MODEL)])
    await followed.mirror.step()
    assert (followed.last.models, followed.last.applications) == ({"m": MODEL}, {})


async def test_a_snapshot_that_cannot_be_applied_does_not_count(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    def apply(snapshot: Snapshot) -> None:
        if "bad" in snapshot.applications:
            raise RuntimeError("no")

    mirror = Mirror(store, apply)
    await mirror.step()
    before = mirror.applied_revision
    await store.commit([put(keys.application("bad"), Application(name="bad", models=("m",)))])
    with caplog.at_level(logging.ERROR):
        await mirror.step()
    assert mirror.applied_revision == before
    assert "could not be applied" in caplog.text
    good = await store.commit([Delete(keys.application("bad"))])
    await mirror.step()
    assert mirror.applied_revision == good


async def test_it_follows_a_real_etcd_through_restart_and_compaction(etcd_server: EtcdServer) -> None:
    store = EtcdStore(etcd_server.address, timeout_s=2)
    await store.commit([put(keys.application("a"), APPLICATION)])
    followed = Followed(store)
    running = asyncio.create_task(followed.mirror.run())

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(15):
            while not condition():
                await asyncio.sleep(0.02)

    await until(lambda: followed.mirror.snapshot.applications == {"a": APPLICATION})
    etcd_server.stop()
    await until(lambda: not followed.mirror.connected)
    assert followed.mirror.snapshot.applications == {"a": APPLICATION}
    etcd_server.start()
    revision = 0
    for number in range(20):
        revision = await store.commit(
            [put(keys.application(f"n{number}"), Application(name=f"n{number}", models=("m",)))]
        )
    etcd_server.ctl("compact", str(revision))
    await until(lambda: len(followed.mirror.snapshot.applications) == 21)
    assert followed.mirror.applied_revision == revision
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await store.close()
