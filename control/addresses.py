"""Small questions about addresses to listen on."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["advertised", "is_loopback", "private_files"]


def is_loopback(address: str) -> bool:
    """Whether only this host can reach a "host:port"."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def advertised(address: str, host: str | None) -> str:
    """Under which address others reach what listens on `address`: at `host`, or our name for a wildcard."""
    bound, _, port = address.rpartition(":")
    if host is not None:
        return f"{host}:{port}"
    return f"{socket.gethostname()}:{port}" if bound.strip("[]") in ("0.0.0.0", "::") else address


@contextmanager
def private_files() -> Iterator[None]:
    """Files and sockets made meanwhile are for this user alone, whichever thread makes them."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
