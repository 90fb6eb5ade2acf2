"""A replica by itself, called with grpcio and the client: answers, errors, metadata, drain."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from skysail.client import CallFailed, Client, InvalidRequest, ModelFailed, ServerUnavailable
from skysail.control.probe import Probe
from skysail.model_servers.container import Container
from skysail.native import codec
from skysail.proto import admin_pb2, admin_pb2_grpc
from skysail.proto import inference_pb2 as pb
from skysail.proto import inference_pb2_grpc as pb_grpc
from tests.model_servers.conftest import CODE, serving

ROWS = np.array([[1, 2], [3, 4]], np.float32)


def test_answers_every_output_with_its_version(container: Container) -> None:
    with Client(container.address) as client:
        answer = client.predict("told", ROWS)
    assert answer.outputs["y"].tolist() == [3, 7]
    assert answer.outputs["n"].tolist() == [0, 1]
    assert (answer.model, answer.version) == ("told", "3")


def test_only_requested_outputs_are_sent(container: Container) -> None:
    with grpc.insecure_channel(container.address) as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        answer = infer(codec.encode_request("told", {"x": ROWS}, outputs=["n"]), timeout=5)
    assert list(codec.decode_response(answer).outputs) == ["n"]


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (-1, r"the model raised ValueError: told to raise \(told.py, line 12\)"),
        (-2, "the model raised SystemExit: told to leave"),
        (-3, r"the model broke its signature: outputs must be .*'n'.* missing"),
    ],
)
def test_what_the_model_does_wrong_is_told_and_the_next_call_is_served(
    container: Container, first: float, words: str
) -> None:
    with Client(container.address) as client:
        with pytest.raises(ModelFailed, match=words):
            client.predict("told", np.array([[first, 0]], np.float32))
        assert client.predict("told", ROWS).value.tolist() == [3, 7]


def test_requests_that_do_not_fit_do_not_reach_the_model(container: Container) -> None:
    with Client(container.address) as client:
        with pytest.raises(InvalidRequest, match="FP32"):
            client.predict("told", {"x": ROWS.astype(np.float64)})
        with pytest.raises(CallFailed, match="other"):
            client.predict("other", {"x": ROWS})
        with pytest.raises(InvalidRequest, match=r"\[-1,2\]"):
            client.predict("told", {"x": np.zeros((1, 3), np.float32)})


def test_describes_itself(container: Container) -> None:
    with grpc.insecure_channel(container.address) as channel:
        stub = pb_grpc.GRPCInferenceServiceStub(channel)
        assert stub.ServerLive(pb.ServerLiveRequest(), timeout=5).live
        assert stub.ServerReady(pb.ServerReadyRequest(), timeout=5).ready
        assert stub.ModelReady(pb.ModelReadyRequest(name="told"), timeout=5).ready
        metadata = stub.ModelMetadata(pb.ModelMetadataRequest(name="told"), timeout=5)
        assert (metadata.platform, list(metadata.versions)) == ("python", ["3"])
        assert [(t.name, t.datatype, list(t.shape)) for t in metadata.inputs] == [("x", "FP32", [-1, 2])]
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        report = admin_pb2_grpc.AdminStub(channel).GetStats(admin_pb2.GetStatsRequest(), timeout=5)
    assert (report.role, report.id) == ("model-server", "one")
    assert set(json.loads(report.stats_json)) == {"model_server", "server"}


async def test_health_is_told_while_the_model_holds_pythons_lock(tmp_path: Path) -> None:
    """By a process of its own, for this one cannot ask while its lock is held."""
    code = CODE.replace("time.sleep(0.5)", "ctypes.PyDLL(None).usleep(4_000_000)").replace(
        "import time", "import ctypes"
    )
    ask = """
import asyncio, sys
from skysail.control.probe import Probe

async def main():
    async with Probe(sys.argv[1]) as asked:
        for _ in range(20):
            print(await asked.is_healthy(), flush=True)
            await asyncio.sleep(0.2)

asyncio.run(main())
"""
    async with serving(tmp_path, code) as running:
        asking = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ask, running.address, stdout=asyncio.subprocess.PIPE
        )
        assert asking.stdout is not None
        assert await asking.stdout.readline() == b"True\n"
        async with grpc.aio.insecure_channel(running.address) as channel:
            infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
            held = codec.encode_request("told", {"x": np.array([[-4, 0]], np.float32)})
            with pytest.raises(grpc.aio.AioRpcError):
                await infer(held, timeout=0.2)
        said = (await asking.stdout.read()).split()
        assert await asking.wait() == 0
        async with Probe(running.address) as asked:
            assert await asked.is_healthy()
    assert b"False" in said
    assert b"True" in said


async def test_call_under_way_is_answered_when_the_replica_is_told_to_stop(container: Container) -> None:
    with Client(container.address) as client:
        slow = asyncio.create_task(asyncio.to_thread(client.predict, "told", np.array([[-4, 5]], np.float32)))
        await asyncio.sleep(0.2)
        await container.stop()
        assert (await slow).value.tolist() == [1]
        with pytest.raises(ServerUnavailable):
            client.predict("told", ROWS)
