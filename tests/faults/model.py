"""Row sums by a model that can be made to misbehave, one process at a time.

What is in the file `FAULTS/<pid>` is what the replica of that process does at its next calls:

    raise        raises
    rows         returns a row too many
    slow S       takes S seconds
    hang         computes for ever, or until the file is gone
    hold         never comes back from C, and keeps Python's lock meanwhile
    leak N       keeps N MiB more with each call
    open N       keeps N files more open with each call
    grab N       wants N MiB for one call
    ask          of a call whose first number is -1: waits until nobody wants the answer, and writes into
                 `FAULTS/asked` what it was told of the call
"""

from __future__ import annotations

import ctypes
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import numpy as np

from skysail.model_servers import current_call

FAULTS = Path("{FAULTS}")


class Sum:
    """y = the sum of each row of x."""

    inputs = ("x:FP32:[-1,16]",)
    outputs = ("y:FP32:[-1]",)
    max_rows = 64

    def load(self, path: str | None) -> None:
        """Nothing to load."""
        self._fault = FAULTS / str(os.getpid())
        self._kept: list[np.ndarray] = []
        self._open: list[TextIO] = []

    def predict(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Sums, or does as it was told."""
        y = inputs["x"].sum(axis=1)
        try:
            what, _, number = self._fault.read_text().partition(" ")
        except FileNotFoundError:
            return {"y": y}
        match what:
            case "raise":
                raise ValueError("told to raise")
            case "rows":
                return {"y": np.zeros(len(y) + 1, np.float32)}
            case "slow":
                time.sleep(float(number))
            case "hang":
                while self._fault.exists():
                    sum(range(10_000))
            case "hold":
                ctypes.PyDLL(None).sleep(3600)
            case "leak":
                self._kept.append(np.ones(int(number) << 17))
            case "open":
                self._open += [open(os.devnull) for _ in range(int(number))]  # noqa: SIM115
            case "grab":
                np.ones(int(number) << 17)
            case "ask" if inputs["x"][0, 0] == -1:
                self._ask()
        return {"y": y}

    def _ask(self) -> None:
        began_s, at_first_s = time.monotonic(), current_call.remaining_s()
        while not current_call.cancelled() and current_call.remaining_s() > 0:
            if time.monotonic() > began_s + 10:
                return
            time.sleep(0.001)
        told = {"at_first_s": at_first_s, "waited_s": time.monotonic() - began_s}
        partial = FAULTS / "asked.partial"
        partial.write_text(json.dumps(told | {"cancelled": current_call.cancelled()}))
        partial.replace(FAULTS / "asked")


class Slowly(Sum):
    """The same, a row at a time, each in 20 ms: fifty calls per second and no more."""

    max_rows = 1

    def predict(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Sums after a while."""
        time.sleep(0.02)
        return super().predict(inputs)
