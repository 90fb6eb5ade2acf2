"""The Python client."""

from skysail.client.client import Client
from skysail.client.errors import (
    CallFailed,
    DeadlineExceeded,
    InvalidRequest,
    ModelFailed,
    Overloaded,
    ServerUnavailable,
    SkysailError,
    UnknownModel,
)
from skysail.client.prediction import ModelMetadata, Prediction, TensorMetadata

__all__ = [
    "CallFailed",
    "Client",
    "DeadlineExceeded",
    "InvalidRequest",
    "ModelFailed",
    "ModelMetadata",
    "Overloaded",
    "Prediction",
    "ServerUnavailable",
    "SkysailError",
    "TensorMetadata",
    "UnknownModel",
]
