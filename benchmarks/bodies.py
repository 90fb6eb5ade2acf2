"""The requests of the load generator, each with the answer that it must get.

The file format is described in ``loadgen/bodies.h``. Messages are encoded here by hand: a few lines, and the
benchmark then depends on nobody's generated code.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COUNT = 8192
"""Distinct bodies of a run."""

_DATATYPES = {
    "float32": "FP32",
    "float64": "FP64",
    "int32": "INT32",
    "int64": "INT64",
}


@dataclass(frozen=True, kw_only=True)
class BodyFile:
    """A file of bodies for the load generator.

    Attributes:
        path: the file.
        raw_offset: where the tensor's bytes begin in every request, for ``--vary``.
        json_size: size of the JSON part of a REST body; 0 for gRPC.
    """

    path: Path
    raw_offset: int
    json_size: int = 0


def datatype(array: NDArray[np.generic]) -> str:
    """The protocol's name of the array's element type."""
    return _DATATYPES[array.dtype.name]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def infer_request(*, model: str, tensor: str, values: NDArray[np.generic]) -> bytes:
    """A serialised ``ModelInferRequest`` with one raw input of the array's shape."""
    shape = b"".join(_varint(n) for n in values.shape)
    description = _field(1, tensor.encode()) + _field(2, datatype(values).encode()) + _field(3, shape)
    return _field(1, model.encode()) + _field(5, description) + _field(7, values.tobytes())


def rest_request(*, tensor: str, values: NDArray[np.generic], output: str) -> tuple[bytes, int]:
    """A REST body with a binary input, asking for a binary output, and the size of its JSON part."""
    head = {
        "inputs": [
            {
                "name": tensor,
                "shape": list(values.shape),
                "datatype": datatype(values),
                "parameters": {"binary_data_size": values.nbytes},
            }
        ],
        "outputs": [{"name": output, "parameters": {"binary_data": True}}],
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    return text + values.tobytes(), len(text)


def write(path: Path, bodies: Iterable[tuple[bytes, bytes]]) -> None:
    """Write (request, expected bytes) pairs."""
    pairs = list(bodies)
    with path.open("wb") as file:
        file.write(b"SKYBODY1" + struct.pack("<I", len(pairs)))
        for request, expected in pairs:
            file.write(struct.pack("<I", len(request)) + request)
            file.write(struct.pack("<I", len(expected)) + expected)


def write_grpc(
    path: Path, *, model: str, tensor: str, rows: NDArray[np.generic], answers: NDArray[np.generic]
) -> BodyFile:
    """One gRPC body a row of ``rows``, sent as a tensor of one row; ``answers`` has the row's output."""
    requests = [infer_request(model=model, tensor=tensor, values=row[None]) for row in rows]
    write(path, ((r, a.tobytes()) for r, a in zip(requests, answers, strict=True)))
    return BodyFile(path=path, raw_offset=len(requests[0]) - rows[0].nbytes)


def write_rest(
    path: Path, *, tensor: str, output: str, rows: NDArray[np.generic], answers: NDArray[np.generic]
) -> BodyFile:
    """As ``write_grpc``, for REST with binary tensors."""
    requests = [rest_request(tensor=tensor, values=row[None], output=output) for row in rows]
    write(path, ((r, a.tobytes()) for (r, _), a in zip(requests, answers, strict=True)))
    size = requests[0][1]
    return BodyFile(path=path, raw_offset=size, json_size=size)


def trivial_rows(count: int = COUNT, *, seed: int = 7) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows of 16 whole-numbered floats and their sums [count, 1], exact in any order of summing.

    The first two columns are zero: with ``--vary`` they become +n and -n.
    """
    rows = np.random.default_rng(seed).integers(0, 1000, (count, 16)).astype(np.float32)
    rows[:, :2] = 0
    return rows, rows.sum(axis=1, keepdims=True)
