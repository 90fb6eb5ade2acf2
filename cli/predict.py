"""`skysail predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import BadZipFile

import typer

from skysail.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from skysail.client import Prediction

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Models")(predict)


def predict(
    name: Annotated[str, typer.Argument(help="A model or an application.")],
    inputs: Annotated[
        str | None,
        typer.Argument(
            metavar="JSON", help="Rows, as [[0, 1], [2, 3]]; or by input name, as '{\"x\": [[0, 1]]}'."
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--input", help="Read the inputs from a .json, .npy or .npz file.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="This version, where it takes calls.")] = None,
    context: Annotated[str | None, typer.Option(help="For whom: a user, a session.")] = None,
    timeout_s: Annotated[
        float | None, typer.Option(help="How long to wait. Left out: the objective.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Another server, as host:port.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a model."""
    from skysail.client import Client
    from skysail.control.home import Home
    from skysail.control.running import running_mesh

    if (inputs is None) == (file is None):
        raise typer.BadParameter("give the inputs either as JSON or with --input FILE")
    given = _parse(inputs) if inputs is not None else _read(file)
    with Client(address or running_mesh(Home.from_environment()).grpc) as client:
        prediction = client.predict(name, given, version=version, context=context, timeout_s=timeout_s)
    if as_json:
        print_json(_encode(prediction))
    else:
        _show(prediction)


def _parse(text: str) -> Any:
    import json

    from skysail.control.errors import InvalidArgument

    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidArgument(f"the inputs are not JSON: {error}") from None


def _read(file: Path | None) -> Any:
    assert file is not None
    import numpy as np

    from skysail.control.errors import InvalidArgument

    try:
        if file.suffix not in (".npy", ".npz"):
            return _parse(file.read_text())
        loaded = np.load(file)
    except OSError as error:
        raise InvalidArgument(f"{file} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, BadZipFile) as error:
        raise InvalidArgument(f"{file} cannot be read: {error}") from None
    return loaded if isinstance(loaded, np.ndarray) else dict(loaded)


def _plain(value: Any) -> Any:
    """Arrays as lists, bytes as text."""
    listed = value.tolist()
    return _texts(listed) if value.dtype == object else listed


def _texts(value: Any) -> Any:
    return [_texts(one) for one in value] if isinstance(value, list) else value.decode(errors="replace")


def _encode(prediction: Prediction) -> dict[str, Any]:
    return {
        "outputs": {name: _plain(value) for name, value in prediction.outputs.items()},
        "model": prediction.model,
        "version": prediction.version,
        "id": prediction.id,
        "default": prediction.default,
        "reason": prediction.reason,
        "cache": prediction.cache,
        "latency_ms": round(prediction.latency_s * 1e3, 3),
    }


def _show(prediction: Prediction) -> None:
    import numpy as np

    for name, value in prediction.outputs.items():
        text = np.array2string(np.asarray(_plain(value)), precision=6, suppress_small=True, separator=", ")
        print(f"{name}: {text}")
    origin = f"{prediction.model} version {prediction.version}"
    if prediction.default:
        origin = f"the default output of {prediction.model} ({prediction.reason})"
    cache = f", cache {prediction.cache}" if prediction.cache else ""
    print(f"from {origin} in {prediction.latency_s * 1e3:.1f} ms{cache}")
