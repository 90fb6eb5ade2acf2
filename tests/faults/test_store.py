"""etcd dies and comes back; predictions go on as if nothing had happened."""

from __future__ import annotations

import os
import signal

from tests.e2e.conftest import until
from tests.faults.conftest import Faults, check, steady


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
