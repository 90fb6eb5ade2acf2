"""Where calls go when they are sent back."""

import pytest

from skysail.control import changes, configuration, history, keys, rollback
from skysail.control.configuration import Configuration
from skysail.control.errors import FailedPrecondition, NotFound
from skysail.control.history import Change
from skysail.control.memory_store import MemoryStore
from skysail.control.schema import Model
from skysail.control.snapshot import Assembler
from skysail.control.transition import steps
from tests.control.test_changes import version


class Scene:
    def __init__(self) -> None:
        self.store = MemoryStore()

    async def configuration(self) -> Configuration:
        return configuration.of_snapshot(Assembler().load(await self.store.list(keys.PREFIX)))

    async def earlier(self, *, revision: int | None = None) -> Configuration:
        now = await self.configuration()
        found: list[Change] = await history.read(self.store)
        return rollback.to_earlier(now, configuration.encode(now), found, "digits", revision=revision)


@pytest.fixture
async def scene() -> Scene:
    """Version 1, then version 2 with three replicas; 1 is stopped."""
    scene = Scene()
    await changes.deploy(scene.store, version())
    await changes.deploy(scene.store, version("2", content="2"), replicas=3)
    await changes.set_route(scene.store, "digits", {"2": 1.0})
    await changes.scale(scene.store, "digits", 0, version="1")
    return scene


def shape(found: Configuration) -> dict[str, tuple[float, int]]:
    model = found[keys.model("digits")]
    assert isinstance(model, Model)
    return {name: (one.weight, one.replicas) for name, one in model.versions.items()}


async def test_the_route_before_gets_the_replicas_of_now(scene: Scene) -> None:
    assert shape(await scene.earlier()) == {"1": (1.0, 3), "2": (0.0, 3)}


async def test_what_is_warm_takes_the_calls_in_one_step(scene: Scene) -> None:
    """And what was bad stays warm instead: going forward again is one step, too."""
    await changes.scale(scene.store, "digits", 3, version="1")
    for _ in range(2):
        now, back = await scene.configuration(), await scene.earlier()
        started, switched, target = steps(now, back)
        assert dict(started) == dict(now) and dict(switched) == dict(target)
        await changes.replace(scene.store, now, back, action="roll back")


async def test_twice_is_there_and_back(scene: Scene) -> None:
    now = await scene.configuration()
    await changes.replace(scene.store, now, await scene.earlier(), action="roll back")
    assert shape(await scene.earlier()) == {"1": (0.0, 3), "2": (1.0, 3)}


async def test_the_route_of_a_revision(scene: Scene) -> None:
    first = (await history.read(scene.store))[0].revision
    await changes.set_route(scene.store, "digits", {"1": 1.0, "2": 1.0})
    assert shape(await scene.earlier(revision=first)) == {"1": (1.0, 3), "2": (0.0, 3)}
    with pytest.raises(NotFound, match="was not there at revision 0"):
        await scene.earlier(revision=0)


async def test_other_settings_stay(scene: Scene) -> None:
    await changes.deploy(scene.store, version("2", content="2"), objective_ms=20.0, cache=False)
    now, back = await scene.configuration(), await scene.earlier()
    assert [one.key for one in configuration.differences(now, back)] == [keys.model("digits")]
    model = back[keys.model("digits")]
    assert isinstance(model, Model) and not model.cache.enabled


async def test_to_a_version_that_is_named(scene: Scene) -> None:
    now = await scene.configuration()
    assert shape(rollback.to_version(now, "digits", "1")) == {"1": (1.0, 3), "2": (0.0, 3)}
    with pytest.raises(NotFound, match="model 'digits' has no version '7', only 1, 2"):
        rollback.to_version(now, "digits", "7")
    with pytest.raises(NotFound, match="there is no model 'letters'"):
        rollback.to_version(now, "letters", "1")


async def test_without_an_earlier_route_there_is_no_way_back() -> None:
    scene = Scene()
    await changes.deploy(scene.store, version())
    with pytest.raises(FailedPrecondition, match="no other route of model 'digits'"):
        await scene.earlier()


async def test_a_version_that_was_removed_is_named(scene: Scene) -> None:
    await changes.remove_version(scene.store, "digits", "1")
    with pytest.raises(NotFound, match="has no version '1'"):
        await scene.earlier()
