"""A forest asked tree by tree gives the very bits of the forest's own answer, or is not asked so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from skysail.model_servers.forest import DirectForest, direct


def digits(rows: slice) -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    return x[rows], y[rows]


def fitted(kind: type = RandomForestClassifier, **options: Any) -> Any:
    return kind(15, max_depth=8, random_state=3, n_jobs=1, **options).fit(*digits(slice(900)))


@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_a_classifier_gives_the_same_bits(kind: type, dtype: type) -> None:
    model = fitted(kind)
    quick = direct(model)
    assert isinstance(quick, DirectForest)
    for rows in (1, 2, 63, 500):
        x = digits(slice(900, 900 + rows))[0].astype(dtype)
        np.testing.assert_array_equal(quick.predict(x), model.predict(x))
        np.testing.assert_array_equal(quick.predict_proba(x), model.predict_proba(x))


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
def test_a_regressor_gives_the_same_bits(kind: type) -> None:
    x, y = load_diabetes(return_X_y=True)
    model = kind(15, random_state=3).fit(x, y)
    quick = direct(model)
    assert isinstance(quick, DirectForest)
    np.testing.assert_array_equal(quick.predict(x), model.predict(x))


def test_classes_that_are_text_stay_text() -> None:
    x, y = digits(slice(900))
    model = RandomForestClassifier(5, random_state=0).fit(x, np.array(["even", "odd"])[y % 2])
    assert direct(model).predict(x).tolist() == model.predict(x).tolist()


def test_rows_that_lie_anywhere_in_memory_are_taken() -> None:
    model = fitted()
    x = digits(slice(900, 964))[0].astype(np.float32)
    shifted = np.frombuffer(b"." + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    assert not shifted.flags.aligned and not shifted.flags.writeable
    for rows in (shifted, np.asfortranarray(x), x[::-1]):
        np.testing.assert_array_equal(direct(model).predict(rows), model.predict(rows))


def test_what_the_forest_refuses_is_refused_in_its_words() -> None:
    model = fitted()
    quick = direct(model)
    infinite = digits(slice(900, 903))[0]
    infinite[1, 5] = np.inf
    beyond = infinite.copy()
    beyond[1, 5] = 1e300
    for rows in (infinite, beyond, infinite[:, :10], infinite[0]):
        with np.errstate(over="ignore"), pytest.raises(ValueError) as own:
            model.predict_proba(rows)
        for method in (quick.predict, quick.predict_proba):
            with np.errstate(over="ignore"), pytest.raises(ValueError) as got:
                method(rows)
            assert str(got.value) == str(own.value)


def test_missing_values_go_where_the_forest_learned_to_send_them() -> None:
    x, y = digits(slice(900))
    x[::7, 3] = np.nan
    model = RandomForestClassifier(15, random_state=0).fit(x, y)
    np.testing.assert_array_equal(direct(model).predict_proba(x), model.predict_proba(x))


def test_a_forest_of_several_targets_and_a_class_of_somebody_else_are_left_alone() -> None:
    x, y = digits(slice(900))
    several = RandomForestRegressor(3).fit(x, np.stack([y, y], axis=1))
    assert direct(several) is several

    class Contrary(RandomForestClassifier):
        def predict(self, x: Any) -> Any:
            return 9 - super().predict(x)

    contrary = Contrary(3).fit(x, y)
    assert direct(contrary) is contrary


def test_a_forest_that_answers_otherwise_than_its_trees_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = fitted()
    own = RandomForestClassifier.predict_proba
    monkeypatch.setattr(RandomForestClassifier, "predict_proba", lambda self, x: own(self, x) ** 2)
    assert direct(model) is model
