"""etcd stops answering, dies and comes back; predictions go on as if nothing had happened."""

from __future__ import annotations

import os
import signal
import time

from tests.e2e.conftest import until
from tests.faults.conftest import Faults, check, steady, stopped

#: More than the life of a lease, so that etcd forgets every process while it is away.
AWAY_S = 60.0 if "SKYSAIL_SOAK" in os.environ else 15.0


def test_predictions_go_on_while_etcd_is_stopped_and_when_it_comes_back(faults: Faults) -> None:
    with faults.load() as load:
        steady(load)
        with stopped(faults.pid("etcd")):
            time.sleep(AWAY_S)
            refused = faults.mesh.cli("scale", "sum", "1")
            assert refused.returncode == 1
            assert "etcd" in refused.stderr
        until(faults.whole)
        steady(load, 600)
    check(load)
    assert load.failures() == []


def test_predictions_go_on_while_etcd_is_restarted(faults: Faults) -> None:
    pid = faults.pid("etcd")
    with faults.load() as load:
        steady(load)
        os.kill(pid, signal.SIGKILL)
        until(lambda: faults.restarted("etcd", pid))
        until(faults.whole)
        steady(load, 200)
    check(load)
    assert load.failures() == []
