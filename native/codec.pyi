"""NumPy arrays to Open Inference Protocol messages and back.

Elements travel in raw form: one copy when encoding, none when decoding, except where stated.
"""

from collections.abc import Iterable, Mapping
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from typing_extensions import Buffer

Parameter = bool | int | float | str

DATATYPES: dict[str, np.dtype[Any]]
"""Each datatype of the protocol, such as FP32, and the dtype that its tensors are decoded to.

NumPy has no bfloat16: BF16 is decoded to float32, which holds every value of it. BYTES is decoded to an
object array of `bytes`.
"""

class CodecError(ValueError):
    """A malformed message, or arrays that the protocol cannot carry; says tensor, expected and got."""

@final
class Request:
    """A decoded ModelInferRequest.

    The arrays are read-only and aligned. They are views of the message, and keep it alive, where their
    elements lie aligned in it; elsewhere, and for BYTES, BF16 and typed contents, they are copies.
    """

    @property
    def model_name(self) -> str: ...
    @property
    def model_version(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def parameters(self) -> dict[str, Parameter]: ...
    @property
    def inputs(self) -> dict[str, np.ndarray[Any, Any]]: ...
    @property
    def outputs(self) -> list[str]:
        """Names of the outputs asked for; empty: all."""

@final
class Response:
    """A decoded ModelInferResponse; its arrays are like those of a Request."""

    @property
    def model_name(self) -> str: ...
    @property
    def model_version(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def parameters(self) -> dict[str, Parameter]: ...
    @property
    def outputs(self) -> dict[str, np.ndarray[Any, Any]]: ...

def datatype_of(dtype: DTypeLike, /) -> str:
    """The datatype that arrays of this dtype are sent as; text and objects are BYTES.

    Raises:
        CodecError: the protocol has no such datatype.
    """

def decode_request(buffer: Buffer, /) -> Request:
    """Decodes an encoded ModelInferRequest.

    Raises:
        CodecError: it is malformed, or a tensor's contents do not fit its shape and datatype.
        BufferError: the buffer is not contiguous.
    """

def decode_response(buffer: Buffer, /) -> Response:
    """Decodes an encoded ModelInferResponse; raises like decode_request."""

def encode_request(
    model_name: str,
    inputs: Mapping[str, ArrayLike],
    *,
    model_version: str = "",
    id: str = "",
    outputs: Iterable[str] = (),
    parameters: Mapping[str, Parameter] | None = None,
    datatypes: Mapping[str, str] | None = None,
) -> bytes:
    """Encodes a ModelInferRequest.

    Args:
        model_name: A model's or an application's.
        inputs: Arrays by name, of any memory layout and byte order. Text (`str` elements) is sent as UTF-8.
        model_version: Empty: the server chooses.
        id: Echoed by the server.
        outputs: Names of the outputs wanted; none: all.
        parameters: Options of the request.
        datatypes: What the named tensors must be sent as. A float32 array may be sent as BF16 (rounded to
            nearest, ties to even); every other array must be of the datatype stated.

    Raises:
        CodecError: the protocol cannot carry an array or a parameter.
    """

def encode_response(
    outputs: Mapping[str, ArrayLike],
    *,
    model_name: str = "",
    model_version: str = "",
    id: str = "",
    parameters: Mapping[str, Parameter] | None = None,
    datatypes: Mapping[str, str] | None = None,
) -> bytes:
    """Encodes a ModelInferResponse; see encode_request."""
