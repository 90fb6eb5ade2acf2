"""One contract for both stores, and what only the real one can show."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from skysail.control.errors import Conflict, HistoryLost, InvalidArgument, LeaseLost, StoreUnavailable
from skysail.control.etcd_store import EtcdStore
from skysail.control.memory_store import MemoryStore
from skysail.control.store import Changes, Delete, Put, Store, Unchanged
from tests.plugins.etcd import EtcdServer

A, B, C = "/skysail/v1/a", "/skysail/v1/b", "/skysail/v1/c"
PREFIX = "/skysail/v1/"


@pytest.fixture(params=["memory", "etcd"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else EtcdStore(request.getfixturevalue("etcd"))
    yield made
    await made.close()


async def first(store: Store, prefix: str, *, after: int, changes: int) -> list[Changes]:
    """The first watch results that hold that many changes together."""
    seen: list[Changes] = []
    async with asyncio.timeout(10):
        watch = store.watch(prefix, after=after)
        async for batch in watch:
            seen.append(batch)
            if sum(len(one.changes) for one in seen) >= changes:
                break
        await watch.aclose()
    return seen


async def test_a_listing_is_sorted_and_limited_to_its_prefix(store: Store) -> None:
    await store.commit([Put(B, b"2"), Put(A, b"1"), Put("/skysail/v2/x", b"no")])
    listing = await store.list(PREFIX)
    assert [(e.key, e.value) for e in listing.entries] == [(A, b"1"), (B, b"2")]
    assert {e.revision for e in listing.entries} == {listing.revision}


async def test_a_commit_is_one_revision(store: Store) -> None:
    before = (await store.list(PREFIX)).revision
    assert await store.commit([Put(A, b"1"), Put(B, b"1"), Delete(C)]) == before + 1


async def test_a_commit_whose_condition_fails_writes_nothing(store: Store) -> None:
    revision = await store.commit([Put(A, b"1")], require=[Unchanged(A, 0)])
    with pytest.raises(Conflict, match="changed by somebody else"):
        await store.commit([Put(B, b"1")], require=[Unchanged(A, 0)])
    await store.commit([Put(A, b"2")], require=[Unchanged(A, revision), Unchanged(B, 0)])
    with pytest.raises(Conflict):
        await store.commit([Delete(A)], require=[Unchanged(A, revision)])
    assert [(e.key, e.value) for e in (await store.list(PREFIX)).entries] == [(A, b"2")]


async def test_a_watch_replays_what_came_before_it_and_goes_on(store: Store) -> None:
    start = (await store.list(PREFIX)).revision
    await store.commit([Put(A, b"1"), Put(B, b"1")])
    await store.commit([Delete(A)])
    reading = asyncio.create_task(first(store, PREFIX, after=start, changes=4))
    await asyncio.sleep(0)
    last = await store.commit([Put(C, b"3")])
    batches = await reading
    changes = [(c.key, c.value, c.revision - start) for one in batches for c in one.changes]
    assert changes == [(A, b"1", 1), (B, b"1", 1), (A, None, 2), (C, b"3", 3)]
    assert batches[-1].revision == last


async def test_a_watch_resumes_after_a_revision_without_loss_or_repetition(store: Store) -> None:
    start = (await store.list(PREFIX)).revision
    for value in range(20):
        await store.commit([Put(A, b"%d" % value)])
    seen: list[bytes | None] = []
    while len(seen) < 20:
        watch = store.watch(PREFIX, after=start)
        batch = await anext(watch)
        await watch.aclose()
        start = batch.changes[0].revision  # as if only the first one had been applied
        seen.append(batch.changes[0].value)
    assert seen == [b"%d" % value for value in range(20)]


async def test_a_watch_from_the_future_is_told_that_the_store_was_replaced(store: Store) -> None:
    revision = (await store.list(PREFIX)).revision
    with pytest.raises(HistoryLost):
        await anext(store.watch(PREFIX, after=revision + 1000))


async def test_keys_under_a_lease_go_when_it_is_revoked(store: Store) -> None:
    lease = await store.grant(30)
    revision = await store.commit([Put(A, b"1", lease), Put(B, b"1")])
    assert [e.lease for e in (await store.list(PREFIX)).entries] == [lease, 0]
    await store.keep_alive(lease)
    await store.revoke(lease)
    assert [e.key for e in (await store.list(PREFIX)).entries] == [B]
    [batch] = await first(store, PREFIX, after=revision, changes=1)
    assert [(c.key, c.value) for c in batch.changes] == [(A, None)]


async def test_a_lease_that_ended_is_lost(store: Store) -> None:
    lease = await store.grant(30)
    await store.revoke(lease)
    await store.revoke(lease)
    with pytest.raises(LeaseLost):
        await store.keep_alive(lease)
    with pytest.raises(LeaseLost):
        await store.commit([Put(A, b"1", lease)])


async def test_a_compacted_watch_is_told_so(etcd_server: EtcdServer) -> None:
    store = EtcdStore(etcd_server.address)
    start = await store.commit([Put(A, b"0")])
    for value in range(5):
        last = await store.commit([Put(A, b"%d" % value)])
    etcd_server.ctl("compact", str(last))
    with pytest.raises(HistoryLost, match="compacted"):
        await anext(store.watch(PREFIX, after=start))
    await store.close()


async def test_memory_compacts_like_etcd() -> None:
    store = MemoryStore()
    start = await store.commit([Put(A, b"0")])
    await store.commit([Put(A, b"1")])
    store.compact()
    with pytest.raises(HistoryLost):
        await anext(store.watch(PREFIX, after=start))


async def test_memory_that_is_away_ends_watches_and_remembers_everything() -> None:
    store = MemoryStore()
    revision = await store.commit([Put(A, b"0")])
    waiting = asyncio.ensure_future(anext(store.watch(PREFIX, after=revision)))
    await asyncio.sleep(0)
    await store.set_away(True)
    with pytest.raises(StoreUnavailable):
        await waiting
    with pytest.raises(StoreUnavailable):
        await store.list(PREFIX)
    await store.set_away(False)
    assert [e.key for e in (await store.list(PREFIX)).entries] == [A]


async def test_an_etcd_that_dies_ends_watches_and_comes_back_with_everything(etcd_server: EtcdServer) -> None:
    store = EtcdStore(etcd_server.address, timeout_s=2)
    revision = await store.commit([Put(A, b"0")])
    waiting = asyncio.ensure_future(anext(store.watch(PREFIX, after=revision)))
    await asyncio.sleep(0.1)
    etcd_server.stop()
    with pytest.raises(StoreUnavailable, match="start etcd again"):
        await waiting
    with pytest.raises(StoreUnavailable, match=etcd_server.address):
        await store.commit([Put(A, b"1")])
    etcd_server.start()
    async with asyncio.timeout(10):
        while True:
            try:
                listing = await store.list(PREFIX)
                break
            except StoreUnavailable:
                await asyncio.sleep(0.05)
    assert [(e.key, e.value) for e in listing.entries] == [(A, b"0")]
    await store.close()


@pytest.mark.parametrize("endpoints", ["", "nowhere", "host:x", "a:1,b:2", ":1"])
async def test_a_wrong_endpoint_is_refused_before_connecting(endpoints: str) -> None:
    with pytest.raises(InvalidArgument, match="host:port|IPv4"):
        EtcdStore(endpoints)
