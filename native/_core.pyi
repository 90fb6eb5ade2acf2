"""The C++ core, as Python sees it. Checked against the built module by stubtest."""

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, Never, final, overload, type_check_only

@type_check_only
class _Bound(type):
    """The metaclass of everything that is implemented in C++."""

# --- errors -------------------------------------------------------------------------------------

class NativeError(RuntimeError):
    """An operation of the core failed; `kind` is the error kind's name, such as "NotFound"."""

    kind: str

class QueueFull(NativeError):
    """A bounded queue has no room; `kind` is "ResourceExhausted"."""

# --- parts of the core on their own ----------------------------------------------------------------

@final
class ManualClock(metaclass=_Bound):
    """A monotonic clock that stands still until it is moved by hand, for tests."""

    def __init__(self, *, now_s: float = 0.0) -> None: ...
    def advance(self, by_s: float) -> None: ...
    @property
    def now_s(self) -> float: ...

@final
class PredictionCache(metaclass=_Bound):
    """A thread-safe cache of bytes under bytes, least recently used out first, under a byte budget.

    A hit compares the whole key. Keys live in spaces, which are forgotten at once; whoever names none uses
    one of the cache's own. `capacity_bytes` counts keys, values and bookkeeping; 0 keeps nothing. A full
    cache lets a new key in only when it was put before, and since what would leave for it was used;
    `admit_all` lets every key in: plain LRU.
    """

    def __init__(
        self,
        *,
        capacity_bytes: int = ...,
        shards: int = 16,
        hash_bits: int = 64,
        admit_all: bool = False,
        clock: ManualClock | None = None,
    ) -> None: ...
    def get(self, key: bytes, *, space: int | None = None) -> bytes | None:
        """The value, which becomes the most recently used; None when absent or past its TTL."""
    def put(self, key: bytes, value: bytes, *, ttl_s: float = 0.0, space: int | None = None) -> bool:
        """Keeps a copy until evicted, erased or `ttl_s` seconds have passed (0: for ever).

        False when the space was erased, the capacity or its quota cannot hold the entry, or a full cache does
        not let a new key in.
        """
    def erase(self, key: bytes, *, space: int | None = None) -> bool:
        """True when there was an entry."""
    def add_space(self, *, quota_bytes: int = 0) -> int:
        """A fresh, empty space; `quota_bytes` bounds what it may hold (0: the capacity)."""
    def erase_space(self, space: int) -> None:
        """Forgets a space at once; its memory comes back with later puts, or with reclaim()."""
    def reclaim(self) -> int:
        """Frees what erased spaces still hold; returns the number of entries freed."""
    def stats(self, space: int | None = None) -> dict[str, int]:
        """lookups, hits, inserts, refused, evictions, expired, erased; and entries, bytes held now."""
    @staticmethod
    def charge(key_bytes: int, value_bytes: int) -> int:
        """Bytes that an entry with such a key and value takes of the capacity."""

@final
class LimitController(metaclass=_Bound):
    """How many rows a batch may have, learned from what batches took (AIMD with a fast start).

    A pure state machine: no clock and no threads; guard it when several threads use it.
    """

    def __init__(
        self, *, initial_rows: int = 4, max_rows: int = 1024, increase: float = 2.0, decrease: float = 0.9
    ) -> None: ...
    def observe(self, rows: int, latency_s: float, objective_s: float, *, full: bool) -> None:
        """A batch took `latency_s`, was owed within `objective_s`; `full`: as large as the limit allowed."""
    @property
    def limit(self) -> int:
        """Rows of the next batch, in [1, max_rows]."""
    def estimate_s(self, rows: int) -> float:
        """Seconds that a batch of `rows` rows is expected to take; 0 while unknown."""

