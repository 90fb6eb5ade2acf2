// The sending side of a packed hop: calls to one peer, many in one stream of one channel.
#ifndef SKYSAIL_SERVICES_HOP_CHANNEL_H_
#define SKYSAIL_SERVICES_HOP_CHANNEL_H_

#include <cstdint>
#include <memory>

#include "net/client_channel.h"
#include "services/infer_call.h"

namespace skysail::services {

// Told the answer of one call, once. `lost`: the stream broke before it came, and whether the peer
// has seen the call is not known.
class HopAnswerHandler {
 public:
  virtual void OnHopAnswer(InferResponse response, bool lost) = 0;

 protected:
  ~HopAnswerHandler() = default;
};

// Opens its stream with the first call and again after it ended. When the peer says that it is going
// away, calls under way are waited for on the old stream and new ones go to a new connection. The
// channel's loop only; `channel` must outlive it.
class HopChannel {
 public:
  explicit HopChannel(net::ClientChannel& channel);
  // Calls under way get no answer.
  ~HopChannel();

  // A call under way; valid until its answer.
  struct Ticket {
    std::weak_ptr<void> stream;
    uint64_t call_id = 0;
  };
  // False, and nothing is sent, when the peer is behind: too many calls are under way, or it takes no
  // bytes. Otherwise `handler` is told the answer in a later turn, never from inside. The deadline is
  // told to the peer and not watched here.
  bool Send(const InferCall& call, TimeNs now, HopAnswerHandler* handler, Ticket* ticket);
  // The call is given up; its handler is told nothing.
  void Cancel(const Ticket& ticket);

 private:
  class Stream;
  net::ClientChannel& channel_;
  std::shared_ptr<Stream> stream_;  // that takes new calls; null until needed
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_HOP_CHANNEL_H_
