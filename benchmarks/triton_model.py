"""The model of Triton's python backend: the same models as ours, one vectorised call a batch.

Runs inside Triton. The configuration's parameters say what: ``kind`` is "sum" or "sklearn", ``path`` the
artefact of the latter.
"""

import json
import os
import sys
from typing import Any

# Triton's interpreter is isolated: it does not read PYTHONPATH itself.
sys.path[:0] = os.environ["PYTHONPATH"].split(":")

import numpy as np  # noqa: E402
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]  # noqa: E402


class TritonPythonModel:
    """Joins the requests of a batch, predicts once, and hands each its rows."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the model."""
        parameters = json.loads(args["model_config"])["parameters"]
        self._model: Any = None
        if parameters["kind"]["string_value"] == "sklearn":
            import joblib

            self._model = joblib.load(parameters["path"]["string_value"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers a batch."""
        inputs = [pb_utils.get_input_tensor_by_name(request, "x").as_numpy() for request in requests]
        batch = inputs[0] if len(inputs) == 1 else np.concatenate(inputs)
        if self._model is None:
            outputs = batch.sum(axis=1, keepdims=True)
        else:
            outputs = self._model.predict(batch).reshape(-1, 1)
        responses = []
        start = 0
        for rows in inputs:
            part = outputs[start : start + len(rows)]
            start += len(rows)
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("y", part)]))
        return responses
