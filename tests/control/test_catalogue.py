"""What is told about names."""

import pytest

from skysail.control import views
from skysail.control.catalogue import Description, answering, describe
from skysail.control.errors import NotFound
from skysail.control.schema import Application, Instance, Model, Replica, Version, VersionTarget
from skysail.control.signature_text import parse_signature
from skysail.control.snapshot import Snapshot
from tests.control.test_changes import SIGNATURE, version

OTHER = parse_signature(["x:FP32:[-1,16]"], ["y:FP32:[-1,2]"])
V1, V2 = version("1"), version("2", content="2")
MODEL = Model(name="digits", versions={"1": VersionTarget(weight=1.0), "2": VersionTarget()})


def replica(number: int = 1, *, digest: str = V1.artefact.digest, name: str = "1") -> Replica:
    return Replica(model="digits", version=name, id=f"r{number}", digest=digest, address="h:1")


def snapshot(
    *replicas: Replica, model: Model = MODEL, versions: tuple[Version, ...] = (V1, V2), **more: object
) -> Snapshot:
    return Snapshot(
        models={"digits": model},
        versions={(one.model, one.version): one for one in versions},
        replicas={(one.model, one.version, one.id): one for one in replicas},
        **more,  # type: ignore[arg-type]
    )


def test_callers_of_an_application_see_the_versions_that_take_traffic() -> None:
    assert describe(snapshot(), "applications", "digits") == Description(
        "digits", ("1",), "sklearn", SIGNATURE
    )


def test_callers_of_a_batcher_see_every_version() -> None:
    assert describe(snapshot(), "models", "digits").versions == ("1", "2")


def test_a_signature_that_versions_do_not_share_is_not_told() -> None:
    both = MODEL.model_copy(
        update={"versions": {"1": VersionTarget(weight=1.0), "2": VersionTarget(weight=1.0)}}
    )
    differing = snapshot(model=both, versions=(V1, version("2", signature=OTHER)))
    assert describe(differing, "applications", "digits").signature is None
    assert describe(differing, "applications", "digits", "2").signature == OTHER


def test_an_application_may_state_its_own_signature() -> None:
    stated = Application(name="a", models=("digits",), signature=OTHER)
    found = describe(snapshot(applications={"a": stated}), "applications", "a")
    assert (found.signature, found.versions) == (OTHER, ("1",))


@pytest.mark.parametrize(
    ("namespace", "name", "asked", "message"),
    [
        ("applications", "cats", "", "no application or model 'cats'"),
        ("models", "cats", "", "no model 'cats'"),
        ("applications", "digits", "2", "'digits' has no version '2'"),
        ("models", "digits", "3", "'digits' has no version '3'"),
    ],
)
def test_what_is_not_there_is_not_found(namespace: object, name: str, asked: str, message: str) -> None:
    for question in (describe, answering):
        with pytest.raises(NotFound, match=message):
            question(snapshot(), namespace, name, asked)  # type: ignore[arg-type]


def test_a_version_may_answer_when_a_replica_of_that_very_artefact_is_there() -> None:
    assert not answering(snapshot(), "applications", "digits")
    assert not answering(snapshot(replica(digest=V2.artefact.digest)), "applications", "digits")
    assert not answering(snapshot(replica(name="2", digest=V2.artefact.digest)), "applications", "digits")
    assert answering(snapshot(replica()), "applications", "digits") == [("digits", "1")]
    second = snapshot(replica(name="2", digest=V2.artefact.digest))
    assert answering(second, "models", "digits", "2") == [("digits", "2")]


def test_an_endpoint_that_others_run_may_answer() -> None:
    endpoint = version(loader="endpoint", endpoints=("h:1",), signature=None)
    assert answering(snapshot(versions=(endpoint,)), "applications", "digits") == [("digits", "1")]


def test_the_strictest_objective_rules() -> None:
    applications = {
        "slow": Application(name="slow", models=("digits",), objective_ms=5000.0),
        "fast": Application(name="fast", models=("other", "digits"), objective_ms=20.0),
    }
    assert views.objective_s(views.asking(snapshot())["digits"]) == 1.0
    assert views.objective_s(views.asking(snapshot(applications=applications))["digits"]) == 0.02
    assert views.objective_s([]) == 1.0


def test_instances_that_lag_behind_are_named() -> None:
    def instance(role: str, revision: int) -> Instance:
        return Instance.make(role=role, id="i", address="h:1", applied_revision=revision)

    instances = {("batcher", "i"): instance("batcher", 5), ("frontend", "i"): instance("frontend", 7)}
    seen = snapshot(instances=instances)
    assert views.not_applied(seen, 5) == []
    assert views.not_applied(seen, 6) == ["batcher/i"]
    assert views.not_applied(seen, 8) == ["batcher/i", "frontend/i"]
    assert views.not_applied(seen, 8, roles=["frontend"]) == ["frontend/i"]
