"""What `skysail top` shows: what was called in a span of time, the busiest first. A pure function."""

from __future__ import annotations

from typing import Any

from skysail.control import views
from skysail.control.snapshot import Snapshot
from skysail.native._core import HistogramSnapshot
from skysail.telemetry.window import Window

__all__ = ["busy"]

_BATCH = "skysail_batcher_batch_duration_seconds"


def busy(snapshot: Snapshot, window: Window) -> dict[str, Any]:
    """Applications, versions and replicas.

    Args:
        snapshot: the configuration.
        window: what all instances counted.
    """
    applications = [
        _application(window, name, application.objective_ms)
        for name, application in views.applications(snapshot).items()
    ]
    versions = [
        _version(window, model.name, version)
        for model in snapshot.models.values()
        for version in model.versions
    ]
    replicas = [
        _replica(window, one["model"], one["version"], replica)
        for one in versions
        for replica in window.distinct(_BATCH, "replica", model=one["model"], version=one["version"])
    ]
    return {
        "seconds": round(window.seconds, 1),
        "applications": sorted(applications, key=lambda one: -one["rate_per_s"]),
        "versions": sorted(versions, key=lambda one: -one["rate_per_s"]),
        "replicas": sorted(replicas, key=lambda one: -one["batches_per_s"]),
    }


def _application(window: Window, name: str, objective_ms: float) -> dict[str, Any]:
    rate, good = (
        window.rate("skysail_frontend_requests", application=name, **code) for code in ({}, {"code": "ok"})
    )
    took = window.distribution("skysail_frontend_request_duration_seconds", application=name)
    return {
        "name": name,
        "objective_ms": objective_ms,
        "rate_per_s": round(rate, 2),
        "errors_per_s": round(rate - good, 2),
        "defaults_per_s": round(window.rate("skysail_frontend_defaults", application=name), 2),
        "in_flight": round(window.total("skysail_frontend_in_flight", application=name)),
        "p50_ms": _ms(took, 0.50),
        "p99_ms": _ms(took, 0.99),
    }


def _version(window: Window, model: str, version: str) -> dict[str, Any]:
    of = {"model": model, "version": version}
    rate, good = (window.rate("skysail_batcher_requests", **of, **code) for code in ({}, {"code": "ok"}))
    lookups, hits = (window.total(f"skysail_cache_{name}", **of) for name in ("lookups", "hits"))
    rows = window.distribution("skysail_batcher_batch_rows", **of)
    took = window.distribution(_BATCH, **of)
    waits = window.distribution("skysail_batcher_queue_duration_seconds", **of)
    return {
        **of,
        "rate_per_s": round(rate, 2),
        "errors_per_s": round(rate - good, 2),
        "refused_per_s": round(window.rate("skysail_batcher_refused", **of), 2),
        "batch_rows": round(rows.mean, 2) if rows.count else None,
        "limit_rows": round(window.highest("skysail_batcher_batch_limit_rows", **of)) or None,
        "queued": round(window.total("skysail_batcher_queue_depth", **of)),
        "wait_p99_ms": _ms(waits, 0.99),
        "batch_p50_ms": _ms(took, 0.50),
        "batch_p99_ms": _ms(took, 0.99),
        "hit_rate": round(hits / lookups, 4) if lookups else None,
    }


def _replica(window: Window, model: str, version: str, replica: str) -> dict[str, Any]:
    of = {"model": model, "version": version, "replica": replica}
    took = window.distribution(_BATCH, **of)
    return {
        **of,
        "batches_per_s": round(took.count / window.seconds, 2) if window.seconds else 0.0,
        "batch_p50_ms": _ms(took, 0.50),
        "batch_p99_ms": _ms(took, 0.99),
        "lost": round(window.total("skysail_batcher_replica_losses", **of)),
        "hung": round(window.total("skysail_batcher_replica_hangs", **of)),
    }


def _ms(seen: HistogramSnapshot, q: float) -> float | None:
    return round(seen.quantile(q) * 1e-6, 3) if seen.count else None
