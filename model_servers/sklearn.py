"""scikit-learn models saved with joblib or pickle.

The input is `x`, FP64 [-1, n_features]: FP32 when the model was fitted on 32-bit floats. A classifier
answers with

* `label`, [-1]: the class; INT64 for integers, FP64 for floats, BOOL for booleans, BYTES (UTF-8) for
  anything else;
* `probability`, FP64 [-1, classes], in the order of the model's `classes_`, when it has `predict_proba`;

a regressor with `value`, FP64 [-1] or [-1, targets]; a clusterer with `label`; a transformer with
`features`. Outputs that are stated at deployment replace these: names from this list, any subset, so that
what nobody reads is not computed.

A plain forest is asked tree by tree (forest.py), which gives the same bits in a fraction of the time.
"""

from __future__ import annotations

import pickle
import warnings
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from skysail.control.errors import InvalidArgument
from skysail.control.schema import Signature, TensorSpec
from skysail.model_servers.adapter import Source, Stated
from skysail.model_servers.forest import direct
from skysail.model_servers.tensors import signature_of

__all__ = ["SklearnAdapter", "load"]

# What unpickling raises for a file that is no pickle, or a part of one, or was made by other versions.
_UNREADABLE = (pickle.UnpicklingError, EOFError, ValueError, LookupError, zlib.error)

# Families whose `predict` is by definition the class of the highest `predict_proba`: one pass gives both
# outputs.
_LABEL_IS_ARGMAX = (
    "RandomForestClassifier",
    "ExtraTreesClassifier",
    "DecisionTreeClassifier",
    "ExtraTreeClassifier",
)


def load(source: Source, stated: Stated) -> SklearnAdapter:
    """Loads an estimator.

    Raises:
        InvalidArgument: the file is damaged or does not hold an estimator, or the statement does not fit it.
    """
    import joblib

    try:
        model = joblib.load(source.path)
    except _UNREADABLE as error:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise InvalidArgument(
            f"{source.path.name} failed to load as a pickle ({said}); save the model with joblib.dump, "
            "under the version of scikit-learn that is installed here"
        ) from error
    if not callable(getattr(model, "predict", None)) and not callable(getattr(model, "transform", None)):
        raise InvalidArgument(
            f"{source.path.name} holds a {type(model).__name__}, which has neither predict nor transform; "
            "save a fitted scikit-learn estimator or pipeline with joblib.dump"
        )
    return SklearnAdapter(model, stated)


class SklearnAdapter:
    """One estimator or pipeline."""

    def __init__(self, model: Any, stated: Stated) -> None:
        _run_on_one_thread(model)
        self._model = model
        offered = _outputs(model)
        for spec in stated.outputs:
            if spec.name not in offered:
                raise InvalidArgument(
                    f"output {spec.name!r} is stated, but a {type(model).__name__} gives {', '.join(offered)}"
                )
        if len(stated.inputs) > 1:
            raise InvalidArgument(f"a scikit-learn model takes one input, {len(stated.inputs)} are stated")
        inputs = stated.inputs or (_input(model),)
        outputs = stated.outputs or tuple(offered.values())
        self._signature = signature_of(inputs, outputs)
        self._input = inputs[0].name
        self._decode = inputs[0].datatype == "BYTES"
        self._names = [spec.name for spec in outputs]
        self._methods = _methods(model, direct(model), self._names)

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""
        return self._signature

    def predict(self, inputs: Mapping[str, np.ndarray]) -> dict[str, object]:
        """Runs the estimator."""
        x = inputs[self._input]
        if self._decode:
            x = np.array([value.decode() for value in x.ravel()], dtype=object).reshape(x.shape)
        with warnings.catch_warnings():
            # A model fitted on a data frame knows its columns' names; tensors carry their order alone.
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            return self._methods(x)

    def example(self) -> None:
        """Zeros will do."""


