"""The whole of Skysail in two minutes, on this machine: `make demo`.

It trains a model on real images, starts a mesh of separate processes with a real etcd, deploys the model,
calls it from two clients, measures, shows the cache, and kills a replica under load. Everything it starts it
stops, and its state is in a folder that it removes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import tritonclient.grpc as triton
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import skysail

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks import bodies, load  # noqa: E402
from benchmarks.build import build  # noqa: E402

TRAINING_IMAGES = 1200
DISTINCT_BODIES = 8192


def say(text: str) -> None:
    """One line of the story."""
    print(text, flush=True)


def step(number: int, title: str) -> None:
    """A heading."""
    print(f"\n\033[1m{number}. {title}\033[0m", flush=True)


@dataclass(frozen=True)
class Trained:
    """A model, where it is saved, and images that it has not seen."""

    model: LogisticRegression
    path: Path
    images: np.ndarray
    labels: np.ndarray


class Mesh:
    """The command line, in a home of its own."""

    def __init__(self, home: Path) -> None:
        self._environment = {**os.environ, "SKYSAIL_HOME": str(home)}
        self.grpc = ""

    def run(self, *arguments: str) -> None:
        """Runs a command as a user would, in front of the reader."""
        say("$ skysail " + " ".join(arguments))
        command = [sys.executable, "-m", "skysail.cli.main", *arguments]
        subprocess.run(command, env=self._environment, check=True)

    def status(self) -> Any:
        """What `skysail status --json` prints."""
        command = [sys.executable, "-m", "skysail.cli.main", "status", "--json"]
        done = subprocess.run(command, env=self._environment, check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def version(self) -> Any:
        """The status of the version that serves."""
        return next(one for one in self.status()["versions"] if one["weight"] > 0)


def train(folder: Path) -> Trained:
    """Trains on two thirds of scikit-learn's digits."""
    images, labels = load_digits(return_X_y=True)
    model = LogisticRegression(max_iter=3000).fit(images[:TRAINING_IMAGES], labels[:TRAINING_IMAGES])
    path = folder / "digits.joblib"
    joblib.dump(model, path)
    say(f"trained on {TRAINING_IMAGES} images of 8x8 pixels; {len(images) - TRAINING_IMAGES} are held out")
    return Trained(model, path, images[TRAINING_IMAGES:], labels[TRAINING_IMAGES:])


def compare(mesh: Mesh, trained: Trained) -> None:
    """Calls with each held-out image from two clients and compares with the model's own answers."""
    own = trained.model.predict(trained.images)
    client = triton.InferenceServerClient(mesh.grpc)
    theirs = []
    for image in trained.images:
        given = triton.InferInput("x", [1, 64], "FP64")
        given.set_data_from_numpy(image[np.newaxis])
        theirs.append(client.infer("digits", [given]).as_numpy("label")[0])
    client.close()
    with skysail.Client(mesh.grpc) as ours:
        answers = [ours.predict("digits", image[np.newaxis]).value[0] for image in trained.images]
    for name, labels in (
        ("tritonclient.grpc", theirs),
        ("skysail.Client", answers),
        ("the model itself", own),
    ):
        accuracy = np.mean(np.array(labels) == trained.labels)
        say(f"  {name:18} {len(labels)} images, accuracy {accuracy:.4f}")
    if not (np.array_equal(theirs, own) and np.array_equal(answers, own)):
        raise SystemExit("a client got another answer than the model gives: this is a defect")
    say("  every answer equals the model's own")


def write_bodies(folder: Path, trained: Trained) -> Path:
    """Distinct requests: held-out images with a little noise, and the labels that the model gives them."""
    rng = np.random.default_rng(0)
    chosen = trained.images[rng.integers(len(trained.images), size=DISTINCT_BODIES)]
    rows = chosen + rng.random(chosen.shape)
    labels = trained.model.predict(rows).astype(np.int64)
    path = folder / "bodies"
    bodies.write_grpc(path, model="digits", tensor="x", rows=rows, answers=labels[:, np.newaxis])
    return path


