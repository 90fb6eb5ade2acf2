"""Which versions stay loaded when the calls have left them."""

import pytest

from skysail.control.schema import VersionTarget
from skysail.control.warm import rested

OFF = VersionTarget(weight=0.0, replicas=0)


def warm(replicas: int = 1) -> VersionTarget:
    return VersionTarget(weight=0.0, replicas=replicas)


def called(weight: float = 1.0, replicas: int = 1) -> VersionTarget:
    return VersionTarget(weight=weight, replicas=replicas)


def test_the_version_before_stays_with_all_its_replicas() -> None:
    before = {"1": warm(), "2": called(replicas=3), "3": warm(3)}
    after = {"1": warm(), "2": warm(3), "3": called(replicas=3)}
    assert rested(before, after, keep=1) == {"1": OFF, "2": warm(3), "3": called(replicas=3)}


def test_none_stays_where_none_is_to_be_kept() -> None:
    assert rested({"1": called()}, {"1": warm(), "2": called()}, keep=0) == {"1": OFF, "2": called()}


@pytest.mark.parametrize(("keep", "kept"), [(1, "b"), (2, "bc"), (3, "bcd"), (4, "abcd")])
def test_who_lost_most_calls_stays_first_then_who_was_deployed_last(keep: int, kept: str) -> None:
    before = {"a": warm(), "b": called(9.0), "c": called(1.0), "d": warm(), "new": warm()}
    after = {"a": warm(), "b": warm(), "c": warm(), "d": warm(), "new": called()}
    found = rested(before, after, keep=keep)
    assert "".join(name for name, target in found.items() if target == warm()) == kept
    assert found["new"] == called()


def test_a_version_without_replicas_takes_nobody_s_place() -> None:
    before = {"1": called(), "2": called(2.0, replicas=0)}
    after = {"1": warm(), "2": OFF, "3": called()}
    assert rested(before, after, keep=1)["1"] == warm()


def test_who_still_takes_calls_is_not_touched() -> None:
    both = {"1": called(), "2": called()}
    assert rested(both, both, keep=0) == both
