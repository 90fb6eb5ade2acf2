"""The native server's Python side: what may go wrong around a call."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from skysail.native._core import Batcher, Loops, NativeError, Server, ServerStream


@contextmanager
def raw_server(on_call: Callable[[ServerStream], None], address: str = "127.0.0.1:0") -> Iterator[str]:
    loops = Loops()
    loops.start()
    server = Server(loops, drain_timeout_s=0.5)
    server.set_fallback(on_call)
    bound = server.listen(address)
    server.start()
    try:
        yield bound
    finally:
        server.shutdown()
        loops.stop()


def call(address: str, request: bytes = b"", **options: Any) -> bytes:
    with grpc.insecure_channel(address) as channel:
        answer: bytes = channel.unary_unary("/s/m")(request, timeout=5, **options)
        return answer


def test_a_stream_that_is_dropped_is_answered_with_internal() -> None:
    with raw_server(lambda stream: None) as address, pytest.raises(grpc.RpcError) as caught:
        call(address)
    assert caught.value.code() is grpc.StatusCode.INTERNAL


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_fallback_that_raises_is_answered_and_the_next_call_is_served() -> None:
    calls = []

    def on_call(stream: ServerStream) -> None:
        calls.append(stream.method)
        if len(calls) == 1:
            raise RuntimeError("boom")
        stream.send(b"fine")
        stream.finish(0, "", ())

    with raw_server(on_call) as address:
        with pytest.raises(grpc.RpcError) as caught:
            call(address)
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert call(address) == b"fine"


def test_a_stream_used_in_the_wrong_order_says_so() -> None:
    kinds: list[str] = []

    def attempt(act: Callable[[], None]) -> None:
        with pytest.raises(NativeError) as caught:
            act()
        kinds.append(caught.value.kind)

    def on_call(stream: ServerStream) -> None:
        for bad in ((("Upper", "v"),), (("grpc-status", "0"),), (("k", "zeilen\numbruch"),), (("k", "ü"),)):
            with pytest.raises(ValueError, match="metadata"):
                stream.send_initial_metadata(bad)
        with pytest.raises(ValueError, match="code"):
            stream.finish(17, "", ())
        stream.send(b"one")
        attempt(lambda: stream.send_initial_metadata(()))
        attempt(lambda: stream.set_compression(True))
        stream.finish(0, "", ())
        attempt(lambda: stream.finish(0, "", ()))
        attempt(lambda: stream.send(b"two"))

    with raw_server(on_call) as address:
        assert call(address) == b"one"
    assert kinds == ["FailedPrecondition"] * 4


def test_receive_times_out_and_ends_at_the_half_close() -> None:
    results: list[object] = []
    release = threading.Event()

    def serve(stream: ServerStream) -> None:
        with pytest.raises(TimeoutError):
            stream.receive(0.01)
        release.set()
        results.extend([stream.receive(5), stream.receive(5)])
        stream.send(b"done")
        stream.finish(0, "", ())

    def requests() -> Iterator[bytes]:
        release.wait(5)
        yield b"late"

    with (
        raw_server(lambda stream: threading.Thread(target=serve, args=(stream,)).start()) as address,
        grpc.insecure_channel(address) as channel,
    ):
        assert channel.stream_unary("/s/m")(requests(), timeout=5) == b"done"
    assert results == [b"late", None]


def test_a_unix_socket_serves_too(tmp_path: Path) -> None:
    peers: list[str] = []

    def on_call(stream: ServerStream) -> None:
        peers.append(stream.peer)
        stream.send(b"local")
        stream.finish(0, "", ())

    with raw_server(on_call, f"unix:{tmp_path}/s") as address:
        assert address == f"unix:{tmp_path}/s"
        assert call(address) == b"local"
    assert peers[0].startswith("unix:")


def test_a_taken_port_and_a_bad_address_are_refused() -> None:
    loops = Loops()
    first, second = Server(loops), Server(loops)
    address = first.listen("127.0.0.1:0")
    with pytest.raises(NativeError, match=address.rsplit(":", 1)[1]):
        second.listen(address)
    with pytest.raises(NativeError) as caught:
        second.listen("nowhere")
    assert caught.value.kind == "InvalidArgument"


def test_what_belongs_before_the_start_is_refused_after_it() -> None:
    loops = Loops()
    loops.start()
    server = Server(loops)
    server.start()
    for late in (
        lambda: server.start(),
        lambda: server.set_fallback(lambda stream: None),
        lambda: server.serve(Batcher(loops)),
    ):
        with pytest.raises(NativeError) as caught:
            late()
        assert caught.value.kind == "FailedPrecondition"
    server.shutdown()
    server.shutdown()
    loops.stop()


def test_a_process_ends_although_nobody_shut_its_server_down() -> None:
    program = """
import grpc
from skysail.native._core import Loops, Server
loops = Loops(2)
loops.start()
server = Server(loops, drain_timeout_s=0.5)
streams = []
server.set_fallback(streams.append)
address = server.listen("127.0.0.1:0")
server.start()
channel = grpc.insecure_channel(address)
call = channel.unary_unary("/s/m").future(b"")
while not streams:
    pass
streams[0].on_done(lambda: print("over"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_statistics_count_calls_and_bytes() -> None:
    loops = Loops()
    loops.start()
    server = Server(loops)

    def on_call(stream: ServerStream) -> None:
        stream.send(b"x")
        stream.finish(0, "", ())

    server.set_fallback(on_call)
    address = server.listen("127.0.0.1:0")
    server.start()
    for _ in range(3):
        call(address)
    server.shutdown()
    stats = server.stats()
    assert stats["calls_started"] == 3
    assert stats["calls_open"] == stats["connections_open"] == 0
    assert stats["bytes_read"] > 0
    loops.stop()


def test_limits_are_checked_and_what_passes_them_is_counted_by_reason() -> None:
    with pytest.raises(ValueError, match="limit 'max_connections' must be between 1 and 1048576, got 0"):
        Server(Loops(1), limits={"max_connections": 0})
    loops = Loops(1)
    loops.start()
    server = Server(loops, limits={"max_control_burst": 10}, drain_timeout_s=0.5)
    host, _, port = server.listen("127.0.0.1:0").rpartition(":")
    server.start()
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        settings, ping = b"\0\0\0\4\0\0\0\0\0", b"\0\0\x08\6\0\0\0\0\0" + bytes(8)
        peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + 100 * ping)
        while peer.recv(4096):
            pass
    assert {reason: count for reason, count in server.stats()["cut_off"].items() if count} == {
        "ping_flood": 1
    }
    server.shutdown()
    loops.stop()
