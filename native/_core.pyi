"""The C++ core, as Python sees it. Checked against the built module by stubtest."""

from collections.abc import Callable, Sequence
from typing import Any, final

# --- errors -------------------------------------------------------------------------------------

class NativeError(RuntimeError):
    """An operation of the core failed; `kind` is the error kind's name, such as "NotFound"."""

    kind: str

# --- configuration values (immutable; built by the control plane, published whole) ------------------

@final
class TensorSpec:
    def __init__(self, name: str, datatype: str, shape: Sequence[int]) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def datatype(self) -> str: ...
    @property
    def shape(self) -> list[int]: ...

@final
class Signature:
    def __init__(
        self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], *, max_rows: int = 0
    ) -> None: ...

@final
class Application:
    """A public name: what the frontend holds calls to.

    `default_output` is an encoded ModelInferResponse that holds outputs and raw contents for one row
    (repeated for each row asked), or None.
    """

    def __init__(
        self,
        name: str,
        *,
        objective_s: float,
        signature: Signature | None,
        models: Sequence[str],
        default_output: bytes | None = None,
    ) -> None: ...

@final
class Route:
    """How a model's traffic is split: versions with weights >= 0, at least one > 0."""

    def __init__(self, model: str, *, versions: Sequence[tuple[str, float]], salt: str = "") -> None: ...

@final
class Endpoint:
    """A peer service instance or a replica: `id` is stable for one process's life."""

    def __init__(self, id: str, address: str) -> None: ...

@final
class ServedVersion:
    """What a batcher serves: one (model, version) with its replicas.

    `digest` identifies the artefact: the cache space goes when it changes or the version is omitted.
    `objective_s` is the strictest objective among the model's applications. `cache_ttl_s` 0: no expiry.
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
    ) -> None: ...

# --- the data plane ------------------------------------------------------------------------------------

@final
class Loops:
    """Event-loop threads that the server and the services of one process share."""

    def __init__(self, threads: int = 1) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...

class InferService:
    """Something that answers inference calls; see Frontend, Selector, Batcher, Remote, ModelServer."""

    def stats(self) -> dict[str, Any]:
        """Counters and histogram quantiles (units in the names), per application or model version."""

@final
class Frontend(InferService):
    def __init__(self, loops: Loops, next: InferService) -> None: ...
    def publish(self, applications: Sequence[Application], *, revision: int) -> None:
        """Replaces the whole set; an application left out is gone."""

@final
class Selector(InferService):
    def __init__(self, loops: Loops, next: InferService) -> None: ...
    def publish(self, applications: Sequence[Application], routes: Sequence[Route], *, revision: int) -> None: ...

@final
class Batcher(InferService):
    def __init__(self, loops: Loops, *, cache_bytes: int = ..., queue_entries: int = ...) -> None: ...
    def publish(self, versions: Sequence[ServedVersion], *, revision: int) -> None: ...

@final
class Remote(InferService):
    """The next service in other processes; an endpoint is chosen per (model, version) by rendezvous hashing."""

    def __init__(self, loops: Loops) -> None: ...
    def publish(self, endpoints: Sequence[Endpoint], *, revision: int) -> None: ...

@final
class InferTask:
    """One call that a model server owes an answer."""

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

    def __init__(self, loops: Loops, *, model: str, version: str, signature: Signature, max_pending: int = 256) -> None: ...
    def next_task(self, timeout_s: float | None = None) -> InferTask | None:
        """Waits (GIL released) for the next call whose deadline has not passed; None at timeout or after close."""
    def close(self) -> None:
        """Wakes next_task for good; calls that wait are failed with Unavailable."""

@final
class ServerStream:
    """One RPC that no native handler serves, for Python handlers. Thread-safe."""

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
        """The next message; None at the end (half-closed, or cancelled). Releases the GIL."""
    def send_initial_metadata(self, metadata: Sequence[tuple[str, str | bytes]]) -> None: ...
    def send(self, message: bytes) -> None:
        """Queues a message; waits (GIL released) while too much is unsent."""
    def finish(self, code: int, message: str, trailers: Sequence[tuple[str, str | bytes]]) -> None: ...
    def on_done(self, callback: Callable[[], None]) -> None: ...

@final
class Server:
    """A gRPC server: ModelInfer goes to a native service, everything else to the fallback."""

    def __init__(
        self,
        loops: Loops,
        *,
        max_message_bytes: int = ...,
        max_concurrent_streams: int = ...,
        drain_timeout_s: float = ...,
    ) -> None: ...
    def serve(self, service: InferService) -> None:
        """Before start: ModelInfer and ModelStreamInfer are answered by `service`."""
    def set_fallback(self, on_call: Callable[[ServerStream], None]) -> None:
        """Before start: `on_call` is told of every call without a native handler; must not block."""
    def listen(self, address: str, *, inner: bool = False) -> str:
        """Binds "host:port" (0: any free) or "unix:/path"; returns the bound address."""
    def start(self) -> None: ...
    def shutdown(self) -> None:
        """Drains, then closes; blocks (GIL released). Idempotent."""
    def stats(self) -> dict[str, int]: ...

@final
class Caller:
    """Calls a service of this process without a socket (for REST)."""

    def __init__(self, loops: Loops, service: InferService) -> None: ...
    def infer(
        self,
        request: bytes,
        on_done: Callable[[bytes | None, str, str], None],
        *,
        timeout_s: float | None = None,
        traceparent: str = "",
        tracestate: str = "",
    ) -> Callable[[], None]:
        """`on_done(response, kind, message)` runs on a loop thread (hand over, never work there): response is None on error.

        Returns a function that cancels the call.
        """
