"""A grpc++ caller for tests: `grpcpp` makes one call in a process of its own."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

BUILD_LIMIT_S = 300
CALL_LIMIT_S = 60


@dataclass
class Outcome:
    """What a call came to, as grpc++ saw it."""

    code: int = -1
    text: str = ""
    messages: list[bytes] = field(default_factory=list)
    initial: list[tuple[str, bytes]] = field(default_factory=list)
    trailers: list[tuple[str, bytes]] = field(default_factory=list)


GrpcppCall = Callable[..., Outcome]


def _bytes(text: str) -> bytes:
    return b"" if text == "-" else bytes.fromhex(text)


def _parse(output: str) -> Outcome:
    outcome = Outcome()
    for line in output.splitlines():
        match line.split(" "):
            case ["message", message]:
                outcome.messages.append(_bytes(message))
            case ["initial", key, value]:
                outcome.initial.append((key, _bytes(value)))
            case ["trailer", key, value]:
                outcome.trailers.append((key, _bytes(value)))
            case ["status", code, message]:
                outcome.code, outcome.text = int(code), _bytes(message).decode()
            case _:
                raise AssertionError(f"the caller printed {line!r}")
    return outcome


@pytest.fixture(scope="session")
def grpcpp(root: Path) -> GrpcppCall:
    """Calls `grpcpp(address, method, message, *, messages=1, timeout_ms=..., gzip=1, meta={...})`."""
    build = root / "build" / "clients"
    for command in (
        ["cmake", "-S", str(root / "tests" / "clients"), "-B", str(build), "-G", "Ninja"],
        ["cmake", "--build", str(build)],
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=BUILD_LIMIT_S)

    def call(
        address: str, method: str, message: bytes, *, meta: dict[str, str] | None = None, **options: int
    ) -> Outcome:
        words = [f"{name}={value}" for name, value in options.items()]
        words += [f"meta:{key}={value}" for key, value in (meta or {}).items()]
        done = subprocess.run(
            [str(build / "grpcpp_client"), address, method, *words],
            input=message,
            capture_output=True,
            timeout=CALL_LIMIT_S,
            check=True,
        )
        return _parse(done.stdout.decode())

    return call
