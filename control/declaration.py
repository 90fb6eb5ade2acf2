"""A configuration as a file: YAML (or JSON, which is YAML too), one entry for each document.

    applications:
      fraud: {objective_ms: 20.0, models: [trees, linear]}
    models:
      trees:
        versions:
          "2": {weight: 1.0, replicas: 2}
    versions:
      trees:
        "2": {artefact: {uri: ..., digest: ...}, loader: sklearn, signature: {...}}

Names are the entries' keys and not repeated inside. What `write` makes, `read` reads as the same
configuration.
"""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from skysail.control import configuration, keys
from skysail.control.configuration import Configuration
from skysail.control.errors import InvalidArgument
from skysail.control.schema import Document

__all__ = ["read", "write"]

#: Section, how deep its names go, the fields that they stand for, and their key.
_SECTIONS: Mapping[str, tuple[tuple[str, ...], Any]] = {
    "applications": (("name",), keys.application),
    "models": (("name",), keys.model),
    "versions": (("model", "version"), keys.version),
}


class _Loader(yaml.SafeLoader):
    """Refuses a name that stands twice, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """One mapping."""
        seen: set[Any] = set()
        for name, _ in node.value:
            if name.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name.value!r} stands twice", name.start_mark
                )
            seen.add(name.value)
        return super().construct_mapping(node, deep)


def read(text: str) -> dict[str, Document]:
    """The configuration that a file states.

    Raises:
        InvalidArgument: naming the entry and the field that is wrong, and what is legal.
    """
    try:
        # A subclass of the safe loader: it makes plain values only.
        whole = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InvalidArgument(f"no YAML: {' '.join(str(error).split())}") from None
    if whole is None:
        return {}
    encoded: dict[str, bytes] = {}
    for section, entries in _mapping(whole, "the file").items():
        if section not in _SECTIONS:
            raise InvalidArgument(f"{section}: there is no such section, only {', '.join(_SECTIONS)}")
        fields, key = _SECTIONS[section]
        for names, value in _entries(entries, section, len(fields)):
            if repeated := [one for one in fields if one in value]:
                raise InvalidArgument(f"{section} {' '.join(names)}: {repeated[0]}: the entry's key says it")
            document = {**dict(zip(fields, names, strict=True)), **value}
            if keys.parse(key(*names)) is None:
                raise InvalidArgument(f"{section}: {'/'.join(names)!r} is no name: {keys.NAME.pattern}")
            encoded[key(*names)] = _json(document, f"{section} {' '.join(names)}")
    return configuration.decode(encoded)


def write(wanted: Configuration) -> str:
    """The file that states a configuration; the same one always gives the same text."""
    sections: dict[str, Any] = {section: {} for section in _SECTIONS}
    for key, value in sorted(configuration.encode(wanted).items()):
        parsed = keys.parse(key)
        assert parsed is not None and isinstance(value, dict)
        section = sections[f"{parsed.kind}s"]
        fields, _ = _SECTIONS[f"{parsed.kind}s"]
        for name in parsed.names[:-1]:
            section = section.setdefault(name, {})
        section[parsed.names[-1]] = {name: one for name, one in value.items() if name not in fields}
    stated = {name: entries for name, entries in sections.items() if entries}
    return yaml.safe_dump(stated, sort_keys=False, allow_unicode=True, width=120)


def _entries(entries: Any, where: str, depth: int) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
    found: list[tuple[tuple[str, ...], dict[str, Any]]] = []
    for name, value in _mapping(entries, where).items():
        inner = _mapping(value, f"{where} {name}")
        if depth == 1:
            found.append(((name,), inner))
        else:
            found += [((name, *names), one) for names, one in _entries(inner, f"{where} {name}", depth - 1)]
    return found


def _mapping(value: Any, where: str) -> dict[str, Any]:
    """Of names; a version written as a bare number is a name too."""
    if not isinstance(value, dict):
        raise InvalidArgument(f"{where}: must be a mapping, got {type(value).__name__}")
    for name in value:
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise InvalidArgument(f"{where}: {name!r} is no name: put it in quotes")
    return {str(name): one for name, one in value.items()}


def _json(value: dict[str, Any], where: str) -> bytes:
    """Names inside of a document that were written as bare numbers become text, as those of entries do."""

    def plain(one: Any) -> Any:
        if isinstance(one, dict):
            return {name: plain(inner) for name, inner in _mapping(one, where).items()}
        return [plain(inner) for inner in one] if isinstance(one, list) else one

    try:
        return json.dumps(plain(value), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"{where}: {error}") from None
