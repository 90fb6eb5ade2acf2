"""What a call answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["ModelMetadata", "Prediction", "TensorMetadata"]


@dataclass(frozen=True)
class Prediction:
    """An answer, and where it came from.

    Attributes:
        outputs: arrays by output name.
        model: the name that was called.
        version: the version that answered; empty for a default output.
        id: the prediction's own id, 32 hexadecimal digits, for referring to it later.
        default: whether this is the application's default output, because no model answered in time.
        reason: why it is the default; empty otherwise.
        cache: "hit", "miss" or "coalesced" (shared the run of an equal call in flight); empty where none was
        asked.
        latency_s: from the call to the answer, as the caller saw it.
    """

    outputs: Mapping[str, np.ndarray]
    model: str
    version: str
    id: str
    default: bool
    reason: str
    cache: str
    latency_s: float

    @property
    def value(self) -> np.ndarray:
        """The only output, or the first."""
        return next(iter(self.outputs.values()))


@dataclass(frozen=True)
class TensorMetadata:
    """Name, datatype and shape of a tensor; -1 stands for any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ModelMetadata:
    """What a model takes and gives; no inputs and outputs when its versions do not agree."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]
