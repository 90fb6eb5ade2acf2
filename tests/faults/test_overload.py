"""More is asked of a model than it can do, through a whole mesh; what it costs in time is in `make bench`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.faults.conftest import SEEN_LATE_S, Faults
from tests.faults.load import Load

ROWS, BATCH_S = 4, 0.02
CAPACITY_PER_S = ROWS / BATCH_S
OBJECTIVE_S = 0.4
MODEL = f'''
import time

class Paced:
    """Row sums, {ROWS} rows in {BATCH_S} s however many there are."""

    inputs = ("x:FP32:[-1,16]",)
    outputs = ("y:FP32:[-1]",)
    max_rows = {ROWS}

    def predict(self, inputs):
        time.sleep({BATCH_S})
        return {{"y": inputs["x"].sum(axis=1)}}
'''
APPLICATIONS = f"""
applications:
  heavy: {{models: [paced], objective_ms: {OBJECTIVE_S * 1000}, weight: 3.0}}
  light: {{models: [paced], objective_ms: {OBJECTIVE_S * 1000}, weight: 1.0}}
  urgent: {{models: [paced], objective_ms: {OBJECTIVE_S * 1000}, priority: high}}
  idle: {{models: [paced], objective_ms: {OBJECTIVE_S * 1000}, priority: low}}
"""
#: A busy machine does not sleep for exactly as long as it is told, and is late with the next batch.
LEAST_SHARE_OF_CAPACITY = 0.5


@pytest.fixture(scope="module")
def paced(running: Faults) -> Iterator[Faults]:
    """The mesh with a model of known capacity, which four applications ask."""
    folder = running.told.parent
    (folder / "paced.py").write_text(MODEL)
    (folder / "paced.yaml").write_text(APPLICATIONS)
    options = ("--cache=off", "--replicas=1", f"--slo-ms={OBJECTIVE_S * 1000:g}")
    running.mesh.ok("deploy", "paced", f"{folder / 'paced.py'}:Paced", *options)
    running.mesh.ok("apply", "-f", str(folder / "paced.yaml"), "--yes")
    yield running
    running.mesh.ok("scale", "paced", "0")


def flood(faults: Faults, seconds: float, **rates: float) -> dict[str, Load]:
    """What became of the calls of applications that ask at those rates, all at once."""
    with ExitStack() as stack:
        loads = {
            name: stack.enter_context(Load(faults.mesh.grpc, name, rate_per_s=rate))
            for name, rate in rates.items()
        }
        time.sleep(seconds)
    for load in loads.values():
        assert set(load.statuses()) <= {"OK", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}
        assert all(one.right for one in load.outcomes)
        late = [one for one in load.outcomes if one.status == "OK" and one.took_s > OBJECTIVE_S + SEEN_LATE_S]
        assert late == [], "an answer after its deadline is no success"
    return loads


def test_three_times_its_capacity_leaves_a_model_serving_at_it(paced: Faults) -> None:
    load = flood(paced, 5.0, paced=3 * CAPACITY_PER_S)["paced"]
    assert load.answered() > LEAST_SHARE_OF_CAPACITY * 5.0 * CAPACITY_PER_S
    refused = [one for one in load.failures() if one.status == "RESOURCE_EXHAUSTED"]
    assert len(refused) > load.answered() / 2
    assert all("try again in" in one.text for one in refused)


def test_applications_that_ask_for_too_much_are_served_by_weight(paced: Faults) -> None:
    loads = flood(paced, 5.0, heavy=1.5 * CAPACITY_PER_S, light=1.5 * CAPACITY_PER_S)
    heavy, light = loads["heavy"].answered(), loads["light"].answered()
    assert 1.8 < heavy / light < 5, (heavy, light)


def test_a_class_that_waits_is_given_an_eighth_however_much_goes_before_it(paced: Faults) -> None:
    loads = flood(paced, 5.0, urgent=2 * CAPACITY_PER_S, idle=CAPACITY_PER_S)
    urgent, idle = loads["urgent"].answered(), loads["idle"].answered()
    assert idle > (urgent + idle) / 8 / 2, (urgent, idle)
    assert urgent > 3 * idle, (urgent, idle)
