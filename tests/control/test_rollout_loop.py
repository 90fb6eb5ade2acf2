"""Driving rollouts by hand: who leads, what is written, and what another one finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from skysail.control import changes, configuration, history, keys, rollback, rollouts
from skysail.control.configuration import Configuration
from skysail.control.errors import Conflict, FailedPrecondition, NotFound
from skysail.control.leadership import Leadership
from skysail.control.measuring import Counted
from skysail.control.memory_store import MemoryStore
from skysail.control.rollout import Rollout
from skysail.control.rollout_loop import RolloutLoop
from skysail.control.schema import Model
from skysail.control.snapshot import Assembler, Snapshot
from skysail.control.tally import Tally
from tests.control.test_changes import version

GATE = "error_rate<=baseline+1%"


@dataclass
class Scene:
    """A store, a clock, and counters that are moved by hand."""

    store: MemoryStore = field(default_factory=MemoryStore)
    now_s: float = 0.0
    counts: dict[str, Tally] = field(default_factory=lambda: {"1": Tally(), "2": Tally()})
    known: Snapshot = field(default_factory=Snapshot)

    def loop(self, name: str) -> RolloutLoop:
        async def look(_: Snapshot, model: str) -> Counted:
            assert model == "digits"
            return {"batcher": dict(self.counts)}

        return RolloutLoop(self.store, lambda: self.known, name, look=look, clock=lambda: self.now_s)

    async def refresh(self) -> Snapshot:
        self.known = Assembler().load(await self.store.list(keys.PREFIX))
        return self.known

    async def configuration(self) -> Configuration:
        seen = await self.refresh()
        return {**configuration.of_snapshot(seen), **rollouts.documents(seen)}

    async def begin(self, **plan: object) -> None:
        now = await self.configuration()
        fields = {"steps": (10.0, 50.0, 100.0), "hold_s": 10.0, "min_calls": 100, "gates": (GATE,), **plan}
        await changes.replace(self.store, now, rollouts.begun(now, "digits", "2", **fields), action="begin")
        await self.refresh()

    async def step(
        self, loop: RolloutLoop, *, after_s: float = 0.0, calls: int = 0, errors: int = 0
    ) -> Rollout:
        self.now_s += after_s
        self.counts = {
            "1": self.counts["1"] + Tally(calls=calls, trials=calls),
            "2": self.counts["2"] + Tally(calls=calls, trials=calls, errors=errors),
        }
        await loop.step()
        return (await self.refresh()).rollouts["digits"]

    @property
    def route(self) -> Mapping[str, float]:
        return {name: one.weight for name, one in self.known.models["digits"].versions.items() if one.weight}


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await changes.deploy(made.store, version(), replicas=2)
    await changes.deploy(made.store, version("2", content="2"), replicas=0)
    return made


async def test_step_by_step_to_the_end(scene: Scene) -> None:
    await scene.begin()
    loop, routes = scene.loop("a"), [scene.route]
    for _ in range(8):
        found = await scene.step(loop, after_s=10.0, calls=200)
        if routes[-1] != scene.route:
            routes.append(scene.route)
    assert found.state == "done"
    assert routes == [{"1": 90.0, "2": 10.0}, {"1": 50.0, "2": 50.0}, {"2": 100.0}]
    assert scene.known.models["digits"].versions["1"].replicas == 2, "the version before stays warm"
    actions = [one.record.action for one in await history.read(scene.store)]
    assert actions[-4:] == ["begin", *(f"rollout of digits to 2: {one}" for one in ("50%", "100%", "done"))]


async def test_a_breach_rolls_back_by_itself_and_is_recorded_with_its_reason(scene: Scene) -> None:
    await scene.begin()
    loop = scene.loop("selector/a")
    await scene.step(loop)
    found = await scene.step(loop, after_s=1.0, calls=200, errors=50)
    assert (found.state, scene.route) == ("rolled back", {"1": 1.0})
    assert scene.known.models["digits"].versions["2"].replicas == 0
    record = (await history.read(scene.store))[-1].record
    assert (record.author, record.action) == ("selector/a", "rollout of digits to 2: rolled back")
    assert record.reason.startswith(f"{GATE}: 25.00% of 200 calls failed")


async def test_one_leads_and_another_takes_over_without_skipping_or_repeating_a_step(scene: Scene) -> None:
    await scene.begin()
    first, second = scene.loop("first"), scene.loop("second")
    await scene.step(first)
    await scene.step(second, after_s=6.0, calls=60)
    assert (await scene.step(first, calls=60)).canary.calls == 120, "what was seen is written down"
    (leader,) = (await scene.store.list("/skysail/leaders/v1/")).entries
    assert leader.value == b"first"
    assert (await scene.step(second, after_s=100.0)).step == 0, "who does not lead does nothing"
    await scene.store.expire(leader.lease)
    await scene.step(second)
    found = await scene.step(second, after_s=3.9)
    assert found.step == 0
    found = await scene.step(second, after_s=0.2)
    assert (found.step, scene.route) == (1, {"1": 50.0, "2": 50.0}), (
        "held 6 s by the one and 4 s by the other"
    )
    actions = [one.record.action for one in await history.read(scene.store)]
    assert actions.count("rollout of digits to 2: 50%") == 1


async def test_two_who_believe_that_they_lead_take_a_step_once(scene: Scene) -> None:
    await scene.begin()
    loops = [scene.loop("a"), scene.loop("b")]
    for loop in loops:
        await scene.step(loop)
        (leader,) = (await scene.store.list("/skysail/leaders/v1/")).entries
        if loop is loops[0]:
            # Paused for longer than its lease, it does not know yet.
            await scene.store.expire(leader.lease)
    stale = (await scene.refresh()).rollouts["digits"]
    after = stale.model_copy(update={"step": 1})
    await rollouts.carry_on(scene.store, stale, after, origin=changes.UNSTATED)
    with pytest.raises(Conflict, match="was changed by somebody else"):
        await rollouts.carry_on(scene.store, stale, after, origin=changes.UNSTATED)
    with pytest.raises(Conflict, match="was changed by somebody else"):
        await rollouts.note(scene.store, stale, after)
    assert (await scene.refresh()).rollouts["digits"].step == 1


async def test_a_step_is_not_taken_when_somebody_has_paused_meanwhile(scene: Scene) -> None:
    await scene.begin()
    stale = scene.known.rollouts["digits"]
    await rollouts.order(scene.store, "digits", "pause")
    with pytest.raises(Conflict, match="was changed by somebody else"):
        await rollouts.carry_on(
            scene.store, stale, stale.model_copy(update={"step": 1}), origin=changes.UNSTATED
        )
    assert (await scene.refresh()).rollouts["digits"].state == "paused"


async def test_who_changes_the_route_by_hand_ends_the_rollout_and_is_obeyed(scene: Scene) -> None:
    await scene.begin()
    loop = scene.loop("a")
    await scene.step(loop)
    await changes.set_route(scene.store, "digits", {"1": 3.0, "2": 1.0})
    await scene.refresh()
    found = await scene.step(loop, after_s=100.0, calls=1000)
    assert (found.state, scene.route) == ("overtaken", {"1": 3.0, "2": 1.0})
    with pytest.raises(FailedPrecondition, match="it is overtaken"):
        await rollouts.order(scene.store, "digits", "promote")


async def test_orders_are_obeyed_at_once(scene: Scene) -> None:
    await scene.begin()
    loop = scene.loop("a")
    await scene.step(loop)
    await rollouts.order(scene.store, "digits", "pause")
    await scene.refresh()
    assert (await scene.step(loop)).state == "paused"
    assert (await scene.step(loop, after_s=100.0, calls=1000)).step == 0
    await rollouts.order(scene.store, "digits", "abort")
    await scene.refresh()
    assert scene.route == {"1": 1.0}
    await scene.begin()
    await rollouts.order(scene.store, "digits", "promote")
    await scene.refresh()
    assert scene.route == {"2": 100.0}
    with pytest.raises(NotFound, match="there is no rollout of model 'letters'"):
        await rollouts.order(scene.store, "letters", "pause")


async def test_a_rollout_begins_only_where_it_can(scene: Scene) -> None:
    now = await scene.configuration()
    with pytest.raises(NotFound, match="model 'digits' has no version '7', only 1, 2"):
        rollouts.begun(now, "digits", "7", steps=(100.0,))
    with pytest.raises(NotFound, match="there is no model 'letters'"):
        rollouts.begun(now, "letters", "1", steps=(100.0,))
    await scene.begin()
    with pytest.raises(FailedPrecondition, match="the rollout of digits to 2 is running: let it end"):
        rollouts.begun(await scene.configuration(), "digits", "2", steps=(100.0,))
    await changes.set_route(scene.store, "digits", {"1": 3.0, "2": 1.0})
    await scene.step(scene.loop("a"))
    await scene.step(scene.loop("a"))
    split = {**await scene.configuration()}
    split.pop(keys.rollout("digits"))
    with pytest.raises(FailedPrecondition, match="are split over 1, 2: send them to one version first"):
        rollouts.begun(split, "digits", "2", steps=(100.0,))


async def test_going_back_after_a_rollout_is_going_back_before_all_of_it(scene: Scene) -> None:
    await scene.begin()
    loop = scene.loop("a")

    async def earlier() -> dict[str, float]:
        now = await scene.configuration()
        found = rollback.to_earlier(now, configuration.encode(now), await history.read(scene.store), "digits")
        model = found[keys.model("digits")]
        assert isinstance(model, Model)
        return {name: one.weight for name, one in model.versions.items() if one.weight}

    assert await earlier() == {"1": 1.0}, "while it runs"
    for _ in range(8):
        await scene.step(loop, after_s=10.0, calls=200)
    assert scene.route == {"2": 100.0}
    assert await earlier() == {"1": 1.0}


async def test_what_a_rollout_notes_is_no_edit_by_hand(scene: Scene) -> None:
    await scene.begin()
    loop = scene.loop("a")
    await scene.step(loop)
    assert (await scene.step(loop, after_s=6.0, calls=10)).held_s == 6.0
    found = await history.read(scene.store)
    assert history.gaps(configuration.encode(configuration.of_snapshot(scene.known)), found) == {}


async def test_without_the_store_rollouts_wait(scene: Scene) -> None:
    await scene.begin()
    loop = scene.loop("a")
    await scene.step(loop)
    await scene.store.set_away(True)
    await loop.step()
    await scene.store.set_away(False)
    assert (await scene.step(loop, after_s=10.0, calls=200)).step == 1


async def test_who_led_and_ends_lets_another_lead_at_once() -> None:
    store = MemoryStore()
    one, other = Leadership(store, "t", "one"), Leadership(store, "t", "other")
    assert await one.hold() and await one.hold()
    assert not await other.hold()
    await one.close()
    assert await other.hold()
    assert not await one.hold()
