"""One call through four processes, as `skysail trace` gathers it."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np

from skysail.proto import inference_pb2_grpc
from tests.e2e.conftest import Mesh
from tests.e2e.test_clients import request

Span = dict[str, Any]

#: What a machine that does other things as well may take away between two readings of the clock.
TRIES = 10


def call(stub: inference_pb2_grpc.GRPCInferenceServiceStub, first: float = 1) -> tuple[str, int]:
    """A sampled call of the probe; its trace, and what it took as the client saw it."""
    trace = secrets.token_hex(16)
    x = np.full((1, 16), first, np.float32)
    began = time.perf_counter_ns()
    stub.ModelInfer(
        request(x, "probe"), timeout=10, metadata=(("traceparent", f"00-{trace}-00000000000000aa-01"),)
    )
    return trace, time.perf_counter_ns() - began


def took(span: Span) -> int:
    duration: int = span["end_unix_ns"] - span["start_unix_ns"]
    return duration


def own(span: Span, spans: list[Span]) -> int:
    """What a span took besides those under it."""
    return took(span) - sum(took(one) for one in spans if one["parent_id"] == span["span_id"])


def told(mesh: Mesh, trace: str) -> dict[str, Any]:
    found: dict[str, Any] = mesh.json("trace", "--id", trace)
    return found


def test_a_trace_of_four_processes_has_every_stage_and_they_add_up(mesh: Mesh) -> None:
    with grpc.insecure_channel(mesh.grpc) as channel:
        stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)
        call(stub)
        apart_ns = []
        for _ in range(TRIES):
            trace, client_ns = call(stub)
            spans = told(mesh, trace)["spans"]
            by_id = {span["span_id"]: span for span in spans}
            parents = {
                (span["name"], by_id[span["parent_id"]]["name"] if span["parent_id"] in by_id else "")
                for span in spans
            }
            assert parents == {
                ("request", ""),
                ("hop", "request"),
                ("serve", "hop"),
                ("selection", "serve"),
                ("hop", "serve"),
                ("queue", "serve"),
                ("fill", "serve"),
                ("run", "serve"),
                ("serve", "run"),
                ("staged", "serve"),
                ("model", "serve"),
            }
            roles = {span["resource"]["skysail.role"] for span in spans}
            assert roles == {"frontend", "selector", "batcher", "model-server"}
            assert sum(span["name"] == "serve" for span in spans) == 3
            for span in spans:
                assert took(span) >= 0
                parent = by_id.get(span["parent_id"])
                assert parent is None or parent["start_unix_ns"] <= span["start_unix_ns"]
                assert parent is None or span["end_unix_ns"] <= parent["end_unix_ns"]
            root = next(span for span in spans if span["name"] == "request")
            # Nothing overlaps, so what each span took by itself is what the call took; and that is what its
            # client saw, but for the client's own way.
            assert min(own(span, spans) for span in spans) >= 0
            stages_ns = sum(own(span, spans) for span in spans)
            assert took(root) <= client_ns
            apart_ns.append(abs(stages_ns - took(root)) - max(0.03 * took(root), 50_000))
            if apart_ns[-1] <= 0:
                break
        assert min(apart_ns) <= 0


def test_a_batch_is_told_with_all_its_members(mesh: Mesh) -> None:
    with grpc.insecure_channel(mesh.grpc) as channel, ThreadPoolExecutor(24) as pool:
        stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)
        for _ in range(TRIES):
            traces = [trace for trace, _ in pool.map(lambda n: call(stub, n), range(96))]
            found = told(mesh, traces[48])
            ((batch_trace, about),) = found["batches"].items()
            (batch,) = (span for span in about if span["name"] == "batch")
            if batch["attributes"]["skysail.batch.rows"] > 1:
                break
        assert batch["attributes"]["skysail.batch.rows"] > 1
        (run,) = (span for span in found["spans"] if span["name"] == "run")
        runs = [run, *(span for span in about if span["name"] == "run")]
        assert len(runs) == batch["attributes"]["skysail.batch.rows"] == len(batch["links"])
        assert {(one["trace_id"], one["span_id"]) for one in runs} == {
            (link["trace_id"], link["span_id"]) for link in batch["links"]
        }
        assert all(one["links"] == [{"trace_id": batch_trace, "span_id": batch["span_id"]}] for one in runs)
        assert {one["trace_id"] for one in runs} <= set(traces)
        inner = {span["name"] for span in about if span["trace_id"] == batch_trace}
        assert inner == {"batch", "serve", "staged", "model"}, "the replica's belong to the batch's trace"


def test_the_latest_and_the_slowest_call_of_an_application_are_drawn(mesh: Mesh) -> None:
    with grpc.insecure_channel(mesh.grpc) as channel:
        stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)
        trace, _ = call(stub)
        drawn = mesh.ok("trace", "probe")
        assert trace in drawn
        for stage in ("request", "selection", "queue", "model", "batch"):
            assert stage in drawn
        assert "━" in drawn
        slow, latest = mesh.json("trace", "probe", "--slow"), mesh.json("trace", "probe")
    longest = next(span for span in slow["spans"] if span["name"] == "request")
    latest_request = next(span for span in latest["spans"] if span["name"] == "request")
    assert took(longest) >= took(latest_request)


def test_what_is_not_there_is_said(mesh: Mesh) -> None:
    for arguments, words in (
        (("--id", "xyz"), "32 hexadecimal digits"),
        (("--id", "0" * 31 + "1"), "no process knows trace"),
        (("nosuch",), "no call of application 'nosuch' was kept"),
    ):
        done = mesh.cli("trace", *arguments)
        assert done.returncode == 1
        assert words in done.stderr
