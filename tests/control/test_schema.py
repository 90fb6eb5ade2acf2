"""Documents: what they refuse, in which words, and that nothing is lost on the way through the store."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysail.control import keys, schema
from skysail.control.errors import InvalidArgument
from skysail.control.fields import DATATYPES
from skysail.control.schema import Application, Artefact, Document, Instance, Model, Replica, Version
from skysail.control.signature_text import format_tensor, parse_signature, parse_tensor

DIGEST = "sha256:" + "0" * 64
SIGNATURE = parse_signature(["x:FP32:[-1,16]"], ["y:FP32:[-1,1]"])
VERSION: dict[str, Any] = {
    "model": "digits",
    "version": "1",
    "artefact": Artefact(uri="file:///m.joblib", digest=DIGEST),
    "loader": "sklearn",
    "signature": SIGNATURE,
}

DOCUMENTS: list[Document] = [
    Application(
        name="a", models=("m", "n"), objective_ms=20.0, default={"y": [1.5, None]}, signature=SIGNATURE
    ),
    Model(name="m", versions={"1": schema.VersionTarget(weight=1.0, replicas=2)}, salt="s"),
    Version(**VERSION),
    Instance(role="batcher", id="b-1", address="127.0.0.1:80", unix="unix:/tmp/b", applied_revision=7),
    Replica(model="m", version="1", id="r", digest=DIGEST, address="unix:/tmp/r"),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: type(document).__name__)
def test_a_document_comes_back_as_it_was_stored(document: Document) -> None:
    assert type(document).decode(document.encode()) == document


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: type(document).__name__)
def test_an_unknown_field_is_refused_by_name(document: Document) -> None:
    data = document.encode()[:-1] + b', "wieght": 1}'
    with pytest.raises(InvalidArgument, match="wieght: there is no such field"):
        type(document).decode(data)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Application, {"objective_ms": 0.0}, "objective_ms: must be between 1 and 600000 ms, got 0"),
        (Application, {"objective_ms": float("nan")}, "objective_ms: .*finite"),
        (Application, {"objective_ms": "20"}, "objective_ms: .*number"),
        (Application, {"models": ()}, "models: must hold between 1 and 64 models, got 0"),
        (Application, {"name": "a/b"}, "name: must be 1 to 128 letters.*got 'a/b'"),
        (Application, {"name": "x" * 129}, "name: must be 1 to 128"),
        (Application, {"name": ""}, "name: must be 1 to 128"),
        (Application, {"name": "-x"}, "name: .*begin with a letter or digit"),
        (Application, {"name": "naïve"}, "name: must be"),
        (
            Version,
            {"loader": "sklearn", "signature": None},
            "signature: needed for every loader but 'endpoint'",
        ),
        (Version, {"loader": "endpoint"}, "endpoints: .*at least one address"),
        (Version, {"endpoints": ("h:1",)}, "endpoints: only the loader 'endpoint'"),
        (
            Version,
            {"loader": "endpoint", "endpoints": ("h:0",)},
            "endpoints.0: must be 'host:port' with a port",
        ),
        (Version, {"loader": "endpoint", "endpoints": ("h",)}, "endpoints.0: must be 'host:port'"),
        (Version, {"model": "a b"}, "model: must be"),
    ],
)
def test_an_illegal_value_is_refused_with_what_is_legal(
    kind: type[Document], fields: dict[str, Any], message: str
) -> None:
    base = {"name": "a", "models": ("m",)} if kind is Application else VERSION
    with pytest.raises(InvalidArgument, match=message):
        kind.make(**{**base, **fields})


@pytest.mark.parametrize(
    ("json", "message"),
    [
        (
            b'{"name": "m", "versions": {"1": {"replicas": 1025}}}',
            r"versions.1.replicas: .* 0 and 1024 replicas",
        ),
        (b'{"name": "m", "versions": {"1": {"weight": -1}}}', r"versions.1.weight: .* between 0 and 1e\+06"),
        (b'{"name": "m", "versions": {}}', "versions: must hold between 1 and 64 versions"),
        (b'{"name": "m", "versions": {"1": {}}, "cache": {"ttl_s": -1}}', r"cache.ttl_s: .*between 0 and"),
        (
            b'{"name": "m", "versions": {"1": {}}, "batching": {"max_rows": 0}}',
            r"batching.max_rows: .*between 1",
        ),
        (
            b'{"name": "m", "versions": {"1": {}}, "batching": {"delay": "1ms"}}',
            r"batching.delay: .*'learned' or 'none'",
        ),
        (b'{"name": "m", "versions": {"1": {}}, "salt": "\\u0000"}', "salt: must hold printable"),
        (b'{"name": "m"', "Invalid JSON"),
        (b"\xff", "Invalid JSON"),
    ],
)
def test_json_that_somebody_wrote_by_hand_is_refused_with_a_reason(json: bytes, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        Model.decode(json)


def test_a_digest_is_a_sha256() -> None:
    with pytest.raises(InvalidArgument, match="digest: must be 'sha256:' and 64"):
        Artefact.make(uri="x", digest="sha256:12")


def test_tensor_names_are_distinct() -> None:
    with pytest.raises(InvalidArgument, match="inputs: .*'x' is there twice"):
        parse_signature(["x:FP32:[-1]", "x:FP32:[-1]"], ["y:FP32:[-1]"])


def test_the_text_form_of_a_tensor() -> None:
    assert parse_tensor("serving:0:FP32:[-1,16]") == schema.TensorSpec(
        name="serving:0", datatype="FP32", shape=(-1, 16)
    )
    assert parse_tensor("x:BYTES:[]").shape == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", r"write name:DATATYPE:\[shape\], such as"),
        ("x:FP32", "write name:DATATYPE"),
        ("x:FP32:-1,16", "write name:DATATYPE"),
        ("x:float:[-1]", "datatype: must be one of BOOL, .*got 'float'"),
        ("x:FP32:[a]", "must be whole numbers"),
        ("x:FP32:[-2]", r"shape.0: must be -1 \(any\) or from 0"),
        (":FP32:[1]", "name: must not be empty"),
        ("x:FP32:[" + ",".join("1" * 17) + "]", "shape: must hold between 0 and 16 dimensions, got 17"),
    ],
)
def test_a_wrong_text_form_says_how_to_write_it(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message) as caught:
        parse_tensor(text)
    assert repr(text) in str(caught.value)


tensors = st.builds(
    schema.TensorSpec,
    name=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20),
    datatype=st.sampled_from(DATATYPES),
    shape=st.lists(st.integers(-1, 10**6), max_size=16).map(tuple),
)


@given(tensors)
def test_text_and_json_forms_of_a_tensor_lose_nothing(tensor: schema.TensorSpec) -> None:
    assert parse_tensor(format_tensor(tensor)) == tensor
    assert schema.TensorSpec.decode(tensor.encode()) == tensor


names = st.from_regex(keys.NAME, fullmatch=True).filter(str.isascii)


@given(names, names, names)
def test_a_key_is_taken_apart_as_it_was_made(a: str, b: str, c: str) -> None:
    assert keys.parse(keys.application(a)) == keys.Key("application", (a,))
    assert keys.parse(keys.model(a)) == keys.Key("model", (a,))
    assert keys.parse(keys.version(a, b)) == keys.Key("version", (a, b))
    assert keys.parse(keys.instance(a, b)) == keys.Key("instance", (a, b))
    assert keys.parse(keys.replica(a, b, c)) == keys.Key("replica", (a, b, c))


@pytest.mark.parametrize(
    "key", ["/other", "/skysail/v1/models", "/skysail/v1/history/x", "/skysail/v1/replicas/a/b"]
)
def test_other_keys_are_nobodys(key: str) -> None:
    assert keys.parse(key) is None
