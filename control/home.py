"""Where one installation keeps its state: the folder `$SKYSAIL_HOME`, by default `~/.skysail`.

    etcd/                the private etcd's data: all configuration
    artefacts/<digest>/  what was deployed, one folder for each version
    logs/<process>.log   what each process printed
    run/                 what runs now: a lock, one record for each process, the addresses

All but `run/` survives `skysail down`. Unix sockets lie apart, in a short path that only this user may enter,
because a socket's path has room for about 100 bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Home"]


@dataclass(frozen=True)
class Home:
    """The folders of one installation; made when they are first asked for."""

    root: Path

    @classmethod
    def from_environment(cls) -> Home:
        """The folder that `$SKYSAIL_HOME` names, or `~/.skysail`."""
        return cls(Path(os.environ.get("SKYSAIL_HOME") or "~/.skysail").expanduser().absolute())

    @property
    def etcd(self) -> Path:
        """The private etcd's data."""
        return self._folder("etcd", mode=0o700)

    @property
    def artefacts(self) -> Path:
        """The artefact store."""
        return self._folder("artefacts")

    @property
    def logs(self) -> Path:
        """One log for each process."""
        return self._folder("logs")

    @property
    def run(self) -> Path:
        """What runs now."""
        return self._folder("run", mode=0o700)

    @property
    def sockets(self) -> Path:
        """A short folder for Unix sockets, open to this user alone (mode 0700).

        Raises:
            PermissionError: somebody else owns the folder of that name.
        """
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        if len(str(base)) > 40:
            base = Path("/tmp")
        digest = hashlib.sha256(str(self.root).encode()).hexdigest()[:10]
        folder = base / f"skysail-{os.getuid()}-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or folder.is_symlink():
            raise PermissionError(
                f"{folder} belongs to somebody else; set XDG_RUNTIME_DIR to a folder of yours"
            )
        folder.chmod(0o700)
        return folder

    def log(self, process: str) -> Path:
        """The log of the process of that name."""
        return self.logs / f"{process}.log"

    def read(self, name: str) -> dict[str, Any] | None:
        """The JSON object in `run/<name>.json`; None when there is none or it is not whole."""
        try:
            value = json.loads((self.root / "run" / f"{name}.json").read_text())
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Replaces `run/<name>.json` in one step, so that a reader never sees half of it."""
        path = self.run / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(value, indent=1))
        partial.replace(path)

    def forget(self, name: str) -> None:
        """Removes `run/<name>.json`."""
        (self.root / "run" / f"{name}.json").unlink(missing_ok=True)

    def _folder(self, name: str, *, mode: int = 0o755) -> Path:
        folder = self.root / name
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        return folder
