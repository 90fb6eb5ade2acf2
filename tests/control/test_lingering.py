"""Processes that a store forgot while it was away stay in force until they had time to register again."""

from __future__ import annotations

from types import MappingProxyType

from skysail.control.lingering import Lingering
from skysail.control.schema import Instance, Replica
from skysail.control.snapshot import Snapshot

A, B = (Instance(role="batcher", id=one, address="h:1") for one in "ab")
REPLICA = Replica(model="m", version="1", id="r", digest="sha256:" + "0" * 64, address="h:2")


def holding(*instances: Instance, revision: int = 1, replicas: tuple[Replica, ...] = ()) -> Snapshot:
    return Snapshot(
        revision=revision,
        instances=MappingProxyType({(one.role, one.id): one for one in instances}),
        replicas=MappingProxyType({(one.model, one.version, one.id): one for one in replicas}),
    )


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_what_vanishes_while_the_store_answers_is_gone_at_once() -> None:
    clock = Clock()
    lingering = Lingering(10.0, clock=clock)
    lingering.keep(holding(A, B, replicas=(REPLICA,)))
    clock.now_s += 3.4
    assert lingering.keep(holding(A)) == (holding(A), None)


def test_what_vanishes_after_a_silence_stays_until_it_had_time_to_come_back() -> None:
    clock = Clock()
    lingering = Lingering(10.0, clock=clock)
    lingering.keep(holding(A, B, replicas=(REPLICA,)))
    clock.now_s += 15
    kept, again_s = lingering.keep(holding(revision=2))  # before we hear from the store ourselves
    assert (kept, again_s) == (holding(A, B, revision=2, replicas=(REPLICA,)), 5.0)
    lingering.heard()
    clock.now_s += 1
    kept, again_s = lingering.keep(holding(B, revision=3, replicas=(REPLICA,)))
    assert (kept, again_s) == (holding(A, B, revision=3, replicas=(REPLICA,)), 4.0)
    clock.now_s += 4
    assert lingering.keep(holding(B, replicas=(REPLICA,))) == (holding(B, replicas=(REPLICA,)), None)


def test_all_that_have_come_back_leave_nothing_to_ask_for_again() -> None:
    clock = Clock()
    lingering = Lingering(10.0, clock=clock)
    lingering.keep(holding(A))
    clock.now_s += 15
    lingering.heard()
    assert lingering.keep(holding(A, B)) == (holding(A, B), None)


def test_document_that_came_back_changed_is_taken_as_it_is_now() -> None:
    clock = Clock()
    lingering = Lingering(10.0, clock=clock)
    lingering.keep(holding(A))
    clock.now_s += 15
    newer = A.model_copy(update={"address": "h:9"})
    assert lingering.keep(holding(newer)) == (holding(newer), None)