@final
class BatchQueue(metaclass=_Bound):
    """A bounded queue that gives out batches: earliest deadline first, only items of one group together.

    Thread-safe; take() waits with the GIL released.
    """

    def __init__(
        self, *, max_entries: int = 65536, max_rows: int = 1048576, clock: ManualClock | None = None
    ) -> None: ...
    def put(self, item: Any, *, rows: int = 1, deadline_s: float | None = None, group: bytes = b"") -> None:
        """Queues `item`, owed `deadline_s` seconds from now (None: some time).

        Raises QueueFull when there is no room, NativeError (Unavailable) after close().
        """
    def take(
        self, limit: int, timeout_s: float | None = None, *, needed_s: float = 0.0
    ) -> tuple[list[Any], list[Any]]:
        """The next batch: (items, expired).

        `items` are in order of deadline and have at most `limit` rows together, except that an item with
        more goes alone. `expired` are all that are due in less than `needed_s` seconds. Waits for the first
        entry, at most `timeout_s` seconds; both are empty at the timeout and after close().
        """
    def close(self) -> None:
        """Refuses what comes, gives out what is queued, lets nobody wait. Idempotent."""
    def __len__(self) -> int: ...
    @property
    def rows(self) -> int:
        """Rows of the items that wait."""

@final
class Histogram(metaclass=_Bound):
    """Counts whole numbers in [0, 2^42) in buckets that are 1/16 of their value wide. Thread-safe."""

    def __init__(self) -> None: ...
    def record(self, value: int) -> None: ...
    def snapshot(self) -> HistogramSnapshot: ...

@final
class HistogramSnapshot(metaclass=_Bound):
    """What a histogram held at one instant; `a + b` joins two, `later - earlier` is a window."""

    @overload
    def __init__(self) -> None: ...
    @overload
    def __init__(self, buckets: Mapping[int, int], sum: int) -> None: ...
    @property
    def buckets(self) -> dict[int, int]:
        """The number of values in each bucket that holds any, by its place."""
    def __add__(self, other: HistogramSnapshot) -> HistogramSnapshot: ...
    def __sub__(self, other: HistogramSnapshot) -> HistogramSnapshot: ...
    @property
    def count(self) -> int: ...
    @property
    def sum(self) -> int: ...
    @property
    def mean(self) -> float: ...
    def quantile(self, q: float) -> int:
        """The value at or below which a share `q` of the values lies, at most 1/16 too high; 0 when empty."""
    def counts_up_to(self, bounds: Sequence[int]) -> list[int]:
        """How many values lie at or below each bound, to within a bucket; the bounds must ascend."""

# --- configuration values (immutable; built by the control plane, published whole) ------------------

@final
class TensorSpec(metaclass=_Bound):
    def __init__(self, name: str, datatype: str, shape: Sequence[int]) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def datatype(self) -> str: ...
    @property
    def shape(self) -> list[int]: ...

@final
class Signature(metaclass=_Bound):
    def __init__(
        self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], *, max_rows: int = 0
    ) -> None: ...

@final
class Application(metaclass=_Bound):
    """A public name: what the frontend holds calls to.

    `default_output` is an encoded ModelInferResponse that holds outputs and raw contents for one row
    (repeated for each row asked), or None. `trace_sampling`: the part of its calls whose traces are recorded.
    """

    def __init__(
        self,
        name: str,
        *,
        objective_s: float,
        signature: Signature | None,
        models: Sequence[str],
        default_output: bytes | None = None,
        trace_sampling: float = 0.0,
    ) -> None: ...

@final
class Route(metaclass=_Bound):
    """How a model's traffic is split: versions with weights >= 0, at least one > 0."""

    def __init__(self, model: str, *, versions: Sequence[tuple[str, float]], salt: str = "") -> None: ...

@final
class Endpoint(metaclass=_Bound):
    """A peer service instance or a replica: `id` is stable for one process's life.

    `packed`: it takes many calls in one stream (skysail.v1.Hop). `label`: what is counted of a replica is
    kept under; those that take its place have the same, so that there are few.
    """

    def __init__(self, id: str, address: str, *, packed: bool = False, label: str = "") -> None: ...

@final
class Share(metaclass=_Bound):
    """An application's part of the replicas of a model that others ask as well.

    Rows are given by `weight` (> 0) within a class of `priority`: high, normal or low.
    """

    def __init__(self, application: str, *, weight: float = 1.0, priority: str = "normal") -> None: ...

