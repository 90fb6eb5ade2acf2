"""No route leads to a version that was not started in the step before; the last step is the target."""

from hypothesis import given, settings
from hypothesis import strategies as st

from skysail.control import configuration, keys
from skysail.control.configuration import Configuration
from skysail.control.schema import Document, Model, VersionTarget
from skysail.control.transition import awaited, steps
from tests.control.test_changes import version

NAMES = ("1", "2", "3")
MODELS = ("a", "b")

targets = st.builds(
    VersionTarget, weight=st.sampled_from([0.0, 1.0, 2.0]), replicas=st.integers(min_value=0, max_value=3)
)


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    documents: dict[str, Document] = {}
    for name in MODELS:
        versions = draw(st.dictionaries(st.sampled_from(NAMES), targets, max_size=3))
        if not any(one.weight > 0 for one in versions.values()):
            continue
        documents[keys.model(name)] = Model(
            name=name, versions=versions, salt=draw(st.sampled_from(["", "s"]))
        )
        documents |= {keys.version(name, one): version(one, model=name) for one in versions}
    return documents


@settings(deadline=None)  # a busy machine is no defect
@given(configurations(), configurations())
def test_every_step_is_legal_and_leads_nobody_to_what_has_not_started(
    current: Configuration, target: Configuration
) -> None:
    path = steps(current, target)
    assert path.target == target
    before = current
    for step in path:
        configuration.check(step, before=before)
        for key, model in step.items():
            old = before.get(key)
            if not isinstance(model, Model) or not isinstance(old, Model):
                continue
            for name, wanted in model.versions.items():
                started = old.versions[name].replicas if name in old.versions else 0
                newly = wanted.weight > 0 and not (name in old.versions and old.versions[name].weight > 0)
                if newly:
                    assert started >= wanted.replicas, "a route leads to what was not started before"
            for name, there in old.versions.items():
                kept = model.versions[name].replicas if name in model.versions else 0
                if there.weight > 0 and there.replicas > kept:
                    assert step is path[-1] or before is not current
        before = step


@settings(deadline=None)  # a busy machine is no defect
@given(configurations(), configurations())
def test_replicas_go_only_after_the_routes_have(current: Configuration, target: Configuration) -> None:
    path = steps(current, target)
    for before, step in zip([current, *path], path, strict=False):
        for key, model in before.items():
            after = step.get(key)
            if not isinstance(model, Model) or not isinstance(after, Model):
                continue
            for name, there in model.versions.items():
                wanted = after.versions.get(name, VersionTarget(replicas=0))
                still_routed = there.weight > 0 and wanted.weight == 0
                if still_routed:
                    assert wanted.replicas >= there.replicas, "a version lost replicas with its traffic"


def test_a_new_version_is_awaited_before_it_takes_traffic() -> None:
    current = routed("a", {"1": (1.0, 2)})
    target = routed("a", {"1": (0.0, 0), "2": (1.0, 2)})
    started, switched, last = steps(current, target)
    assert awaited(current, target) == [(version("2", model="a", content="2"), 2)]

    def shape(step: Configuration) -> dict[str, tuple[float, int]]:
        model = step[keys.model("a")]
        assert isinstance(model, Model)
        return {name: (one.weight, one.replicas) for name, one in model.versions.items()}

    assert shape(started) == {"1": (1.0, 2), "2": (0.0, 2)}
    assert shape(switched) == {"1": (0.0, 2), "2": (1.0, 2)}
    assert shape(last) == {"1": (0.0, 0), "2": (1.0, 2)}


def test_a_version_that_is_warm_is_awaited_and_not_started_again() -> None:
    """It may have lost a replica since."""
    current = routed("a", {"1": (1.0, 2), "2": (0.0, 2)})
    target = routed("a", {"1": (0.0, 2), "2": (1.0, 2)})
    started, switched, last = steps(current, target)
    assert dict(started) == dict(current)
    assert dict(switched) == dict(last) == dict(target)
    assert [(one.version, replicas) for one, replicas in awaited(current, target)] == [("2", 2)]


def test_what_takes_traffic_already_is_not_awaited() -> None:
    """Another model whose replicas are down holds up no change, of this one or of its own."""
    current = {**routed("a", {"1": (1.0, 1), "2": (0.0, 1)}), **routed("broken", {"1": (1.0, 1)})}
    target = {
        **routed("a", {"1": (1.0, 1), "2": (1.0, 1)}),
        **routed("broken", {"1": (2.0, 3), "2": (0.0, 1)}),
    }
    assert [(one.model, one.version) for one, _ in awaited(current, target)] == [("a", "2")]


def test_a_model_that_is_new_is_awaited() -> None:
    target = routed("a", {"1": (1.0, 2), "2": (0.0, 1)})
    assert [(one.version, replicas) for one, replicas in awaited({}, target)] == [("1", 2)]


def test_nothing_to_do_is_no_step() -> None:
    current = routed("a", {"1": (1.0, 2)})
    assert all(dict(step) == dict(current) for step in steps(current, current))
    assert awaited(current, current) == []


def routed(model: str, versions: dict[str, tuple[float, int]]) -> Configuration:
    """One model, with the weight and the replicas of each version."""
    wanted = {name: VersionTarget(weight=weight, replicas=n) for name, (weight, n) in versions.items()}
    return {
        keys.model(model): Model(name=model, versions=wanted),
        **{keys.version(model, name): version(name, model=model, content=name) for name in versions},
    }
