"""A configuration as a file: exact both ways, and precise about what is wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skysail.control import declaration, keys
from skysail.control.configuration import Configuration
from skysail.control.errors import InvalidArgument
from skysail.control.schema import Application, Cache, Model, VersionTarget
from tests.control.test_changes import version
from tests.control.test_transition import configurations

names = st.from_regex(keys.NAME, fullmatch=True).map(lambda name: name[:20])


@settings(deadline=None)  # a busy machine is no defect
@given(configurations(), st.dictionaries(names, st.floats(min_value=1, max_value=600_000), max_size=3))
def test_what_is_written_reads_as_the_same(models: Configuration, objectives: dict[str, float]) -> None:
    whole = {
        **models,
        **{
            keys.application(name): Application(
                name=name, models=("a",), objective_ms=objective, default=[name]
            )
            for name, objective in objectives.items()
        },
    }
    text = declaration.write(whole)
    assert declaration.read(text) == whole
    assert declaration.write(declaration.read(text)) == text


def test_a_file_written_by_a_person() -> None:
    read = declaration.read(
        """
        applications:
          fraud: {objective_ms: 20, models: [trees], priority: high}
        models:
          trees:
            cache: {ttl_s: 60}
            versions: {1: {weight: 1, replicas: 2}}
        """
    )
    assert read == {
        keys.application("fraud"): Application(
            name="fraud", objective_ms=20.0, models=("trees",), priority="high"
        ),
        keys.model("trees"): Model(
            name="trees", versions={"1": VersionTarget(weight=1.0, replicas=2)}, cache=Cache(ttl_s=60.0)
        ),
    }


def test_an_empty_file_states_nothing() -> None:
    assert declaration.read("") == {}
    assert declaration.read(declaration.write({})) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [", "no YAML: .*line 1"),
        ("[1, 2]", "the file: must be a mapping, got list"),
        ("routes: {}", "routes: there is no such section, only applications, models, versions"),
        ("models: {a: 1}", "models a: must be a mapping, got int"),
        ("models: {a: {versions: {}, wersions: 1}}", "model a: .*wersions: there is no such field"),
        ("models: {a: {name: b, versions: {1: {}}}}", "models a: name: the entry's key says it"),
        ("models: {a: {versions: {1: {}}}, a: {versions: {2: {}}}}", "'a' stands twice"),
        ("models: {a: {versions: {yes: {}}}}", "models a: True is no name: put it in quotes"),
        ("models: {a/b: {versions: {1: {}}}}", "models: 'a/b' is no name"),
        ("models: {a b: {versions: {1: {}}}}", "model a b: .*name: must be 1 to 128"),
        ("applications: {a: {models: [b], objective_ms: .inf}}", "applications a: Out of range float"),
        (
            "applications: {a: {models: [b], objective_ms: 0}}",
            "objective_ms: must be between 1 and 600000 ms",
        ),
        ("applications: {a: {models: [b], default: 2020-01-01}}", "applications a: .*date is not JSON"),
        ("a: !!python/object/apply:os.getcwd []", "no YAML"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        declaration.read(text)


def test_versions_keep_every_field() -> None:
    whole = {keys.version("a", "1"): version("1", model="a", options={"class": "C"}, immutable=False)}
    assert declaration.read(declaration.write(whole)) == whole
