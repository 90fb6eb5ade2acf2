"""Deadlines, cancels and refusals through the services, in front of a model server that is not ours."""

import asyncio
import time

import grpc
import pytest
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory
from google.protobuf.message import Message

from skysail.control import changes
from skysail.control.memory_store import MemoryStore
from skysail.proto import inference_pb2 as pb
from tests.frontend.test_mesh import Path, asking, doubling, numbers_of, path, store
from tests.plugins.oip_server import Doubler

__all__ = ["path", "store"]  # fixtures

Code = grpc.StatusCode


def google_rpc(name: str) -> type[Message]:
    """`google.rpc.Status` or `google.rpc.RetryInfo`, as googleapis declares them."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="google.rpc", syntax="proto3")
    file.dependency.extend([any_pb2.DESCRIPTOR.name, duration_pb2.DESCRIPTOR.name])
    message = file.message_type.add(name=name)
    one, many = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    if name == "Status":
        message.field.add(name="code", number=1, type=kinds.TYPE_INT32, label=one)
        message.field.add(name="message", number=2, type=kinds.TYPE_STRING, label=one)
        kind = ".google.protobuf.Any"
        message.field.add(name="details", number=3, type=kinds.TYPE_MESSAGE, label=many, type_name=kind)
    else:
        kind = ".google.protobuf.Duration"
        message.field.add(name="retry_delay", number=1, type=kinds.TYPE_MESSAGE, label=one, type_name=kind)
    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, duration_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"google.rpc.{name}"))


async def answered_or_refused(
    path: Path, request: pb.ModelInferRequest, timeout_s: float
) -> tuple[pb.ModelInferResponse | grpc.aio.AioRpcError, float]:
    """The answer or the error, with the seconds that it took."""
    began = time.monotonic()
    try:
        return await path.infer(request, timeout_s=timeout_s), time.monotonic() - began
    except grpc.aio.AioRpcError as error:
        return error, time.monotonic() - began


async def test_the_callers_deadline_reaches_the_model_server(path: Path, doubler: Doubler) -> None:
    """D17."""
    await path.infer(asking(1, 2), timeout_s=0.8)
    assert doubler.remaining_s is not None and 0 < doubler.remaining_s < 0.82
    await path.infer(asking(3, 4), timeout_s=60)
    assert 0.82 < doubler.remaining_s < 1.02, "the objective, where that is sooner"


async def test_no_members_headers_speak_for_a_batch(path: Path, doubler: Doubler) -> None:
    """D14: one caller's headers stand for all callers of its batch."""
    doubler.batches.clear()
    doubler.gate.clear()
    traces = [f"00-{caller + 1:032x}-{caller + 1:016x}-01" for caller in range(32)]

    async def ask(caller: int) -> list[float]:
        headers = (
            ("x-caller", str(caller)),
            ("authorization", f"Bearer {caller}"),
            ("traceparent", traces[caller]),
        )
        return numbers_of(await path.stub.ModelInfer(asking(caller, 0), timeout=10, metadata=headers))

    asked = [asyncio.ensure_future(ask(caller)) for caller in range(32)]
    async with asyncio.timeout(10):
        while not doubler.batches:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)  # the others gather behind the first
    doubler.gate.set()
    assert await asyncio.gather(*asked) == [[2 * caller, 0] for caller in range(32)]
    assert max(rows for rows, _ in doubler.batches) > 1
    for rows, metadata in doubler.batches:
        assert metadata.keys().isdisjoint({"x-caller", "authorization"})
        assert rows == 1 or metadata.get("traceparent") not in traces


async def test_a_batch_is_given_up_when_its_last_caller_leaves(path: Path, doubler: Doubler) -> None:
    doubler.gate.clear()
    running = path.stub.ModelInfer(asking(1, 2), timeout=30)
    async with asyncio.timeout(10):
        before = doubler.calls
        while doubler.calls == before:
            await asyncio.sleep(0.01)
    running.cancel()
    assert await asyncio.to_thread(doubler.abandoned.wait, 10)


