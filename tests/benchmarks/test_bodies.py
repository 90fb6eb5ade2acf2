from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from benchmarks import bodies
from skysail.proto import inference_pb2


def test_requests_are_what_protobuf_reads() -> None:
    values = np.arange(32, dtype=np.float32).reshape(2, 16)
    message = inference_pb2.ModelInferRequest.FromString(
        bodies.infer_request(model="m", tensor="x", values=values)
    )
    assert message.model_name == "m"
    (tensor,) = message.inputs
    assert (tensor.name, tensor.datatype, list(tensor.shape)) == ("x", "FP32", [2, 16])
    assert message.raw_input_contents == [values.tobytes()]


def test_rest_requests_have_their_json_first() -> None:
    values = np.ones((1, 4), dtype=np.float32)
    body, size = bodies.rest_request(tensor="x", values=values, output="y")
    head = json.loads(body[:size])
    assert head["inputs"][0]["parameters"]["binary_data_size"] == 16
    assert body[size:] == values.tobytes()


def test_file_holds_every_pair_and_the_offset_points_at_the_tensor(tmp_path: Path) -> None:
    rows, sums = bodies.trivial_rows(3)
    file = bodies.write_grpc(tmp_path / "b", model="m", tensor="x", rows=rows, answers=sums)
    data = file.path.read_bytes()
    assert data[:12] == b"SKYBODY1" + struct.pack("<I", 3)
    size = struct.unpack_from("<I", data, 12)[0]
    request = data[16 : 16 + size]
    assert request[file.raw_offset :] == rows[0].tobytes()
    assert data[16 + size + 4 :][:4] == sums[0].tobytes()


def test_trivial_rows_are_distinct_and_leave_room_to_vary() -> None:
    rows, sums = bodies.trivial_rows()
    assert len(np.unique(rows, axis=0)) == bodies.COUNT
    assert not rows[:, :2].any()
    assert (sums[:, 0] == rows[:, ::-1].sum(axis=1)).all()
