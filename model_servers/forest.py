"""scikit-learn's forests, asked tree by tree without what stands around each tree.

A forest's own `predict_proba` hands every tree to joblib, checks anew for each that it is fitted and that
the input has the right width, and takes a lock to add: some 30 µs a tree whatever the number of rows, where
the tree itself takes 5 µs for 64 of them. On one thread none of this is needed. The trees' outputs are added
in the same order and divided by the same number, so the answers are the same bits; that is tried when a model
is loaded, and a forest of which it is not true is left as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["DirectForest", "direct"]

_TREES = {
    "RandomForestClassifier": "DecisionTreeClassifier",
    "ExtraTreesClassifier": "ExtraTreeClassifier",
    "RandomForestRegressor": "DecisionTreeRegressor",
    "ExtraTreesRegressor": "ExtraTreeRegressor",
}
_TRIED_ROWS = 64


class DirectForest:
    """Answers as the forest does that it was made of. Used by one thread at a time."""

    def __init__(self, forest: Any) -> None:
        self._forest = forest
        self._trees = [tree.tree_ for tree in forest.estimators_]
        self._width = int(forest.n_features_in_)
        #: As of the forest; None for a regressor.
        self.classes_ = getattr(forest, "classes_", None)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The class, or the value, of each row: [rows]."""
        usual = self._usual(x)
        if usual is None:
            return self._of_forest("predict", x)
        mean = self._mean(usual)
        if self.classes_ is None:
            return mean[:, 0]
        return np.asarray(self.classes_.take(mean.argmax(axis=1), axis=0))

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """The probability of each class for each row: [rows, classes]."""
        usual = self._usual(x)
        return self._of_forest("predict_proba", x) if usual is None else self._mean(usual)

    def _usual(self, x: np.ndarray) -> np.ndarray | None:
        """The rows as trees take them; None for what the forest itself must look at, and may refuse."""
        if x.ndim != 2 or x.shape[1] != self._width or x.dtype.kind not in "fiu":
            return None
        with np.errstate(over="ignore"):
            rows = np.require(x, np.float32, ["C", "A"])
        return rows if np.isfinite(rows).all() else None

    def _mean(self, rows: np.ndarray) -> np.ndarray:
        mean = np.zeros((len(rows), 1 if self.classes_ is None else len(self.classes_)))
        for tree in self._trees:
            mean += tree.predict(rows)
        mean /= len(self._trees)
        return mean

    def _of_forest(self, method: str, x: np.ndarray) -> np.ndarray:
        return np.asarray(getattr(self._forest, method)(x))


def direct(model: Any) -> Any:
    """The same model, quicker, if it is a forest of one target that answers alike; else the model itself."""
    if not _is_plain_forest(model):
        return model
    quick = DirectForest(model)
    rows = np.random.default_rng(0).normal(size=(_TRIED_ROWS, model.n_features_in_)).astype(np.float32)
    methods = ("predict_proba", "predict") if hasattr(model, "classes_") else ("predict",)
    alike = all(np.array_equal(getattr(quick, name)(rows), getattr(model, name)(rows)) for name in methods)
    return quick if alike else model


def _is_plain_forest(model: Any) -> bool:
    kind = type(model)
    tree = _TREES.get(kind.__name__)
    if tree is None or not kind.__module__.startswith("sklearn.") or getattr(model, "n_outputs_", 0) != 1:
        return False
    return all(
        type(each).__name__ == tree and type(each).__module__.startswith("sklearn.")
        for each in model.estimators_
    )
