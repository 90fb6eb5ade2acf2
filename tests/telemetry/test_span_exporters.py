"""What is no collector counts as one that is away: senders raise nothing but OSError."""

from __future__ import annotations

import socket
import threading

import pytest

from skysail.telemetry.span_exporters import HttpSender


def send(url: str, headers: dict[str, str]) -> None:
    HttpSender(url, headers=headers, timeout_s=5, compress=False).send(b"spans")


def test_a_collector_that_does_not_speak_http_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1 << 16)
                peer.sendall(b"PRI * HTTP/2.0\r\n\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(OSError, match="BadStatusLine"):
            send(f"http://127.0.0.1:{server.getsockname()[1]}/v1/traces", {})
        answering.join()


@pytest.mark.parametrize(
    ("url", "headers"),
    [("http://127.0.0.1:abc/v1/traces", {}), ("http://127.0.0.1:1/v1/traces", {"key": "two\nlines"})],
)
def test_a_url_or_header_that_is_none_is_an_os_error(url: str, headers: dict[str, str]) -> None:
    with pytest.raises(OSError, match=r"InvalidURL|ValueError"):
        send(url, headers)
