#include "telemetry/span_text.h"

#include <unordered_map>

namespace skysail::telemetry {
namespace {

using Members = std::unordered_map<uint64_t, std::vector<std::pair<TraceId, SpanId>>>;

// Values of services::CacheOutcome.
constexpr std::string_view kCacheOutcomes[] = {"", "hit", "miss", "coalesced"};

SpanKind KindOf(Stage stage) {
  switch (stage) {
    case Stage::kRequest:
    case Stage::kServe: return SpanKind::kServer;
    case Stage::kBatch:
    case Stage::kHop: return SpanKind::kClient;
    default: return SpanKind::kInternal;
  }
}

void AddName(std::string_view key, NameId id, SpanText* text) {
  if (id != 0) text->attributes.emplace_back(key, Names::Get().Find(id));
}
void AddNumber(std::string_view key, uint32_t value, SpanText* text) {
  if (value != 0) text->attributes.emplace_back(key, static_cast<int64_t>(value));
}

void AddAttributes(const SpanRecord& record, SpanText* text) {
  const bool is_default = (record.flags & SpanRecord::kDefault) != 0;
  if (text->kind != SpanKind::kInternal) {
    text->attributes.emplace_back("rpc.system", std::string("grpc"));
    text->attributes.emplace_back("rpc.service", std::string("inference.GRPCInferenceService"));
    text->attributes.emplace_back("rpc.method", std::string("ModelInfer"));
  }
  AddName("skysail.application", record.application, text);
  AddName("skysail.model", record.model, text);
  AddName("skysail.version", record.version, text);
  AddName(record.stage == Stage::kHop ? "server.address" : "skysail.replica", record.replica, text);
  AddNumber("skysail.rows", record.stage == Stage::kBatch ? 0 : record.rows, text);
  AddNumber("skysail.batch.rows", record.stage == Stage::kBatch ? record.rows : 0, text);
  AddNumber("skysail.batch.limit", record.limit, text);
  if (record.stage == Stage::kQueue) {
    text->attributes.emplace_back("skysail.queue.depth", static_cast<int64_t>(record.depth));
  }
  if (record.cache != 0 && record.cache < std::size(kCacheOutcomes)) {
    text->attributes.emplace_back("skysail.cache", std::string(kCacheOutcomes[record.cache]));
  }
  if (record.deadline_left_us >= 0) {
    text->attributes.emplace_back("skysail.deadline_left_us",
                                  static_cast<int64_t>(record.deadline_left_us));
  }
  AddNumber("skysail.queue_us", record.queue_us, text);
  AddNumber("skysail.fill_us", record.fill_us, text);
  AddNumber("skysail.staged_us", record.staged_us, text);
  AddNumber("skysail.model_us", record.model_us, text);
  AddNumber("skysail.hop_us", record.hop_us, text);
  if (is_default) {
    text->attributes.emplace_back("skysail.default", true);
    text->attributes.emplace_back("skysail.default.reason", std::string(ErrorCode(record.status)));
  }
  if ((record.flags & SpanRecord::kRetried) != 0) text->attributes.emplace_back("skysail.retried", true);
  if (record.status != ErrorKind::kOk && !is_default) {
    text->error = ErrorCode(record.status);
    text->attributes.emplace_back("error.type", text->error);
  }
}

SpanText TextOf(const SpanRecord& record, TimeNs offset) {
  SpanText text;
  text.trace = record.trace;
  text.span = record.span;
  text.parent = record.parent;
  text.name = StageName(record.stage);
  text.kind = KindOf(record.stage);
  text.start_unix_ns = record.start + offset;
  text.end_unix_ns = record.end + offset;
  text.sampled = (record.flags & SpanRecord::kSampled) != 0;
  text.mate = (record.flags & SpanRecord::kMate) != 0;
  AddAttributes(record, &text);
  return text;
}

}  // namespace

std::string_view StageName(Stage stage) {
  switch (stage) {
    case Stage::kRequest: return "request";
    case Stage::kServe: return "serve";
    case Stage::kSelection: return "selection";
    case Stage::kCache: return "cache";
    case Stage::kQueue: return "queue";
    case Stage::kFill: return "fill";
    case Stage::kRun: return "run";
    case Stage::kBatch: return "batch";
    case Stage::kHop: return "hop";
    case Stage::kStaged: return "staged";
    case Stage::kModel: return "model";
  }
  return "";
}

std::vector<SpanText> ToText(const std::vector<SpanRecord>& records, TimeNs unix_minus_monotonic) {
  Members members;
  for (const SpanRecord& record : records) {
    if (record.stage == Stage::kRun) members[record.batch].emplace_back(record.trace, record.span);
  }
  std::vector<SpanText> texts;
  texts.reserve(records.size());
  for (const SpanRecord& record : records) {
    texts.push_back(TextOf(record, unix_minus_monotonic));
    if (record.stage == Stage::kRun) {
      texts.back().links.emplace_back(TraceOfBatch(record.batch), record.batch);
    } else if (record.stage == Stage::kBatch) {
      texts.back().links = members[record.batch];
    }
  }
  return texts;
}

}  // namespace skysail::telemetry
