#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <memory>
#include <string>

#include "bindings/bindings.h"
#include "bindings/dispatcher.h"
#include "bindings/errors.h"
#include "bindings/loops.h"
#include "bindings/seconds.h"
#include "bindings/server_stream.h"
#include "net/channel_counters.h"
#include "net/grpc_server.h"
#include "services/health_endpoint.h"
#include "services/infer_endpoint.h"

namespace skysail::bindings {
namespace {

// Calls that may wait for the dispatcher; with more, Python is not keeping up and new ones are
// refused.
constexpr size_t kMostWaitingCalls = 8192;

// On a loop's thread, without the GIL.
std::unique_ptr<net::StreamHandler> HandToPython(net::ServerStream& stream, const LoopsPtr& loops,
                                                 const SharedObject& on_call) {
  auto bridge = std::make_shared<StreamBridge>(stream);
  if (Dispatcher::Get().pending() >= kMostWaitingCalls) {
    bridge->Finish(ResourceExhausted("too many calls wait for Python handlers; try again later"),
                   {});
  } else {
    Dispatcher::Get().Post([bridge, loops, on_call] {
      try {
        (*on_call)(std::make_unique<ServerStream>(bridge, loops));
      } catch (py::error_already_set&) {
        // Not left to the stream's end: the traceback that is reported keeps it alive.
        bridge->Finish(Internal("taking the call failed"), {});
        throw;
      }
    });
  }
  return bridge->NewHandler();
}

// `counts`: whatever tells how often each reason was.
template <typename Counts>
void CountByReason(const Counts& counts, py::dict& dict) {
  py::dict cut_off, over_limit;
  for (size_t i = 1; i < net::kOffences; ++i) {
    const auto offence = static_cast<net::Offence>(i);
    cut_off[py::str(net::OffenceName(offence))] = counts.of(offence);
  }
  for (size_t i = 0; i < net::kOverruns; ++i) {
    const auto overrun = static_cast<net::Overrun>(i);
    over_limit[py::str(net::OverrunName(overrun))] = counts.of(overrun);
  }
  dict["cut_off"] = cut_off;
  dict["calls_over_limit"] = over_limit;
}

py::dict ChannelStats() {
  py::dict dict;
  CountByReason(net::ChannelCounters::OfProcess(), dict);
  return dict;
}

class Server {
 public:
  Server(LoopsPtr loops, const net::ServerOptions& options)
      : loops_(std::move(loops)), server_(*loops_, options) {}
  // With the GIL: Python destroys it.
  ~Server() { Shutdown(); }

  void Serve(std::shared_ptr<services::InferService> service) {
    RequireNotStarted("serve");
    if (endpoint_ != nullptr) {
      Raise({ErrorKind::kFailedPrecondition, "the server serves another service already"});
    }
    endpoint_ = std::make_unique<services::InferEndpoint>(std::move(service));
    endpoint_->AttachTo(server_);
  }
  void ServeHealth(std::shared_ptr<services::InferService> service) {
    RequireNotStarted("serve_health");
    if (health_ != nullptr) {
      Raise({ErrorKind::kFailedPrecondition, "the server tells the health of a service already"});
    }
    health_ = std::make_unique<services::HealthEndpoint>(std::move(service));
    health_->AttachTo(server_);
  }
  void SetFallback(py::function on_call) {
    RequireNotStarted("set_fallback");
    // The server does not call it after its shutdown, so the loops are there when it does; owning
    // them here might destroy them on one of their own threads.
    server_.SetFallback([loops = std::weak_ptr<net::LoopThreads>(loops_),
                         on_call = Share(std::move(on_call))](net::ServerStream& stream) {
      return HandToPython(stream, loops.lock(), on_call);
    });
  }
  std::string Listen(const std::string& address, bool inner) {
    return Check(server_.Listen(Check(net::Address::Parse(address)), inner)).ToString();
  }
  void Start() {
    RequireNotStarted("start");
    started_ = true;
    py::gil_scoped_release release;
    server_.Start();
  }
  void Shutdown() {
    py::gil_scoped_release release;
    server_.Shutdown();
  }
  py::dict Stats() const {
    net::GrpcServer::Stats stats = server_.stats();
    py::dict dict;
    dict["connections_accepted"] = stats.connections_accepted;
    dict["connections_open"] = stats.connections_open;
    dict["connections_refused"] = stats.connections_refused;
    dict["accepts_put_off"] = stats.accepts_put_off;
    dict["connections_retired"] = stats.connections_retired;
    dict["calls_started"] = stats.calls_started;
    dict["calls_open"] = stats.calls_open;
    dict["calls_cancelled"] = stats.calls_cancelled;
    dict["protocol_errors"] = stats.protocol_errors;
    dict["bytes_read"] = stats.bytes_read;
    dict["bytes_written"] = stats.bytes_written;
    CountByReason(stats, dict);
    return dict;
  }

