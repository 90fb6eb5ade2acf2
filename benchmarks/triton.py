"""NVIDIA's tritonserver on CPU, from the PyPI package nvidia-pytriton, as the baseline to beat."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, processes

_MODEL_SOURCE = Path(__file__).with_name("triton_model.py")

_CONFIG = """\
backend: "python"
max_batch_size: 64
dynamic_batching {{}}
instance_group [{{ kind: KIND_CPU count: 1 }}]
input [{{ name: "x" data_type: TYPE_FP32 dims: [{columns}] }}]
output [{{ name: "y" data_type: {output_type} dims: [1] }}]
parameters [
  {{ key: "kind" value: {{ string_value: "{kind}" }} }},
  {{ key: "path" value: {{ string_value: "{path}" }} }}
]
"""


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model of the repository: row sums when ``path`` is None, else scikit-learn labels."""

    name: str
    columns: int
    path: Path | None = None

    def config(self) -> str:
        """Text of its config.pbtxt."""
        return _CONFIG.format(
            columns=self.columns,
            output_type="TYPE_FP32" if self.path is None else "TYPE_INT64",
            kind="sum" if self.path is None else "sklearn",
            path=self.path or "",
        )


@dataclass(frozen=True, kw_only=True)
class Triton:
    """A running server.

    Attributes:
        grpc: ``host:port`` of its gRPC service.
        http: ``host:port`` of its REST service.
        pid: root of its process tree.
    """

    grpc: str
    http: str
    pid: int


def _package() -> Path:
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(
            "tritonserver is missing: install it with 'pip install --no-deps nvidia-pytriton==0.7.0'"
        )
    return Path(spec.submodule_search_locations[0])


def _backends(package: Path, work: Path) -> Path:
    """A backend folder with the python stub in place: the package keeps it elsewhere."""
    source = package / "tritonserver" / "backends" / "python"
    target = work / "backends" / "python"
    target.mkdir(parents=True)
    for name in ("libtriton_python.so", "triton_python_backend_utils.py"):
        (target / name).symlink_to(source / name)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = package / "tritonserver" / "python_backend_stubs" / version / "triton_python_backend_stub"
    shutil.copy(stub, target / stub.name)
    (target / stub.name).chmod(0o755)
    return target.parent


def _repository(models: Sequence[Model], work: Path) -> Path:
    repository = work / "models"
    for model in models:
        folder = repository / model.name
        (folder / "1").mkdir(parents=True)
        (folder / "config.pbtxt").write_text(model.config())
        shutil.copy(_MODEL_SOURCE, folder / "1" / "model.py")
    return repository


def _python_packages() -> Path:
    """Packages for the models inside Triton, whose stub reads arrays of NumPy 1 only (2's come out empty)."""
    folder = load.BUILD.parent / "triton" / "python"
    if not folder.exists():
        half_done = folder.with_suffix(".tmp")
        shutil.rmtree(half_done, ignore_errors=True)
        same = [f"{name}=={importlib.metadata.version(name)}" for name in ("scikit-learn", "joblib")]
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run(
            [*pip, "--target", str(half_done), "numpy<2", *same],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        half_done.rename(folder)
    return folder


def _environment(package: Path) -> dict[str, str]:
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",  # as Skysail's replicas: parallelism is instances
        "OPENBLAS_NUM_THREADS": "1",
        "LD_LIBRARY_PATH": str(package.parent / "nvidia_pytriton.libs"),
        "PYTHONPATH": str(_python_packages()),
    }


def _wait_until_ready(http: str, process: subprocess.Popen[str], log: Path, *, timeout_s: float) -> None:
    give_up = time.monotonic() + timeout_s
    while time.monotonic() < give_up and process.poll() is None:
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen(f"http://{http}/v2/health/ready", timeout=1),
        ):
            return
        time.sleep(0.1)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise RuntimeError(f"tritonserver was not ready within {timeout_s} s:\n{tail}")


@contextlib.contextmanager
def serving(models: Sequence[Model], work: Path) -> Iterator[Triton]:
    """Runs tritonserver with the models, each with one CPU instance and dynamic batching.

    Args:
        models: what to serve.
        work: an empty folder for its repository, backend and log.
    """
    package = _package()
    ports = [processes.free_port() for _ in range(3)]
    log = work / "triton.log"
    command = [
        str(package / "tritonserver" / "bin" / "tritonserver"),
        f"--model-repository={_repository(models, work)}",
        f"--backend-directory={_backends(package, work)}",
        "--http-address=127.0.0.1",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={ports[0]}",
        f"--http-port={ports[1]}",
        f"--metrics-port={ports[2]}",
    ]
    with log.open("w") as log_file:
        process = subprocess.Popen(
            command, stdout=log_file, stderr=subprocess.STDOUT, text=True, env=_environment(package)
        )
    try:
        http = f"127.0.0.1:{ports[1]}"
        _wait_until_ready(http, process, log, timeout_s=120)
        yield Triton(grpc=f"127.0.0.1:{ports[0]}", http=http, pid=process.pid)
    finally:
        processes.stop(process, grace_s=20)
