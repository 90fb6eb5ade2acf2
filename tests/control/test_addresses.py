"""Addresses to listen on."""

import os
import socket
from pathlib import Path

import pytest

from skysail.control import machine
from skysail.control.addresses import advertised, is_loopback, private_files


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *[("127.0.0.1:1", True), ("127.9.0.1:1", True), ("localhost:1", True), ("[::1]:1", True)],
        *[("0.0.0.0:1", False), ("10.0.0.1:1", False), ("[::]:1", False), ("example.org:1", False)],
    ],
)
def test_only_loopback_is_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


def test_a_wildcard_is_advertised_by_name() -> None:
    assert advertised("127.0.0.1:5", None) == "127.0.0.1:5"
    assert advertised("0.0.0.0:5", None) == f"{socket.gethostname()}:5"
    assert advertised("[::]:5", "host") == "host:5"
    assert advertised("10.0.0.1:5", "host") == "host:5"


def test_sockets_are_made_for_this_user_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with private_files(), socket.socket(socket.AF_UNIX) as made:
            made.bind(str(tmp_path / "s"))
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_machine_knows_itself() -> None:
    assert machine.identity() == machine.identity()
    assert len(machine.identity()) <= 128
