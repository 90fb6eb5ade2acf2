"""Bringing a configuration about: in which order it is written, and what is left when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from skysail.cli.transition import bring_about
from skysail.control import changes, configuration, history, keys
from skysail.control.configuration import Configuration
from skysail.control.errors import Timeout
from skysail.control.home import Home
from skysail.control.memory_store import MemoryStore
from skysail.control.schema import Instance, Model, Replica, VersionTarget
from skysail.control.snapshot import Assembler, Snapshot
from skysail.control.store import Put
from skysail.control.transaction import UNSTATED
from tests.control.test_changes import version


class Scene:
    """A store without processes: replicas register, and services apply, when told to."""

    def __init__(self, home: Path) -> None:
        self.home = Home(home)
        self.store = MemoryStore()
        self.notes: list[str] = []

    async def snapshot(self) -> Snapshot:
        return Assembler().load(await self.store.list(keys.PREFIX))

    async def configuration(self) -> Configuration:
        return configuration.of_snapshot(await self.snapshot())

    async def register(self, model: str, name: str) -> None:
        digest = (await self.snapshot()).versions[model, name].artefact.digest
        replica = Replica(model=model, version=name, id="0", digest=digest, address="127.0.0.1:1")
        await self.store.commit([Put(keys.replica(model, name, "0"), replica.encode(), await self._lease())])

    async def apply(self, revision: int) -> None:
        instance = Instance(role="selector", id="s", address="127.0.0.1:2", applied_revision=revision)
        await self.store.commit([Put(keys.instance("selector", "s"), instance.encode(), await self._lease())])

    @asynccontextmanager
    async def service(self) -> AsyncIterator[None]:
        """A service that applies whatever is written."""

        async def follow() -> None:
            while True:
                snapshot = await self.snapshot()
                await self.apply(snapshot.revision)
                await asyncio.sleep(0.001)

        task = asyncio.create_task(follow())
        try:
            yield
        finally:
            task.cancel()

    async def rows(self) -> list[str]:
        return [one.record.action for one in await history.read(self.store)]

    async def bring_about(self, after: Configuration, *, timeout_s: float = 30.0) -> int:
        before = await self.configuration()
        return await bring_about(
            self.home,
            self.store,
            before,
            after,
            action="switch",
            origin=UNSTATED,
            timeout_s=timeout_s,
            note=self.notes.append,
        )

    async def _lease(self) -> int:
        return await self.store.grant(10.0)


@pytest.fixture
async def scene(skysail_home: Path) -> Scene:
    """Version 1 takes the calls, version 2 is wanted without any; "broken" has no replica."""
    scene = Scene(skysail_home)
    await changes.deploy(scene.store, version())
    await changes.deploy(scene.store, version("2", content="2"))
    await changes.deploy(scene.store, version(model="broken"))
    await scene.register("digits", "1")
    return scene


def to_two(now: Configuration) -> Configuration:
    model = now[keys.model("digits")]
    assert isinstance(model, Model)
    versions = {"1": VersionTarget(replicas=1), "2": VersionTarget(weight=1.0, replicas=1)}
    return {**now, keys.model("digits"): model.model_copy(update={"versions": versions})}


async def test_a_warm_version_takes_the_calls_at_once_and_leaves_one_record(scene: Scene) -> None:
    await scene.register("digits", "2")
    before = len(await scene.rows())
    async with scene.service():
        await scene.bring_about(to_two(await scene.configuration()))
    assert (await scene.rows())[before:] == ["switch"]


async def test_a_version_that_is_wanted_but_not_ready_gets_no_call(scene: Scene) -> None:
    before = await scene.configuration()
    async with scene.service():
        with pytest.raises(Timeout, match="0 of 1 replicas of 'digits' version 2 are ready"):
            await scene.bring_about(to_two(before), timeout_s=0.01)
    assert await scene.configuration() == before
    assert "switch" not in await scene.rows()


async def test_another_model_that_is_broken_holds_up_nothing(scene: Scene) -> None:
    await scene.register("digits", "2")
    async with scene.service():
        await scene.bring_about(to_two(await scene.configuration()), timeout_s=0.5)
    assert (await scene.rows())[-1] == "switch"


async def test_a_service_that_has_not_heard_of_the_replicas_gets_no_call(scene: Scene) -> None:
    await scene.apply(1)
    await scene.register("digits", "2")
    with pytest.raises(Timeout, match="selector/s did not take over the change"):
        await scene.bring_about(to_two(await scene.configuration()), timeout_s=0.01)
    assert "switch" not in await scene.rows()


async def test_what_was_started_for_nothing_is_stopped(scene: Scene) -> None:
    await changes.scale(scene.store, "digits", 0, version="2")
    before = await scene.configuration()
    with pytest.raises(Timeout, match="0 of 1 replicas"):
        await scene.bring_about(to_two(before), timeout_s=0.01)
    assert await scene.configuration() == before
    assert (await scene.rows())[-2:] == ["switch: start", "switch: given up"]


async def test_why_it_failed_is_told_though_it_cannot_be_taken_back(scene: Scene) -> None:
    await changes.scale(scene.store, "digits", 0, version="2")

    async def meddle() -> None:
        while (await scene.snapshot()).models["digits"].versions["2"].replicas == 0:
            await asyncio.sleep(0)
        await changes.scale(scene.store, "digits", 5, version="1")

    other = asyncio.create_task(meddle())
    with pytest.raises(Timeout, match="0 of 1 replicas"):
        await scene.bring_about(to_two(await scene.configuration()), timeout_s=0.05)
    await other
    assert "what was started goes on running" in scene.notes[-1]
    assert (await scene.snapshot()).models["digits"].versions["1"].replicas == 5
