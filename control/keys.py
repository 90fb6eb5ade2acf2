"""Where each document lies in the store.

    /skysail/v1/applications/<application>
    /skysail/v1/models/<model>
    /skysail/v1/models/<model>/versions/<version>
    /skysail/v1/rollouts/<model>
    /skysail/v1/instances/<role>/<id>                     under a lease
    /skysail/v1/replicas/<model>/<version>/<id>           under a lease

Names hold no slash (`NAME`), so a key's parts are unambiguous.
"""

import re
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "NAME",
    "PREFIX",
    "DocumentKind",
    "Key",
    "application",
    "instance",
    "is_applied",
    "model",
    "parse",
    "replica",
    "rollout",
    "version",
]

PREFIX = "/skysail/v1/"

#: What a name may be: 1 to 128 letters, digits, dots, dashes and underscores, a letter or digit first.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

DocumentKind = Literal["application", "model", "version", "rollout", "instance", "replica"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key taken apart: the kind of document, and the names in its path."""

    kind: DocumentKind
    names: tuple[str, ...]


def application(name: str) -> str:
    """The key of an application."""
    return f"{PREFIX}applications/{name}"


def model(name: str) -> str:
    """The key of a model: its route, scale and settings."""
    return f"{PREFIX}models/{name}"


def version(model_name: str, name: str) -> str:
    """The key of an immutable version of a model."""
    return f"{PREFIX}models/{model_name}/versions/{name}"


def rollout(model_name: str) -> str:
    """The key of a model's rollout, the one that runs or the latest."""
    return f"{PREFIX}rollouts/{model_name}"


def instance(role: str, instance_id: str) -> str:
    """The key of a service process."""
    return f"{PREFIX}instances/{role}/{instance_id}"


def replica(model_name: str, version_name: str, replica_id: str) -> str:
    """The key of a running copy of a version."""
    return f"{PREFIX}replicas/{model_name}/{version_name}/{replica_id}"


def parse(key: str) -> Key | None:
    """The inverse of the functions above; None for any other key under the prefix."""
    if not key.startswith(PREFIX):
        return None
    match key.removeprefix(PREFIX).split("/"):
        case ["applications", name]:
            return Key("application", (name,))
        case ["models", name]:
            return Key("model", (name,))
        case ["models", name, "versions", version_name]:
            return Key("version", (name, version_name))
        case ["rollouts", name]:
            return Key("rollout", (name,))
        case ["instances", role, instance_id]:
            return Key("instance", (role, instance_id))
        case ["replicas", model_name, version_name, replica_id]:
            return Key("replica", (model_name, version_name, replica_id))
    return None


def is_applied(key: str) -> bool:
    """Whether a change of it is one that services apply: not of an instance, nor of a rollout."""
    parsed = parse(key)
    return parsed is None or parsed.kind not in ("instance", "rollout")
