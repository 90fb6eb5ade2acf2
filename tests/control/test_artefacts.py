"""The artefact store keeps what it was given, under a digest that changes with any byte and any name."""

from __future__ import annotations

import py_compile
from pathlib import Path

import pytest

from skysail.control.artefacts import ArtefactStore, Files, digest_of, files_at, verify
from skysail.control.errors import FailedPrecondition, NotFound


@pytest.fixture
def files(tmp_path: Path) -> Files:
    data = tmp_path / "weights"
    (data / "deep").mkdir(parents=True)
    (data / "deep" / "w.bin").write_bytes(b"\0\1")
    (data / "b.txt").write_text("b")
    model = tmp_path / "model.py"
    model.write_text("class A: ...")
    return Files(model, data)


def test_copy_has_the_digest_of_the_original_and_outlives_it(tmp_path: Path, files: Files) -> None:
    root = tmp_path / "store"
    root.mkdir()
    store = ArtefactStore(root)
    digest, uri = store.put(files)
    assert digest == digest_of(files)
    assert store.put(files) == (digest, uri)
    assert [path.name for path in root.iterdir()] == [digest.removeprefix("sha256:")]
    files.model.unlink()
    copy = files_at(uri)
    verify(copy, digest)
    assert copy.data is not None and (copy.data / "deep" / "w.bin").read_bytes() == b"\0\1"


def test_copy_is_found_again_after_the_interpreter_cached_its_code(tmp_path: Path, files: Files) -> None:
    digest, uri = ArtefactStore(tmp_path).put(files)
    py_compile.compile(str(files_at(uri).model), doraise=True)
    copy = files_at(uri)
    assert copy.model.name == "model.py"
    verify(copy, digest)


def test_any_byte_and_any_name_changes_the_digest(files: Files) -> None:
    assert files.data is not None
    before = digest_of(files)
    weights = files.data / "deep" / "w.bin"
    weights.write_bytes(b"\0\2")
    changed = digest_of(files)
    weights.rename(files.data / "deep" / "v.bin")
    assert len({before, changed, digest_of(files), digest_of(Files(files.model))}) == 4


def test_changed_copy_is_refused(tmp_path: Path, files: Files) -> None:
    digest, uri = ArtefactStore(tmp_path).put(files)
    copy = files_at(uri)
    copy.model.write_text("class B: ...")
    with pytest.raises(FailedPrecondition, match="was changed after it was deployed"):
        verify(copy, digest)


def test_copy_that_is_gone_is_named(tmp_path: Path, files: Files) -> None:
    store = ArtefactStore(tmp_path)
    digest, uri = store.put(files)
    copy = files_at(uri)
    store.remove(digest)
    for look in (lambda: files_at(uri), lambda: verify(copy, digest)):
        with pytest.raises(NotFound, match="is gone; deploy the model again"):
            look()
