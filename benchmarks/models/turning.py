"""Two versions of a model that can be told apart by their answers."""

from __future__ import annotations

import numpy as np


class First:
    """Sums the 16 columns of ``x`` [n, 16] into ``y`` [n, 1], and adds 1."""

    inputs = ("x:FP32:[-1,16]",)
    outputs = ("y:FP32:[-1,1]",)
    more = np.float32(1)

    def predict(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One vectorised sum for the whole batch."""
        return {"y": inputs["x"].sum(axis=1, keepdims=True) + self.more}


class Second(First):
    """The same, and adds 2."""

    more = np.float32(2)
