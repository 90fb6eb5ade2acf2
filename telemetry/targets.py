"""Where Prometheus finds every process: the answer of its HTTP service discovery. A pure function.

Prometheus asks for it every minute unless told otherwise, takes the list as it is, and keeps the one before
while nobody answers. What it may see of a process beside `role` and `id` begins with `__meta_`, so that it is
no label unless a rule makes it one: `model`, `version` and `replica` are labels of the metrics themselves.
"""

from collections.abc import Iterator
from typing import TypedDict

from skysail.control.snapshot import Snapshot
from skysail.telemetry.families import replica_label

__all__ = ["TargetGroup", "target", "targets"]


class TargetGroup(TypedDict):
    """Addresses ("host:port") and what is said of each."""

    targets: list[str]
    labels: dict[str, str]


def target(address: str, *, role: str, id: str, **meta: str) -> TargetGroup:
    """One process."""
    labels = {"role": role, "id": id}
    return {
        "targets": [address],
        "labels": labels | {f"__meta_skysail_{name}": value for name, value in meta.items()},
    }


def targets(snapshot: Snapshot) -> Iterator[TargetGroup]:
    """Every process that is registered and tells metrics: the services, then the replicas."""
    for instance in snapshot.instances.values():
        if instance.metrics is not None:
            yield target(instance.metrics, role=instance.role, id=instance.id)
    for replica in snapshot.replicas.values():
        if replica.metrics is not None:
            yield target(
                replica.metrics,
                role="model-server",
                id=f"{replica.model}/{replica.version}/{replica.id}",
                model=replica.model,
                version=replica.version,
                replica=replica_label(replica.id),
            )
