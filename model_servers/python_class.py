"""A class in a Python file.

    class Doubler:
        inputs = ["x:FP32:[-1,16]"]          # or --input and --output at deployment
        outputs = ["y:FP32:[-1,16]"]

        def load(self, path):                # optional; path is what --data named, or None
            ...

        def predict(self, inputs):           # inputs: dict of arrays, rows of several callers stacked
            return {"y": inputs["x"] * 2}

A model that can stop early asks how long it has, or whether anybody still waits:

    from skysail.model_servers import current_call

    current_call.remaining_s()           # seconds until the last caller's deadline
    current_call.cancelled()             # True: every caller has left

`load` may be a class method that returns an instance. Optional: `max_rows`, the most rows for one call, and
`example()`, inputs for the warm-up call where zeros would not do. The file and the data are deployed,
nothing else: other modules that the file imports must be installed.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from skysail.control.errors import InvalidArgument
from skysail.control.schema import Signature
from skysail.model_servers.adapter import Source, Stated
from skysail.model_servers.tensors import signature_of

__all__ = ["PythonAdapter", "load"]


def load(source: Source, stated: Stated) -> PythonAdapter:
    """Imports the file, makes the model and loads its state.

    Raises:
        InvalidArgument: there is no such class, or it lacks something.
        Exception: whatever the user's code raises.
    """
    model_class = _import_class(source.path, source.class_name)
    if not callable(getattr(model_class, "predict", None)):
        raise InvalidArgument(
            f"class {source.class_name} in {source.path.name} has no predict(inputs) method"
        )
    return PythonAdapter(_make(model_class, source.data), stated)


class PythonAdapter:
    """One instance of a user's class."""

    def __init__(self, model: Any, stated: Stated) -> None:
        inputs = stated.inputs or getattr(model, "inputs", ())
        outputs = stated.outputs or getattr(model, "outputs", ())
        if not inputs or not outputs:
            raise InvalidArgument(
                f"class {type(model).__name__} does not say its {'inputs' if not inputs else 'outputs'}; "
                "set the class attributes inputs and outputs, such as inputs = ['x:FP32:[-1,16]'], "
                "or state them with --input and --output"
            )
        self._signature = signature_of(inputs, outputs, max_rows=int(getattr(model, "max_rows", 0)))
        self._model = model

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""
        return self._signature

    def predict(self, inputs: Mapping[str, np.ndarray]) -> Any:
        """Calls the user's method."""
        return self._model.predict(inputs)

    def example(self) -> Mapping[str, np.ndarray] | None:
        """What the class offers for a warm-up call."""
        example = getattr(self._model, "example", None)
        return example() if callable(example) else None


def _import_class(path: Path, class_name: str) -> type:
    # A name of its own, so that a model called json.py does not hide the standard library's; registered, so
    # that dataclasses and pickles made by the module find it.
    name = f"skysail_model_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidArgument(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        classes = [n for n, v in vars(module).items() if isinstance(v, type) and v.__module__ == name]
        raise InvalidArgument(
            f"{path.name} has no class {class_name!r}; it has {', '.join(classes) or 'none'}"
        )
    return found


def _make(model_class: type, data: Path | None) -> Any:
    path = None if data is None else str(data)
    if inspect.ismethod(getattr(model_class, "load", None)):
        model = model_class.load(path)  # type: ignore[attr-defined]
        if model is None:
            raise InvalidArgument(
                f"{model_class.__name__}.load is a class method, so it must return an instance"
            )
        return model
    model = model_class()
    if hasattr(model, "load"):
        returned = model.load(path)
        if isinstance(returned, model_class):
            return returned
    elif data is not None:
        raise InvalidArgument(f"class {model_class.__name__} has no load(path) method to give the data to")
    return model
