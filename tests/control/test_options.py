"""Options: read once, refused by name."""

from pathlib import Path
from typing import Literal

import pytest

from skysail.control.errors import InvalidArgument
from skysail.control.mesh import MeshOptions, service_units
from skysail.control.options import ServiceOptions, parse


def test_defaults_are_local_and_take_any_free_port() -> None:
    options, etcd, ready_fd = parse("frontend", [])
    assert (options.listen, options.http, options.unix, etcd, ready_fd) == (
        *("127.0.0.1:0", None, None),
        *("127.0.0.1:2379", None),
    )


@pytest.mark.parametrize("fused", [False, True])
def test_a_mesh_that_is_told_how_to_poll_tells_the_process_that_callers_reach(
    fused: bool, tmp_path: Path
) -> None:
    options = MeshOptions(grpc="h:1", http="h:2", etcd="h:3", fused=fused, poll_us=7)
    told = {unit.name: unit.argv[unit.argv.index("--poll-us") + 1] if "--poll-us" in unit.argv else ""
            for unit in service_units(options, tmp_path)}  # fmt: skip
    assert told == ({"fused": "7"} if fused else {"frontend": "7", "selector": "", "batcher": ""})


def test_every_option_is_taken() -> None:
    argv = "--etcd e:1 --listen 0.0.0.0:80 --unix s/x.sock --threads 2 --instance-id i --drain-timeout-s 1.5"
    argv += " --cache-mib 7 --max-message-mib 8 --lease-ttl-s 3 --advertise host --ready-fd 5 --http h:81"
    argv += " --limit max_connections=9 --limit keepalive_interval_ms=0 --poll-us 9"
    argv += " --log-format json --log-level debug"
    options, etcd, ready_fd = parse("fused", argv.split())
    assert options == ServiceOptions(
        listen="0.0.0.0:80", unix="s/x.sock", threads=2, instance_id="i", drain_timeout_s=1.5,
        cache_mib=7, max_message_mib=8, lease_ttl_s=3.0, advertise="host", http="h:81",
        limit=("max_connections=9", "keepalive_interval_ms=0"), poll_us=9,
        log_format="json", log_level="debug",
    )  # fmt: skip
    assert (etcd, ready_fd) == ("e:1", 5)


@pytest.mark.parametrize("given", ["unix:/run/x.sock", "/run/x.sock"])
def test_a_unix_socket_may_be_a_path_or_an_address(given: str) -> None:
    assert ServiceOptions(unix=given).unix_path == "/run/x.sock"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--threads", "0"], "--threads: must be between 1 and 256, got 0"),
        (["--log-format", "xml"], "--log-format: must be one of human, json, got 'xml'"),
        (["--log-level", "loud"], "--log-level: must be one of debug, info, warning, error, got 'loud'"),
        (["--poll-us", "-1"], "--poll-us: must be between 0 and 10000, got -1"),
        (["--threads", "x"], "argument --threads: invalid int value: 'x'; see skysail batcher --help"),
        (["--listen", "8000"], "--listen: write host:port"),
        (["--listen", "h:70000"], "--listen: write host:port with a port from 0 to 65535, got 'h:70000'"),
        (["--unix", "unix:"], "--unix: write a path"),
        (["--instance-id", "a/b"], "--instance-id: .* got 'a/b'"),
        (["--lease-ttl-s", "1"], "--lease-ttl-s: must be between 2 and 3600, got 1"),
        (["--cache-mib", "-1"], "--cache-mib: must be between 0"),
        (["--limit", "max_dragons=1"], "--limit: there is no limit .max_dragons.; there are max_conn"),
        (["--limit", "max_connections=0"], "--limit max_connections: .* between 1 and 1048576, got '0'"),
        (["--limit", "max_connections"], "--limit max_connections: must be a whole number .* got ''"),
        (["--http", "h:1"], "unrecognized arguments: --http h:1; see skysail batcher --help"),
    ],
)
def test_a_wrong_option_is_refused_by_name(argv: list[str], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        parse("batcher", argv)


@pytest.mark.parametrize(
    ("role", "usage"), [("fused", "usage: skysail frontend --fused"), ("selector", "usage: skysail selector")]
)
def test_help_shows_the_command_to_type(
    role: Literal["fused", "selector"], usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(role, ["--help"])
    assert capsys.readouterr().out.startswith(usage)


def test_frontend_help_names_the_fused_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("frontend", ["--help"])
    assert "--fused" in capsys.readouterr().out


def test_two_processes_have_two_names() -> None:
    assert ServiceOptions().instance_id != ServiceOptions().instance_id
