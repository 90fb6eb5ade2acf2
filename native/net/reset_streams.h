// The streams of a connection that we reset, so that frames which were on their way when we did are
// told from those of a peer that uses an old stream again. At most 4 KiB.
#ifndef SKYSAIL_NET_RESET_STREAMS_H_
#define SKYSAIL_NET_RESET_STREAMS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace skysail::net {

class ResetStreams {
 public:
  void Add(int32_t id) {
    if (ids_.size() <= kKept) ids_.push_back(id);
  }
  // Whether `id` may have been reset. After more resets than are kept it may be any.
  bool MayHold(int32_t id) const {
    return ids_.size() > kKept || std::find(ids_.begin(), ids_.end(), id) != ids_.end();
  }

 private:
  static constexpr size_t kKept = 1000;
  std::vector<int32_t> ids_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_RESET_STREAMS_H_
