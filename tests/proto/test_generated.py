"""The committed protobuf code: fresh, and at peace with other clients of the same protocol."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from skysail.proto import POOL, admin_pb2, include, inference_pb2

SCRIPT = Path("scripts") / "proto"


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_generated_code_is_fresh(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, root / SCRIPT, "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_check_fails_when_a_proto_has_changed(root: Path, tmp_path: Path) -> None:
    for name in ("proto", "src/skysail/proto"):
        subprocess.run(["cp", "-r", "--parents", name, tmp_path], cwd=root, check=True)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "build").symlink_to(root / "build")
    script = tmp_path / SCRIPT
    script.write_text((root / SCRIPT).read_text())
    admin = tmp_path / "proto" / "skysail" / "v1" / "admin.proto"
    admin.write_text(admin.read_text().replace("uptime_s = 5", "uptime_s = 7"))
    check = [sys.executable, script, "--check"]
    stale = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert stale.returncode == 1
    assert "stale" in stale.stderr
    assert "fresh/admin_pb2.py" in stale.stdout


@pytest.mark.parametrize("first", ["skysail.proto.inference_pb2", "tritonclient.grpc"])
def test_lives_beside_tritonclient(first: str) -> None:
    second = ({"skysail.proto.inference_pb2", "tritonclient.grpc"} - {first}).pop()
    program = f"""
import importlib
importlib.import_module({first!r})
importlib.import_module({second!r})
from skysail.proto.inference_pb2 import ModelInferRequest as Ours
from tritonclient.grpc.service_pb2 import ModelInferRequest as Theirs
assert Ours is not Theirs and Ours.DESCRIPTOR.full_name == Theirs.DESCRIPTOR.full_name
theirs = Theirs(model_name="m", model_version="2", id="7", raw_input_contents=[b"1234", b""])
theirs.parameters["priority"].uint64_param = 2**64 - 1
theirs.parameters["rate"].double_param = 0.5
theirs.inputs.add(name="x", datatype="FP32", shape=[1, -1, 2**40]).contents.fp32_contents.append(1.5)
theirs.inputs[0].parameters["binary"].bool_param = True
theirs.outputs.add(name="y").parameters["classification"].int64_param = -3
ours = Ours.FromString(theirs.SerializeToString())
assert ours.parameters["priority"].uint64_param == 2**64 - 1
assert ours.inputs[0].contents.fp32_contents == [1.5]
assert Theirs.FromString(ours.SerializeToString()) == theirs
print(str(ours) == str(theirs))
"""
    assert run(program) == "True\n"


@pytest.mark.parametrize(
    "name", ["ModelInferRequest", "ModelInferResponse", "ModelStreamInferResponse", "ModelMetadataResponse"]
)
def test_numbers_and_types_are_those_of_the_public_protocol(name: str) -> None:
    program = f"""
from skysail.proto import inference_pb2 as ours
from tritonclient.grpc import service_pb2 as theirs
def fields(message):
    return {{
        (f.name, f.number, f.type, f.is_repeated): fields(f.message_type) if f.message_type else None
        for f in message.fields
    }}
a, b = (fields(getattr(module, {name!r}).DESCRIPTOR) for module in (ours, theirs))
assert a == b, (a, b)
"""
    run(program)


def test_messages_are_absent_from_the_default_pool() -> None:
    assert inference_pb2.DESCRIPTOR.pool is POOL
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindServiceByName("skysail.v1.Admin")


def test_reflection_finds_services_and_their_files_in_the_pool() -> None:
    for service, module in (
        ("inference.GRPCInferenceService", inference_pb2),
        ("skysail.v1.Admin", admin_pb2),
    ):
        file = POOL.FindFileContainingSymbol(service)
        described = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)
        assert f"{described.package}.{described.service[0].name}" == service
        assert file.name == module.DESCRIPTOR.name
        assert POOL.FindServiceByName(service).methods[0].input_type.fields is not None


def test_a_reflecting_server_describes_our_services() -> None:
    from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

    names = ["inference.GRPCInferenceService", "skysail.v1.Admin"]
    server = grpc.server(ThreadPoolExecutor(1))
    reflection.enable_server_reflection(names, server, pool=POOL)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            asked = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=name) for name in names]
            answers = list(stub.ServerReflectionInfo(iter(asked), timeout=10))
    finally:
        server.stop(None).wait()
    described = [
        descriptor_pb2.FileDescriptorProto.FromString(
            answer.file_descriptor_response.file_descriptor_proto[0]
        )
        for answer in answers
    ]
    assert [f"{file.package}.{file.service[0].name}" for file in described] == names


def test_include_adds_a_file_of_another_pool_for_reflection() -> None:
    from grpc_health.v1 import health_pb2

    include(health_pb2.DESCRIPTOR)
    include(health_pb2.DESCRIPTOR)
    methods = POOL.FindServiceByName("grpc.health.v1.Health").methods
    assert {"Check", "Watch"} <= {method.name for method in methods}


def test_admin_numbers_stay() -> None:
    numbers = {field.name: field.number for field in admin_pb2.GetStatsResponse.DESCRIPTOR.fields}
    assert numbers == {
        "role": 1,
        "id": 2,
        "version": 3,
        "applied_revision": 4,
        "uptime_s": 5,
        "stats_json": 6,
    }
