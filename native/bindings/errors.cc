#include "bindings/errors.h"

#include <pybind11/gil_safe_call_once.h>
#include <pybind11/pybind11.h>

#include "bindings/bindings.h"

namespace skysail::bindings {
namespace {

struct Exceptions {
  py::object native_error, queue_full;
};

// Made once per process and never destroyed: errors may be raised until the interpreter is gone.
py::gil_safe_call_once_and_store<Exceptions>& Stored() {
  static py::gil_safe_call_once_and_store<Exceptions> stored;
  return stored;
}

py::object NewException(const char* name, const char* doc, py::handle base) {
  py::object type =
      py::reinterpret_steal<py::object>(PyErr_NewExceptionWithDoc(name, doc, base.ptr(), nullptr));
  if (!type) throw py::error_already_set();
  return type;
}

[[noreturn]] void RaiseAs(const py::object& type, const Status& status) {
  // Messages may quote what a caller sent: bytes that are no UTF-8 are shown escaped.
  py::object text = py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(status.message().data(),
                           static_cast<Py_ssize_t>(status.message().size()), "backslashreplace"));
  if (!text) throw py::error_already_set();
  py::object error = type(text);
  error.attr("kind") = std::string(ErrorKindName(status.kind()));
  PyErr_SetObject(type.ptr(), error.ptr());
  throw py::error_already_set();
}

}  // namespace

void Raise(const Status& status) { RaiseAs(Stored().get_stored().native_error, status); }

void RaiseQueueFull(const std::string& message) {
  RaiseAs(Stored().get_stored().queue_full, ResourceExhausted(message));
}

Result<ErrorKind> ParseErrorKind(const std::string& name) {
  for (int i = 1; i < kErrorKinds; ++i) {
    const auto kind = static_cast<ErrorKind>(i);
    if (ErrorKindName(kind) == name) return kind;
  }
  return InvalidArgument("unknown error kind '" + name + "': use a name such as \"Internal\"");
}

void BindErrors(py::module_& module) {
  const Exceptions& made =
      Stored()
          .call_once_and_store_result([] {
            Exceptions exceptions;
            exceptions.native_error = NewException("skysail.native._core.NativeError",
                                                   "An operation of the core failed; `kind` is the "
                                                   "error kind's name, such as \"NotFound\".",
                                                   PyExc_RuntimeError);
            exceptions.queue_full =
                NewException("skysail.native._core.QueueFull",
                             "A bounded queue has no room; `kind` is \"ResourceExhausted\".",
                             exceptions.native_error);
            return exceptions;
          })
          .get_stored();
  module.attr("NativeError") = made.native_error;
  module.attr("QueueFull") = made.queue_full;
}

}  // namespace skysail::bindings
