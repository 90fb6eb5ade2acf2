// The end of the path: hands calls to the one thread that runs the model.
//
// Loop threads put tasks into a bounded queue and never wait; the model thread takes them one by one.
// A task whose caller has left or whose deadline has passed while it waited never reaches the model.
#ifndef SKYSAIL_SERVICES_MODEL_SERVER_H_
#define SKYSAIL_SERVICES_MODEL_SERVER_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/slice.h"
#include "base/status.h"
#include "oip/signature.h"
#include "services/call_stats.h"
#include "services/infer_call.h"
#include "telemetry/histogram.h"

namespace skysail::services {

struct ModelServerOptions {
  std::string model, version;
  oip::Signature signature;
  size_t max_pending = 256;  // more are refused with ResourceExhausted
};

// One call that the model owes an answer: whoever takes it from Next must Respond or Fail. Thread-safe.
class ModelTask final : public CancelHandler, public std::enable_shared_from_this<ModelTask> {
 public:
  struct Counts;
  ModelTask(InferCall call, std::shared_ptr<Counts> counts,
            std::shared_ptr<const ModelServerOptions> options, const Clock& clock);

  const Slice& message() const { return request_->message; }
  int64_t rows() const { return request_->rows; }
  TimeNs deadline() const { return deadline_; }
  bool cancelled() const { return cancelled_at_.load(std::memory_order_acquire) != 0; }

  // Answers with an encoded ModelInferResponse. What the signature does not promise is told to the
  // caller as Internal. FailedPrecondition when it was answered already.
  Status Respond(Slice response);
  Status Fail(Status status, bool unprocessed = false);

  void OnCancel() override;  // on the call's loop

 private:
  friend class ModelServer;
  Status Settle(InferResponse response);
  bool answered() const { return answered_.load(std::memory_order_acquire); }
  // From when on nobody waits for the answer; kNever: somebody may wait for ever.
  TimeNs UnwantedSince() const;
  void RecordSpans(ErrorKind status) const;

  const std::shared_ptr<Counts> counts_;
  const std::shared_ptr<const ModelServerOptions> options_;
  const Clock& clock_;
  const TimeNs arrived_;
  TimeNs taken_ = 0;  // by the model's side; 0: not yet
  TimeNs settled_ = 0;  // likewise
  const std::unique_ptr<InferRequest> request_;
  const TimeNs deadline_;
  InferCall call_;  // finished on its loop
  std::atomic<TimeNs> cancelled_at_{0};  // 0: it was not
  std::atomic<bool> answered_{false};  // by the model's side
  // Owned by the loop thread: the loop's own share, so that a task is not destroyed before its call
  // was finished; null from then on.
  std::shared_ptr<ModelTask> unfinished_;
};

// Thread-safe.
class ModelServer final : public InferService {
 public:
  explicit ModelServer(ModelServerOptions options, const Clock& clock = SystemClock::Get());
  ~ModelServer() override;

  void Infer(InferCall call) override;
  void OnUnreadable(ErrorKind kind) override;
  // False once it has resigned or was closed, and while the model is stuck: it computes what nobody
  // has waited for since kStuckAfter. Python's lock may be held all the while: this does not need it.
  bool Healthy() const override;
  Report Stats() const override;
  static constexpr TimeNs kStuckAfter = 500 * kMillisecond;

  // Not healthy from now on, for it is about to go; calls are taken all the same.
  void Resign();
  // Waits at most `timeout` for the next task that is still wanted; null at the timeout or when
  // closed.
  std::shared_ptr<ModelTask> Next(TimeNs timeout);
  // Fails those who wait with Unavailable and takes no more. Idempotent.
  void Close();
  bool closed() const;

 private:
  std::shared_ptr<ModelTask> Pop();

  const std::shared_ptr<const ModelServerOptions> options_;
  const Clock& clock_;
  const std::shared_ptr<ModelTask::Counts> counts_;
  mutable std::mutex mu_;
  std::condition_variable arrived_;
  std::deque<std::shared_ptr<ModelTask>> pending_;  // guarded by mu_
  std::shared_ptr<const ModelTask> running_;        // guarded by mu_: handed out last
  size_t waiters_ = 0;                              // guarded by mu_: threads inside Next
  bool closed_ = false;                             // guarded by mu_
  bool resigned_ = false;                           // guarded by mu_
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_MODEL_SERVER_H_
