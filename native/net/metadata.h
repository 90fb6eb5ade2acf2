// gRPC metadata: ordered key-value pairs. Keys are lower case; a key that ends in "-bin" has a
// binary value, base64 on the wire and raw bytes here.
#ifndef SKYSAIL_NET_METADATA_H_
#define SKYSAIL_NET_METADATA_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skysail::net {

class Metadata {
 public:
  using Pair = std::pair<std::string, std::string>;
  Metadata() = default;
  explicit Metadata(std::vector<Pair> pairs) : pairs_(std::move(pairs)) {}

  void Add(std::string key, std::string value) {
    pairs_.emplace_back(std::move(key), std::move(value));
  }
  // The first value of `key`, or an empty view without data().
  std::string_view Get(std::string_view key) const {
    for (const Pair& pair : pairs_) {
      if (pair.first == key) return pair.second;
    }
    return {};
  }
  bool empty() const { return pairs_.empty(); }
  size_t size() const { return pairs_.size(); }
  auto begin() const { return pairs_.begin(); }
  auto end() const { return pairs_.end(); }

 private:
  std::vector<Pair> pairs_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_METADATA_H_
