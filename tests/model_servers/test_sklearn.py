"""The scikit-learn adapter with real estimators: their own answers, and a signature that fits."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skysail.control.errors import InvalidArgument
from skysail.control.signature_text import format_tensor, parse_tensor
from skysail.model_servers.adapter import Adapter, Source, Stated
from skysail.model_servers.contract import OutputContract
from skysail.model_servers.frameworks import load
from skysail.model_servers.loading import warm_up


def saved(model: Any, folder: Path, stated: Stated = Stated()) -> Adapter:  # noqa: B008
    path = folder / "model.joblib"
    joblib.dump(model, path)
    return load(Source(path), stated)


def text(adapter: Adapter) -> tuple[list[str], list[str]]:
    signature = adapter.signature
    return [format_tensor(t) for t in signature.inputs], [format_tensor(t) for t in signature.outputs]


def answers(adapter: Adapter, x: np.ndarray) -> dict[str, np.ndarray]:
    name = adapter.signature.inputs[0].name
    return OutputContract(adapter.signature).check(adapter.predict({name: x}), rows=len(x))


def test_classifier_answers_label_and_probability(tmp_path: Path) -> None:
    x, y = load_digits(return_X_y=True)
    model = LogisticRegression(max_iter=5000).fit(x[:900], y[:900])
    adapter = saved(model, tmp_path)
    assert text(adapter) == (["x:FP64:[-1,64]"], ["label:INT64:[-1]", "probability:FP64:[-1,10]"])
    got = answers(adapter, x[900:])
    np.testing.assert_array_equal(got["label"], model.predict(x[900:]))
    np.testing.assert_array_equal(got["probability"], model.predict_proba(x[900:]))


def test_forest_in_one_pass_equals_its_own_two(tmp_path: Path) -> None:
    x, y = load_digits(return_X_y=True)
    model = RandomForestClassifier(20, n_jobs=2, random_state=0).fit(x[:900], y[:900])
    adapter = saved(model, tmp_path)
    model.set_params(n_jobs=1)
    got = answers(adapter, x[900:])
    np.testing.assert_array_equal(got["label"], model.predict(x[900:]))
    np.testing.assert_array_equal(got["probability"], model.predict_proba(x[900:]))


def test_only_the_stated_outputs_are_computed(tmp_path: Path) -> None:
    x, y = load_iris(return_X_y=True)
    stated = Stated(outputs=(parse_tensor("label:INT64:[-1]"),))
    adapter = saved(LogisticRegression(max_iter=500).fit(x, y), tmp_path, stated)
    assert answers(adapter, x[:3]).keys() == {"label"}


def test_classes_that_are_text_become_bytes(tmp_path: Path) -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "Virginica ü"])[y]
    adapter = saved(LogisticRegression(max_iter=500).fit(x, names), tmp_path)
    assert text(adapter)[1][0] == "label:BYTES:[-1]"
    assert answers(adapter, x[[0, -1]])["label"].tolist() == [b"setosa", "Virginica ü".encode()]


def test_weights_of_32_bits_take_32_bits(tmp_path: Path) -> None:
    x, y = load_iris(return_X_y=True)
    adapter = saved(Ridge().fit(x.astype(np.float32), y.astype(np.float32)), tmp_path)
    assert text(adapter) == (["x:FP32:[-1,4]"], ["value:FP64:[-1]"])
    warm_up(adapter)


@pytest.mark.parametrize("targets", [1, 3])
def test_regressor_answers_a_value_for_each_target(tmp_path: Path, targets: int) -> None:
    x, y = load_diabetes(return_X_y=True)
    wanted = y if targets == 1 else np.stack([y, -y, y * 2], axis=1)
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(x, wanted)
    adapter = saved(model, tmp_path)
    assert text(adapter)[1] == ["value:FP64:[-1]" if targets == 1 else "value:FP64:[-1,3]"]
    np.testing.assert_array_equal(answers(adapter, x[:9])["value"], model.predict(x[:9]))


def test_clusterer_and_transformer(tmp_path: Path) -> None:
    x, _ = load_iris(return_X_y=True)
    clusters = saved(KMeans(3, n_init=1, random_state=0).fit(x), tmp_path)
    assert text(clusters)[1] == ["label:INT64:[-1]"]
    warm_up(clusters)
    scaler = saved(StandardScaler().fit(x), tmp_path)
    assert text(scaler)[1] == ["features:FP64:[-1,4]"]
    warm_up(scaler)


def test_text_pipeline_takes_bytes_when_stated(tmp_path: Path) -> None:
    model = make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(["good film", "bad film"], ["yes", "no"])
    with pytest.raises(InvalidArgument, match="state the input"):
        saved(model, tmp_path)
    adapter = saved(model, tmp_path, Stated(inputs=(parse_tensor("text:BYTES:[-1]"),)))
    warm_up(adapter)
    asked = np.array([b"a good one", b"bad"], dtype=object)
    assert answers(adapter, asked)["label"].tolist() == [b"yes", b"no"]


def test_file_that_holds_no_estimator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="holds a dict, which has neither predict nor transform"):
        saved({"weights": 1}, tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"hi", pickle.dumps([1.5, 2.5])[:-4]])
def test_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "torn.joblib"
    path.write_bytes(content)
    with pytest.raises(InvalidArgument, match=r"torn\.joblib failed to load as a pickle \(.*joblib\.dump"):
        load(Source(path), Stated())


def test_stated_output_that_the_model_does_not_give_is_refused(tmp_path: Path) -> None:
    x, y = load_iris(return_X_y=True)
    stated = Stated(outputs=(parse_tensor("logits:FP64:[-1,3]"),))
    with pytest.raises(
        InvalidArgument, match="'logits' is stated, but a LogisticRegression gives label, probability"
    ):
        saved(LogisticRegression(max_iter=500).fit(x, y), tmp_path, stated)
