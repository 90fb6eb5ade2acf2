# distutils: language = c++
# cython: boundscheck=False, wraparound=False, embedsignature=True, auto_pickle=False, autotestdict=False
"""NumPy arrays to Open Inference Protocol messages and back; see codec.pyi for the contract.

Messages are parsed and checked by the core (oip/), so that Python and C++ refuse the same ones in the same
words; here is only what turns tensors into arrays and arrays into tensors.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.ref cimport Py_INCREF
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy
from libcpp.string cimport string
from libcpp.vector cimport vector

cimport numpy as cnp
import numpy as np

cnp.import_array()


class CodecError(ValueError):
    """A malformed message, or arrays that the protocol cannot carry; says tensor, expected and got."""


# The value of a parameter.
Parameter = bool | int | float | str

# The one table: the protocol's datatypes in the order of the core's enumeration -> the dtype that a tensor is
# decoded to. NumPy has no bfloat16, which is widened; BYTES elements are Python bytes.
DATATYPES = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BF16": np.dtype(np.float32),
    "BYTES": np.dtype(object),
}
cdef list _DTYPES = [None, *DATATYPES.values()]
cdef dict _NAMES = {
    (dtype.kind, dtype.itemsize): name for name, dtype in DATATYPES.items() if name not in ("BF16", "BYTES")
}


def datatype_of(dtype, /):
    """The datatype that arrays of this dtype are sent as."""
    cdef object name = _name_of(np.dtype(dtype))
    if name is None:
        raise CodecError(f"dtype {np.dtype(dtype)}: the protocol has no such datatype")
    return name


cdef object _name_of(object dtype):
    cdef str kind = dtype.kind
    return "BYTES" if kind in "OSU" else _NAMES.get((kind, dtype.itemsize))


# --- reading ----------------------------------------------------------------------------------------------

cdef str _text(string_view view):
    return PyUnicode_DecodeUTF8(view.data(), view.size(), NULL) if view.size() else ""


cdef inline string_view _view(const string& text):
    return string_view(text.data(), text.size())


cdef str _message(const string& text):
    return PyUnicode_DecodeUTF8(text.data(), text.size(), "replace")


cdef object _fail(str name, str problem):
    return CodecError(f"tensor '{name}': {problem}")


cdef dict _parameters(const vector[ParameterView]& entries):
    cdef dict values = {}
    cdef object value
    cdef size_t i
    for i in range(entries.size()):
        if entries[i].kind == Kind.kNone:
            continue
        elif entries[i].kind == Kind.kString:
            value = _text(entries[i].text)
        elif entries[i].kind == Kind.kDouble:
            value = entries[i].real
        elif entries[i].kind == Kind.kBool:
            value = entries[i].number != 0
        elif entries[i].kind == Kind.kUint64:
            value = <uint64_t>entries[i].number
        else:
            value = entries[i].number
        values[_text(entries[i].name)] = value
    return values


cdef object _elements(const char* at, cnp.npy_intp* dims, int rank, Py_ssize_t count):
    """An object array of the BYTES elements that begin at `at` and were checked to be there."""
    cdef cnp.ndarray array = cnp.PyArray_SimpleNew(rank, dims, cnp.NPY_OBJECT)
    cdef void** slots = <void**>cnp.PyArray_DATA(array)
    cdef uint32_t length
    cdef Py_ssize_t i
    cdef object element
    for i in range(count):
        memcpy(&length, at, sizeof(length))
        at += sizeof(length)
        element = PyBytes_FromStringAndSize(at, length)
        Py_INCREF(element)
        slots[i] = <void*>element
        at += length
    return array


cdef object _widened(const char* at, cnp.npy_intp* dims, int rank, Py_ssize_t count):
    """Bfloat16 is the upper half of a float32."""
    cdef cnp.ndarray array = cnp.PyArray_SimpleNew(rank, dims, cnp.NPY_FLOAT32)
    cdef uint32_t* to = <uint32_t*>cnp.PyArray_DATA(array)
    cdef uint16_t half
    cdef Py_ssize_t i
    for i in range(count):
        memcpy(&half, at + 2 * i, sizeof(half))
        to[i] = <uint32_t>half << 16
    return array


cdef object _array(const TensorView& tensor, str name, object owner):
    """The tensor as a read-only array; `owner` keeps the message alive."""
    cdef string scratch
    cdef string problem
    cdef string_view raw = tensor.raw
    cdef cnp.npy_intp dims[16]
    cdef int rank = tensor.shape.rank()
    cdef cnp.ndarray array
    if tensor.datatype == DataType.kInvalid:
        got = _text(tensor.datatype_name)
        raise _fail(name, f"unknown datatype '{got}', expected one of {', '.join(DATATYPES)}")
    problem = AppendTyped(tensor, &scratch) if tensor.has_typed else CheckContents(tensor)
    if not problem.empty():
        raise _fail(name, _message(problem))
    if tensor.has_typed:
        raw = _view(scratch)
    for i in range(rank):
        dims[i] = tensor.shape[i]
    cdef Py_ssize_t count = tensor.shape.Elements()
    cdef object dtype
    cdef int number
    if tensor.datatype == DataType.kBytes:
        array = _elements(raw.data(), dims, rank, count)
    elif tensor.datatype == DataType.kBf16:
        array = _widened(raw.data(), dims, rank, count)
    else:
        dtype = _DTYPES[<int>tensor.datatype]
        number = (<cnp.dtype>dtype).type_num
        if tensor.has_typed or raw.size() == 0 or <uintptr_t>raw.data() % <size_t>dtype.alignment != 0:
            # Compiled code of all kinds misbehaves or crawls on unaligned elements; a copy costs less.
            array = cnp.PyArray_SimpleNew(rank, dims, number)
            memcpy(cnp.PyArray_DATA(array), raw.data(), raw.size())
        else:
            array = cnp.PyArray_SimpleNewFromData(rank, dims, number, <void*>raw.data())
            cnp.set_array_base(array, owner)
    cnp.PyArray_CLEARFLAGS(array, cnp.NPY_ARRAY_WRITEABLE)
    return array


cdef dict _arrays(const vector[TensorView]& tensors, object owner):
    cdef dict arrays = {}
    cdef str name
    cdef size_t i
    for i in range(tensors.size()):
        name = _text(tensors[i].name)
        if name in arrays:
            raise _fail(name, "expected once, got it twice")
        try:
            arrays[name] = _array(tensors[i], name, owner)
        except CodecError:
            raise
        except ValueError as error:  # a shape that NumPy cannot hold, although it has no elements
            raise _fail(name, str(error)) from None
    return arrays


cdef class Request:
    """A decoded request."""

    cdef readonly str model_name, model_version, id
    cdef readonly dict parameters, inputs
    cdef readonly list outputs

    def __repr__(self):
        return f"Request(model_name={self.model_name!r}, id={self.id!r}, inputs={list(self.inputs)})"


cdef class Response:
    """A decoded response."""

    cdef readonly str model_name, model_version, id
    cdef readonly dict parameters, outputs

    def __repr__(self):
        return f"Response(model_name={self.model_name!r}, id={self.id!r}, outputs={list(self.outputs)})"


cdef Request _request(string_view message, object owner):
    cdef RequestView view
    cdef Status status = ParseRequest(message, &view)
    if not status.ok():
        raise CodecError(_message(status.message()))
    cdef Request request = Request.__new__(Request)
    request.model_name = _text(view.model_name)
    request.model_version = _text(view.model_version)
    request.id = _text(view.id)
    request.parameters = _parameters(view.parameters)
    request.inputs = _arrays(view.inputs, owner)
    request.outputs = [_text(view.outputs[i].name) for i in range(<Py_ssize_t>view.outputs.size())]
    return request


cdef Response _response(string_view message, object owner):
    cdef ResponseView view
    cdef Status status = ParseResponse(message, &view)
    if not status.ok():
        raise CodecError(_message(status.message()))
    cdef Response response = Response.__new__(Response)
    response.model_name = _text(view.model_name)
    response.model_version = _text(view.model_version)
    response.id = _text(view.id)
    response.parameters = _parameters(view.parameters)
    response.outputs = _arrays(view.outputs, owner)
    return response


cdef object _decode(object buffer, bint is_request):
    # The memoryview stays with the arrays, so a resizable owner cannot move its bytes under them.
    cdef object owner = memoryview(buffer)
    cdef Py_buffer raw
    PyObject_GetBuffer(owner, &raw, PyBUF_SIMPLE)
    cdef string_view message = string_view(<const char*>raw.buf, raw.len)
    try:
        return _request(message, owner) if is_request else _response(message, owner)
    finally:
        PyBuffer_Release(&raw)


def decode_request(buffer, /):
    """Decode an encoded ModelInferRequest."""
    return _decode(buffer, True)


def decode_response(buffer, /):
    """Decode an encoded ModelInferResponse."""
    return _decode(buffer, False)


# --- writing ----------------------------------------------------------------------------------------------

cdef bytes _utf8(str text):
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise CodecError(f"text {text[:100]!a} has no UTF-8 form") from error


cdef void _put(string* out, int field, object text) except *:
    cdef bytes encoded = _utf8(<str?>text)
    AppendBytes(out, field, string_view(encoded, len(encoded)))


cdef void _put_unless_empty(string* out, int field, object text) except *:
    if text:
        _put(out, field, text)


cdef void _put_parameters(string* out, object parameters) except *:
    cdef string entry
    cdef string choice
    cdef double real
    cdef uint64_t bits
    for name, value in parameters.items():
        entry.clear()
        choice.clear()
        if isinstance(value, bool):
            AppendTag(&choice, 1, Type.kVarint)
            AppendVarint(&choice, value)
        elif isinstance(value, int):
            if not -(2**63) <= value < 2**64:
                raise CodecError(f"parameter '{name}': expected an integer of 64 bits, got {value}")
            AppendTag(&choice, 2 if value < 2**63 else 5, Type.kVarint)
            AppendVarint(&choice, value & 0xFFFFFFFFFFFFFFFF)
        elif isinstance(value, float):
            real = value
            memcpy(&bits, &real, sizeof(real))
            AppendTag(&choice, 4, Type.kFixed64)
            choice.append(<const char*>&bits, sizeof(bits))
        elif isinstance(value, str):
            _put(&choice, 3, value)
        else:
            got = type(value).__name__
            raise CodecError(f"parameter '{name}': expected bool, int, float or str, got {got}")
        _put(&entry, 1, name)
        AppendBytes(&entry, 2, _view(choice))
        AppendBytes(out, 4, _view(entry))


cdef bytes _joined(str name, cnp.ndarray array):
    """BYTES elements in raw form."""
    cdef list parts = []
    cdef Py_ssize_t index = 0
    cdef bytes encoded
    for element in array.ravel().tolist():
        if isinstance(element, str):
            encoded = _utf8(element)
        elif isinstance(element, bytes):
            encoded = element
        else:
            raise _fail(name, f"element {index}: expected bytes or str, got {type(element).__name__}")
        if len(encoded) > 0xFFFFFFFF:
            raise _fail(name, f"element {index}: expected at most 4294967295 bytes, got {len(encoded)}")
        parts.append((<uint32_t>len(encoded)).to_bytes(4, "little"))
        parts.append(encoded)
        index += 1
    return b"".join(parts)


cdef cnp.ndarray _narrowed(cnp.ndarray array):
    """Float32 to bfloat16, to nearest, ties to even; a NaN stays one."""
    cdef object bits = np.ascontiguousarray(array, dtype="<f4").view(np.uint32)
    rounded = ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)
    return np.where(np.isnan(array), (bits >> 16).astype(np.uint16) | np.uint16(0x40), rounded)


cdef object _raw(str name, object value, object wanted, string* head):
    """Appends the tensor's metadata to `head` as field 5; returns what holds its bytes."""
    cdef cnp.ndarray array = np.asarray(value)
    cdef int rank = cnp.PyArray_NDIM(array)
    cdef object datatype = _name_of(array.dtype)
    if datatype is None:
        raise _fail(name, f"dtype {array.dtype}: the protocol has no such datatype")
    cdef bint narrow = wanted == "BF16" and datatype == "FP32"
    if wanted is not None and wanted != datatype and not narrow:
        raise _fail(name, f"expected datatype {wanted}, got {datatype}")
    if rank > 16:
        raise _fail(name, f"expected at most 16 dimensions, got {rank}")
    cdef string tensor
    cdef size_t dims = 0
    cdef int i
    _put(&tensor, 1, name)
    _put(&tensor, 2, wanted or datatype)
    for i in range(rank):
        dims += VarintSize(cnp.PyArray_DIM(array, i))
    if rank:
        AppendPrefix(&tensor, 3, dims)
    for i in range(rank):
        AppendVarint(&tensor, cnp.PyArray_DIM(array, i))
    AppendBytes(head, 5, _view(tensor))
    if datatype == "BYTES":
        return _joined(name, array)
    if narrow:
        array = _narrowed(array)
    if not cnp.PyArray_ISNOTSWAPPED(array):
        array = array.astype(array.dtype.newbyteorder("="))
    return array if cnp.PyArray_IS_C_CONTIGUOUS(array) else cnp.PyArray_GETCONTIGUOUS(array)


