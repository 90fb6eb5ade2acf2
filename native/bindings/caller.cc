#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "bindings/bindings.h"
#include "bindings/dispatcher.h"
#include "bindings/errors.h"
#include "bindings/loops.h"
#include "bindings/seconds.h"
#include "bindings/services.h"
#include "services/answer.h"
#include "services/intake.h"

namespace skysail::bindings {
namespace {

using services::Addressee;
using services::CallScope;
using services::InferCall;
using services::InferCompletion;
using services::InferRequest;
using services::InferResponse;

void Tell(const SharedObject& on_done, std::optional<Bytes> response, Status status,
          TimeNs retry_after = 0) {
  auto answer = std::make_shared<std::optional<Bytes>>(std::move(response));
  Dispatcher::Get().Post([on_done, answer, status = std::move(status), retry_after] {
    if (!answer->has_value()) {
      (*on_done)(py::none(), std::string(ErrorKindName(status.kind())), status.message(),
                 ToSeconds(retry_after));
      return;
    }
    // One copy, from the chain of slices into Python's own.
    const Bytes& bytes = **answer;
    py::object whole = py::reinterpret_steal<py::object>(
        PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(bytes.size())));
    if (!whole) throw py::error_already_set();
    char* to = PyBytes_AS_STRING(whole.ptr());
    for (size_t i = 0; i < bytes.slices(); ++i) {
      std::memcpy(to, bytes.slice(i).data(), bytes.slice(i).size());
      to += bytes.slice(i).size();
    }
    (*on_done)(whole, std::string(), std::string(), 0.0);
  });
}

// Hands the answer over to Python.
class TellPython final : public InferCompletion {
 public:
  TellPython(SharedObject on_done, const InferRequest& request)
      : on_done_(std::move(on_done)), message_(request.message),
        to_{request.view.model_name, request.view.id, request.prediction} {}
  void Done(InferResponse response) override {
    if (response.status.ok()) {
      Tell(on_done_, services::EncodeAnswer(to_, std::move(response)), Status::Ok());
    } else {
      Tell(on_done_, std::nullopt, std::move(response.status), response.retry_after);
    }
  }

 private:
  const SharedObject on_done_;
  const Slice message_;  // what `to_` points into
  const Addressee to_;
};

class Caller {
 public:
  Caller(LoopsPtr loops, ServicePtr service)
      : loops_(std::move(loops)), service_(std::move(service)) {}

  py::cpp_function Infer(const py::bytes& request, py::function on_done,
                         std::optional<double> timeout_s, const std::string& traceparent,
                         const std::string& tracestate) {
    const TimeNs deadline =
        timeout_s ? After(SystemClock::Get().Now(), FromSeconds(*timeout_s, "timeout_s")) : kNever;
    net::EventLoop& loop = loops_->loop(static_cast<int>(
        next_.fetch_add(1, std::memory_order_relaxed) % static_cast<unsigned>(loops_->size())));
    auto scope = std::make_shared<CallScope>(loop);
    const SharedObject tell = Share(std::move(on_done));
    const auto taken = std::make_shared<std::atomic<bool>>(false);
    loop.Post([service = service_, scope, deadline, message = Slice::Copy(std::string_view(request)),
               on_done = tell, taken,
               trace = telemetry::ReadTrace(traceparent, tracestate)] {
      if (taken->exchange(true)) return;
      Result<std::unique_ptr<InferRequest>> read = services::ReadRequest(message, false);
      if (!read.ok()) {
        service->OnUnreadable(read.status().kind());
        Tell(on_done, std::nullopt, read.status());
        return;
      }
      auto completion = std::make_unique<TellPython>(on_done, **read);
      InferCall call(std::move(*read), deadline, scope, std::move(completion));
      call.trace = trace;
      service->Infer(std::move(call));
    });
    // Loops that have been stopped run nothing more; whoever takes the call answers it.
    if (loops_->stopped() && !taken->exchange(true)) {
      Tell(tell, std::nullopt, Unavailable("the service has stopped: its loops no longer run"));
    }
    return py::cpp_function([loops = loops_, scope] {
      scope->loop().Post([scope] { scope->Cancel(); });
    });
  }

  void Unreadable(const std::string& kind) const {
    service_->OnUnreadable(Check(ParseErrorKind(kind)));
  }

 private:
  const LoopsPtr loops_;
  const ServicePtr service_;
  std::atomic<unsigned> next_{0};  // deals calls out to the loops
};

}  // namespace

void BindCaller(py::module_& module) {
  py::class_<Caller>(module, "Caller", py::is_final(),
                     "Calls a service of this process without a socket (for REST).")
      .def(py::init<LoopsPtr, ServicePtr>(), py::arg("loops"), py::arg("service"))
      .def("infer", &Caller::Infer, py::arg("request"), py::arg("on_done"), py::kw_only(),
           py::arg("timeout_s") = py::none(), py::arg("traceparent") = "",
           py::arg("tracestate") = "",
           "`on_done(response, kind, message, retry_after_s)` runs on the thread that all native\n"
           "callbacks share (hand over, never work there): response is None on error.\n\n"
           "Unavailable once the loops were stopped. Returns a function that cancels the call.")
      .def("unreadable", &Caller::Unreadable, py::arg("kind"),
           "Counts a message that could not be read and was answered with an error of that kind.");
}

}  // namespace skysail::bindings
