"""What Prometheus' HTTP service discovery is told."""

from __future__ import annotations

from types import MappingProxyType

from skysail.control.schema import Instance, Replica
from skysail.control.snapshot import Snapshot
from skysail.telemetry.targets import targets

DIGEST = "sha256:" + "0" * 64


def instance(role: str, id: str, metrics: str | None) -> Instance:
    return Instance.make(role=role, id=id, address="127.0.0.1:1", metrics=metrics)


def replica(id: str, metrics: str | None) -> Replica:
    return Replica.make(model="digits", version="7", id=id, digest=DIGEST, address="unix:/x", metrics=metrics)


def test_each_process_is_a_target_with_its_role_and_id() -> None:
    snapshot = Snapshot(
        revision=1,
        instances=MappingProxyType({("frontend", "f"): instance("frontend", "f", "127.0.0.1:10")}),
        replicas=MappingProxyType({("digits", "7", "2-ab"): replica("2-ab", "127.0.0.1:11")}),
    )
    assert list(targets(snapshot)) == [
        {"targets": ["127.0.0.1:10"], "labels": {"role": "frontend", "id": "f"}},
        {
            "targets": ["127.0.0.1:11"],
            "labels": {
                "role": "model-server",
                "id": "digits/7/2-ab",
                "__meta_skysail_model": "digits",
                "__meta_skysail_version": "7",
                "__meta_skysail_replica": "2",
            },
        },
    ]


def test_what_tells_no_metrics_is_no_target() -> None:
    snapshot = Snapshot(
        revision=1,
        instances=MappingProxyType({("frontend", "f"): instance("frontend", "f", None)}),
        replicas=MappingProxyType({("digits", "7", "0-ab"): replica("0-ab", None)}),
    )
    assert list(targets(snapshot)) == []