def measure(mesh: Mesh, path: Path, callers: int, *extra: str, duration_s: float = 4.0) -> load.Seen:
    """A closed loop of that many callers; every status is counted and a sample of the answers compared."""
    connections = min(8, callers)
    wanted = load.Load(
        bodies=path,
        connections=connections,
        streams=callers // connections,
        duration_s=duration_s,
        warmup_s=1.0,
        extra=extra,
    )
    return load.run(mesh.grpc, wanted, pids=[])


def show(callers: int, seen: load.Seen) -> None:
    """One line of a table."""
    say(
        f"  {callers:3} callers  {seen.rate:9,.0f} calls/s   p50 {seen.p50_us / 1e3:7.2f} ms   "
        f"p99 {seen.p99_us / 1e3:7.2f} ms   "
        f"failed {seen.failed}, wrong {seen.wrong} of {seen.checked} checked"
    )


def kill_under_load(mesh: Mesh, path: Path) -> None:
    """Kills a replica while 16 callers are served."""
    victim = mesh.status()["replicas"][0]

    def kill() -> None:
        os.kill(victim["pid"], signal.SIGKILL)
        say(f"  kill -9 {victim['pid']} (replica {victim['id']})")

    timer = threading.Timer(3.0, kill)
    timer.start()
    seen = measure(mesh, path, 16, duration_s=6.0)
    timer.join()
    show(16, seen)
    if seen.failed or seen.wrong:
        raise SystemExit(f"calls failed when the replica died: {seen.errors}; this is a defect")
    deadline_s = time.monotonic() + 30
    while (version := mesh.version())["ready"] < 2 and time.monotonic() < deadline_s:
        time.sleep(0.2)
    say(f"  no call failed, and {version['ready']} replicas serve again")


def tell(mesh: Mesh, folder: Path) -> None:
    """The story."""
    step(1, "Train")
    trained = train(folder)
    step(2, "Start a mesh: etcd, frontend, selector and batcher, each a process")
    mesh.run("up")
    mesh.grpc = mesh.status()["frontend"]["grpc"]
    step(3, "Deploy two replicas")
    deploy = ("deploy", "digits", str(trained.path), "--output", "label:INT64:[-1]")
    mesh.run(*deploy, "--replicas", "2", "--slo-ms", "100", "--cache", "off")
    step(4, "Call it with every held-out image, one image a call")
    compare(mesh, trained)
    step(5, "Throughput and latency, all inputs distinct")
    say("  building the load generator, where that has not been done ...")
    build("loadgen")
    path = write_bodies(folder, trained)
    for callers in (1, 16, 64):
        before = mesh.version()
        show(callers, measure(mesh, path, callers))
        after = mesh.version()
        rows = (after["rows"] - before["rows"]) / max(1, after["batches"] - before["batches"])
        say(f"{'':15}batches of {rows:.1f} rows on average, limit {after['limit_rows']} rows")
    step(6, "Repeated inputs, with the cache on (Zipf over 1,000 inputs)")
    mesh.run(*deploy, "--cache", "on")
    show(64, measure(mesh, path, 64, "--zipf", "1.0", "--first", "1000"))
    version = mesh.version()
    say(f"  {version['cache_hits']:,} of {version['cache_lookups']:,} calls were answered from the cache")
    step(7, "Kill a replica under load")
    mesh.run(*deploy, "--cache", "off")
    kill_under_load(mesh, path)


def main() -> None:
    """Tells the story and cleans up, also when it is interrupted."""
    # SIGTERM as well as Ctrl-C unwinds through the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="skysail-demo-") as name:
        folder = Path(name)
        mesh = Mesh(folder / "home")
        try:
            tell(mesh, folder)
        except KeyboardInterrupt:
            say("interrupted")
            sys.exit(130)
        finally:
            step(8, "Stop everything")
            mesh.run("down")
    say(f"done in {time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()
