"""What the data plane is told."""

import logging

import pytest

from skysail.control import plan, views
from skysail.control.schema import Application, Instance, Model, VersionTarget
from skysail.control.snapshot import Snapshot
from tests.control.test_catalogue import replica, snapshot
from tests.control.test_changes import version


def instance(number: str, **fields: object) -> Instance:
    return Instance.make(
        **{"role": "batcher", "id": number, "address": f"h:{number}", "machine": "here", **fields}
    )


def told(seen: Snapshot, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """The endpoints in a form that can be compared: native values show nothing of themselves."""
    monkeypatch.setattr(plan.core, "Endpoint", lambda id, address, *, packed: (id, address, packed))
    return list(plan.endpoints(seen, "batcher", machine="here"))  # type: ignore[arg-type]


def test_peers_on_this_machine_are_reached_by_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    instances = [
        instance("1"),
        instance("2", unix="unix:/2", packed=True),
        instance("3", unix="unix:/3", machine="there"),
        instance("4", role="selector"),
    ]
    seen = snapshot(instances={(one.role, one.id): one for one in instances})
    assert told(seen, monkeypatch) == [
        ("1", "h:1", False),
        ("2", "unix:/2", True),
        ("3", "h:3", False),
    ]


def test_every_model_has_a_route_and_an_application_and_every_version_is_served() -> None:
    seen = snapshot(replica(), applications={"a": Application(name="a", models=("digits",))})
    assert len(plan.applications(seen)) == 2
    assert len(plan.selector_routes(seen)) == 1
    assert len(plan.batcher_versions(seen)) == 2


def test_a_model_without_a_known_version_has_no_route() -> None:
    assert plan.selector_routes(snapshot(versions=())) == []
    assert plan.batcher_versions(snapshot(versions=())) == []


def test_a_default_that_does_not_fit_is_left_out_and_complained_about_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong = Application(name="misfit", models=("digits",), default=[1.0, 2.0])
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert len(plan.applications(snapshot(applications={"misfit": wrong}))) == 2
    [record] = caplog.records
    assert "misfit goes without its default output" in record.getMessage()
    assert "expected one row of shape [1]" in record.getMessage()


def test_applications_are_gathered_once_however_many_versions_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A change must not take the square of the number of models."""
    gathered = []
    applications = views.applications
    monkeypatch.setattr(views, "applications", lambda seen: gathered.append(1) or applications(seen))
    models = {f"m{i}": Model(name=f"m{i}", versions={"1": VersionTarget(weight=1.0)}) for i in range(20)}
    versions = {(name, "1"): version(model=name) for name in models}
    assert len(plan.batcher_versions(Snapshot(models=models, versions=versions))) == 20
    assert len(gathered) == 1
