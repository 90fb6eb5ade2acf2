"""A registration stays in the store whatever the store forgets."""

import asyncio

import pytest

from skysail.control import keys
from skysail.control.backoff import Backoff
from skysail.control.etcd_store import EtcdStore
from skysail.control.memory_store import MemoryStore
from skysail.control.registration import Registration
from skysail.control.schema import Instance
from skysail.control.store import Store
from tests.plugins.etcd import EtcdServer

KEY = keys.instance("batcher", "b")
INSTANCE = Instance(role="batcher", id="b", address="h:1")


async def stored(store: Store) -> list[Instance]:
    return [Instance.decode(entry.value) for entry in (await store.list(keys.PREFIX)).entries]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registration(store: MemoryStore) -> Registration:
    return Registration(store, KEY, ttl_s=9, backoff=Backoff(chance=lambda: 0.0))


async def test_nothing_is_registered_before_it_is_published(
    registration: Registration, store: MemoryStore
) -> None:
    assert await registration.step() == 9
    assert await stored(store) == []


async def test_it_is_written_once_and_kept_alive_three_times_in_its_time(
    registration: Registration, store: MemoryStore
) -> None:
    registration.publish(INSTANCE)
    assert not registration.registered
    assert await registration.step() == 3
    assert registration.registered
    revision = (await store.list(keys.PREFIX)).revision
    assert await registration.step() == 3
    assert (await store.list(keys.PREFIX)).revision == revision
    assert await stored(store) == [INSTANCE]


async def test_news_replace_the_document(registration: Registration, store: MemoryStore) -> None:
    registration.publish(INSTANCE)
    await registration.step()
    newer = INSTANCE.model_copy(update={"applied_revision": 5})
    registration.publish(newer)
    await registration.step()
    assert await stored(store) == [newer]


async def test_a_lost_lease_is_taken_again(registration: Registration, store: MemoryStore) -> None:
    registration.publish(INSTANCE)
    await registration.step()
    [entry] = (await store.list(keys.PREFIX)).entries
    await store.expire(entry.lease)
    assert await stored(store) == []
    assert await registration.step() == 0
    await registration.step()
    assert await stored(store) == [INSTANCE]


async def test_while_the_store_is_away_it_tries_again_soon(
    registration: Registration, store: MemoryStore
) -> None:
    registration.publish(INSTANCE)
    await store.set_away(True)
    assert [await registration.step() for _ in range(3)] == pytest.approx([0.1, 0.2, 0.4])
    await store.set_away(False)
    await registration.step()
    assert await stored(store) == [INSTANCE]


async def test_closing_takes_it_out_at_once(registration: Registration, store: MemoryStore) -> None:
    registration.publish(INSTANCE)
    await registration.step()
    await registration.close()
    assert await stored(store) == []


async def test_closing_while_the_store_is_away_gives_up_quietly(
    registration: Registration, store: MemoryStore
) -> None:
    registration.publish(INSTANCE)
    await registration.step()
    await store.set_away(True)
    await registration.close(timeout_s=0.1)
    await store.set_away(False)
    assert await stored(store) == [INSTANCE]


async def test_it_is_back_after_etcd_was_replaced_by_an_empty_one(etcd_server: EtcdServer) -> None:
    store = EtcdStore(etcd_server.address, timeout_s=2)
    registration = Registration(store, KEY, ttl_s=2)
    registration.publish(INSTANCE)
    running = asyncio.create_task(registration.run())
    async with asyncio.timeout(15):
        while not registration.registered:
            await asyncio.sleep(0.02)
        etcd_server.wipe()
        etcd_server.start()
        other = EtcdStore(etcd_server.address)
        while await stored(other) != [INSTANCE]:
            await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await registration.close()
    assert await stored(other) == []
    await store.close()
    await other.close()
