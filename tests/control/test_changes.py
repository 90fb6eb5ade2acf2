"""What users may change: one transaction each, refused in words that help."""

from typing import Any

import pytest

from skysail.control import changes, keys, views
from skysail.control.errors import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    StoreUnavailable,
)
from skysail.control.memory_store import MemoryStore
from skysail.control.schema import Application, Artefact, Cache, Version, VersionTarget
from skysail.control.signature_text import parse_signature
from skysail.control.snapshot import Assembler, Snapshot
from skysail.control.store import Put

SIGNATURE = parse_signature(["x:FP32:[-1,16]"], ["y:FP32:[-1,1]"])


def version(name: str = "1", *, model: str = "digits", content: str = "0", **fields: Any) -> Version:
    return Version.make(
        **{
            "model": model,
            "version": name,
            "artefact": Artefact(uri=f"file:///{model}-{name}", digest="sha256:" + content * 64),
            "loader": "sklearn",
            "signature": SIGNATURE,
            **fields,
        }
    )


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


async def snapshot(store: MemoryStore) -> Snapshot:
    return Assembler().load(await store.list(keys.PREFIX))


async def test_the_first_deploy_is_callable_at_once(store: MemoryStore) -> None:
    before = (await store.list("")).revision
    assert await changes.deploy(store, version()) == before + 1
    seen = await snapshot(store)
    assert seen.versions == {("digits", "1"): version()}
    assert seen.models["digits"].versions == {"1": VersionTarget(weight=1.0, replicas=1)}
    assert views.route(seen, "digits") == {"1": 1.0}
    assert views.applications(seen)["digits"] == Application(
        name="digits", models=("digits",), objective_ms=1000.0
    )


async def test_a_second_version_warms_up_without_traffic(store: MemoryStore) -> None:
    """D20: a new version takes traffic before it is warm."""
    await changes.deploy(store, version())
    await changes.deploy(store, version("2", content="2"), replicas=3)
    seen = await snapshot(store)
    assert views.route(seen, "digits") == {"1": 1.0}
    assert seen.models["digits"].versions["2"] == VersionTarget(weight=0.0, replicas=3)


async def test_deploying_the_same_again_changes_nothing(store: MemoryStore) -> None:
    revision = await changes.deploy(store, version(), replicas=2, objective_ms=50.0)
    assert await changes.deploy(store, version(), replicas=2, objective_ms=50.0) == revision
    assert await changes.deploy(store, version()) == revision


async def test_a_version_never_changes(store: MemoryStore) -> None:
    await changes.deploy(store, version())
    with pytest.raises(
        AlreadyExists, match="version '1' of model 'digits' .*another artefact.*choose another name"
    ):
        await changes.deploy(store, version(content="1"))
    with pytest.raises(AlreadyExists, match="other settings"):
        await changes.deploy(store, version(options={"class": "Other"}))


async def test_deploy_adjusts_the_application_of_the_models_name(store: MemoryStore) -> None:
    await changes.deploy(store, version(), objective_ms=20.0, default=[0.5], cache=False)
    seen = await snapshot(store)
    assert seen.applications["digits"] == Application(
        name="digits", models=("digits",), objective_ms=20.0, default=[0.5]
    )
    assert seen.models["digits"].cache == Cache(enabled=False)
    await changes.deploy(store, version(), objective_ms=30.0)
    seen = await snapshot(store)
    assert (seen.applications["digits"].objective_ms, seen.applications["digits"].default) == (30.0, [0.5])
    assert not seen.models["digits"].cache.enabled


async def test_deploy_sets_the_share_of_the_models_application(store: MemoryStore) -> None:
    await changes.deploy(store, version(), weight=3.0, priority="high")
    await changes.deploy(store, version(), weight=0.5)
    application = (await snapshot(store)).applications["digits"]
    assert (application.weight, application.priority, application.objective_ms) == (0.5, "high", 1000.0)


