"""The prediction cache from Python, against a plain least-recently-used dictionary."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from skysail.native import ManualClock, PredictionCache

KEYS = st.binary(max_size=3) | st.sampled_from([b"a" * 100, b"a" * 101])
VALUES = st.binary(max_size=40) | st.sampled_from([b"v" * 500, b"v" * 3000])
CAPACITY = 2500
QUOTA = 900


class CacheMachine(RuleBasedStateMachine):
    """Random operations on two spaces of a cache of one shard, whose order is exact."""

    hash_bits = 64

    @initialize()
    def start(self) -> None:
        self.clock = ManualClock(now_s=10)
        self.cache = PredictionCache(
            capacity_bytes=CAPACITY,
            shards=1,
            hash_bits=self.hash_bits,
            admit_all=True,
            clock=self.clock,
        )
        self.spaces = [self.cache.add_space(), self.cache.add_space(quota_bytes=QUOTA)]
        # (space, key) -> (value, expires_s), least recently used first
        self.model: OrderedDict[tuple[int, bytes], tuple[bytes, float]] = OrderedDict()

    def held(self, space: int | None = None) -> int:
        return sum(
            self.cache.charge(len(key), len(value))
            for (where, key), (value, _) in self.model.items()
            if space in (None, where)
        )

    @rule(which=st.integers(0, 1), key=KEYS, value=VALUES, ttl_s=st.sampled_from([0, 1, 5]))
    def put(self, which: int, key: bytes, value: bytes, ttl_s: int) -> None:
        charge = self.cache.charge(len(key), len(value))
        fits = charge <= CAPACITY and (which == 0 or charge <= QUOTA)
        assert self.cache.put(key, value, ttl_s=ttl_s, space=self.spaces[which]) is fits
        if not fits:
            return
        self.model.pop((which, key), None)
        self.model[which, key] = (value, self.clock.now_s + ttl_s if ttl_s else float("inf"))
        while which == 1 and self.held(1) > QUOTA:
            del self.model[next(at for at in self.model if at[0] == 1)]
        while self.held() > CAPACITY:
            self.model.popitem(last=False)

    @rule(which=st.integers(0, 1), key=KEYS)
    def get(self, which: int, key: bytes) -> None:
        expected = None
        if (which, key) in self.model:
            value, expires_s = self.model[which, key]
            if expires_s > self.clock.now_s:
                expected = value
                self.model.move_to_end((which, key))
            else:
                del self.model[which, key]
        assert self.cache.get(key, space=self.spaces[which]) == expected

    @rule(which=st.integers(0, 1), key=KEYS)
    def erase(self, which: int, key: bytes) -> None:
        there = self.model.pop((which, key), None) is not None
        assert self.cache.erase(key, space=self.spaces[which]) is there

    @rule(by_s=st.integers(1, 3))
    def advance(self, by_s: int) -> None:
        self.clock.advance(by_s)

    @rule(which=st.integers(0, 1))
    def erase_space(self, which: int) -> None:
        gone = self.spaces[which]
        self.cache.erase_space(gone)
        assert self.cache.put(b"k", b"v", space=gone) is False
        self.cache.reclaim()
        self.spaces[which] = self.cache.add_space(quota_bytes=QUOTA if which else 0)
        for at in [at for at in self.model if at[0] == which]:
            del self.model[at]

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        if not hasattr(self, "model"):
            return
        stats = self.cache.stats()
        assert stats["entries"] == len(self.model)
        assert stats["bytes"] == self.held() <= CAPACITY
        assert self.cache.stats(self.spaces[1])["bytes"] == self.held(1) <= QUOTA


class CollidingCacheMachine(CacheMachine):
    """The same with a hash of 8 bits: most keys collide."""

    hash_bits = 8


# D6: entries leave first in, first out, not least recently used first.
TestD6LruOrder = CacheMachine.TestCase
# D2: a hash stands for the key, so two inputs may share an answer.
TestD2CollidingHashes = CollidingCacheMachine.TestCase
TestD6LruOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestD2CollidingHashes.settings = TestD6LruOrder.settings


def test_a_cache_needs_no_spaces_to_be_used() -> None:
    cache = PredictionCache(capacity_bytes=1 << 20)
    assert cache.get(b"k") is None
    assert cache.put(b"k", b"v")
    assert cache.get(b"k") == b"v"
    assert cache.erase(b"k") is True
    assert cache.get(b"k") is None


def test_erased_spaces_give_their_memory_back() -> None:
    cache = PredictionCache(capacity_bytes=1 << 22)
    space = cache.add_space()
    for i in range(500):
        cache.put(str(i).encode(), b"v" * 100, space=space)
    cache.erase_space(space)
    assert cache.get(b"1", space=space) is None
    assert cache.reclaim() == 500
    assert cache.stats()["bytes"] == 0


@pytest.mark.parametrize(
    ("options", "named"),
    [({"shards": 0}, "shards"), ({"hash_bits": 65}, "hash_bits"), ({"hash_bits": -1}, "hash_bits")],
)
def test_options_out_of_range_are_refused_by_name(options: dict[str, int], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        PredictionCache(capacity_bytes=1000, **options)  # type: ignore[arg-type]


def test_a_negative_ttl_is_refused() -> None:
    with pytest.raises(ValueError, match="ttl_s"):
        PredictionCache().put(b"k", b"v", ttl_s=-1)


def test_text_is_no_key() -> None:
    with pytest.raises(TypeError):
        PredictionCache().put("k", b"v")  # type: ignore[arg-type]
