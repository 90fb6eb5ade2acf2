"""Spans of calls through a path of real services in this process, and what a collector gets of them."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path as FilePath
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as otlp_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from skysail.batcher import BatcherService
from skysail.control import changes, keys
from skysail.control.memory_store import MemoryStore
from skysail.control.options import ServiceOptions
from skysail.control.schema import Application
from skysail.control.service import Service
from skysail.control.store import Put
from skysail.frontend import FrontendService
from skysail.proto import inference_pb2_grpc as pb_grpc
from skysail.selector import SelectorService
from tests.frontend.test_mesh import EDGE, Path, asking, doubling
from tests.plugins.oip_server import Doubler

Span = dict[str, Any]


class Traced:
    """A path, and the spans that its services keep."""

    def __init__(self, path: Path, services: list[Service], store: MemoryStore) -> None:
        self.path = path
        self.services = services
        self.store = store

    async def call(
        self, *numbers: float, sampled: bool = True, name: str = "double", timeout_s: float = 10
    ) -> tuple[str, Exception | None]:
        """A call that begins a trace of its own; the trace's id, and how it failed."""
        trace = secrets.token_hex(16)
        metadata = (("traceparent", f"00-{trace}-00000000000000aa-{sampled:02x}"),)
        try:
            await self.path.stub.ModelInfer(asking(*numbers, name=name), metadata=metadata, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            return trace, error
        return trace, None

    def spans(self, *traces: str) -> list[Span]:
        found = [span for one in self.services for span in one._tracing.find(traces)]
        return sorted(found, key=lambda span: span["start_unix_ns"])

    async def until(self, name: str, trace: str) -> list[Span]:
        """The spans of a trace, once one of that name is among them."""
        async with asyncio.timeout(10):
            while name not in names(spans := self.spans(trace)):
                await asyncio.sleep(0.01)
        return spans


def names(spans: list[Span]) -> list[str]:
    return [span["name"] for span in spans]


def one(spans: list[Span], name: str) -> Span:
    (found,) = (span for span in spans if span["name"] == name)
    return found


async def open_traced(doubler: Doubler, stack: AsyncExitStack) -> Traced:
    store = MemoryStore()
    await changes.deploy(store, doubling(doubler.address).model_copy(update={"immutable": True}))
    options = ServiceOptions(drain_timeout_s=2)
    services: list[Service] = [BatcherService(store, options), SelectorService(store, options)]
    services.append(frontend := FrontendService(store, EDGE))
    for service in services:
        await stack.enter_async_context(service)
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(frontend.address))
    path = Path(frontend, pb_grpc.GRPCInferenceServiceStub(channel))
    await path.until_it_answers(asking(0, 0))
    return Traced(path, services, store)


@pytest.fixture
async def traced(doubler: Doubler) -> AsyncIterator[Traced]:
    async with AsyncExitStack() as stack:
        yield await open_traced(doubler, stack)


async def configure(traced: Traced, **fields: Any) -> None:
    """Sets the application's document, and waits until it is in force."""
    application = Application.make(name="double", models=("double",), **fields)
    await traced.store.commit([Put(keys.application("double"), application.encode())])
    async with asyncio.timeout(10):
        while "double" not in traced.path.frontend.snapshot.applications or (
            traced.path.frontend.snapshot.applications["double"] != application
        ):
            await asyncio.sleep(0.01)


