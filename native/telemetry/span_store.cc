#include "telemetry/span_store.h"

#include <algorithm>
#include <unordered_set>

namespace skysail::telemetry {
namespace {

// Even over all ids, and the same in every process.
uint64_t RankOf(const TraceId& id) {
  uint64_t mixed = (id.high * 0xd6e8feb86659fd93 ^ id.low) * 0x9e3779b97f4a7c15;
  mixed = (mixed ^ mixed >> 32) * 0xd6e8feb86659fd93;
  return mixed ^ mixed >> 32;
}

bool OfBatchAlone(const SpanRecord& record) {
  return record.stage == Stage::kBatch || (record.flags & SpanRecord::kMate) != 0;
}

// Recorded right behind the batch's own.
bool OfBatchsMember(const SpanRecord& record) {
  return record.stage == Stage::kQueue || record.stage == Stage::kFill || record.stage == Stage::kRun;
}

}  // namespace

SpanStore::SpanStore(size_t loops, SpanStoreOptions options, const Clock& clock)
    : options_(options), clock_(clock), positions_(loops, 0), tokens_(options.spans_per_s),
      filled_at_(clock.Now()) {
  for (size_t i = 0; i < loops; ++i) rings_.push_back(std::make_shared<SpanRing>(options.ring_spans));
}

void SpanStore::Collect() {
  std::lock_guard<std::mutex> lock(mu_);
  const TimeNs now = clock_.Now();
  tokens_ = std::min(options_.spans_per_s,
                     tokens_ + options_.spans_per_s * static_cast<double>(now - filled_at_) / kSecond);
  filled_at_ = now;
  complete_ = first_ + kept_.size();
  taken_.clear();
  for (size_t i = 0; i < rings_.size(); ++i) {
    counts_.overwritten += rings_[i]->ReadFrom(&positions_[i], &taken_);
  }
  if (!taken_.empty()) Admit(&taken_, static_cast<size_t>(std::max(tokens_, 0.0)));
}

void SpanStore::Admit(std::vector<SpanRecord>* taken, size_t most) {
  const size_t came = taken->size();
  if (came > most) {
    const auto highest = static_cast<uint64_t>(static_cast<double>(most) / static_cast<double>(came) *
                                               static_cast<double>(UINT64_MAX));
    std::unordered_set<uint64_t> batches;  // of traces that stay
    const auto ranks_too_high = [&](const SpanRecord& record) {
      if (OfBatchAlone(record)) return false;
      if (RankOf(record.trace) > highest) return true;
      if (record.stage == Stage::kRun) batches.insert(record.batch);
      return false;
    };
    taken->erase(std::remove_if(taken->begin(), taken->end(), ranks_too_high), taken->end());
    const auto batch_gone = [&batches](const SpanRecord& record) {
      return OfBatchAlone(record) && batches.count(record.batch) == 0;
    };
    taken->erase(std::remove_if(taken->begin(), taken->end(), batch_gone), taken->end());
  }
  tokens_ -= static_cast<double>(taken->size());
  counts_.over_budget += came - taken->size();
  counts_.kept += taken->size();
  kept_.insert(kept_.end(), taken->begin(), taken->end());
  while (kept_.size() > options_.kept_spans) {
    kept_.pop_front();
    if (first_++ >= exported_ && exporting_) ++counts_.not_exported;
  }
}

std::vector<SpanRecord> SpanStore::All() const {
  std::lock_guard<std::mutex> lock(mu_);
  return {kept_.begin(), kept_.end()};
}

std::vector<SpanRecord> SpanStore::TakeForExport(size_t most) {
  std::lock_guard<std::mutex> lock(mu_);
  exporting_ = true;
  exported_ = std::max(exported_, first_);
  std::vector<SpanRecord> out;
  for (; exported_ < complete_; ++exported_) {
    const SpanRecord& next = kept_[exported_ - first_];
    if (out.size() >= most && !OfBatchsMember(next)) break;
    out.push_back(next);
  }
  return out;
}

SpanStore::Counts SpanStore::counts() const {
  std::lock_guard<std::mutex> lock(mu_);
  return counts_;
}

}  // namespace skysail::telemetry
