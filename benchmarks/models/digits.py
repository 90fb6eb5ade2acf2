"""Classifiers of scikit-learn's handwritten digits, and distinct inputs for them."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

FEATURES = 64


def train(folder: Path) -> dict[str, Path]:
    """Trains ``digits`` (logistic regression) and ``forest`` (100 trees of depth 12); returns their files."""
    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.float32)
    models = {
        "digits": LogisticRegression(max_iter=500),
        "forest": RandomForestClassifier(n_estimators=100, max_depth=12, random_state=0, n_jobs=1),
    }
    files = {}
    for name, model in models.items():
        files[name] = folder / f"{name}.joblib"
        joblib.dump(model.fit(images, labels), files[name])
    return files


def rows(count: int, *, seed: int = 11) -> NDArray[np.float32]:
    """Distinct images: real ones with a little noise of their own."""
    random = np.random.default_rng(seed)
    images, _ = load_digits(return_X_y=True)
    chosen = images[random.integers(0, len(images), count)]
    return np.asarray(chosen + random.normal(0, 0.5, chosen.shape), dtype=np.float32)
