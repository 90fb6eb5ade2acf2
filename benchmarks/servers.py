"""The servers that experiments share: each is started when first asked for and ends with the benchmark."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import joblib
import numpy as np

from benchmarks import bodies, mesh, processes, triton
from benchmarks.bodies import BodyFile
from benchmarks.load import BUILD
from benchmarks.mesh import Mesh
from benchmarks.models import digits
from benchmarks.triton import Triton

_MODELS = Path(__file__).resolve().parent / "models"
_SIGNATURE = ("--input", f"x:FP32:[-1,{digits.FEATURES}]", "--output", "label:INT64:[-1]")


class Servers:
    """Starts, shares and ends servers; makes the requests for them.

    Args:
        work: an empty folder.
        seconds: measured seconds of one run.
    """

    def __init__(self, work: Path, *, seconds: float) -> None:
        self.seconds = seconds
        self._work = work
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @functools.cache  # noqa: B019  (lives as long as the benchmark)
    def reference(self, *command: str) -> tuple[str, int]:
        """Address and process of a server of ``reference/``: the C++ program's name and its arguments."""
        program = str(BUILD / command[0])
        return self._stack.enter_context(processes.announcing_server([program, *command[1:]]))

    @functools.cache  # noqa: B019
    def grpcio(self, kind: str) -> tuple[str, int]:
        """Likewise for the Python server, ``sync`` or ``aio``."""
        script = Path(__file__).resolve().parent / "reference" / "grpcio_server.py"
        return self._stack.enter_context(processes.announcing_server([sys.executable, str(script), kind]))

    @functools.cached_property
    def model_files(self) -> dict[str, Path]:
        """The trained classifiers."""
        folder = self._folder("artefacts")
        return digits.train(folder)

    @functools.cached_property
    def triton(self) -> Triton:
        """Triton with every model."""
        models = [triton.Model(name="trivial", columns=16)]
        models += [triton.Model(name=n, columns=digits.FEATURES, path=p) for n, p in self.model_files.items()]
        return self._stack.enter_context(triton.serving(models, self._folder("triton")))

    @functools.cached_property
    def mesh(self) -> Mesh:
        """Four services in processes of their own, with every model, cache off; trivial also ``cached``."""
        started = self._stack.enter_context(mesh.serving(self._work / "mesh", fused=False))
        started.deploy("trivial", f"{_MODELS / 'trivial.py'}:RowSums", "--cache", "off")
        started.deploy("cached", f"{_MODELS / 'trivial.py'}:RowSums", "--cache", "on")
        for name, path in self.model_files.items():
            started.deploy(name, str(path), "--cache", "off", *_SIGNATURE)
        return started

    @functools.cache  # noqa: B019
    def paced(self, objective_ms: int) -> Mesh:
        """The mesh, with a model of known capacity and that objective as well."""
        options = ("--cache", "off", "--slo-ms", str(objective_ms))
        self.mesh.deploy("paced", f"{_MODELS / 'paced.py'}:Paced", *options)
        return self.mesh

    @functools.cache  # noqa: B019
    def costed(self, name: str, *, objective_ms: int, delay: str) -> Mesh:
        """The mesh, with a model of known cost in processor time under that name as well."""
        options = ("--cache", "off", "--slo-ms", str(objective_ms))
        self.mesh.deploy(name, f"{_MODELS / 'costed.py'}:Costed", *options)
        wanted = {
            "versions": {"1": {"weight": 1.0}},
            "cache": {"enabled": False},
            "batching": {"delay": delay},
        }
        file = self._folder("wanted") / f"{name}.json"
        file.write_text(json.dumps({"models": {name: wanted}}))
        self.mesh.command("apply", "-f", str(file), "--yes")
        return self.mesh

    @functools.cached_property
    def turning(self) -> Mesh:
        """The mesh, with a model of two versions, cached, of which the second takes the calls at first."""
        for name in ("First", "Second"):
            self.mesh.deploy("turning", f"{_MODELS / 'turning.py'}:{name}", "--cache", "on")
        return self.mesh

    @functools.cache  # noqa: B019
    def traced(self, part: float | None) -> Mesh:
        """A mesh with the trivial model alone, of whose calls that part is traced; None: tracing is off."""
        env = {"OTEL_SDK_DISABLED": "true"} if part is None else {}
        started = self._stack.enter_context(mesh.serving(self._work / f"traced{part}", fused=False, env=env))
        started.deploy("trivial", f"{_MODELS / 'trivial.py'}:RowSums", "--cache", "off")
        if part is not None:
            started.sample("trivial", part)
        return started

    @functools.cached_property
    def fused(self) -> Mesh:
        """One process, with the trivial model, cache off, and again as ``cached``."""
        started = self._stack.enter_context(mesh.serving(self._work / "fused", fused=True))
        started.deploy("trivial", f"{_MODELS / 'trivial.py'}:RowSums", "--cache", "off")
        started.deploy("cached", f"{_MODELS / 'trivial.py'}:RowSums", "--cache", "on")
        return started

    @functools.cache  # noqa: B019
    def trivial_bodies(self, model: str = "trivial", *, more: int = 0) -> BodyFile:
        """Requests over gRPC to a model that sums rows, and adds ``more`` to each sum."""
        rows, sums = bodies.trivial_rows()
        return bodies.write_grpc(
            self._folder("bodies") / f"{model}{more or ''}.bin",
            model=model,
            tensor="x",
            rows=rows,
            answers=sums + np.float32(more),
        )

    @functools.cached_property
    def rest_bodies(self) -> BodyFile:
        """The same as REST requests."""
        rows, sums = bodies.trivial_rows()
        path = self._folder("bodies") / "rest.bin"
        return bodies.write_rest(path, tensor="x", output="y", rows=rows, answers=sums)

    @functools.cache  # noqa: B019
    def digits_bodies(self, model: str) -> BodyFile:
        """Requests over gRPC to a classifier, answers by scikit-learn itself."""
        rows = digits.rows(bodies.COUNT)
        labels = joblib.load(self.model_files[model]).predict(rows).reshape(-1, 1)
        path = self._folder("bodies") / f"{model}.bin"
        return bodies.write_grpc(path, model=model, tensor="x", rows=rows, answers=labels)

    def _folder(self, name: str) -> Path:
        folder = self._work / name
        folder.mkdir(exist_ok=True)
        return folder
