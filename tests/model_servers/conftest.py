"""A replica in this process, with a class that does as it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from skysail.model_servers.adapter import Stated
from skysail.model_servers.container import Container, ContainerOptions
from skysail.model_servers.frameworks import parse_source
from skysail.model_servers.loading import load_model

CODE = """
import time
import numpy as np

class Told:
    inputs = ["x:FP32:[-1,2]"]
    outputs = ["y:FP32:[-1]", "n:INT64:[-1]"]

    def predict(self, inputs):
        first = inputs["x"][0, 0]
        if first == -1:
            raise ValueError("told to raise")
        if first == -2:
            raise SystemExit("told to leave")
        if first == -3:
            return {"y": inputs["x"].sum(axis=1)}
        if first == -4:
            time.sleep(0.5)
        return {"y": inputs["x"].sum(axis=1), "n": np.arange(len(inputs["x"]))}
"""


@asynccontextmanager
async def serving(folder: Path, code: str = CODE) -> AsyncIterator[Container]:
    """Serves the class `Told` of this code as version 3 of `told`."""
    path = folder / "told.py"
    path.write_text(code)
    model = load_model(parse_source(f"{path}:Told"), Stated())
    options = ContainerOptions(
        model="told", version="3", digest="sha256:" + "0" * 64, replica_id="one", path=path, loader="python"
    )
    running = Container(model, options)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


@pytest.fixture
async def container(tmp_path: Path) -> AsyncIterator[Container]:
    """Serves `Told`."""
    async with serving(tmp_path) as running:
        yield running
