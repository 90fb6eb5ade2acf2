"""What callers say of their traces, over gRPC and JSON: passed on when well-formed, never otherwise."""

from __future__ import annotations

import itertools
import random

from skysail.native import _core as core
from tests.frontend.test_mesh import Path, asking, path, store
from tests.plugins.oip_server import Doubler

__all__ = ["path", "store"]

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
STATE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
Headers = list[tuple[str, str]]

HOSTILE: list[Headers] = [
    [("traceparent", f"00-{'0' * 32}-b7ad6b7169203331-01")],
    [("traceparent", PARENT.upper()), ("tracestate", STATE)],
    [("traceparent", PARENT + "; drop=1")],
    [("traceparent", "x" * 8000), ("tracestate", STATE)],
    [("tracestate", STATE)],
]


async def ask(path: Path, headers: Headers, *, rest: bool) -> None:
    """One call whose input is like no other's, so that it reaches the model by itself."""
    number = random.random()
    if not rest:
        await path.stub.ModelInfer(asking(number, 0), timeout=10, metadata=tuple(headers))
        return
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [number, 0]}]}
    status, _, _ = await path.http_with_headers(
        "POST", "/v2/models/double/infer", body, send=[f"{name}: {value}" for name, value in headers]
    )
    assert status == 200


def about_traces(doubler: Doubler) -> dict[str, str | bytes]:
    """What the model was told with the latest call."""
    _, metadata = doubler.batches[-1]
    return {name: metadata[name] for name in ("traceparent", "tracestate", "baggage") if name in metadata}


async def test_a_well_formed_context_reaches_the_model_and_nothing_else_does(
    path: Path, doubler: Doubler
) -> None:
    stated = [("traceparent", PARENT), ("tracestate", STATE), ("baggage", "user=1," * 900)]
    for rest in (False, True):
        await ask(path, stated, rest=rest)
        told = about_traces(doubler)
        assert told.keys() == {"traceparent", "tracestate"}
        version, trace, span, flags = str(told["traceparent"]).split("-")
        assert (version, trace, len(span), flags) == ("00", TRACE, 16, "01")
        assert told["tracestate"] == STATE


async def test_parts_of_a_state_are_one_list(path: Path, doubler: Doubler) -> None:
    for rest in (False, True):
        await ask(path, [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")], rest=rest)
        assert about_traces(doubler)["tracestate"] == "a=1,b=2"


async def test_a_malformed_context_is_not_passed_on(path: Path, doubler: Doubler) -> None:
    for headers, rest in itertools.product(HOSTILE, (False, True)):
        before = core.trace_faults()["traceparent"]
        await ask(path, headers, rest=rest)
        told = about_traces(doubler)
        assert TRACE not in str(told) and "tracestate" not in told, headers
        stated = any(name == "traceparent" for name, _ in headers)
        assert core.trace_faults()["traceparent"] == before + stated


async def test_several_parents_are_none(path: Path, doubler: Doubler) -> None:
    """Over JSON alone: a gRPC client sends the last one."""
    await ask(path, [("traceparent", PARENT), ("traceparent", PARENT)], rest=True)
    assert TRACE not in str(about_traces(doubler))


async def test_a_malformed_state_is_left_out(path: Path, doubler: Doubler) -> None:
    many = ",".join(f"k{i}=v" for i in range(33))
    for state, rest in itertools.product(("a=1,a=2", "A=1", "a=" + "x" * 600, many), (False, True)):
        before = core.trace_faults()["tracestate"]
        await ask(path, [("traceparent", PARENT), ("tracestate", state)], rest=rest)
        told = about_traces(doubler)
        assert TRACE in str(told["traceparent"]) and "tracestate" not in told, state
        assert core.trace_faults()["tracestate"] == before + 1
