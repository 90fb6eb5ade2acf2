"""The parts of the C++ core that the codec stands on."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.string cimport string
from libcpp.vector cimport vector

cdef extern from "<string_view>" namespace "std" nogil:
    cdef cppclass string_view:
        string_view()
        string_view(const char*, size_t)
        const char* data()
        size_t size()

cdef extern from "base/status.h" namespace "skysail" nogil:
    cdef cppclass Status:
        cbool ok()
        const string& message()

cdef extern from "oip/tensor.h" namespace "skysail::oip" nogil:
    cdef enum class DataType(uint8_t):
        kInvalid
        kBf16
        kBytes
    cdef cppclass Shape:
        int rank()
        int64_t operator[](int)
        int64_t Elements()
    cdef cppclass TensorView:
        string_view name
        string_view datatype_name
        DataType datatype
        Shape shape
        string_view raw
        cbool has_typed
        cbool has_raw

cdef extern from "oip/message.h" namespace "skysail::oip" nogil:
    cdef enum class Kind "skysail::oip::ParameterView::Kind"(uint8_t):
        kNone
        kBool
        kInt64
        kString
        kDouble
        kUint64
    cdef cppclass ParameterView:
        string_view name
        Kind kind
        string_view text
        int64_t number
        double real
    cdef cppclass RequestedOutputView:
        string_view name
    cdef cppclass RequestView:
        string_view model_name
        string_view model_version
        string_view id
        vector[ParameterView] parameters
        vector[TensorView] inputs
        vector[RequestedOutputView] outputs
    cdef cppclass ResponseView:
        string_view model_name
        string_view model_version
        string_view id
        vector[ParameterView] parameters
        vector[TensorView] outputs
    Status ParseRequest(string_view, RequestView*)
    Status ParseResponse(string_view, ResponseView*)

cdef extern from "oip/contents.h" namespace "skysail::oip" nogil:
    string CheckContents(const TensorView&)

cdef extern from "oip/typed.h" namespace "skysail::oip" nogil:
    string AppendTyped(const TensorView&, string*)

cdef extern from "oip/wire.h" namespace "skysail::oip::wire" nogil:
    cdef enum class Type(uint8_t):
        kVarint
        kFixed64
    void AppendVarint(string*, uint64_t)
    void AppendTag(string*, int, Type)
    void AppendBytes(string*, int, string_view)
    void AppendPrefix(string*, int, size_t)
    size_t VarintSize(uint64_t)
