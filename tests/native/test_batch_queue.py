"""The batch queue from Python, against a plain sorted list."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from skysail.native import BatchQueue, ManualClock, NativeError, QueueFull

MAX_ENTRIES = 12
MAX_ROWS = 30


class QueueMachine(RuleBasedStateMachine):
    """Random operations, stepped by a clock that is moved by hand."""

    @initialize()
    def start(self) -> None:
        self.clock = ManualClock()
        self.queue = BatchQueue(max_entries=MAX_ENTRIES, max_rows=MAX_ROWS, clock=self.clock)
        self.waiting: list[tuple[float, int, int, bytes]] = []  # (deadline, item, rows, group), sorted
        self.put_count = 0

    @rule(
        rows=st.integers(1, 6),
        deadline_s=st.none() | st.integers(0, 20),
        group=st.sampled_from([b"", b"x", b"y\x00z"]),
    )
    def put(self, rows: int, deadline_s: int | None, group: bytes) -> None:
        item = self.put_count
        self.put_count += 1
        room = len(self.waiting) < MAX_ENTRIES and self.rows() + rows <= MAX_ROWS
        if not room:
            with pytest.raises(QueueFull):
                self.queue.put(item, rows=rows, deadline_s=deadline_s, group=group)
            return
        self.queue.put(item, rows=rows, deadline_s=deadline_s, group=group)
        deadline = float("inf") if deadline_s is None else self.clock.now_s + deadline_s
        self.waiting.append((deadline, item, rows, group))
        self.waiting.sort()

    @rule(limit=st.integers(1, 12), needed_s=st.integers(0, 5))
    def take(self, limit: int, needed_s: int) -> None:
        due = self.clock.now_s + needed_s
        expired = [entry for entry in self.waiting if entry[0] < due]
        self.waiting = self.waiting[len(expired) :]
        batch: list[tuple[float, int, int, bytes]] = []
        rows = 0
        for entry in self.waiting:
            if entry[3] != self.waiting[0][3]:
                continue
            if batch and rows + entry[2] > limit:
                break
            batch.append(entry)
            rows += entry[2]
        for entry in batch:
            self.waiting.remove(entry)
        items = [entry[1] for entry in batch]
        assert self.queue.take(limit, 0, needed_s=needed_s) == (items, [entry[1] for entry in expired])

    @rule(by_s=st.integers(1, 5))
    def advance(self, by_s: int) -> None:
        self.clock.advance(by_s)

    def rows(self) -> int:
        return sum(entry[2] for entry in self.waiting)

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        if hasattr(self, "waiting"):
            assert (len(self.queue), self.queue.rows) == (len(self.waiting), self.rows())


TestRandomOperations = QueueMachine.TestCase
TestRandomOperations.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_take_waits_for_an_item_and_lets_other_threads_run() -> None:
    queue = BatchQueue()
    taken: list[object] = []
    thread = threading.Thread(target=lambda: taken.append(queue.take(4)))
    thread.start()
    queue.put("late")
    thread.join(5)
    assert taken == [(["late"], [])]


def test_take_gives_up_at_its_timeout() -> None:
    started = time.monotonic()
    assert BatchQueue().take(1, 0.05) == ([], [])
    assert 0.04 < time.monotonic() - started < 5


def test_close_wakes_who_waits_drains_what_is_queued_and_refuses_what_comes() -> None:
    queue = BatchQueue()
    taken: list[object] = []
    thread = threading.Thread(target=lambda: taken.append(queue.take(1)))
    thread.start()
    queue.close()
    thread.join(5)
    assert taken == [([], [])]
    with pytest.raises(NativeError) as caught:
        queue.put("x")
    assert caught.value.kind == "Unavailable"


def test_what_is_queued_at_the_close_can_still_be_taken() -> None:
    queue = BatchQueue()
    queue.put("a")
    queue.close()
    assert queue.take(1) == (["a"], [])
    assert queue.take(1) == ([], [])


def test_a_full_queue_says_what_it_is_bounded_to() -> None:
    queue = BatchQueue(max_entries=1)
    queue.put("a")
    with pytest.raises(QueueFull, match="1 entries") as caught:
        queue.put("b")
    assert caught.value.kind == "ResourceExhausted"
    assert isinstance(caught.value, NativeError)


class Item:
    """Something that can be watched."""


def test_items_are_freed_when_refused_taken_or_left_behind() -> None:
    items = [Item() for _ in range(3)]
    watched = [weakref.ref(item) for item in items]
    queue = BatchQueue(max_entries=2)
    for item in items[:2]:
        queue.put(item)
    with pytest.raises(QueueFull):
        queue.put(items[2])
    del item
    items.clear()
    gc.collect()
    assert [ref() is not None for ref in watched] == [True, True, False]
    queue.take(1)
    assert [ref() is not None for ref in watched] == [False, True, False]
    del queue
    assert [ref() is not None for ref in watched] == [False, False, False]


def test_many_threads_neither_lose_nor_repeat_items() -> None:
    queue = BatchQueue()
    taken: list[int] = []

    def consume() -> None:
        while True:
            items, _ = queue.take(7)
            if not items:
                return
            taken.extend(items)

    def produce(k: int) -> None:
        for i in range(500):
            queue.put(k * 500 + i, group=bytes([i % 3]))

    consumers = [threading.Thread(target=consume) for _ in range(3)]
    producers = [threading.Thread(target=produce, args=(k,)) for k in range(4)]
    for thread in (*consumers, *producers):
        thread.start()
    for thread in producers:
        thread.join()
    queue.close()
    for thread in consumers:
        thread.join()
    assert sorted(taken) == list(range(2000))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda queue: queue.put("x", rows=0), "rows"),
        (lambda queue: queue.put("x", deadline_s=float("nan")), "deadline_s"),
        (lambda queue: queue.take(0), "limit"),
        (lambda queue: queue.take(1, needed_s=-1), "needed_s"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(call: object, named: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=named):
        call(BatchQueue())
