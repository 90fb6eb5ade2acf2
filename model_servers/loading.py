"""Loads a model and proves that it answers, before anybody is told that it is there."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from skysail.control.errors import FailedPrecondition, SkysailError
from skysail.model_servers.adapter import Adapter, Source, Stated
from skysail.model_servers.contract import ContractBroken, OutputContract
from skysail.model_servers.frameworks import load
from skysail.model_servers.tensors import synthesise

__all__ = ["cause", "load_model", "warm_up"]

#: Rows of the larger warm-up call: enough to take the paths that libraries keep for batches.
WARM_UP_ROWS = 32


def load_model(source: Source, stated: Stated) -> Adapter:
    """Loads a model and calls it once with one row and once with several.

    Raises:
        SkysailError: in one sentence, what the model's own code raised included.
    """
    try:
        model = load(source, stated)
    except SkysailError:
        raise
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        raise FailedPrecondition(f"the model failed to load: {cause(error, source.path)}") from error
    try:
        warm_up(model)
    except ContractBroken as error:
        raise FailedPrecondition(f"the model broke its signature in the warm-up call: {error}") from error
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        raise FailedPrecondition(
            f"the model failed in the warm-up call with zeros: {cause(error, source.path)}; "
            "a Python class may define example() to return better inputs"
        ) from error
    return model


def warm_up(model: Adapter) -> None:
    """Calls the model with its example, or with zeros: one row, then several.

    Raises:
        ContractBroken: the outputs are not what the signature says.
        Exception: whatever the model raises.
    """
    signature = model.signature
    contract = OutputContract(signature)
    largest = min(WARM_UP_ROWS, signature.max_rows or WARM_UP_ROWS)
    for rows in (1, largest):
        inputs: Mapping[str, np.ndarray] = model.example() or synthesise(signature.inputs, rows)
        given = next(iter(inputs.values()))
        contract.check(model.predict(inputs), rows=given.shape[0] if given.ndim else 1)


def cause(error: BaseException, path: Path) -> str:
    """What went wrong, and in which line of the model's own file if it passed through that."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name == path.name
    ]
    return f"{text} ({path.name}, line {lines[-1]})" if lines else text
