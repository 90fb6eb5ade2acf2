"""The image's recipe agrees with set-up, and a built image serves.

`SKYSAIL_IMAGE` names the image to be run, `SKYSAIL_ENGINE` what with ("docker" if left out, or such as
"podman --runtime runc").
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from skysail.control.ports import settle

ROOT = Path(__file__).resolve().parents[2]
RECIPE = (ROOT / "docker" / "Dockerfile").read_text()


def test_what_it_builds_with_is_what_set_up_installs() -> None:
    wanted = set((ROOT / "scripts" / "apt-packages.txt").read_text().split())
    stage = RECIPE.split("\nFROM ")[1]
    installed = set(re.findall(r"[a-z0-9+.-]+-dev|cmake|g\+\+|ninja-build|pkg-config|python3-venv", stage))
    assert installed and installed <= wanted


def test_it_runs_without_root_on_any_base() -> None:
    assert RECIPE.count("FROM ${BASE}") == 2
    last = RECIPE.split("FROM ${BASE}")[-1]
    assert re.search(r"^USER skysail$", last, re.MULTILINE)
    assert last.index("USER skysail") < last.index("ENTRYPOINT")


@pytest.mark.skipif("SKYSAIL_IMAGE" not in os.environ, reason="SKYSAIL_IMAGE names no image to run")
def test_a_built_image_serves_and_drains() -> None:
    engine = shlex.split(os.environ.get("SKYSAIL_ENGINE", "docker"))
    grpc, http = (settle("127.0.0.1:0", option="port") for _ in range(2))
    command = [*engine, "run", "--detach", "--read-only", "--tmpfs", "/tmp", "--network", "host"]
    command += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", os.environ["SKYSAIL_IMAGE"]]
    command += ["up", "--foreground", "--listen", grpc, "--http", http]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        deadline_s = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://{http}/v2/health/ready", timeout=2) as answer:
                    assert answer.status == 200
                    break
            except OSError:
                assert time.monotonic() < deadline_s, "not ready within a minute"
                time.sleep(0.2)
        code = "import os; print(os.getuid())"
        said = subprocess.run([*engine, "exec", made, "python3", "-c", code], capture_output=True, text=True)
        assert said.stdout.strip() == "10001"
        subprocess.run([*engine, "stop", "--time", "20", made], check=True, capture_output=True)
        state = subprocess.run([*engine, "inspect", made], check=True, capture_output=True, text=True).stdout
        assert json.loads(state)[0]["State"]["ExitCode"] == 0
    finally:
        subprocess.run([*engine, "rm", "--force", made], capture_output=True)