async def test_a_default_that_does_not_fit_is_refused_and_nothing_deployed(store: MemoryStore) -> None:
    with pytest.raises(
        InvalidArgument, match=r"output 'y': expected one row of shape \[1\], got a value of shape \[2\]"
    ):
        await changes.deploy(store, version(), default=[1, 2])
    assert not (await snapshot(store)).models


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"replicas": 5000}, "replicas: must"),
        ({"objective_ms": 0}, "objective_ms"),
        ({"weight": 101}, "weight: must.*0.01.*100"),
        ({"priority": "urgent"}, "priority: .*high.*normal.*low"),
    ],
)
async def test_an_illegal_setting_is_refused(
    store: MemoryStore, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        await changes.deploy(store, version(), **fields)
    assert not (await snapshot(store)).models


async def test_a_route_names_every_version_that_takes_traffic(store: MemoryStore) -> None:
    await changes.deploy(store, version())
    await changes.deploy(store, version("2"), replicas=2)
    await changes.set_route(store, "digits", {"1": 9, "2": 1})
    assert views.route(await snapshot(store), "digits") == {"1": 9.0, "2": 1.0}
    await changes.set_route(store, "digits", {"2": 1})
    seen = await snapshot(store)
    assert views.route(seen, "digits") == {"2": 1.0}
    assert seen.models["digits"].versions["1"] == VersionTarget(weight=0.0, replicas=1)
    assert seen.models["digits"].versions["2"].replicas == 2


async def test_a_wrong_route_is_refused(store: MemoryStore) -> None:
    await changes.deploy(store, version())
    with pytest.raises(NotFound, match="no model 'cats': deploy it first"):
        await changes.set_route(store, "cats", {"1": 1})
    with pytest.raises(NotFound, match="no version '2', only 1"):
        await changes.set_route(store, "digits", {"2": 1})
    with pytest.raises(InvalidArgument, match="at least one version needs a weight above 0"):
        await changes.set_route(store, "digits", {"1": 0})
    with pytest.raises(InvalidArgument, match="weight: must be between"):
        await changes.set_route(store, "digits", {"1": 1e9})


async def test_scaling_goes_to_the_versions_that_run_unless_one_is_named(store: MemoryStore) -> None:
    """What is kept warm is to take over all the calls at any time."""
    for name in ("1", "2", "3"):
        await changes.deploy(store, version(name), replicas=0 if name == "3" else 1)
    await changes.scale(store, "digits", 4)
    targets = (await snapshot(store)).models["digits"].versions
    assert [targets[name].replicas for name in ("1", "2", "3")] == [4, 4, 0]
    await changes.scale(store, "digits", 0, version="2")
    targets = (await snapshot(store)).models["digits"].versions
    assert [targets[name].replicas for name in ("1", "2", "3")] == [4, 0, 0]
    with pytest.raises(NotFound):
        await changes.scale(store, "digits", 1, version="4")


async def test_how_many_versions_stay_warm_is_set_and_kept(store: MemoryStore) -> None:
    await changes.deploy(store, version(), keep_warm=2)
    await changes.deploy(store, version("2"))
    assert (await snapshot(store)).models["digits"].keep_warm == 2
    with pytest.raises(InvalidArgument, match="keep_warm: must be between 0 and 16 versions, got 17"):
        await changes.deploy(store, version(), keep_warm=17)


async def test_what_lost_the_calls_rests_warm_and_what_had_rested_is_stopped(store: MemoryStore) -> None:
    for name in ("1", "2", "3"):
        await changes.deploy(store, version(name))
    before = (await snapshot(store)).models["digits"].versions
    await changes.set_route(store, "digits", {"3": 1.0})
    await changes.rest(store, "digits", before)
    targets = (await snapshot(store)).models["digits"].versions
    assert [targets[name].replicas for name in ("1", "2", "3")] == [1, 0, 1]


async def test_an_application_needs_its_models_and_a_fitting_default(store: MemoryStore) -> None:
    with pytest.raises(NotFound, match="no model 'digits'"):
        await changes.set_application(store, Application(name="a", models=("digits",)))
    await changes.deploy(store, version())
    with pytest.raises(InvalidArgument, match="outputs y, got z"):
        await changes.set_application(store, Application(name="a", models=("digits",), default={"z": [1]}))
    wanted = Application(name="a", models=("digits",), objective_ms=5.0, default=[1.0])
    await changes.set_application(store, wanted)
    seen = await snapshot(store)
    assert seen.applications["a"] == wanted
    assert views.objective_s(views.asking(seen)["digits"]) == 0.005


async def test_removing_an_application_leaves_the_implicit_one(store: MemoryStore) -> None:
    await changes.deploy(store, version(), objective_ms=5.0)
    await changes.remove_application(store, "digits")
    assert views.applications(await snapshot(store))["digits"].objective_ms == 1000.0
    with pytest.raises(NotFound):
        await changes.remove_application(store, "digits")


async def test_a_version_is_removed_only_without_traffic(store: MemoryStore) -> None:
    await changes.deploy(store, version())
    await changes.deploy(store, version("2"))
    with pytest.raises(FailedPrecondition, match="takes traffic: set another route first"):
        await changes.remove_version(store, "digits", "1")
    await changes.remove_version(store, "digits", "2")
    seen = await snapshot(store)
    assert set(seen.versions) == {("digits", "1")}
    assert set(seen.models["digits"].versions) == {"1"}


async def test_removing_a_model_removes_all_that_is_its_alone(store: MemoryStore) -> None:
    await changes.deploy(store, version(), objective_ms=5.0)
    await changes.deploy(store, version("2"))
    await changes.deploy(store, version(model="digits2"))
    await changes.remove_model(store, "digits")
    seen = await snapshot(store)
    assert set(seen.models) == {"digits2"}
    assert set(seen.versions) == {("digits2", "1")}
    assert not seen.applications


async def test_a_model_that_an_application_uses_is_not_removed(store: MemoryStore) -> None:
    await changes.deploy(store, version())
    await changes.set_application(store, Application(name="a", models=("digits",)))
    with pytest.raises(
        FailedPrecondition, match="application 'a' uses model 'digits': change or remove it first"
    ):
        await changes.remove_model(store, "digits")
    assert (await snapshot(store)).models


async def test_who_writes_second_is_refused(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await changes.deploy(store, version())
    listing = await store.list(keys.PREFIX)
    await changes.scale(store, "digits", 2)

    async def stale(prefix: str) -> object:
        return listing

    monkeypatch.setattr(store, "list", stale)
    with pytest.raises(
        Conflict, match="somebody else changed .*models/digits.*nothing was changed: try again"
    ):
        await changes.scale(store, "digits", 3)
    monkeypatch.undo()
    assert (await snapshot(store)).models["digits"].versions["1"].replicas == 2


async def test_while_the_store_is_away_changes_are_refused(store: MemoryStore) -> None:
    await store.set_away(True)
    with pytest.raises(StoreUnavailable):
        await changes.deploy(store, version())


async def test_what_lies_there_illegally_is_not_built_upon(store: MemoryStore) -> None:
    await store.commit([Put(keys.model("digits"), b'{"name": "digits", "versions": {}}')])
    with pytest.raises(InvalidArgument, match="model: versions: must hold between 1"):
        await changes.deploy(store, version())
