// A batch on its way through a replica: its members, and the call that carries them.
#ifndef SKYSAIL_SERVICES_BATCH_H_
#define SKYSAIL_SERVICES_BATCH_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/slice.h"
#include "net/client_channel.h"
#include "services/work.h"
#include "telemetry/span_record.h"

namespace skysail::services {

class Batch;

// Told when the call of a batch has ended.
class BatchOwner {
 public:
  virtual void OnBatchEnded(Batch& batch, net::CallResult result) = 0;

 protected:
  ~BatchOwner() = default;
};

// When it was made, and what it was held to.
struct BatchTimes {
  uint64_t id = 0;           // differs from those of all other batches
  int64_t limit_rows = 0;
  TimeNs filling_since = 0;  // since when a replica stood free for it
  TimeNs dispatched = 0;
  bool sampled = false;      // some member's trace is
  telemetry::NameId replica = 0;
};

// How it ended.
struct BatchEnd {
  BatchTimes times;
  TimeNs at = 0;
  Timing ran;  // what its members have in common
};

// Home loop only. Owned by its replica from Send until OnBatchEnded.
class Batch final : public net::ClientStreamHandler {
 public:
  Batch(BatchOwner& owner, std::vector<std::unique_ptr<Work>> members, int64_t rows, bool full,
        BatchTimes times)
      : members_(std::move(members)), rows_(rows), full_(full), times_(times), owner_(owner) {
    for (const auto& work : members_) work->batch = this;
  }
  ~Batch() = default;

  void Send(net::ClientChannel& channel, Bytes request);
  // A member is no longer wanted. When none is, the call is cancelled: OnBatchEnded runs in here, and
  // this may be destroyed.
  void MemberLeft();
  // Takes it back from a replica that hangs: cancelled as above, though members still wait.
  void TakeBack();

  void OnMessage(Slice message) override { answer_ = std::move(message); }
  void OnDone(net::CallResult result) override {
    stream_ = nullptr;
    owner_.OnBatchEnded(*this, std::move(result));
  }

  std::vector<std::unique_ptr<Work>>& members() { return members_; }
  const Slice& answer() const { return answer_; }
  int64_t rows() const { return rows_; }
  bool full() const { return full_; }  // as large as the limit allowed
  const BatchTimes& times() const { return times_; }
  // Holds what a replica was lost with, or hung at, before.
  bool retried() const {
    return std::any_of(members_.begin(), members_.end(),
                       [](const auto& work) { return work->retried; });
  }
  bool taken_back() const { return taken_back_; }
  bool abandoned() const { return left_ == members_.size(); }

 private:
  std::vector<std::unique_ptr<Work>> members_;
  const int64_t rows_;
  const bool full_;
  const BatchTimes times_;
  BatchOwner& owner_;
  net::ClientStream* stream_ = nullptr;
  Slice answer_;
  size_t left_ = 0;
  bool taken_back_ = false;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_BATCH_H_
