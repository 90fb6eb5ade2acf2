"""What a service process is told on its command line; read once, here."""

import argparse
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from skysail.control.errors import InvalidArgument
from skysail.control.keys import NAME
from skysail.control.limits import parse_limits
from skysail.control.schema import Role
from skysail.telemetry import logs

__all__ = ["ServiceOptions", "parse"]


def _new_id() -> str:
    return f"{os.getpid()}-{secrets.token_hex(4)}"


@dataclass(frozen=True, kw_only=True)
class ServiceOptions:
    """How a service process runs; the fields are the options of the same names.

    Raises:
        InvalidArgument: naming the option and what is legal.
    """

    #: Where to answer: "host:port"; port 0 takes any that is free.
    listen: str = "127.0.0.1:0"
    #: A Unix socket beside it, for callers that see the same files; None: none.
    unix: str | None = None
    #: A frontend's plain HTTP, "host:port"; None: none.
    http: str | None = None
    #: Where it tells its metrics over plain HTTP: "host:port"; port 0 takes any that is free.
    metrics: str = "127.0.0.1:0"
    #: The host name under which others reach us when `listen` is a wildcard; None: the one listened on.
    advertise: str | None = None
    #: Event-loop threads. One serves some hundred thousand calls per second; more use more processors.
    threads: int = 1
    #: The longest wait, in microseconds, that an event loop polls through instead of sleeping, where it finds
    #: that waits get shorter by it; 0: none. It spares lone calls the waking of threads, for processor time.
    poll_us: int = 0
    #: Names this process among those of its role, for its life.
    instance_id: str = field(default_factory=_new_id)
    #: How long calls that are under way may take to finish when told to stop.
    drain_timeout_s: float = 10.0
    #: A batcher's prediction cache. More remembers more answers.
    cache_mib: int = 24
    #: The largest message taken, over gRPC and HTTP.
    max_message_mib: int = 64
    #: How long the others believe in this process after it has vanished without a word.
    lease_ttl_s: float = 10.0
    #: What it logs on standard error: lines for people ("human"), or an object a line ("json").
    log_format: str = "human"
    #: The least important level that is told: debug, info, warning, error.
    log_level: str = "info"
    #: Limits of what peers may do, each as "name=value"; those left out have their defaults.
    limit: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _within("threads", self.threads, 1, 256)
        _within("poll-us", self.poll_us, 0, 10_000)
        _within("drain-timeout-s", self.drain_timeout_s, 0, 3600)
        _within("cache-mib", self.cache_mib, 0, 1 << 20)
        _within("max-message-mib", self.max_message_mib, 1, 2047)
        _within("lease-ttl-s", self.lease_ttl_s, 2, 3600)
        parse_limits(self.limit)
        logs.check(self.log_format, self.log_level)
        for name, address in (("listen", self.listen), ("http", self.http), ("metrics", self.metrics)):
            host, _, port = (address or "host:0").rpartition(":")
            if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
                raise InvalidArgument(
                    f"--{name}: write host:port with a port from 0 to 65535, got {address!r}"
                )
        if self.unix is not None and not self.unix_path:
            raise InvalidArgument("--unix: write a path")
        if NAME.fullmatch(self.instance_id) is None:
            raise InvalidArgument(
                f"--instance-id: 1-128 letters, digits, dots, dashes, underscores, got {self.instance_id!r}"
            )

    @property
    def unix_path(self) -> str:
        """The socket's absolute path."""
        path = (self.unix or "").removeprefix("unix:")
        return os.path.abspath(path) if path else ""


def parse(role: Role, argv: Sequence[str]) -> tuple[ServiceOptions, str, int | None]:
    """The options, etcd's endpoints, and the descriptor that is told when the service is ready.

    Raises:
        InvalidArgument: naming the option and what is legal.
        SystemExit: after printing the help that was asked for.
    """
    if role == "fused":
        prog, what = "skysail frontend --fused", "Run a frontend, a selector and a batcher in one process."
    else:
        prog, what = f"skysail {role}", f"Run one {role} process of a mesh."
    parser = _Parser(prog=prog, description=what)
    defaults = ServiceOptions()
    parser.add_argument("--etcd", default="127.0.0.1:2379", help="host:port[,host:port] (%(default)s)")
    parser.add_argument(
        "--listen", default=defaults.listen, help="host:port for gRPC; port 0: any (%(default)s)"
    )
    parser.add_argument(
        "--metrics", default=defaults.metrics, help="host:port for GET /metrics; port 0: any (%(default)s)"
    )
    parser.add_argument("--unix", help="path of a Unix socket to answer on as well")
    parser.add_argument(
        "--advertise", help="host under which others reach this process, if not as in --listen"
    )
    parser.add_argument(
        "--threads", type=int, default=defaults.threads, help="event-loop threads (%(default)s)"
    )
    parser.add_argument(
        "--poll-us", type=int, default=defaults.poll_us,
        help="longest wait that a loop may poll through instead of sleeping, in microseconds (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--instance-id", default=defaults.instance_id, help="name of this process (made up)")
    parser.add_argument(
        "--drain-timeout-s", type=float, default=defaults.drain_timeout_s,
        help="how long calls may take to finish after SIGTERM (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--max-message-mib", type=int, default=defaults.max_message_mib, help="largest message (%(default)s)"
    )
    parser.add_argument(
        "--lease-ttl-s", type=float, default=defaults.lease_ttl_s,
        help="how long others believe in this process after it vanished (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--limit", action="append", default=[], metavar="NAME=VALUE",
        help="how much a peer may do; repeatable. The names, units and ranges are in docs/operating.md",
    )  # fmt: skip
    parser.add_argument(
        "--log-format", default=defaults.log_format, help="human or json, on standard error (%(default)s)"
    )
    parser.add_argument(
        "--log-level", default=defaults.log_level, help="debug, info, warning or error (%(default)s)"
    )
    if role == "frontend":
        parser.epilog = "With --fused, a selector and a batcher run in the same process."
    if role in ("frontend", "fused"):
        parser.add_argument("--http", help="host:port for plain HTTP; port 0: any (none)")
    if role in ("batcher", "fused"):
        parser.add_argument(
            "--cache-mib", type=int, default=defaults.cache_mib, help="prediction cache (%(default)s)"
        )
    parser.add_argument(
        "--ready-fd",
        type=int,
        help="file descriptor for the JSON line that says where this process listens (standard output)",
    )
    values = vars(parser.parse_args(argv))
    etcd, ready_fd = values.pop("etcd"), values.pop("ready_fd")
    values["limit"] = tuple(values["limit"])
    return ServiceOptions(**values), etcd, ready_fd


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidArgument(f"{message}; see {self.prog} --help")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidArgument(f"--{name}: must be between {low:g} and {high:g}, got {value:g}")