@final
class ServedVersion(metaclass=_Bound):
    """What a batcher serves: one (model, version) with its replicas.

    `digest` identifies the artefact: the cache space goes when it changes or the version is omitted.
    `objective_s` is the strictest objective among the model's applications. `cache_ttl_s` 0: no expiry.
    `delay`: batches may be kept back for more calls where that was seen to pay. `shares`: of the
    applications that may ask the model.
    """

    def __init__(
        self,
        model: str,
        version: str,
        *,
        digest: str,
        signature: Signature | None,
        objective_s: float,
        replicas: Sequence[Endpoint],
        cache: bool = True,
        cache_ttl_s: float = 0.0,
        cache_quota_bytes: int = 0,
        max_batch_rows: int = 1024,
        delay: bool = True,
        shares: Sequence[Share] = ...,
    ) -> None: ...

# --- the data plane ------------------------------------------------------------------------------------

@final
class Loops(metaclass=_Bound):
    """Event-loop threads that the server and the services of one process share."""

    def __init__(self, threads: int = 1, *, poll_us: int = 0) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...

class InferService(metaclass=_Bound):
    """Something that answers inference calls; see Frontend, Selector, Batcher, Remote, ModelServer."""

    def __init__(self, *args: Never, **kwargs: Never) -> None: ...
    def stats(self, *, distributions: bool = False) -> dict[str, Any]:
        """Counters and quantiles (units in the names), per application or model version.

        `distributions`: a HistogramSnapshot, in nanoseconds or rows, in the place of quantiles.
        """

@final
class Frontend(InferService):
    def __init__(self, loops: Loops, next: InferService) -> None: ...
    def publish(self, applications: Sequence[Application], *, revision: int) -> None:
        """Replaces the whole set; an application left out is gone."""

@final
class Selector(InferService):
    def __init__(self, loops: Loops, next: InferService) -> None: ...
    def publish(
        self, applications: Sequence[Application], routes: Sequence[Route], *, revision: int
    ) -> None: ...

@final
class Batcher(InferService):
    def __init__(self, loops: Loops, *, cache_bytes: int = ..., queue_entries: int = ...) -> None: ...
    def publish(self, versions: Sequence[ServedVersion], *, revision: int) -> None: ...
    def ready(self, model: str, version: str) -> bool:
        """Whether a replica of the version is in rotation now."""

@final
class Remote(InferService):
    """The next service in other processes, chosen per (model, version) by rendezvous hashing."""

    def __init__(self, loops: Loops) -> None: ...
    def publish(self, endpoints: Sequence[Endpoint], *, revision: int) -> None: ...

@final
class InferTask(metaclass=_Bound):
    """One call that a model server owes an answer."""

    def __init__(self, *args: Never, **kwargs: Never) -> None: ...
    @property
    def request(self) -> memoryview:
        """The encoded ModelInferRequest; raw contents; checked against the signature."""
    @property
    def rows(self) -> int: ...
    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline; may be negative; inf when there is none."""
    @property
    def cancelled(self) -> bool: ...
    def respond(self, response: bytes) -> None:
        """Answers with an encoded ModelInferResponse. Once; a second answer raises NativeError."""
    def fail(self, kind: str, message: str) -> None:
        """Answers with an error: `kind` is an error kind's name, such as "Internal"."""

@final
class ModelServer(InferService):
    """The end of the path: hands calls to the one Python thread that runs the model."""

    def __init__(
        self, loops: Loops, *, model: str, version: str, signature: Signature, max_pending: int = 256
    ) -> None: ...
    def next_task(self, timeout_s: float | None = None) -> InferTask | None:
        """Waits (GIL released) for the next call whose deadline has not passed.

        None at the timeout or after close.
        """
    def resign(self) -> None:
        """Not healthy from now on, for it is about to go; calls are taken all the same."""
    def close(self) -> None:
        """Wakes next_task for good; calls that wait are failed with Unavailable."""