async def test_a_miss_has_every_stage_under_its_parent(traced: Traced) -> None:
    trace, error = await traced.call(1, 2)
    assert error is None
    spans = await traced.until("request", trace)
    by_id = {span["span_id"]: span for span in spans}
    tree = {(span["name"], by_id.get(span["parent_id"], {"name": ""})["name"]) for span in spans}
    # A replica that stands free is filled from the first moment on.
    assert tree == {
        ("fill", "serve"),
        ("request", ""),
        ("hop", "request"),
        ("serve", "hop"),
        ("selection", "serve"),
        ("hop", "serve"),
        ("cache", "serve"),
        ("queue", "serve"),
        ("run", "serve"),
    }
    assert one(spans, "request")["parent_id"] == "00000000000000aa"
    request = one(spans, "request")["attributes"]
    assert request["skysail.application"] == "double" and request["skysail.cache"] == "miss"
    assert 0 < request["skysail.deadline_left_us"] <= 1_000_000
    choice = one(spans, "selection")["attributes"]
    assert (choice["skysail.model"], choice["skysail.version"]) == ("double", "1")
    assert one(spans, "queue")["attributes"]["skysail.queue.depth"] == 0
    for span in spans:
        assert span["start_unix_ns"] <= span["end_unix_ns"]
        parent = by_id.get(span["parent_id"])
        if parent is not None:
            assert parent["start_unix_ns"] <= span["start_unix_ns"]
            assert span["end_unix_ns"] <= parent["end_unix_ns"]


async def test_a_hit_ends_at_the_cache(traced: Traced) -> None:
    await traced.call(3, 4)
    async with asyncio.timeout(10):  # an input is let in when it is asked for a second time
        while True:
            trace, _ = await traced.call(3, 4)
            spans = await traced.until("request", trace)
            if one(spans, "cache")["attributes"]["skysail.cache"] == "hit":
                break
    assert not {"queue", "run"} & set(names(spans))
    assert one(spans, "request")["attributes"]["skysail.cache"] == "hit"


async def test_who_joins_shares_the_batch_and_links_go_both_ways(traced: Traced, doubler: Doubler) -> None:
    doubler.gate.clear()
    before = doubler.calls
    first = asyncio.create_task(traced.call(5, 6))
    async with asyncio.timeout(10):
        while doubler.calls == before:
            await asyncio.sleep(0.01)
    joins = asyncio.create_task(traced.call(5, 6))
    others = [asyncio.create_task(traced.call(7, n, sampled=n % 2 == 0)) for n in range(8)]
    await asyncio.sleep(0.1)
    doubler.gate.set()
    traces = [trace for trace, _ in await asyncio.gather(first, joins, *others)]
    first_run, joined_run = [one(await traced.until("run", trace), "run") for trace in traces[:2]]
    assert first_run["links"] == joined_run["links"]
    assert joined_run["attributes"]["skysail.cache"] == "coalesced"
    members: dict[str, set[str]] = {}
    for trace in traces[::2]:
        run = one([span for span in await traced.until("run", trace) if span["trace_id"] == trace], "run")
        about = traced.spans(run["links"][0]["trace_id"])
        batch = one(about, "batch")
        assert run["links"] == [{"trace_id": batch["trace_id"], "span_id": batch["span_id"]}]
        runs = {(span["trace_id"], span["span_id"]) for span in about if span["name"] == "run"}
        assert (trace, run["span_id"]) in runs
        assert {(link["trace_id"], link["span_id"]) for link in batch["links"]} == runs
        assert batch["parent_id"] == "" and batch["attributes"]["skysail.batch.limit"] >= 1
        members[batch["span_id"]] = {trace for trace, _ in runs}
        if batch["attributes"]["skysail.batch.rows"] > 1:
            assert len(runs) == batch["attributes"]["skysail.batch.rows"]
    assert set.union(*members.values()) <= set(traces)
    assert any(set(traces[3::2]) & each for each in members.values()), "mates too, sampled or not"


async def test_what_fails_is_kept_though_it_is_not_sampled(traced: Traced) -> None:
    trace, error = await traced.call(1, 2, 3, sampled=False)
    assert error is not None
    request = one(await traced.until("request", trace), "request")
    assert request["error"] == request["attributes"]["error.type"] == "invalid_argument"
    trace, error = await traced.call(8, 8, sampled=False)
    assert error is None
    assert traced.spans(trace) == []


