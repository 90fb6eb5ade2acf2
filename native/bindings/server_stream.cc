#include "bindings/server_stream.h"

#include <pybind11/pybind11.h>

#include <optional>

#include "bindings/bindings.h"
#include "bindings/dispatcher.h"
#include "bindings/errors.h"
#include "bindings/metadata.h"
#include "bindings/waiting.h"
#include "net/status_codes.h"

namespace skysail::bindings {
namespace {

double RemainingSeconds(const ServerStream& self) {
  TimeNs deadline = self.bridge().deadline();
  return ToSeconds(deadline == kNever ? kNever : deadline - SystemClock::Get().Now());
}

py::object Receive(ServerStream& self, std::optional<double> timeout_s) {
  Slice message;
  auto received = StreamBridge::Received::kNothingYet;
  WaitInterruptibly(timeout_s, [&](TimeNs slice) {
    received = self.bridge().Receive(slice, &message);
    return received != StreamBridge::Received::kNothingYet;
  });
  if (received == StreamBridge::Received::kEnd) return py::none();
  if (received == StreamBridge::Received::kNothingYet) {
    PyErr_SetString(PyExc_TimeoutError, "no message came in time");
    throw py::error_already_set();
  }
  return py::bytes(message.data(), message.size());
}

void Send(ServerStream& self, const py::bytes& message, bool plain) {
  Slice copy = Slice::Copy(std::string_view(message));
  WaitInterruptibly(std::nullopt,
                    [&self](TimeNs slice) { return self.bridge().WaitWritable(slice); });
  Check(self.bridge().Send(std::move(copy), plain));
}

void Finish(ServerStream& self, int code, std::string message, const py::iterable& trailers) {
  if (code < 0 || code >= kErrorKinds) throw py::value_error("code must be in [0, 16]");
  Status status = code == 0 ? Status::Ok() : Status(net::KindOfGrpcCode(code), std::move(message));
  Check(self.bridge().Finish(std::move(status), MetadataFromPython(trailers)));
}

void OnDone(ServerStream& self, py::function callback) {
  self.bridge().OnDone(
      [shared = Share(std::move(callback))] { Dispatcher::Get().Post([shared] { (*shared)(); }); });
}

}  // namespace

ServerStream::~ServerStream() {
  if (!bridge_->done()) bridge_->Finish(Internal("the handler ended without an answer"), {});
}

void BindServerStream(py::module_& module) {
  py::class_<ServerStream>(
      module, "ServerStream", py::is_final(),
      "One RPC that no native handler serves, for Python handlers. Thread-safe.\n\n"
      "A stream that is dropped without finish() is answered with INTERNAL.")
      .def_property_readonly(
          "method", [](const ServerStream& self) { return self.bridge().method(); },
          "\"/package.Service/Method\".")
      .def_property_readonly(
          "peer", [](const ServerStream& self) { return self.bridge().peer(); },
          "\"ipv4:127.0.0.1:5001\", \"unix:\".")
      .def_property_readonly(
          "metadata",
          [](const ServerStream& self) { return MetadataToPython(self.bridge().metadata()); },
          "What the caller sent; values are bytes where the key ends in \"-bin\".")
      .def_property_readonly("remaining_s", &RemainingSeconds,
                             "Seconds until the deadline; may be negative; inf when there is none.")
      .def_property_readonly(
          "cancelled", [](const ServerStream& self) { return self.bridge().cancelled(); },
          "True when the caller left, or the deadline passed, before the answer was complete.")
      .def("receive", &Receive, py::arg("timeout_s") = py::none(),
           "The next message; None at the end (half-closed, or cancelled). Releases the GIL.\n\n"
           "Raises TimeoutError when none came within `timeout_s` seconds.")
      .def(
          "set_compression",
          [](ServerStream& self, bool on) { Check(self.bridge().SetCompression(on)); },
          py::arg("on"),
          "Whether messages are compressed, where the caller accepts that; else as the caller "
          "does.\n\nBefore initial metadata and messages.")
      .def(
          "send_initial_metadata",
          [](ServerStream& self, const py::iterable& metadata) {
            Check(self.bridge().SendInitialMetadata(MetadataFromPython(metadata)));
          },
          py::arg("metadata"), "Once, before the first message.")
      .def("send", &Send, py::arg("message"), py::kw_only(), py::arg("plain") = false,
           "Queues a message; waits (GIL released) while too much is unsent.\n\n"
           "`plain`: not compressed even where the call's messages are. "
           "Raises NativeError of kind Cancelled when the call is over.")
      .def("finish", &Finish, py::arg("code"), py::arg("message"), py::arg("trailers"),
           "Ends the call with a gRPC status code in [0, 16], a message and trailing metadata. "
           "Once.")
      .def("on_done", &OnDone, py::arg("callback"),
           "Has `callback()` called once, on the core's own Python thread, when the call is over; "
           "soon\n"
           "when it is over already. It must not block.");
}

}  // namespace skysail::bindings
