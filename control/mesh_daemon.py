"""The process that keeps a mesh running: etcd, the services, the replicas.

`skysail up` starts it, detached unless told otherwise. It reports its progress as lines of JSON: `{"step":
text}`, then `{"ready": record}` or `{"error": text}`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from skysail import __version__
from skysail.control import addresses, keys, machine, mesh
from skysail.control.errors import FailedPrecondition, NotFound, SkysailError, StoreUnavailable
from skysail.control.etcd_store import EtcdStore
from skysail.control.home import Home
from skysail.control.keys import PREFIX
from skysail.control.launcher import Launcher, Process, Unit
from skysail.control.mirror import Mirror
from skysail.control.running import hold
from skysail.control.store import Delete
from skysail.control.supervisor_loop import Supervisor
from skysail.control.watchdog import Target, Watchdog
from skysail.telemetry import logs
from skysail.telemetry.metrics_server import MetricsServer
from skysail.telemetry.targets import TargetGroup, target, targets

__all__ = ["find_etcd", "main", "run_mesh"]

log = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0
#: For an etcd that others run: it either answers by now or the address is wrong.
OTHERS_ETCD_TIMEOUT_S = 5.0
#: A unit that died this often before the mesh was ready will not become ready by trying again.
HOPELESS_FAILURES = 3


def find_etcd() -> str:
    """The path of the etcd program.

    Raises:
        NotFound: there is none.
    """
    binary = shutil.which("etcd")
    if binary is None:
        raise NotFound(
            "there is no etcd program on PATH; install it (Debian: apt-get install etcd-server), "
            "or name a running one with --etcd host:port"
        )
    return binary


class MeshDaemon:
    """One mesh; made and run on the same asyncio loop."""

    def __init__(
        self, home: Home, options: mesh.MeshOptions, report: Callable[[dict[str, Any]], None]
    ) -> None:
        self._home = home
        self._options = options
        self._report = report
        self._launcher = Launcher(home)
        self._static: list[Unit] = []
        self._units: dict[str, Any] = {}
        self._supervisor = Supervisor(
            self._launcher, self._desired, on_step=self._publish_units, on_end=self._ended
        )
        self._burials: set[asyncio.Task[None]] = set()
        self._watchdog = Watchdog(
            self._targets,
            lambda verdict: self._supervisor.condemn(
                verdict.name, verdict.why, kill=verdict.kill, trace=verdict.trace
            ),
            hung_after_s=options.hung_after_s,
        )
        self._store = EtcdStore(options.etcd)
        self._mirror = Mirror(self._store, lambda _: self._supervisor.wake())
        self._metrics = MetricsServer(self._measurements, self._scrape_targets)
        self._metrics_address = ""

    async def run(self) -> None:
        """Starts everything, keeps it running until SIGTERM or SIGINT, then stops it in order.

        Raises:
            SkysailError: the mesh could not be started; nothing of it is left running.
        """
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        with hold(self._home):
            tasks = [asyncio.create_task(stop.wait())]
            try:
                self._metrics_address = await self._metrics.start(self._options.metrics)
                if adopted := self._supervisor.adopt():
                    self._report({"step": f"taking over {adopted} processes of an earlier run"})
                starting = asyncio.create_task(self._start(tasks))
                await asyncio.wait({tasks[0], starting}, return_when=asyncio.FIRST_COMPLETED)
                if starting.done():
                    starting.result()
                    await self._first_end(tasks)
                else:
                    starting.cancel()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._supervisor.stop()
                for burial in self._burials:
                    burial.cancel()
                await asyncio.gather(*self._burials, return_exceptions=True)
                await self._metrics.stop()
                await self._store.close()
                shutil.rmtree(self._home.sockets, ignore_errors=True)
                for record in ("mesh", "units"):
                    self._home.forget(record)
                self._launcher.forget("supervisor")

    async def _first_end(self, tasks: list[asyncio.Task[Any]]) -> None:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _start(self, tasks: list[asyncio.Task[Any]]) -> None:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        if self._options.etcd_peer:
            self._report({"step": "starting etcd"})
            self._static = [mesh.etcd_unit(self._options, find_etcd(), self._home.etcd)]
        tasks.append(asyncio.create_task(self._supervisor.run()))
        private = bool(self._options.etcd_peer)
        await self._wait_for_store(deadline_s if private else time.monotonic() + OTHERS_ETCD_TIMEOUT_S)
        services = mesh.service_units(self._options, self._home.sockets)
        self._report({"step": "starting " + ", ".join(unit.name for unit in services)})
        self._static += services
        tasks.append(asyncio.create_task(self._mirror.run()))
        tasks.append(asyncio.create_task(self._watchdog.run()))
        self._supervisor.wake()
        await self._wait_for_instances([unit.name for unit in services], deadline_s)
        await self._wait_for_replicas(deadline_s)
        record = {**self._options.encode(), "pid": os.getpid(), "started_at_s": time.time()}
        self._home.write("mesh", record)
        self._home.write("addresses", self._options.encode())
        self._report({"ready": record})

    async def _wait_for_store(self, deadline_s: float) -> None:
        while True:
            try:
                await self._store.list(PREFIX)
                return
            except StoreUnavailable as error:
                self._give_up_on("etcd")
                if time.monotonic() > deadline_s:
                    raise error
            await asyncio.sleep(0.05)

    async def _wait_for_instances(self, names: list[str], deadline_s: float) -> None:
        while True:
            processes = self._supervisor.running()
            pids = {process.pid for name, process in processes.items() if name in names}
            instances = self._mirror.snapshot.instances
            registered = {instance.role for instance in instances.values() if instance.pid in pids}
            missing = [name for name in names if name not in registered]
            if not missing:
                return
            for name in missing:
                self._give_up_on(name)
            if time.monotonic() > deadline_s:
                raise FailedPrecondition(
                    f"{', '.join(missing)} did not become ready in {START_TIMEOUT_S:.0f} s; "
                    f"see {self._home.log(missing[0])}"
                )
            await asyncio.sleep(0.05)

    async def _wait_for_replicas(self, deadline_s: float) -> None:
        """Waits for what was deployed before; a model that does not come back does not hold up the others."""
        names = {unit.name for unit in self._desired()} - {unit.name for unit in self._static}
        if names:
            self._report({"step": f"starting {len(names)} replica{'s' if len(names) > 1 else ''}"})
        while names and time.monotonic() < deadline_s:
            ready = {replica.pid for replica in self._mirror.snapshot.replicas.values()}
            for name in sorted(names):
                process = self._supervisor.running().get(name)
                state = self._supervisor.observed().get(name)
                if state is not None and state.failures >= HOPELESS_FAILURES:
                    said = self._launcher.tail(name, 1) or ["it printed nothing"]
                    self._report({"step": f"going on without {name}, which does not start: {said[-1]}"})
                    names.remove(name)
                elif process is not None and process.pid in ready:
                    names.remove(name)
            await asyncio.sleep(0.05)

    def _give_up_on(self, name: str) -> None:
        state = self._supervisor.observed().get(name)
        if state is not None and state.failures >= HOPELESS_FAILURES:
            said = self._launcher.tail(name, 1) or ["it printed nothing"]
            raise FailedPrecondition(f"{name} does not start: {said[-1]} (see {self._home.log(name)})")

    def _desired(self) -> list[Unit]:
        if self._mirror.applied_revision == 0:
            # Not read yet: what an earlier run left serving goes on serving.
            named = {unit.name for unit in self._static}
            held = [process.unit for process in self._supervisor.running().values()]
            return self._static + [unit for unit in held if unit.name not in named]
        return self._static + list(
            mesh.replica_units(self._options, self._mirror.snapshot, self._home.sockets)
        )

    def _targets(self) -> list[Target]:
        running = self._supervisor.running()
        pids = {
            unit.name: running[unit.name].pid if unit.name in running else None for unit in self._desired()
        }
        return list(mesh.targets(self._mirror.snapshot, pids, machine=machine.identity()))

    def _measurements(self) -> dict[str, Any]:
        """What the supervisor counts, as `telemetry.families` names it. On any thread."""
        processes = {
            name: {"running": state.running, "starts": state.starts, "failures": state.failures}
            for name, state in self._supervisor.observed().items()
        }
        return {
            "supervisor": {"processes": processes},
            "build": {"supervisor": {__version__: 1}},
            "configuration": {
                "applied_revision": self._mirror.applied_revision,
                "store_connected": self._mirror.connected,
                "rejected": len(self._mirror.rejected),
            },
        }

    def _scrape_targets(self) -> Iterator[TargetGroup]:
        """Every process that tells Prometheus metrics, our own etcd and this one included. On any thread."""
        yield target(addresses.advertised(self._metrics_address, None), role="supervisor", id="supervisor")
        if self._options.etcd_peer:
            yield target(self._options.etcd, role="etcd", id="etcd")
        yield from targets(self._mirror.snapshot)

    def _ended(self, process: Process) -> None:
        task = asyncio.get_running_loop().create_task(self._bury(process.pid))
        self._burials.add(task)
        task.add_done_callback(self._burials.discard)

    async def _bury(self, pid: int) -> None:
        """Takes out what a dead process registered, for which the others would wait until its lease ends."""
        snapshot, here = self._mirror.snapshot, machine.identity()
        dead = [
            keys.replica(one.model, one.version, one.id)
            for one in snapshot.replicas.values()
            if (one.machine, one.pid) == (here, pid)
        ] + [
            keys.instance(one.role, one.id)
            for one in snapshot.instances.values()
            if (one.machine, one.pid) == (here, pid)
        ]
        if dead:
            with suppress(SkysailError):
                await self._store.commit([Delete(key) for key in dead])

    def _publish_units(self) -> None:
        processes = self._supervisor.running()
        units = {
            name: {
                "pid": processes[name].pid if name in processes else None,
                "started_at_s": processes[name].started_at_s if name in processes else None,
                "failures": state.failures,
                "last_end": state.last_end,
            }
            for name, state in self._supervisor.observed().items()
        }
        if units != self._units:
            self._units = units
            self._home.write("units", units)


async def run_mesh(home: Home, options: mesh.MeshOptions, report: Callable[[dict[str, Any]], None]) -> None:
    """Runs a mesh until SIGTERM or SIGINT.

    Raises:
        SkysailError: the mesh could not be started; nothing of it is left running.
    """
    await MeshDaemon(home, options, report).run()


def main() -> int:
    """Runs a mesh; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--options", required=True, help="MeshOptions as JSON")
    parser.add_argument("--report-fd", type=int, required=True)
    arguments = parser.parse_args()

    def report(event: dict[str, Any]) -> None:
        # Whoever started us may have left: the mesh does not depend on being watched.
        with suppress(OSError):
            os.write(arguments.report_fd, json.dumps(event).encode() + b"\n")
            if "ready" in event:
                os.close(arguments.report_fd)

    options = mesh.MeshOptions(**json.loads(arguments.options))
    logs.configure(options.log_format, options.log_level)
    try:
        asyncio.run(run_mesh(Home.from_environment(), options, report))
    except SkysailError as error:
        log.error("%s", error)
        report({"error": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