cdef bytes _encode(string* head, object tensors, object datatypes, int raw_field, object more):
    """The head, the tensors' metadata, what else the message has, and every tensor's bytes."""
    cdef list pieces = []
    cdef size_t total
    cdef vector[string] prefixes
    cdef string prefix
    cdef size_t size
    cdef object piece
    for name, value in tensors.items():
        wanted = datatypes.get(name) if datatypes is not None else None
        piece = _raw(name, value, wanted, head)
        size = len(<bytes>piece) if isinstance(piece, bytes) else cnp.PyArray_NBYTES(<cnp.ndarray>piece)
        prefix.clear()
        AppendPrefix(&prefix, raw_field, size)
        prefixes.push_back(prefix)
        pieces.append(piece)
    for name in more:
        prefix.clear()
        _put(&prefix, 1, name)
        AppendBytes(head, 6, _view(prefix))
    total = head.size()
    for i, piece in enumerate(pieces):
        size = len(<bytes>piece) if isinstance(piece, bytes) else cnp.PyArray_NBYTES(<cnp.ndarray>piece)
        total += prefixes[i].size() + size
    cdef bytes message = PyBytes_FromStringAndSize(NULL, total)
    cdef char* to = PyBytes_AS_STRING(message)
    memcpy(to, head.data(), head.size())
    to += head.size()
    for i, piece in enumerate(pieces):
        memcpy(to, prefixes[i].data(), prefixes[i].size())
        to += prefixes[i].size()
        if isinstance(piece, bytes):
            size = len(<bytes>piece)
            memcpy(to, PyBytes_AS_STRING(piece), size)
        else:
            size = cnp.PyArray_NBYTES(<cnp.ndarray>piece)
            memcpy(to, cnp.PyArray_DATA(<cnp.ndarray>piece), size)
        to += size
    return message


cdef void _put_head(
    string* head, object model_name, object model_version, object id, object parameters
) except *:
    _put_unless_empty(head, 1, model_name)
    _put_unless_empty(head, 2, model_version)
    _put_unless_empty(head, 3, id)
    if parameters:
        _put_parameters(head, parameters)


def encode_request(
    model_name, inputs, *, model_version="", id="", outputs=(), parameters=None, datatypes=None
):
    """Encode a ModelInferRequest."""
    cdef string head
    _put_head(&head, model_name, model_version, id, parameters)
    return _encode(&head, inputs, datatypes, 7, outputs)


def encode_response(outputs, *, model_name="", model_version="", id="", parameters=None, datatypes=None):
    """Encode a ModelInferResponse."""
    cdef string head
    _put_head(&head, model_name, model_version, id, parameters)
    return _encode(&head, outputs, datatypes, 6, ())
