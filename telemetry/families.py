"""Every metric that Skysail tells, and where in a process's counters it lies.

One naming scheme: `skysail_`, the service, the thing, its base unit (`_seconds`, `_bytes`, `_rows`), `_total`
for what only grows. Labels are names that operators gave (application, model, version), the replica's place
among those of its version, error codes, and units of the supervisor; never the id of a call or of a context.
"""

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["FAMILIES", "NONE", "Family", "replica_label"]

#: Stands for a label that has no value here, such as the application of a message that cannot be read. No
#: name that an operator may give.
NONE = "(none)"


@dataclass(frozen=True)
class Family:
    """One metric.

    Attributes:
        kind: whether it only grows, goes up and down, or is a distribution.
        name: without the `_total` of a counter.
        paths: where it lies: the keys to a number, from the outermost; `{label}` stands for every key.
        text: what it says, for people.
    """

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    paths: tuple[str, ...]
    text: str

    @property
    def labels(self) -> tuple[str, ...]:
        """The placeholders of the first path, in order."""
        return tuple(re.findall(r"{(\w+)}", self.paths[0]))

    @property
    def told_as(self) -> str:
        """The name under which it is found."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def replica_label(replica_id: str) -> str:
    """The place of a supervised replica among those of its version, which its successor takes over.

    Replicas that are started by hand have no such place and count together.
    """
    place = re.match(r"(\d{1,4})-", replica_id)
    return place[1] if place else "other"


def _counter(name: str, text: str, *paths: str) -> Family:
    return Family("counter", "skysail_" + name, paths, text)


def _gauge(name: str, text: str, *paths: str) -> Family:
    return Family("gauge", "skysail_" + name, paths, text)


def _histogram(name: str, text: str, *paths: str) -> Family:
    return Family("histogram", "skysail_" + name, paths, text)


_APPLICATION = "frontend.applications.{application}."
_CHOICE = "selector.applications.{application}."
_VERSION = "batcher.models.{model}.{version}."
_LANE = _VERSION + "applications.{application}.{priority}."
_REPLICA = _VERSION + "replicas.each.{replica}."
_SERVER = "model_server.{model}.{version}.{replica}."
_HOP = "hops.{to}."
_PROCESS = "supervisor.processes.{process}."

FAMILIES = (
    # Frontend.
    _counter(
        "frontend_requests",
        "Calls answered, over gRPC and HTTP alike, by how they ended.",
        _APPLICATION + "ended.{code}",
        "frontend.nameless.{code}",
    ),
    _counter(
        "frontend_defaults",
        "Calls answered with the default output, by the error it stood in for.",
        _APPLICATION + "defaults.{code}",
    ),
    _gauge("frontend_in_flight", "Calls not answered yet.", _APPLICATION + "in_flight"),
    _histogram(
        "frontend_request_duration_seconds",
        "From a call's arrival to its answer.",
        _APPLICATION + "latency_s",
    ),
    _gauge(
        "frontend_objective_seconds", "Within which a call is to be answered.", _APPLICATION + "objective_s"
    ),
    _histogram(
        "frontend_stage_duration_seconds",
        "Of calls that a model answered, by the stage in which the time went.",
        _APPLICATION + "stages.{model}.{version}.{stage}",
    ),
    # Selector.
    _counter("selector_chosen", "Calls sent on to a version.", _CHOICE + "chosen.{model}.{version}"),
    _counter(
        "selector_refused",
        "Calls for which no version could be chosen, by error.",
        _CHOICE + "refused.{code}",
        "selector.nameless.{code}",
    ),
    # Batcher.
    _counter(
        "batcher_requests",
        "Calls answered, by how they ended.",
        _VERSION + "ended.{code}",
        "batcher.nameless.{code}",
    ),
    _gauge("batcher_in_flight", "Calls not answered yet.", _VERSION + "in_flight"),
    _histogram(
        "batcher_request_duration_seconds",
        "From a call's arrival in the queue to its answer; answers from the cache do not count.",
        _VERSION + "latency_s",
    ),
    _counter(
        "batcher_dispatched",
        "Calls that a replica was given, by application and class.",
        _LANE + "dispatched",
    ),
    _counter(
        "batcher_refused",
        "Calls that were not run, by reason: refused on arrival, or dropped.",
        _LANE + "refused.{reason}",
    ),
    _gauge("batcher_queue_depth", "Calls that wait for a replica.", _VERSION + "batching.queued"),
    _histogram(
        "batcher_queue_duration_seconds",
        "A call's wait for a replica, the filling of its batch included.",
        _VERSION + "batching.queue_s",
    ),
    _histogram(
        "batcher_fill_duration_seconds",
        "How long a free replica was kept for a batch to fill; of each batch.",
        _VERSION + "batching.fill_s",
    ),
    _histogram("batcher_batch_rows", "Rows of a batch.", _VERSION + "batching.rows"),
    _gauge(
        "batcher_batch_limit_rows",
        "The most rows that a batch may have now.",
        _VERSION + "batching.limit_rows",
    ),
    _gauge(
        "batcher_batches_in_flight",
        "Batches at replicas, running or staged.",
        _VERSION + "batching.in_flight",
    ),
    _histogram(
        "batcher_batch_duration_seconds",
        "Of a batch, as its batcher saw it: the model and the way to it and back.",
        _REPLICA + "batch_s",
    ),
    _histogram(
        "batcher_hop_duration_seconds",
        "Of a batch, on the way to its replica and back; of replicas of ours.",
        _REPLICA + "hop_s",
    ),
    _counter(
        "batcher_retries",
        "Calls run once more because a replica was lost or hung.",
        _VERSION + "batching.retried",
    ),
    _gauge("batcher_replicas", "Replicas that are known.", _VERSION + "replicas.known"),
    _gauge("batcher_replicas_ready", "Replicas in rotation.", _VERSION + "replicas.ready"),
    _counter("batcher_replica_losses", "How often a replica was lost with work.", _REPLICA + "lost"),
    _counter("batcher_replica_hangs", "How often a replica was taken for hung.", _REPLICA + "hung"),
    # The prediction cache.
    _counter("cache_lookups", "Calls looked up.", _VERSION + "cache.lookups"),
    _counter("cache_hits", "Calls answered from the cache.", _VERSION + "cache.hits"),
    _counter("cache_coalesced", "Calls that joined an equal one in flight.", _VERSION + "cache.coalesced"),
    _gauge("cache_entries", "Answers held.", _VERSION + "cached.entries"),
    _gauge(
        "cache_bytes",
        "What they take of the capacity, keys and bookkeeping included.",
        _VERSION + "cached.bytes",
    ),
    _counter("cache_evictions", "Answers that left for want of room.", _VERSION + "cached.evictions"),
    _gauge(
        "cache_capacity_bytes", "What the cache of this process may hold.", "batcher.cache.capacity_bytes"
    ),
    # From service to service.
    _counter("hop_calls", "Calls sent to the next service.", _HOP + "calls"),
    _counter("hop_retries", "Calls sent once more, to another process.", _HOP + "retries"),
    _counter("hop_failures", "Calls that came back with an error.", _HOP + "failures"),
    _histogram(
        "hop_duration_seconds",
        "On the way to the next service and back: the round trip less what that service took.",
        _HOP + "hop_s",
    ),
    _gauge("hop_endpoints", "Processes of the next service that are known.", _HOP + "endpoints"),
    # Model server.
    _counter("model_server_requests", "Calls answered, by how they ended.", _SERVER + "ended.{code}"),
    _gauge("model_server_in_flight", "Calls not answered yet.", _SERVER + "in_flight"),
    _histogram(
        "model_server_request_duration_seconds", "From a call's arrival to its answer.", _SERVER + "latency_s"
    ),
    _histogram(
        "model_server_wait_duration_seconds",
        "From a call's arrival until the model took it.",
        _SERVER + "wait_s",
    ),
    _histogram(
        "model_server_predict_duration_seconds",
        "What the model took, decoding and encoding included.",
        _SERVER + "predict_s",
    ),
    _histogram("model_server_batch_rows", "Rows of a call.", _SERVER + "rows"),
    _gauge("model_server_queue_depth", "Calls that wait for the model.", _SERVER + "pending"),
    _counter(
        "model_server_expired", "Calls whose deadline passed before the model took them.", _SERVER + "expired"
    ),
    # The gRPC port of any process.
    _counter("server_connections", "Connections taken.", "server.connections_accepted"),
    _gauge("server_connections_open", "Connections open now.", "server.connections_open"),
    _counter(
        "server_connections_refused",
        "Connections beyond the limit, closed at once.",
        "server.connections_refused",
    ),
    _counter(
        "server_accepts_put_off", "Accepts put off for want of file descriptors.", "server.accepts_put_off"
    ),
    _counter(
        "server_connections_retired",
        "Connections told to go, being idle or old.",
        "server.connections_retired",
    ),
    _counter("server_calls", "Calls of every method.", "server.calls_started"),
    _gauge("server_calls_open", "Calls open now.", "server.calls_open"),
    _counter("server_calls_cancelled", "Calls whose caller left.", "server.calls_cancelled"),
    _counter(
        "server_protocol_errors", "Connections ended because the peer broke HTTP/2.", "server.protocol_errors"
    ),
    _counter(
        "server_cut_off",
        "Connections cut off because the peer broke a limit, by limit.",
        "server.cut_off.{reason}",
    ),
    _counter(
        "server_calls_over_limit",
        "Calls ended or refused because they passed a limit, by limit.",
        "server.calls_over_limit.{reason}",
    ),
    _counter("server_read_bytes", "Bytes read from connections.", "server.bytes_read"),
    _counter("server_written_bytes", "Bytes written to connections.", "server.bytes_written"),
    # What a service calls.
    _counter(
        "channel_cut_off",
        "Connections to other services given up because the peer broke a limit, by limit.",
        "channels.cut_off.{reason}",
    ),
    _counter(
        "channel_calls_over_limit",
        "Calls to other services ended because they passed a limit, by limit.",
        "channels.calls_over_limit.{reason}",
    ),
    # The supervisor of a mesh.
    _gauge("supervisor_process_running", "1 while the process runs, else 0.", _PROCESS + "running"),
    _counter(
        "supervisor_process_starts", "How often the process was started, or taken over.", _PROCESS + "starts"
    ),
    _gauge(
        "supervisor_process_failures",
        "How often in a row it had ended unasked when it was started latest.",
        _PROCESS + "failures",
    ),
    # Tracing.
    _counter(
        "trace_headers_dropped",
        "Trace headers of callers that were malformed and are not passed on, by header.",
        "tracing.headers_dropped.{reason}",
    ),
    _counter("trace_spans", "Spans kept, for `skysail trace` and exporters.", "tracing.kept"),
    _counter("trace_spans_exported", "Spans that a collector took.", "tracing.exported"),
    _counter(
        "trace_spans_dropped",
        "Spans lost, by reason: overwritten in a ring, over the budget, not exported in time, refused.",
        "tracing.dropped.{reason}",
    ),
    # Any process.
    _gauge("build_info", "Always 1; the labels say what runs.", "build.{role}.{release}"),
    _gauge("applied_revision", "The configuration revision in force.", "configuration.applied_revision"),
    _gauge("store_connected", "1 while etcd answers, else 0.", "configuration.store_connected"),
    _gauge(
        "rejected_documents",
        "Documents in the store that are illegal and left out.",
        "configuration.rejected",
    ),
    _gauge("series_left_out", "Label sets beyond the most of a metric, by metric.", "left_out.{metric}"),
)
