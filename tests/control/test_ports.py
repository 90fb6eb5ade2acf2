"""Ports are chosen before processes start: the last one again, any free one, or a clear refusal."""

from __future__ import annotations

import socket

import pytest

from skysail.control.errors import FailedPrecondition, InvalidArgument
from skysail.control.ports import settle


def test_port_0_takes_the_preferred_port_again_while_it_is_free() -> None:
    first = settle("127.0.0.1:0", option="--listen")
    assert settle("127.0.0.1:0", preferred=first, option="--listen") == first
    with socket.create_server(("127.0.0.1", int(first.rpartition(":")[2]))):
        assert settle("127.0.0.1:0", preferred=first, option="--listen") != first


def test_taken_port_is_refused_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FailedPrecondition, match=f"port {port} on 127.0.0.1 is taken.*--listen"):
            settle(f"127.0.0.1:{port}", option="--listen")


@pytest.mark.parametrize("address", ["", "8000", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", ":80"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidArgument, match="--http must be host:port"):
        settle(address, option="--http")


def test_address_of_another_machine_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="192.0.2.1"):
        settle("192.0.2.1:0", option="--listen")
