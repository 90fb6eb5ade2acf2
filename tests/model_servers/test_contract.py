"""What a model may return, and what is refused, with the words that the caller reads."""

from __future__ import annotations

import numpy as np
import pytest

from skysail.control.signature_text import parse_signature
from skysail.model_servers.contract import ContractBroken, OutputContract

CONTRACT = OutputContract(
    parse_signature(["x:FP32:[-1,2]"], ["y:FP64:[-1,3]", "n:INT64:[-1]", "s:BYTES:[-1]"])
)


def outputs(**changes: object) -> dict[str, object]:
    right: dict[str, object] = {
        "y": np.zeros((2, 3)),
        "n": np.arange(2),
        "s": np.array([b"a", "ü"], dtype=object),
    }
    return {name: value for name, value in {**right, **changes}.items() if value is not None}


def test_right_outputs_pass_in_the_order_of_the_signature() -> None:
    checked = CONTRACT.check(dict(reversed(outputs().items())), rows=2)
    assert list(checked) == ["y", "n", "s"]
    assert checked["s"].tolist() == [b"a", "ü".encode()]


def test_only_requested_outputs_are_answered() -> None:
    assert list(CONTRACT.check(outputs(), rows=2, requested=["n"])) == ["n"]


@pytest.mark.parametrize(
    ("change", "dtype"),
    [({"y": np.zeros((2, 3), np.float32)}, np.float64), ({"n": np.arange(2, dtype=np.int32)}, np.int64)],
)
def test_exact_widening_is_done(change: dict[str, object], dtype: type[np.generic]) -> None:
    (name,) = change
    assert CONTRACT.check(outputs(**change), rows=2)[name].dtype == dtype


def test_lists_are_arrays() -> None:
    assert CONTRACT.check(outputs(n=[4, 5]), rows=2)["n"].tolist() == [4, 5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": np.arange(2.0)}, "output 'n' must be INT64, got FP64; return it as numpy.int64"),
        ({"n": np.array([1, 2], dtype=np.uint64)}, "output 'n' must be INT64, got UINT64"),
        ({"n": np.array([1, 2], dtype=object)}, "output 'n' must be INT64"),
        ({"n": np.array([1j, 2])}, "got complex128"),
        ({"n": np.arange(3)}, "output 'n' must have 2 rows, as the inputs have, got 3"),
        ({"y": np.zeros((2, 4))}, r"output 'y' must have shape \[-1, 3\], got \[2, 4\]"),
        ({"y": np.zeros(2)}, r"output 'y' must have shape \[-1, 3\], got \[2\]"),
        ({"y": [[1.0], [1.0, 2.0]]}, "output 'y' is not an array"),
        ({"s": np.zeros(2)}, "output 's' must be BYTES"),
        ({"s": np.array([b"", 3], dtype=object)}, "element 1 is a int"),
        ({"n": None}, r"\['n'\] missing"),
        ({"z": 1}, r"\['z'\] not in the signature"),
    ],
)
def test_broken_promise_names_output_expected_and_got(change: dict[str, object], message: str) -> None:
    with pytest.raises(ContractBroken, match=message):
        CONTRACT.check(outputs(**change), rows=2)


def test_something_else_than_a_dict_is_refused() -> None:
    with pytest.raises(ContractBroken, match="must return a dict of arrays by output name, got ndarray"):
        CONTRACT.check(np.zeros(2), rows=2)
