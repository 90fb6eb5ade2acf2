#include "services/model_server.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "bindings/bindings.h"
#include "bindings/errors.h"
#include "bindings/loops.h"
#include "bindings/seconds.h"
#include "bindings/services.h"
#include "bindings/waiting.h"

namespace skysail::bindings {
namespace {

using services::ModelServer;
using services::ModelServerOptions;
using services::ModelTask;

// One task in Python's hands. One that is dropped unanswered fails.
class InferTask {
 public:
  InferTask(std::shared_ptr<ModelTask> task, LoopsPtr loops)
      : loops_(std::move(loops)), task_(std::move(task)) {}
  ~InferTask() {
    if (task_ != nullptr) task_->Fail(Internal("the model gave no answer"));
  }
  InferTask(const InferTask&) = delete;
  InferTask& operator=(const InferTask&) = delete;

  ModelTask& task() { return *task_; }

 private:
  const LoopsPtr loops_;
  const std::shared_ptr<ModelTask> task_;
};

// The buffer of a task is its request: whoever views it keeps the task, which keeps the bytes.
int ViewRequest(PyObject* self, Py_buffer* view, int flags) {
  const Slice& message = py::handle(self).cast<InferTask&>().task().message();
  return PyBuffer_FillInfo(view, self, const_cast<char*>(message.data()),
                           static_cast<Py_ssize_t>(message.size()), 1, flags);
}

void ExportBuffer(PyHeapTypeObject* type) {
  type->as_buffer.bf_getbuffer = &ViewRequest;
  type->ht_type.tp_as_buffer = &type->as_buffer;
}

std::unique_ptr<InferTask> NextTask(ModelServer& server, const LoopsPtr& loops,
                                    std::optional<double> timeout_s) {
  std::shared_ptr<ModelTask> task;
  WaitInterruptibly(timeout_s, [&](TimeNs slice) {
    task = server.Next(slice);
    return task != nullptr || server.closed();
  });
  if (task == nullptr) return nullptr;
  return std::make_unique<InferTask>(std::move(task), loops);
}

// A model server and the loops that its tasks are answered on.
class Server final : public services::InferService {
 public:
  Server(LoopsPtr loops, ModelServerOptions options)
      : loops_(std::move(loops)), server_(std::move(options)) {}
  void Infer(services::InferCall call) override { server_.Infer(std::move(call)); }
  void OnUnreadable(ErrorKind kind) override { server_.OnUnreadable(kind); }
  bool Healthy() const override { return server_.Healthy(); }
  services::Report Stats() const override { return server_.Stats(); }
  ModelServer& server() { return server_; }
  const LoopsPtr& loops() const { return loops_; }

 private:
  const LoopsPtr loops_;
  ModelServer server_;
};

std::shared_ptr<Server> NewServer(LoopsPtr loops, std::string model, std::string version,
                                  oip::Signature signature, size_t max_pending) {
  if (max_pending < 1) throw py::value_error("max_pending must be >= 1");
  ModelServerOptions options;
  options.model = std::move(model);
  options.version = std::move(version);
  options.signature = std::move(signature);
  options.max_pending = max_pending;
  return std::make_shared<Server>(std::move(loops), std::move(options));
}

}  // namespace

void BindModelServer(py::module_& module) {
  py::class_<InferTask>(module, "InferTask", py::is_final(), py::custom_type_setup(&ExportBuffer),
                        "One call that a model server owes an answer.")
      .def_property_readonly(
          "request",
          [](const py::object& self) {
            return py::reinterpret_steal<py::object>(PyMemoryView_FromObject(self.ptr()));
          },
          "The encoded ModelInferRequest; raw contents; checked against the signature.")
      .def_property_readonly("rows", [](InferTask& self) { return self.task().rows(); })
      .def_property_readonly(
          "remaining_s",
          [](InferTask& self) {
            const TimeNs deadline = self.task().deadline();
            return ToSeconds(deadline == kNever ? kNever
                                                : deadline - SystemClock::Get().Now());
          },
          "Seconds until the deadline; may be negative; inf when there is none.")
      .def_property_readonly("cancelled", [](InferTask& self) { return self.task().cancelled(); })
      .def(
          "respond",
          [](InferTask& self, const py::bytes& response) {
            Check(self.task().Respond(Slice::Copy(std::string_view(response))));
          },
          py::arg("response"),
          "Answers with an encoded ModelInferResponse. Once; a second answer raises NativeError.")
      .def(
          "fail",
          [](InferTask& self, const std::string& kind, std::string message) {
            Check(self.task().Fail(Status(Check(ParseErrorKind(kind)), std::move(message))));
          },
          py::arg("kind"), py::arg("message"),
          "Answers with an error: `kind` is an error kind's name, such as \"Internal\".");
  py::class_<Server, services::InferService, std::shared_ptr<Server>>(
      module, "ModelServer", py::is_final(),
      "The end of the path: hands calls to the one Python thread that runs the model.")
      .def(py::init(&NewServer), py::arg("loops"), py::kw_only(), py::arg("model"),
           py::arg("version"), py::arg("signature"), py::arg("max_pending") = 256)
      .def(
          "next_task",
          [](Server& self, std::optional<double> timeout_s) {
            return NextTask(self.server(), self.loops(), timeout_s);
          },
          py::arg("timeout_s") = py::none(),
          "Waits (GIL released) for the next call whose deadline has not passed; None at timeout or\n"
          "after close.")
      .def(
          "resign", [](Server& self) { self.server().Resign(); },
          "Not healthy from now on, for it is about to go; calls are taken all the same.")
      .def(
          "close", [](Server& self) { self.server().Close(); },
          "Wakes next_task for good; calls that wait are failed with Unavailable.");
}

}  // namespace skysail::bindings
