"""Both ends of the interoperability cases: generated code, the native programs, the servers."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest

from skysail.native.grpc_handlers import GrpcHandlers
from tests.interop.service import servicer
from tests.native.conftest import running_server

HERE = Path(__file__).resolve().parent
BUILD_LIMIT_S = 300
# Servers that answer the cases. "native": unary calls by a unary handler; "native-streams": all by streams,
# which may send metadata ahead; "python": generated code on the native server; "grpcio": the other side's.
SERVERS = ("native", "native-streams", "python", "grpcio")


class Generated(NamedTuple):
    """What is generated from test_service.proto."""

    pb: Any
    rpc: Any


@pytest.fixture(scope="session")
def generated(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """Made by the generator that scripts/proto pins."""
    loader = SourceFileLoader("scripts_proto", str(root / "scripts" / "proto"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    script = module_from_spec(spec)
    loader.exec_module(script)
    folder = tmp_path_factory.mktemp("generated")
    outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    command = [
        str(script.generator()),
        "-m",
        "grpc_tools.protoc",
        f"-I{HERE}",
        *outputs,
        "test_service.proto",
    ]
    subprocess.run(command, check=True, timeout=BUILD_LIMIT_S)
    sys.path.insert(0, str(folder))
    try:
        return Generated(
            importlib.import_module("test_service_pb2"), importlib.import_module("test_service_pb2_grpc")
        )
    finally:
        sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def programs(root: Path) -> Path:
    """The folder of interop_client and interop_server, built with the address sanitizer."""
    build = root / "build" / "asan"
    options = ["-DSKYSAIL_SANITIZE=address", "-DSKYSAIL_TESTS=ON", "-DSKYSAIL_PYTHON=OFF"]
    for command in (
        ["cmake", "-S", str(root / "native"), "-B", str(build), "-G", "Ninja", *options],
        ["cmake", "--build", str(build), "-j2", "--target", "interop_client", "interop_server"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_LIMIT_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return build


@contextmanager
def _native(programs: Path, *arguments: str) -> Iterator[str]:
    command = [str(programs / "interop_server"), *arguments]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        _, errors = process.communicate(timeout=60)  # its input ends: so does it
        assert (process.returncode, errors) == (0, "")


@contextmanager
def _python(generated: Generated) -> Iterator[str]:
    handlers = GrpcHandlers()
    generated.rpc.add_TestServiceServicer_to_server(servicer(*generated), handlers.as_grpc_server())
    with running_server(handlers) as address:
        yield address


@contextmanager
def _grpcio(generated: Generated) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(16))
    generated.rpc.add_TestServiceServicer_to_server(servicer(*generated), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, generated: Generated) -> Iterator[tuple[str, str]]:
    """What a server is, and its address."""
    kind = request.param
    if kind.startswith("native"):
        programs = request.getfixturevalue("programs")
        running = _native(programs, *(["streams"] if kind == "native-streams" else []))
    else:
        running = _python(generated) if kind == "python" else _grpcio(generated)
    with running as address:
        yield kind, address


def run_native_case(programs: Path, address: str, case: str) -> None:
    """Runs a case with the native client; fails with what it printed."""
    command = [str(programs / "interop_client"), f"--gtest_filter=*.{case}", "--gtest_brief=1"]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        env=os.environ | {"INTEROP_ADDRESS": address},
        check=False,
    )
    if done.returncode != 0 or "[  PASSED  ] 1 test." not in done.stdout:
        pytest.fail(done.stdout[-8000:], pytrace=False)
