"""The Open Inference Protocol's JSON form, to and from its messages. Pure functions.

Tensors are sent on in raw form. `data` may be flat or nested; answers are flat. BYTES are texts.
"""

import json
from typing import Any, Final, cast

from google.protobuf.internal.containers import MessageMap
from google.protobuf.message import DecodeError

from skysail.control.errors import InvalidArgument
from skysail.control.json_tensors import element_count, flatten, from_raw, to_raw
from skysail.proto import inference_pb2 as pb

__all__ = ["decode_request", "encode_response"]

_INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)


def decode_request(body: bytes, *, name: str, version: str) -> bytes:
    """The encoded ModelInferRequest that a JSON body stands for.

    Raises:
        InvalidArgument: saying where in the body, what was expected and what is there.
    """
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"the body is not JSON: {error}") from None
    request = pb.ModelInferRequest(model_name=name, model_version=version)
    top = _typed(document, dict, "the body")
    if "id" in top:
        request.id = _text(top["id"], "id")
    _parameters(request.parameters, top.get("parameters", {}), "parameters")
    if "inputs" not in top:
        raise InvalidArgument("inputs: missing; expected a list of {name, shape, datatype, data}")
    for index, item in enumerate(_typed(top["inputs"], list, "inputs")):
        where = f"inputs[{index}]"
        entry = _typed(item, dict, where)
        tensor = request.inputs.add(
            name=_text(_member(entry, "name", where), f"{where}.name"),
            datatype=_text(_member(entry, "datatype", where), f"{where}.datatype"),
            shape=_shape(_member(entry, "shape", where), f"{where}.shape"),
        )
        _parameters(tensor.parameters, entry.get("parameters", {}), f"{where}.parameters")
        data = _typed(_member(entry, "data", where), list, f"{where}.data")
        request.raw_input_contents.append(_contents(data, tensor, where))
    for index, item in enumerate(_typed(top.get("outputs", []), list, "outputs")):
        where = f"outputs[{index}]"
        entry = _typed(item, dict, where)
        output = request.outputs.add(name=_text(_member(entry, "name", where), f"{where}.name"))
        _parameters(output.parameters, entry.get("parameters", {}), f"{where}.parameters")
    return request.SerializeToString()


def encode_response(encoded: bytes) -> bytes:
    """The JSON form of an encoded ModelInferResponse.

    Raises:
        InvalidArgument: an output holds what JSON cannot write.
    """
    try:
        response = pb.ModelInferResponse.FromString(encoded)
    except DecodeError as error:
        raise InvalidArgument(f"the answer cannot be read: {error}") from None
    document: dict[str, Any] = {"model_name": response.model_name, "model_version": response.model_version}
    if response.id:
        document["id"] = response.id
    if response.parameters:
        document["parameters"] = _values(response.parameters)
    document["outputs"] = outputs = []
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        entry: dict[str, Any] = {
            "name": output.name,
            "shape": list(output.shape),
            "datatype": output.datatype,
        }
        if output.parameters:
            entry["parameters"] = _values(output.parameters)
        try:
            entry["data"] = from_raw(raw, output.datatype)
        except InvalidArgument as error:
            raise InvalidArgument(f"output {output.name!r}: {error}") from None
        outputs.append(entry)
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _contents(data: list[Any], tensor: pb.ModelInferRequest.InferInputTensor, where: str) -> bytes:
    try:
        shape, elements = flatten(data)
        expected = element_count(tensor.shape)
        if len(shape) > 1 and shape != list(tensor.shape):
            raise InvalidArgument(f"nested as {shape}, but the shape is {list(tensor.shape)}")
        if len(elements) != expected:
            raise InvalidArgument(
                f"the shape {list(tensor.shape)} has {expected} elements, got {len(elements)}"
            )
        return to_raw(elements, tensor.datatype)
    except InvalidArgument as error:
        raise InvalidArgument(f"{where}.data (tensor {tensor.name!r}): {error}") from None


def _parameters(target: MessageMap[str, pb.InferParameter], value: object, where: str) -> None:
    for key, item in _typed(value, dict, where).items():
        name = _text(key, where)
        match item:
            case bool():
                target[name].bool_param = item
            case int() if item in _INT64:
                target[name].int64_param = item
            case int() if item in _UINT64:
                target[name].uint64_param = item
            case float():
                target[name].double_param = item
            case str():
                target[name].string_param = _text(item, f"{where}.{name}")
            case _:
                raise InvalidArgument(
                    f"{where}.{name}: expected true, false, a text or a number of 64 bits, got {_kind(item)}"
                )


def _values(parameters: MessageMap[str, pb.InferParameter]) -> dict[str, Any]:
    chosen = {name: (one, one.WhichOneof("parameter_choice")) for name, one in parameters.items()}
    return {
        name: getattr(one, choice) for name, (one, choice) in sorted(chosen.items()) if choice is not None
    }


def _shape(value: object, where: str) -> list[int]:
    shape: list[int] = _typed(value, list, where)
    for size in shape:
        if type(size) is not int or not 0 <= size < 2**63:
            raise InvalidArgument(f"{where}: expected whole numbers from 0, got {size!r:.60}")
    return shape


def _member(entry: dict[str, Any], name: str, where: str) -> object:
    if name not in entry:
        raise InvalidArgument(f"{where}.{name}: missing")
    return entry[name]


def _text(value: object, where: str) -> str:
    text = cast(str, _typed(value, str, where))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{where}: not valid Unicode (a lone surrogate)") from None
    return text


def _typed(value: object, kind: type, where: str) -> Any:
    if type(value) is not kind:
        raise InvalidArgument(f"{where}: expected {_KINDS[kind]}, got {_kind(value)}")
    return value


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "null")


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is not JSON; write "{name}" as a text in the data of a floating-point tensor')


_KINDS: Final[dict[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
}