async def test_a_default_is_kept_with_its_reason_and_where_the_call_was(
    traced: Traced, doubler: Doubler
) -> None:
    await configure(traced, objective_ms=100.0, default=[0.0, 0.0])
    doubler.gate.clear()
    trace, error = await traced.call(9, 9, sampled=False)
    assert error is None
    spans = await traced.until("queue", trace)
    doubler.gate.set()
    request = one(spans, "request")
    assert request["error"] == ""
    assert request["attributes"]["skysail.default.reason"] == "deadline_exceeded"
    assert {"hop", "serve"} <= set(names(spans)), "services behind tell of what was given up"


async def test_a_batch_that_was_lost_and_the_one_after_it_are_both_told(doubler: Doubler) -> None:
    servers = {}
    for servicer in (Doubler(), Doubler()):
        server = grpc.server(ThreadPoolExecutor(2))
        pb_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
        servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        servers[servicer] = server
    async with AsyncExitStack() as stack:
        traced = await open_traced(doubler, stack)
        both = doubling(doubler.address, version="2").model_copy(
            update={"endpoints": tuple(servicer.address for servicer in servers)}
        )
        await changes.deploy(traced.store, both)
        await changes.set_route(traced.store, "double", {"2": 1.0})
        async with asyncio.timeout(10):
            while not sum(servicer.calls for servicer in servers):
                await traced.call(1, 1)
        for servicer in servers:
            servicer.gate.clear()
            servicer.calls = 0
        call = asyncio.create_task(traced.call(4, 4))
        async with asyncio.timeout(10):
            while not sum(servicer.calls for servicer in servers):
                await asyncio.sleep(0.01)
        asked, other = sorted(servers, key=lambda servicer: -servicer.calls)
        other.gate.set()
        servers[asked].stop(0)
        trace, error = await call
        assert error is None
        lost, ran = (span for span in await traced.until("request", trace) if span["name"] == "run")
        assert lost["error"] and lost["attributes"]["skysail.retried"]
        assert lost["end_unix_ns"] <= ran["start_unix_ns"] and not ran["error"]
        for run in (lost, ran):
            (link,) = run["links"]
            batch = one(traced.spans(link["trace_id"]), "batch")
            assert {"trace_id": trace, "span_id": run["span_id"]} in batch["links"]
            assert bool(batch["error"]) == bool(run["error"])
    for servicer, server in servers.items():
        servicer.gate.set()
        server.stop(None).wait()


async def test_the_rate_of_an_application_holds_at_once(traced: Traced) -> None:
    async def kept() -> int:
        before = len(traced.spans())
        for n in range(40):
            await traced.path.infer(asking(n, 11))
        return len(traced.spans()) - before

    await configure(traced, trace_sampling=0.0)
    assert await kept() == 0
    await configure(traced, trace_sampling=1.0)
    assert await kept() == 40
    await configure(traced, trace_sampling=0.5)
    assert 4 <= await kept() <= 36


# --- collectors ---------------------------------------------------------------------------------


