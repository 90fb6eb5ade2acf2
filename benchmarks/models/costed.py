"""A model that keeps the processor busy for a time that depends on the size of its batch."""

from __future__ import annotations

import time

import numpy as np

BATCH_S = 150e-6
ROW_S = 5e-6


class Costed:
    """Sums the 16 columns of ``x`` [n, 16] into ``y`` [n, 1], in 150 us and 5 us a row of processor time."""

    inputs = ("x:FP32:[-1,16]",)
    outputs = ("y:FP32:[-1,1]",)

    def predict(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Sums, and is busy for what is left of the time."""
        end_s = time.thread_time() + BATCH_S + ROW_S * len(inputs["x"])
        sums = inputs["x"].sum(axis=1, keepdims=True)
        while time.thread_time() < end_s:
            pass
        return {"y": sums}