async def test_what_cannot_be_in_time_is_refused_with_the_time_to_try_again(
    path: Path, doubler: Doubler
) -> None:
    doubler.row_s = 0.02
    for first in (0, 200, 400):  # from the first rounds the batcher learns what a row takes
        sent = [answered_or_refused(path, asking(n, n), 1.0) for n in range(first, first + 200)]
        ended = await asyncio.gather(*sent)
    errors = [(error, s) for error, s in ended if isinstance(error, grpc.aio.AioRpcError)]
    refused = [(error, s) for error, s in errors if error.code() == Code.RESOURCE_EXHAUSTED]
    good = [answer for answer, _ in ended if isinstance(answer, pb.ModelInferResponse)]
    assert len(refused) > 100, "50 rows a second, 200 asked for within one"
    assert len(good) >= 15, "the model was kept busy all the same"
    assert sorted(seconds for _, seconds in refused)[len(refused) // 3] < 0.25, "at once, not at the deadline"
    for error, _ in refused:
        trailers = dict(error.trailing_metadata())
        pushback_ms = int(trailers["grpc-retry-pushback-ms"])
        status = google_rpc("Status").FromString(trailers["grpc-status-details-bin"])
        assert (status.code, status.message) == (Code.RESOURCE_EXHAUSTED.value[0], error.details())
        (detail,) = status.details
        assert detail.type_url == "type.googleapis.com/google.rpc.RetryInfo"
        delay = google_rpc("RetryInfo").FromString(detail.value).retry_delay
        assert 0 < delay.seconds * 1000 + delay.nanos / 1e6 <= pushback_ms


async def test_a_refusal_over_http_says_when_to_try_again(path: Path, doubler: Doubler) -> None:
    doubler.row_s = 0.02

    async def ask(number: int) -> tuple[int, dict[str, str], dict[str, object]]:
        tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [number, number]}
        return await path.http_with_headers("POST", "/v2/models/double/infer", {"inputs": [tensor]})

    for first in (0, 200, 400):
        ended = await asyncio.gather(*(ask(number) for number in range(first, first + 200)))
    refused = [(headers, body) for status, headers, body in ended if status == 429]
    assert len(refused) > 50
    assert {status for status, _, _ in ended} <= {200, 429, 504}
    for headers, body in refused:
        assert 1 <= int(headers["retry-after"]) <= 60
        assert list(body) == ["error"]
    assert all("retry-after" not in headers for status, headers, _ in ended if status == 200)


async def test_no_answer_is_given_after_its_deadline(path: Path, doubler: Doubler) -> None:
    doubler.row_s = 0.05
    sent = [answered_or_refused(path, asking(n, n), 0.4) for n in range(40)]
    for (outcome, seconds), n in zip(await asyncio.gather(*sent), range(40), strict=True):
        if isinstance(outcome, pb.ModelInferResponse):
            assert numbers_of(outcome) == [2 * n, 2 * n]
            assert seconds < 0.4 + 0.2, "a busy machine delays what the caller sees"
        else:
            assert outcome.code() in (Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED)


async def test_overload_is_answered_with_the_default_where_there_is_one(
    path: Path, store: MemoryStore, doubler: Doubler
) -> None:
    await changes.deploy(store, doubling(doubler.address), default=[7, 8])
    doubler.row_s = 0.02
    async with asyncio.timeout(10):
        while True:
            sent = [answered_or_refused(path, asking(n, n), 1.0) for n in range(150)]
            ended = [answer for answer, _ in await asyncio.gather(*sent)]
            answers = [answer for answer in ended if isinstance(answer, pb.ModelInferResponse)]
            if len(answers) == len(ended):  # once the default is known to the frontend
                break
    defaults = [answer for answer in answers if answer.parameters["skysail.default"].bool_param]
    assert defaults and all(numbers_of(one) == [7, 8] for one in defaults)
    reasons = {one.parameters["skysail.reason"].string_param.partition(":")[0] for one in defaults}
    assert reasons <= {"ResourceExhausted", "DeadlineExceeded"}


@pytest.mark.parametrize("wish", ["urgent", ""])
async def test_a_priority_that_does_not_exist_is_refused_by_name(path: Path, wish: str) -> None:
    request = asking(1, 2)
    request.parameters["skysail.priority"].string_param = wish
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await path.infer(request)
    assert refused.value.code() == Code.INVALID_ARGUMENT
    assert "must be high, normal or low" in (refused.value.details() or "")