class Collector(otlp_grpc.TraceServiceServicer):
    """Keeps what it is sent; `gate` holds its answers back while it is clear."""

    def __init__(self) -> None:
        self.spans: list[tuple[dict[str, str], trace_pb2.Span]] = []
        self.gate = threading.Event()
        self.gate.set()

    def take(self, request: otlp.ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            about = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans.extend((about, span) for span in scope.spans)

    def Export(
        self, request: otlp.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> otlp.ExportTraceServiceResponse:
        self.gate.wait(30)
        self.take(request)
        return otlp.ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    servicer = Collector()
    server = grpc.server(ThreadPoolExecutor(4))
    otlp_grpc.add_TraceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"http://127.0.0.1:{port}"
    servicer.gate.set()
    server.stop(None).wait()


async def arrived(collector: Collector, trace: str, name: str) -> dict[str, trace_pb2.Span]:
    """The spans of a trace by name, once one of that name has come."""
    async with asyncio.timeout(10):
        while True:
            found = {span.name: span for _, span in collector.spans if span.trace_id.hex() == trace}
            if name in found:
                return found
            await asyncio.sleep(0.02)


async def test_a_collector_gets_well_formed_spans_over_grpc(
    doubler: Doubler, collector: tuple[Collector, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    servicer, endpoint = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    async with AsyncExitStack() as stack:
        traced = await open_traced(doubler, stack)
        began = time.time_ns()
        trace, _ = await traced.call(1, 2)
        await arrived(servicer, trace, "run")
        await arrived(servicer, trace, "selection")
        spans = await arrived(servicer, trace, "request")
        assert spans.keys() == {"request", "hop", "serve", "selection", "cache", "queue", "fill", "run"}
        request = spans["request"]
        assert request.kind == trace_pb2.Span.SPAN_KIND_SERVER
        assert request.parent_span_id.hex() == "00000000000000aa"
        assert began <= request.start_time_unix_nano <= request.end_time_unix_nano <= time.time_ns()
        attributes = {each.key: each.value for each in request.attributes}
        assert attributes["skysail.application"].string_value == "double"
        assert attributes["rpc.method"].string_value == "ModelInfer"
        batch = (await arrived(servicer, spans["run"].links[0].trace_id.hex(), "batch"))["batch"]
        assert batch.span_id == spans["run"].links[0].span_id
        assert [(link.trace_id.hex(), link.span_id) for link in batch.links] == [
            (trace, spans["run"].span_id)
        ]
        failed, _ = await traced.call(1, 2, 3)
        status = (await arrived(servicer, failed, "request"))["request"].status
        assert (status.code, status.message) == (trace_pb2.Status.STATUS_CODE_ERROR, "invalid_argument")
    about = [resource for resource, span in servicer.spans if span.name == "request"][0]
    assert about["service.name"] == "skysail-frontend"
    assert about["deployment.environment"] == "test"


async def test_a_collector_gets_them_over_http(doubler: Doubler, monkeypatch: pytest.MonkeyPatch) -> None:
    servicer = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            assert self.headers["content-type"] == "application/x-protobuf"
            body = self.rfile.read(int(self.headers["content-length"]))
            servicer.take(otlp.ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        async with AsyncExitStack() as stack:
            traced = await open_traced(doubler, stack)
            trace, _ = await traced.call(1, 2)
            await arrived(servicer, trace, "request")
        server.shutdown()
        thread.join()


async def test_a_dead_and_a_stuck_collector_change_nothing_for_callers(
    doubler: Doubler, collector: tuple[Collector, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    servicer, stuck = collector
    servicer.gate.clear()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        dead = f"http://127.0.0.1:{probe.getsockname()[1]}"
    for endpoint in (dead, stuck):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        async with AsyncExitStack() as stack:
            traced = await open_traced(doubler, stack)
            async with asyncio.timeout(10):
                while not traced.path.frontend._tracing.counts()["dropped"]["export_failed"]:
                    trace, error = await traced.call(1, 2, timeout_s=1)
                    assert error is None
                    await asyncio.sleep(0.05)  # within the budget
                    assert "request" in names(traced.spans(trace)), "kept here all the same"
            began = time.monotonic()
        assert time.monotonic() - began < 8, "nor does it keep a process from ending"


async def test_spans_are_written_as_lines(
    doubler: Doubler, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "spans.jsonl"
    monkeypatch.setenv("SKYSAIL_TRACE_FILE", str(file))
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    async with AsyncExitStack() as stack:
        traced = await open_traced(doubler, stack)
        trace, _ = await traced.call(1, 2)
        async with asyncio.timeout(10):
            while trace not in (text := file.read_text()) or '"request"' not in text:
                await asyncio.sleep(0.02)
    spans = [json.loads(line) for line in file.read_text().splitlines()]
    assert {span["resource"]["service.name"] for span in spans if span["trace_id"] == trace} == {
        "skysail-frontend",
        "skysail-selector",
        "skysail-batcher",
    }


async def test_off_nothing_is_recorded_and_contexts_go_through(
    doubler: Doubler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    async with AsyncExitStack() as stack:
        traced = await open_traced(doubler, stack)
        trace, _ = await traced.call(1, 2)
        _, metadata = doubler.batches[-1]
        assert metadata["traceparent"] == f"00-{trace}-00000000000000aa-01"
        assert traced.spans(trace) == []