@final
class ServerStream(metaclass=_Bound):
    """One RPC that no native handler serves, for Python handlers. Thread-safe.

    A stream that is dropped without finish() is answered with INTERNAL.
    """

    def __init__(self, *args: Never, **kwargs: Never) -> None: ...
    @property
    def method(self) -> str: ...
    @property
    def peer(self) -> str: ...
    @property
    def metadata(self) -> list[tuple[str, str | bytes]]: ...
    @property
    def remaining_s(self) -> float: ...
    @property
    def cancelled(self) -> bool: ...
    def receive(self, timeout_s: float | None = None) -> bytes | None:
        """The next message; None at the end (half-closed, or cancelled). Releases the GIL.

        Raises TimeoutError when none came within `timeout_s` seconds.
        """
    def set_compression(self, on: bool) -> None:
        """Whether messages are compressed, where the caller accepts that; else as the caller does.

        Before initial metadata and messages.
        """
    def send_initial_metadata(self, metadata: Sequence[tuple[str, str | bytes]]) -> None: ...
    def send(self, message: bytes, *, plain: bool = False) -> None:
        """Queues a message; waits (GIL released) while too much is unsent.

        `plain`: not compressed even where the call's messages are.
        Raises NativeError of kind Cancelled when the call is over.
        """
    def finish(self, code: int, message: str, trailers: Sequence[tuple[str, str | bytes]]) -> None:
        """Ends the call with a gRPC status code in [0, 16]. Once."""
    def on_done(self, callback: Callable[[], None]) -> None:
        """Has `callback` called once, on the core's Python thread, when the call is over; must not block."""

@final
class Server(metaclass=_Bound):
    """A gRPC server: ModelInfer goes to a native service, everything else to the fallback."""

    def __init__(
        self,
        loops: Loops,
        *,
        max_message_bytes: int = ...,
        drain_timeout_s: float = ...,
        limits: Mapping[str, int] = ...,
    ) -> None: ...
    def serve(self, service: InferService) -> None:
        """Before start: ModelInfer and ModelStreamInfer are answered by `service`."""
    def serve_health(self, service: InferService) -> None:
        """Before start: grpc.health.v1.Health/Check is answered without Python, of `service`."""
    def set_fallback(self, on_call: Callable[[ServerStream], None]) -> None:
        """Before start: `on_call` is told of every call without a native handler; must not block."""
    def listen(self, address: str, *, inner: bool = False) -> str:
        """Binds "host:port" (0: any free) or "unix:/path"; returns the bound address."""
    def start(self) -> None: ...
    def shutdown(self) -> None:
        """Drains, then closes; blocks (GIL released). Idempotent."""
    def stats(self) -> dict[str, Any]: ...

def server_limits() -> list[tuple[str, int, int, int, str]]:
    """Name, default, lowest and highest value, and meaning of every limit of a server."""

def trace_faults() -> dict[str, int]:
    """How many trace headers of callers this process dropped because they were malformed, by name."""

def channel_stats() -> dict[str, Any]:
    """How often this process gave up peers that it calls, and calls to them, by reason."""

@final
class Spans(metaclass=_Bound):
    """Has the loops record spans, and keeps the latest `kept_spans` of them.

    `spans_per_s`: beyond it, whole traces are left out.
    """

    def __init__(self, loops: Loops, *, spans_per_s: float = ..., kept_spans: int = ...) -> None: ...
    def collect(self) -> None:
        """Takes what the loops recorded; to be called several times a second."""
    def find(self, traces: Set[str]) -> list[dict[str, Any]]:
        """The spans of traces (32 hexadecimal digits), and those of batches that are linked to them."""
    def requests(self) -> list[dict[str, Any]]:
        """The spans of calls that a frontend answered, oldest first."""
    def take(self, most: int) -> list[dict[str, Any]]:
        """For an exporter: the spans that came since, `most` or a batch more."""
    def take_for_export(self, resource: Sequence[tuple[str, str]], most: int) -> tuple[bytes, int] | None:
        """The same as an encoded ExportTraceServiceRequest, and how many; None when there are none."""
    def counts(self) -> dict[str, Any]:
        """How many spans were kept, and dropped by reason."""

@final
class Caller(metaclass=_Bound):
    """Calls a service of this process without a socket (for REST)."""

    def __init__(self, loops: Loops, service: InferService) -> None: ...
    def infer(
        self,
        request: bytes,
        on_done: Callable[[bytes | None, str, str, float], None],
        *,
        timeout_s: float | None = None,
        traceparent: str = "",
        tracestate: str = "",
    ) -> Callable[[], None]:
        """`on_done(response, kind, message, retry_after_s)` runs on a thread of the core: only hand over.

        The response is None on error, and the kind is "Unavailable" once the loops were stopped.
        `retry_after_s` says when trying again may help; 0: unknown. Returns a function that cancels the call.
        """
    def unreadable(self, kind: str) -> None:
        """Counts a message that could not be read and was answered with an error of that kind."""
