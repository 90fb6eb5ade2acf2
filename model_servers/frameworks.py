"""Which framework loads which artefact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from skysail.control.errors import InvalidArgument, NotFound
from skysail.model_servers import python_class, sklearn
from skysail.model_servers.adapter import Adapter, Source, Stated

__all__ = ["LOADERS", "SUPPORTED", "loader_of", "parse_source"]

LOADERS: dict[str, Callable[[Source, Stated], Adapter]] = {
    "python": python_class.load,
    "sklearn": sklearn.load,
}
SUPPORTED = (
    "a scikit-learn model saved with joblib or pickle (.joblib, .pkl, .pickle) "
    "or a class in a Python file (model.py:Class)"
)


def parse_source(text: str, data: Path | None = None) -> Source:
    """What the command line calls PATH: a file, or `file.py:Class`.

    Raises:
        InvalidArgument: it is neither.
        NotFound: the file or the data is not there.
    """
    name, _, class_name = text.rpartition(":")
    if not name.endswith(".py"):
        name, class_name = text, ""
    path = Path(name).expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise NotFound(f"{path} {what}; give {SUPPORTED}")
    if data is not None and not data.exists():
        raise NotFound(f"the data {data} does not exist")
    source = Source(path, class_name, data)
    loader_of(source)
    return source


def loader_of(source: Source) -> str:
    """The name of the framework for a source.

    Raises:
        InvalidArgument: there is none, or a part is missing.
    """
    match source.path.suffix:
        case ".py" if source.class_name:
            return "python"
        case ".py":
            raise InvalidArgument(f"say which class to serve: {source.path.name}:Class")
        case ".joblib" | ".pkl" | ".pickle":
            if source.data is not None:
                raise InvalidArgument(
                    "data is for Python classes; a scikit-learn artefact holds everything itself"
                )
            return "sklearn"
    raise InvalidArgument(f"cannot tell what {source.path.name} holds; give {SUPPORTED}")


def load(source: Source, stated: Stated) -> Adapter:
    """Loads a model.

    Raises:
        InvalidArgument: the artefact or the statement is wrong.
        Exception: whatever the model's own code raises.
    """
    return LOADERS[loader_of(source)](source, stated)
