#include <pybind11/pybind11.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/loops.h"
#include "telemetry/otlp.h"
#include "telemetry/span_store.h"
#include "telemetry/span_text.h"
#include "telemetry/trace_context.h"

namespace skysail::bindings {
namespace {

using telemetry::SpanRecord;
using telemetry::SpanStore;
using telemetry::SpanText;
using telemetry::TraceId;

// Between the clock of spans and that of the calendar, now.
TimeNs UnixMinusMonotonic() {
  const auto unix = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return unix.count() - SystemClock::Get().Now();
}

std::string Hex(const TraceId& id) {
  std::string text(32, '\0');
  telemetry::FormatTraceId(id, text.data());
  return text;
}
std::string Hex(telemetry::SpanId id) {
  std::string text(16, '\0');
  telemetry::FormatSpanId(id, text.data());
  return text;
}

py::dict ToDict(const SpanText& span) {
  py::dict attributes, dict;
  for (const auto& [key, value] : span.attributes) {
    attributes[py::str(key.data(), key.size())] =
        std::visit([](const auto& each) -> py::object { return py::cast(each); }, value);
  }
  py::list links;
  for (const auto& [trace, id] : span.links) {
    py::dict link;
    link["trace_id"] = Hex(trace);
    link["span_id"] = Hex(id);
    links.append(link);
  }
  dict["trace_id"] = Hex(span.trace);
  dict["span_id"] = Hex(span.span);
  dict["parent_id"] = span.parent != 0 ? Hex(span.parent) : std::string();
  dict["name"] = std::string(span.name);
  dict["kind"] = static_cast<int>(span.kind);
  dict["start_unix_ns"] = span.start_unix_ns;
  dict["end_unix_ns"] = span.end_unix_ns;
  dict["error"] = std::string(span.error);
  dict["sampled"] = span.sampled;
  dict["mate"] = span.mate;
  dict["attributes"] = attributes;
  dict["links"] = links;
  return dict;
}

class Spans {
 public:
  Spans(const LoopsPtr& loops, double spans_per_s, size_t kept_spans)
      : store_(std::make_shared<SpanStore>(static_cast<size_t>(loops->size()),
                                           telemetry::SpanStoreOptions{8192, kept_spans, spans_per_s})) {
    for (int i = 0; i < loops->size(); ++i) {
      loops->loop(i).Post([ring = store_->ring(static_cast<size_t>(i))] {
        telemetry::SpanRing::SetOfThisThread(ring);
      });
    }
  }
  void Collect() { store_->Collect(); }

  py::list Find(const std::unordered_set<std::string>& traces, bool requests) const {
    std::vector<SpanText> found;
    {
      py::gil_scoped_release release;
      std::vector<SpanRecord> records = store_->All();
      const auto unwanted = [&](const SpanRecord& record) {
        if (requests) return record.stage != telemetry::Stage::kRequest;
        return traces.count(Hex(record.trace)) == 0 &&
               (record.batch == 0 || traces.count(Hex(telemetry::TraceOfBatch(record.batch))) == 0);
      };
      records.erase(std::remove_if(records.begin(), records.end(), unwanted), records.end());
      found = telemetry::ToText(records, UnixMinusMonotonic());
    }
    py::list list;
    for (const SpanText& span : found) list.append(ToDict(span));
    return list;
  }

  std::optional<std::pair<py::bytes, size_t>> TakeForExport(
      const std::vector<std::pair<std::string, std::string>>& resource, size_t most) {
    std::string encoded;
    size_t count;
    {
      py::gil_scoped_release release;
      const std::vector<SpanRecord> records = store_->TakeForExport(most);
      if (records.empty()) return std::nullopt;
      count = records.size();
      encoded = telemetry::EncodeOtlp(resource, telemetry::ToText(records, UnixMinusMonotonic()));
    }
    return std::make_pair(py::bytes(encoded), count);
  }

  py::list Take(size_t most) const {
    std::vector<SpanText> taken;
    {
      py::gil_scoped_release release;
      taken = telemetry::ToText(store_->TakeForExport(most), UnixMinusMonotonic());
    }
    py::list list;
    for (const SpanText& span : taken) {
      if (!span.mate) list.append(ToDict(span));
    }
    return list;
  }

  py::dict Counts() const {
    const SpanStore::Counts counts = store_->counts();
    py::dict dropped, dict;
    dropped["overwritten"] = counts.overwritten;
    dropped["over_budget"] = counts.over_budget;
    dropped["not_exported"] = counts.not_exported;
    dict["kept"] = counts.kept;
    dict["dropped"] = dropped;
    return dict;
  }

 private:
  const std::shared_ptr<SpanStore> store_;
};

std::unique_ptr<Spans> NewSpans(const LoopsPtr& loops, double spans_per_s, size_t kept_spans) {
  if (!(spans_per_s > 0)) throw py::value_error("spans_per_s must be > 0");
  if (kept_spans < 1) throw py::value_error("kept_spans must be >= 1");
  return std::make_unique<Spans>(loops, spans_per_s, kept_spans);
}

}  // namespace

void BindTracing(py::module_& module) {
  module.def(
      "trace_faults",
      [] {
        const telemetry::TraceFaults& faults = telemetry::TraceFaults::Get();
        py::dict dict;
        dict["traceparent"] = faults.traceparents.value();
        dict["tracestate"] = faults.tracestates.value();
        return dict;
      },
      "How many trace headers of callers this process dropped because they were malformed, by name.");
  py::class_<Spans>(module, "Spans", py::is_final(),
                    "Has the loops record spans, and keeps the latest `kept_spans` of them.\n\n"
                    "`spans_per_s`: beyond it, whole traces are left out.")
      .def(py::init(&NewSpans), py::arg("loops"), py::kw_only(), py::arg("spans_per_s") = 1000.0,
           py::arg("kept_spans") = 16384)
      .def("collect", &Spans::Collect, py::call_guard<py::gil_scoped_release>(),
           "Takes what the loops recorded; to be called several times a second.")
      .def(
          "find",
          [](const Spans& spans, const std::unordered_set<std::string>& traces) {
            return spans.Find(traces, false);
          },
          py::arg("traces"),
          "The spans of traces (32 hexadecimal digits), and those of batches that are linked to them.")
      .def(
          "requests", [](const Spans& spans) { return spans.Find({}, true); },
          "The spans of calls that a frontend answered, oldest first.")
      .def("take", &Spans::Take, py::arg("most"),
           "For an exporter: the spans that came since, `most` or a batch more.")
      .def("take_for_export", &Spans::TakeForExport, py::arg("resource"), py::arg("most"),
           "The same as an encoded ExportTraceServiceRequest, and how many they are; None when there are\n"
           "none.")
      .def("counts", &Spans::Counts, "How many spans were kept, and dropped by reason.");
}

}  // namespace skysail::bindings
