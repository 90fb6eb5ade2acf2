"""The C++ core as a library: the prediction cache, the batch queue and its limit, histograms.

Each stands alone; the services of the request path are built from them and are in `skysail.native._core`.
"""

from skysail.native._core import (
    BatchQueue,
    Histogram,
    HistogramSnapshot,
    LimitController,
    ManualClock,
    NativeError,
    PredictionCache,
    QueueFull,
)

__all__ = [
    "BatchQueue",
    "Histogram",
    "HistogramSnapshot",
    "LimitController",
    "ManualClock",
    "NativeError",
    "PredictionCache",
    "QueueFull",
]
