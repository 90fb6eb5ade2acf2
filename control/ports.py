"""Ports for processes that are yet to start."""

from __future__ import annotations

import errno
import socket

from skysail.control.errors import FailedPrecondition, InvalidArgument

__all__ = ["settle"]


def settle(address: str, *, preferred: str | None = None, option: str) -> str:
    """An address whose port is free now; port 0 becomes the preferred address's port if it is free, else any.

    A process that dies comes back at the same address, so the port is chosen before the first start.

    Args:
        address: `host:port`, `[v6]:port`.
        preferred: what it was last time.
        option: the command line's name for the address, for messages.

    Raises:
        InvalidArgument: it is not an address of this machine.
        FailedPrecondition: the port is taken.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise InvalidArgument(f"{option} must be host:port with a port from 0 to 65535, got {address!r}")
    if int(port) == 0 and preferred is not None and preferred.rpartition(":")[0] == host:
        try:
            return _bind(host, int(preferred.rpartition(":")[2]), option)
        except FailedPrecondition:
            pass
    return _bind(host, int(port), option)


def _bind(host: str, port: int, option: str) -> str:
    bare = host.strip("[]")
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: a port whose last connections are still closing is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(target)
            return f"{host}:{probe.getsockname()[1]}"
    except PermissionError:
        raise FailedPrecondition(
            f"{option} {host}:{port}: only root may listen below port 1024; choose another port"
        ) from None
    except socket.gaierror:
        raise InvalidArgument(f"{option}: {host!r} is not a host that can be found") from None
    except OSError as error:
        if port and error.errno == errno.EADDRINUSE:
            raise FailedPrecondition(
                f"port {port} on {host} is taken by another program; "
                f"stop that, or choose another with {option}"
            ) from None
        raise InvalidArgument(f"{option} {host}:{port}: {error.strerror}") from None
