"""All that users have set – applications, models, versions – as one value that can be compared and checked.

A configuration is a mapping from a document's key in the store to the document. Registrations (instances,
replicas) are no part of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from skysail.control import keys, views
from skysail.control.default_output import encode_default
from skysail.control.errors import AlreadyExists, InvalidArgument, NotFound
from skysail.control.schema import Application, Document, Model, Version
from skysail.control.snapshot import Snapshot

__all__ = [
    "Configuration",
    "Difference",
    "check",
    "decode",
    "differences",
    "encode",
    "of_snapshot",
    "title",
    "to_snapshot",
]

Configuration = Mapping[str, Document]

_KINDS: Mapping[keys.DocumentKind, type[Document]] = {
    "application": Application,
    "model": Model,
    "version": Version,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One document that is there before or after alone, or says something else.

    Attributes:
        key: its key in the store.
        fields: what differs, as (path, before, after); None stands for a field at its default, which is left
            out, or for a document that is not there. Empty paths stand for the whole document.
    """

    key: str
    fields: tuple[tuple[str, JsonValue, JsonValue], ...]


def of_snapshot(snapshot: Snapshot) -> dict[str, Document]:
    """What users have set, as far as it is legal."""
    return {
        **{keys.application(name): one for name, one in snapshot.applications.items()},
        **{keys.model(name): one for name, one in snapshot.models.items()},
        **{keys.version(*names): one for names, one in snapshot.versions.items()},
    }


def to_snapshot(configuration: Configuration) -> Snapshot:
    """The same, as services see it, with nothing running."""
    documents = configuration.values()
    return Snapshot(
        applications={one.name: one for one in documents if isinstance(one, Application)},
        models={one.name: one for one in documents if isinstance(one, Model)},
        versions={(one.model, one.version): one for one in documents if isinstance(one, Version)},
    )


def encode(configuration: Configuration) -> dict[str, JsonValue]:
    """As it lies in the store, defaults left out."""
    return {
        key: document.model_dump(mode="json", exclude_defaults=True)
        for key, document in configuration.items()
    }


def decode(values: Mapping[str, bytes]) -> dict[str, Document]:
    """The inverse of `encode`, from JSON texts; keys that are none of a configuration are left out.

    Raises:
        InvalidArgument: naming the document and the field that is wrong.
    """
    found: dict[str, Document] = {}
    for key, value in values.items():
        parsed = keys.parse(key)
        if parsed is None or parsed.kind not in _KINDS:
            continue
        try:
            found[key] = _KINDS[parsed.kind].decode(value)
        except InvalidArgument as error:
            raise InvalidArgument(f"{title(key)}: {error}") from None
    return found


def title(key: str) -> str:
    """A document's key in words: "model digits", "version digits 2"."""
    parsed = keys.parse(key)
    return key if parsed is None else f"{parsed.kind} {' '.join(parsed.names)}"


def check(configuration: Configuration, *, before: Configuration) -> None:
    """That what it names is there, that defaults fit, and that no version changes what it is.

    Raises:
        NotFound: something names what is not there.
        AlreadyExists: a version would become another.
        InvalidArgument: a model without traffic, or a default output that does not fit.
    """
    snapshot = to_snapshot(configuration)
    for key, document in configuration.items():
        if isinstance(document, Version):
            _check_version(key, document, snapshot, before)
        elif isinstance(document, Model):
            _check_model(document, snapshot)
        elif isinstance(document, Application):
            _check_application(document, snapshot)


def _check_version(key: str, version: Version, snapshot: Snapshot, before: Configuration) -> None:
    if version.model not in snapshot.models:
        raise NotFound(f"{title(key)}: there is no model {version.model!r}")
    known = before.get(key)
    if known is not None and known != version:
        raise AlreadyExists(f"{title(key)} is there already and would change: versions never do")


def _check_model(model: Model, snapshot: Snapshot) -> None:
    for name in model.versions:
        if (model.name, name) not in snapshot.versions:
            raise NotFound(f"model {model.name}: there is no version {name!r}: deploy it first")
    if not any(target.weight > 0 for target in model.versions.values()):
        raise InvalidArgument(f"model {model.name}: versions: at least one needs a weight above 0")


def _check_application(application: Application, snapshot: Snapshot) -> None:
    for name in application.models:
        if name not in snapshot.models:
            raise NotFound(f"application {application.name}: there is no model {name!r}: deploy it first")
    if application.default is None:
        return
    agreed = views.signature(snapshot, application)
    if agreed is None:
        raise InvalidArgument(
            f"application {application.name}: default: state the signature, its models' versions differ"
        )
    try:
        encode_default(application.default, agreed)
    except InvalidArgument as error:
        raise InvalidArgument(f"application {application.name}: {error}") from None


def differences(before: Configuration, after: Configuration) -> list[Difference]:
    """What changes from one to the other, in the order of keys."""
    old, new = encode(before), encode(after)
    return [
        Difference(key, tuple(_fields("", old.get(key), new.get(key))))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _fields(path: str, before: Any, after: Any) -> Iterator[tuple[str, JsonValue, JsonValue]]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        yield path, before, after
        return
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield from _fields(f"{path}.{name}" if path else name, before.get(name), after.get(name))
