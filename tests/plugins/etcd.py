"""A real etcd for tests: `etcd` is an empty one's address, `etcd_server` one to stop and start at will."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

START_TIMEOUT_S = 30.0


class EtcdServer:
    """One etcd process on 127.0.0.1; keeps its address and data when it is stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._client_port, self._peer_port = _free_ports(2)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._client_port}"

    def start(self) -> None:
        client, peer = f"http://{self.address}", f"http://127.0.0.1:{self._peer_port}"
        command = [
            *("etcd", "--name", "test", "--data-dir", str(self._folder / "data"), "--unsafe-no-fsync"),
            *("--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer),
            *("--initial-advertise-peer-urls", peer, "--initial-cluster", f"test={peer}"),
        ]
        if not _knows(command[0], "--unsafe-no-fsync"):
            command.remove("--unsafe-no-fsync")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        give_up = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.stop()
                raise RuntimeError("etcd did not start:\n" + (self._folder / "log").read_text()[-2000:])
            time.sleep(0.02)

    def stop(self) -> None:
        """Kills it, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        """Stops it and forgets its data: what starts next is another, empty etcd."""
        self.stop()
        shutil.rmtree(self._folder / "data", ignore_errors=True)

    def ctl(self, *arguments: str) -> str:
        """Runs etcdctl against it."""
        return subprocess.run(
            ["etcdctl", "--endpoints", self.address, *arguments],
            check=True,
            capture_output=True,
            text=True,
            env={"ETCDCTL_API": "3", "PATH": "/usr/local/bin:/usr/bin:/bin"},
        ).stdout

    def _answers(self) -> bool:
        try:
            self.ctl("endpoint", "health")
        except subprocess.CalledProcessError:
            return False
        return True


def _knows(command: str, option: str) -> bool:
    return option in subprocess.run([command, "--help"], capture_output=True, text=True).stdout


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="session")
def _shared_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    server = EtcdServer(tmp_path_factory.mktemp("etcd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def etcd(_shared_etcd: EtcdServer) -> Iterator[str]:
    """The address "127.0.0.1:PORT" of a running etcd that holds nothing of ours."""
    yield _shared_etcd.address
    _shared_etcd.ctl("del", "--prefix", "/skysail/")


@pytest.fixture
def etcd_server(tmp_path: Path) -> Iterator[EtcdServer]:
    """A running etcd of the test's own."""
    folder = tmp_path / "etcd"
    folder.mkdir()
    server = EtcdServer(folder)
    server.start()
    yield server
    server.stop()
