"""The artefact store: what was deployed, copied, never changed, known by its digest.

<root>/<digest's digits>/model/<file>     the artefact
<root>/<digest's digits>/data/<name>      what was given beside it, a file or a folder
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from skysail.control.errors import FailedPrecondition, NotFound

__all__ = ["ArtefactStore", "Files", "digest_of", "files_at", "verify"]

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Files:
    """An artefact's file, and the data that belongs to it."""

    model: Path
    data: Path | None = None


def digest_of(files: Files) -> str:
    """`sha256:` and the digest of every file's name and bytes; where the files lie makes no difference."""
    total = hashlib.sha256()
    for name, path in _members(files):
        one = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                one.update(chunk)
        # Names are framed by their length, so that no two sets of files read the same.
        total.update(len(name.encode()).to_bytes(8, "big") + name.encode() + one.digest())
    return f"sha256:{total.hexdigest()}"


def verify(files: Files, digest: str) -> None:
    """Checks that the files are those that were deployed.

    Raises:
        NotFound: a file is gone.
        FailedPrecondition: their content has changed.
    """
    for path in (files.model, files.data):
        if path is not None and not path.exists():
            raise NotFound(f"the artefact {path} is gone; deploy the model again as a new version")
    if (found := digest_of(files)) != digest:
        raise FailedPrecondition(
            f"the artefact {files.model} was changed after it was deployed ({found} instead of {digest}); "
            "deploy it again as a new version"
        )


class ArtefactStore:
    """Copies of artefacts under one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, files: Files) -> tuple[str, str]:
        """Copies an artefact into the store unless it is there; its digest and its URI."""
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=self._root) as incoming:
            copy = Path(incoming) / "artefact"
            (copy / "model").mkdir(parents=True)
            model = Path(shutil.copy2(files.model, copy / "model"))
            data = None
            if files.data is not None:
                data = copy / "data" / files.data.resolve().name
                if files.data.is_dir():
                    shutil.copytree(files.data, data)
                else:
                    data.parent.mkdir()
                    shutil.copy2(files.data, data)
            # Of the copy, so that it is right even if the original changes meanwhile.
            digest = digest_of(Files(model, data))
            place = self._place(digest)
            if not place.exists():
                copy.rename(place)
        return digest, place.as_uri()

    def remove(self, digest: str) -> None:
        """Deletes an artefact; nothing happens when it is not there."""
        shutil.rmtree(self._place(digest), ignore_errors=True)

    def _place(self, digest: str) -> Path:
        return self._root / digest.removeprefix("sha256:")


def files_at(uri: str) -> Files:
    """The files of an artefact in a store on this machine.

    Raises:
        NotFound: there is nothing.
    """
    place = Path(unquote(urlsplit(uri).path))
    # A folder there is the interpreter's cache of a model's code, written when a replica imported it.
    model = next((path for path in sorted((place / "model").glob("*")) if path.is_file()), None)
    if model is None:
        raise NotFound(f"the artefact {uri} is gone; deploy the model again as a new version")
    return Files(model, next(iter(sorted((place / "data").glob("*"))), None))


def _members(files: Files) -> Iterator[tuple[str, Path]]:
    yield f"model/{files.model.name}", files.model
    if files.data is None:
        return
    base = files.data.resolve()
    if base.is_file():
        yield f"data/{base.name}", base
        return
    for path in sorted(base.rglob("*")):
        # Folders by themselves carry nothing; what the interpreter caches is not part of the artefact.
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"data/{base.name}/{path.relative_to(base).as_posix()}", path