def _run_on_one_thread(model: Any) -> None:
    parameters = model.get_params(deep=True) if hasattr(model, "get_params") else {}
    threads = {name: 1 for name in parameters if name == "n_jobs" or name.endswith("__n_jobs")}
    if threads:
        model.set_params(**threads)


def _final(model: Any) -> Any:
    return model.steps[-1][1] if hasattr(model, "steps") else model


def _input(model: Any) -> TensorSpec:
    features = getattr(model, "n_features_in_", None)
    if features is None:
        raise InvalidArgument(
            f"a {type(model).__name__} does not say what it takes (is it fitted?); "
            "state the input, such as --input 'x:FP64:[-1,16]' or --input 'text:BYTES:[-1]'"
        )
    weights = getattr(_final(model), "coef_", None)
    datatype = "FP32" if isinstance(weights, np.ndarray) and weights.dtype == np.float32 else "FP64"
    return TensorSpec(name="x", datatype=datatype, shape=(-1, int(features)))


def _outputs(model: Any) -> dict[str, TensorSpec]:
    if not hasattr(model, "predict"):
        width = len(model.get_feature_names_out()) if hasattr(model, "get_feature_names_out") else -1
        return {"features": TensorSpec(name="features", datatype="FP64", shape=(-1, width))}
    classes = getattr(model, "classes_", None)
    if isinstance(classes, list):
        # One array for each of several targets.
        raise InvalidArgument(
            "models with several class outputs are not supported; wrap them in a Python class"
        )
    if classes is None:
        if hasattr(_final(model), "labels_") or hasattr(_final(model), "cluster_centers_"):
            return {"label": TensorSpec(name="label", datatype="INT64", shape=(-1,))}
        targets = getattr(_final(model), "n_outputs_", None) or _targets(_final(model))
        shape = (-1,) if targets == 1 else (-1, targets)
        return {"value": TensorSpec(name="value", datatype="FP64", shape=shape)}
    kind = classes.dtype.kind
    datatype = {"i": "INT64", "u": "INT64", "b": "BOOL", "f": "FP64"}.get(kind, "BYTES")
    outputs = {"label": TensorSpec(name="label", datatype=datatype, shape=(-1,))}
    if hasattr(model, "predict_proba"):
        shape = (-1, len(classes))
        outputs["probability"] = TensorSpec(name="probability", datatype="FP64", shape=shape)
    return outputs


def _targets(model: Any) -> int:
    weights = getattr(model, "coef_", None)
    return int(weights.shape[0]) if isinstance(weights, np.ndarray) and weights.ndim == 2 else 1


def _methods(model: Any, runs: Any, names: list[str]) -> Callable[[np.ndarray], dict[str, object]]:
    """One function that computes the outputs of those names with `runs`, which stands for the model."""
    if names == ["features"]:
        return lambda x: {"features": _widened(runs.transform(x))}
    if names == ["value"]:
        return lambda x: {"value": _widened(runs.predict(x))}
    if set(names) == {"label", "probability"} and type(_final(model)).__name__ in _LABEL_IS_ARGMAX:
        classes = model.classes_

        def both(x: np.ndarray) -> dict[str, object]:
            probability = runs.predict_proba(x)
            return {
                "label": _label(classes.take(probability.argmax(axis=1))),
                "probability": _widened(probability),
            }

        return both

    def each(x: np.ndarray) -> dict[str, object]:
        outputs: dict[str, object] = {}
        if "label" in names:
            outputs["label"] = _label(runs.predict(x))
        if "probability" in names:
            outputs["probability"] = _widened(runs.predict_proba(x))
        return outputs

    return each


def _widened(values: Any) -> np.ndarray:
    dense = values.toarray() if hasattr(values, "toarray") else values
    return np.asarray(dense, dtype=np.float64)


def _label(labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind in "iu":
        return labels.astype(np.int64, copy=False)
    return labels if labels.dtype.kind in "bfSU" else labels.astype(str)
