"""The one interface between the container and a framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from skysail.control.schema import Signature, TensorSpec

__all__ = ["Adapter", "Source", "Stated"]


@dataclass(frozen=True)
class Source:
    """What to load.

    Attributes:
        path: the artefact's file.
        class_name: for a Python file, the class in it; empty otherwise.
        data: a file or folder that a Python class loads its state from.
    """

    path: Path
    class_name: str = ""
    data: Path | None = None


@dataclass(frozen=True)
class Stated:
    """The parts of a signature that whoever deploys states; empty means: find out."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()


class Adapter(Protocol):
    """A loaded model. Used by one thread at a time."""

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""

    def predict(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, object]:
        """Outputs by name for a batch.

        `inputs` fits the signature: names, datatypes and shapes are as it says, rows are stacked along the
        first axis. Arrays may be read-only. What comes back is checked by the caller; an exception is
        answered to the callers of this batch with its text.
        """

    def example(self) -> Mapping[str, np.ndarray] | None:
        """Inputs for a warm-up call; None for zeros that fit the signature."""