 private:
  void RequireNotStarted(const char* what) const {
    if (started_) {
      Raise({ErrorKind::kFailedPrecondition,
             std::string(what) + " comes before start, which was called"});
    }
  }

  const LoopsPtr loops_;
  std::unique_ptr<services::InferEndpoint> endpoint_;  // outlives server_, as the one below
  std::unique_ptr<services::HealthEndpoint> health_;
  net::GrpcServer server_;
  bool started_ = false;
};

std::unique_ptr<Server> New(LoopsPtr loops, size_t max_message_bytes, double drain_timeout_s,
                            const std::map<std::string, int64_t>& limits) {
  if (max_message_bytes < 1) throw py::value_error("max_message_bytes must be >= 1");
  net::ServerOptions options;
  options.max_message_bytes = max_message_bytes;
  options.drain_timeout = FromSecondsAtLeastZero(drain_timeout_s, "drain_timeout_s");
  for (const auto& [name, value] : limits) {
    const Status status = net::SetLimit(&options, name, value);
    if (!status.ok()) throw py::value_error(status.message());
  }
  return std::make_unique<Server>(std::move(loops), options);
}

py::list ServerLimits() {
  py::list rows;
  const net::PeerLimits defaults;
  net::ForEachLimit(defaults, [&rows](const net::PeerLimit& row, const auto& field) {
    rows.append(py::make_tuple(row.name, static_cast<int64_t>(field) / row.unit, row.low, row.high,
                               row.text));
  });
  return rows;
}

void StopDispatcher() {
  py::gil_scoped_release release;
  Dispatcher::Get().Stop();
}

}  // namespace

void BindServer(py::module_& module) {
  const net::ServerOptions defaults;
  py::class_<Server>(
      module, "Server", py::is_final(),
      "A gRPC server: ModelInfer goes to a native service, everything else to the fallback.\n\n"
      "`max_message_bytes`: the largest message received, after decompression. "
      "`drain_timeout_s`: how\n"
      "long shutdown() waits for calls. `limits`: of what peers may do, by the names of "
      "server_limits().")
      .def(py::init(&New), py::arg("loops"), py::kw_only(),
           py::arg("max_message_bytes") = defaults.max_message_bytes,
           py::arg("drain_timeout_s") = ToSeconds(defaults.drain_timeout),
           py::arg("limits") = py::dict())
      .def("serve", &Server::Serve, py::arg("service"),
           "Before start: ModelInfer and ModelStreamInfer are answered by `service`.")
      .def("serve_health", &Server::ServeHealth, py::arg("service"),
           "Before start: grpc.health.v1.Health/Check is answered without Python, of `service`.")
      .def(
          "set_fallback", &Server::SetFallback, py::arg("on_call"),
          "Before start: `on_call` is told of every call without a native handler; must not block.")
      .def("listen", &Server::Listen, py::arg("address"), py::kw_only(), py::arg("inner") = false,
           "Binds \"host:port\" (0: any free) or \"unix:/path\"; returns the bound address.\n\n"
           "`inner`: its callers are trusted to pin versions and to set deadlines.")
      .def("start", &Server::Start, "Accepts connections from now on.")
      .def("shutdown", &Server::Shutdown, "Drains, then closes; blocks (GIL released). Idempotent.")
      .def("stats", &Server::Stats, "Counts of connections, calls and bytes since the start.");
  module.def("server_limits", &ServerLimits,
             "Name, default, lowest and highest value, and meaning of every limit of a server.");
  module.def("channel_stats", &ChannelStats,
             "How often this process gave up peers that it calls, and calls to them, by reason.");
  py::module_::import("atexit").attr("register")(py::cpp_function(&StopDispatcher));
}

}  // namespace skysail::bindings
