"""Users' own classes: how they are found, made and refused; what the loading step says when they fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skysail.control.errors import FailedPrecondition, InvalidArgument, NotFound
from skysail.control.signature_text import parse_tensor
from skysail.model_servers.adapter import Adapter, Stated
from skysail.model_servers.frameworks import parse_source
from skysail.model_servers.loading import load_model

DOUBLER = """
import pathlib
class Doubler:
    inputs = ["x:FP32:[-1,2]"]
    outputs = ["y:FP32:[-1,2]"]
    factor = 2
    def load(self, path):
        self.factor = int(pathlib.Path(path).read_text()) if path else 2
    def predict(self, inputs):
        return {"y": inputs["x"] * self.factor}
"""
ONES = {"x": np.ones((3, 2), np.float32)}


def model(
    folder: Path, code: str, name: str, *, data: Path | None = None, stated: Stated | None = None
) -> Adapter:
    path = folder / "model.py"
    path.write_text(code)
    return load_model(parse_source(f"{path}:{name}", data), stated or Stated())


def test_class_states_its_own_signature(tmp_path: Path) -> None:
    loaded = model(tmp_path, DOUBLER, "Doubler")
    assert loaded.signature.inputs == (parse_tensor("x:FP32:[-1,2]"),)
    assert np.asarray(loaded.predict(ONES)["y"]).tolist() == [[2, 2]] * 3


def test_load_gets_the_data(tmp_path: Path) -> None:
    data = tmp_path / "factor.txt"
    data.write_text("5")
    loaded = model(tmp_path, DOUBLER, "Doubler", data=data)
    assert np.asarray(loaded.predict(ONES)["y"]).tolist() == [[5, 5]] * 3


def test_class_method_load_makes_the_instance(tmp_path: Path) -> None:
    code = DOUBLER.replace("def load(self, path):", "@classmethod\n    def load(cls, path):").replace(
        "self.factor = int(pathlib.Path(path).read_text()) if path else 2",
        "made = cls(); made.factor = 7; return made",
    )
    assert np.asarray(model(tmp_path, code, "Doubler").predict(ONES)["y"]).tolist() == [[7, 7]] * 3


def test_stated_signature_stands_over_the_class(tmp_path: Path) -> None:
    stated = Stated(inputs=(parse_tensor("x:FP32:[-1,4]"),), outputs=(parse_tensor("y:FP32:[-1,4]"),))
    assert model(tmp_path, DOUBLER, "Doubler", stated=stated).signature.inputs[0].shape == (-1, 4)


def test_signature_must_come_from_somewhere(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="does not say its outputs; set the class attributes"):
        model(tmp_path, DOUBLER.replace("outputs =", "outs ="), "Doubler")


def test_unknown_class_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="no class 'Tripler'; it has Doubler"):
        model(tmp_path, DOUBLER, "Tripler")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "raise RuntimeError('no weights')",
            r"failed to load: RuntimeError: no weights \(model.py, line 8\)",
        ),
        ("raise SystemExit(3)", r"failed to load: SystemExit: 3 \(model.py, line 8\)"),
        ("import nothing_of_that_name", r"failed to load: ModuleNotFoundError: No module named"),
    ],
)
def test_model_that_raises_at_load_is_one_sentence_with_the_line(
    tmp_path: Path, body: str, message: str
) -> None:
    code = DOUBLER.replace("self.factor = int(pathlib.Path(path).read_text()) if path else 2", body)
    with pytest.raises(FailedPrecondition, match=message):
        model(tmp_path, code, "Doubler")


def test_model_that_raises_in_the_warm_up_does_not_load(tmp_path: Path) -> None:
    code = DOUBLER.replace('inputs["x"] * self.factor', "1 // 0")
    with pytest.raises(FailedPrecondition, match="in the warm-up call with zeros: ZeroDivisionError"):
        model(tmp_path, code, "Doubler")


def test_example_stands_in_for_zeros(tmp_path: Path) -> None:
    code = DOUBLER.replace('{"y": inputs["x"]', '{"y": inputs["x"] if inputs["x"].all() else 1 // 0')
    with pytest.raises(FailedPrecondition, match="warm-up"):
        model(tmp_path, code, "Doubler")
    code += (
        "    def example(self):\n        import numpy as np\n        return {'x': np.ones((1, 2), 'f4')}\n"
    )
    model(tmp_path, code, "Doubler")


def test_model_that_breaks_its_signature_does_not_load(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="broke its signature in the warm-up call: outputs must be"):
        model(tmp_path, DOUBLER.replace('{"y":', '{"z":'), "Doubler")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("model.py", InvalidArgument, "say which class to serve: model.py:Class"),
        ("gone.py:Doubler", NotFound, "does not exist; give a scikit-learn model"),
        ("model.txt", InvalidArgument, "cannot tell what model.txt holds"),
        ("", NotFound, "is a folder"),
    ],
)
def test_path_that_names_no_model_is_refused(
    tmp_path: Path, name: str, error: type[Exception], message: str
) -> None:
    (tmp_path / "model.py").write_text(DOUBLER)
    (tmp_path / "model.txt").write_text("")
    with pytest.raises(error, match=message):
        parse_source(f"{tmp_path}/{name}" if name else str(tmp_path))
