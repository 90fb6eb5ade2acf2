// The prediction cache against a plain list. Where every key is let in and there is one shard, the
// cache is exactly that list: what is held, in which order it goes, what is counted. Where it chooses
// what comes in, or has several shards: a hit has the bytes last put for that space and key, before
// their TTL has passed and while the space lives. Always: neither the budget nor a quota is passed.
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/prediction_cache.h"
#include "fuzz/script.h"

namespace skysail::cache {
namespace {

constexpr size_t kMostSpaces = 32;

CacheOptions Options(bool exact, fuzz::Script* script) {
  constexpr int kHashBits[] = {0, 1, 3, 64};
  CacheOptions options;
  options.admit_all = exact;
  options.hash_seed = 1;
  options.hash_bits = kHashBits[script->Pick(4)];
  const size_t entries = 1 + script->Pick(12);
  // Room for small entries in one shard, or two shards for large ones.
  options.capacity_bytes = exact || script->Flip() ? entries * PredictionCache::Charge(2, 16)
                                                   : size_t{2} << 20;
  return options;
}

class Play {
 public:
  Play(bool exact, fuzz::Script* script)
      : exact_(exact), script_(*script), options_(Options(exact, script)), cache_(options_, clock_) {}

  void Run() {
    while (!script_.done()) {
      Step();
      Check();
    }
    while (exact_ && !held_.empty()) {
      const Held last = held_.back();
      Lookup(last.space, last.key);
      cache_.Erase(cache_.MakeKey(last.space, last.key));
      held_.remove_if([&](const Held& held) { return Is(held, last.space, last.key); });
    }
    for (const auto& [slice, bytes] : handed_out_) SKYSAIL_HOLDS(slice.view() == bytes);
  }

 private:
  struct Known {
    Space id;
    size_t quota;
    bool erased;
  };
  struct Held {
    size_t charge() const { return PredictionCache::Charge(key.size(), value.size()); }
    Space space;
    std::string key, value;
    TimeNs expires;
  };
  using Place = std::list<Held>::iterator;

  static bool Is(const Held& held, Space space, std::string_view key) {
    return held.space == space && held.key == key;
  }
  Place Find(Space space, std::string_view key) {
    Place at = held_.begin();
    while (at != held_.end() && !Is(*at, space, key)) ++at;
    return at;
  }
  size_t BytesOf(Space space) const {
    size_t bytes = 0;
    for (const Held& held : held_) bytes += held.space == space ? held.charge() : 0;
    return bytes;
  }
  size_t Bytes() const {
    size_t bytes = 0;
    for (const Held& held : held_) bytes += held.charge();
    for (size_t charge : garbage_) bytes += charge;
    return bytes;
  }
  std::string Key() { return std::string(script_.Pick(3), static_cast<char>('a' + script_.Pick(3))); }

  void Step() {
    switch (script_.Pick(12)) {
      case 0:
        AddSpace();
        break;
      case 1:
        EraseSpace(&spaces_[script_.Pick(spaces_.size())]);
        break;
      case 2: {
        const Space space = spaces_[script_.Pick(spaces_.size())].id;
        const std::string key = Key();
        const Place at = Find(space, key);
        const bool erased = cache_.Erase(cache_.MakeKey(space, key));
        SKYSAIL_HOLDS(exact_ ? erased == (at != held_.end()) : !erased || at != held_.end());
        if (at != held_.end()) held_.erase(at);
        break;
      }
      case 3:
        clock_.Advance(script_.Byte());
        break;
      case 4: {
        const size_t most = script_.Byte();
        const size_t freed = cache_.Reclaim(most);
        SKYSAIL_HOLDS(exact_ ? freed == Reclaimed(most) : freed <= most);
        break;
      }
      case 5:
      case 6:
      case 7:
        Lookup(spaces_[script_.Pick(spaces_.size())].id, Key());
        break;
      default:
        Insert(spaces_[script_.Pick(spaces_.size())]);
    }
  }

  void AddSpace() {
    if (spaces_.size() == kMostSpaces) return;
    const size_t quota =
        script_.Flip() ? 0 : (1 + script_.Pick(4)) * PredictionCache::Charge(2, 16);
    const Space id = cache_.AddSpace(quota);
    for (const Known& space : spaces_) SKYSAIL_HOLDS(space.id != id);
    spaces_.push_back({id, quota, false});
  }

  void EraseSpace(Known* space) {
    cache_.EraseSpace(space->id);
    space->erased = true;
    // What is given back first lies at the end.
    held_.remove_if([&](const Held& held) {
      if (held.space == space->id) garbage_.push_back(held.charge());
      return held.space == space->id;
    });
  }
  size_t Reclaimed(size_t most) {
    size_t freed = 0;
    for (; freed < most && !garbage_.empty(); ++freed) garbage_.pop_back();
    return freed;
  }

  void Lookup(Space space, const std::string& key) {
    const Place at = Find(space, key);
    const bool alive = at != held_.end() && clock_.Now() < at->expires;
    std::optional<Slice> found = cache_.Lookup(cache_.MakeKey(space, key));
    SKYSAIL_HOLDS(exact_ ? found.has_value() == alive : !found.has_value() || alive);
    if (!found.has_value()) {
      if (at != held_.end()) held_.erase(at);
      return;
    }
    SKYSAIL_HOLDS(found->view() == at->value);
    if (handed_out_.size() < 8) handed_out_.emplace_back(*std::move(found), at->value);
    held_.splice(held_.begin(), held_, at);
  }

  void Insert(const Known& space) {
    const std::string key = Key();
    const size_t unit = options_.capacity_bytes >= size_t{2} << 20 ? size_t{1024} : 1;
    std::string value(script_.Byte() * unit, '.');
    value += std::to_string(++puts_);
    const TimeNs ttl = script_.Flip() ? 0 : script_.Byte();
    const TimeNs expires = ttl == 0 ? kNever : clock_.Now() + ttl;
    const Held put{space.id, key, value, expires};
    const bool fits = put.charge() <= options_.capacity_bytes && !space.erased &&
                      (space.quota == 0 || put.charge() <= space.quota);
    const bool taken = cache_.Insert(cache_.MakeKey(space.id, key), value, ttl);
    SKYSAIL_HOLDS(exact_ ? taken == fits : !taken || fits);
    if (!fits) return;  // an older value stays
    const Place old = Find(space.id, key);
    if (old != held_.end()) held_.erase(old);
    if (!taken) return;  // and so nothing was held
    held_.push_front(put);
    if (exact_) MakeRoom(space);
  }
  void MakeRoom(const Known& space) {
    Reclaimed(2);
    while (space.quota != 0 && BytesOf(space.id) > space.quota) {
      Place oldest = held_.end();
      while ((--oldest)->space != space.id) continue;
      held_.erase(oldest);
    }
    while (Bytes() > options_.capacity_bytes) {
      if (Reclaimed(1) == 0) held_.pop_back();
    }
  }

  void Check() const {
    const CacheStats all = cache_.stats();
    SKYSAIL_HOLDS(all.bytes <= options_.capacity_bytes);
    for (const Known& space : spaces_) {
      const CacheStats stats = cache_.stats(space.id);
      SKYSAIL_HOLDS(space.quota == 0 || stats.bytes <= space.quota);
      SKYSAIL_HOLDS(!space.erased || stats.bytes == 0);
      if (exact_) SKYSAIL_HOLDS(stats.bytes == BytesOf(space.id));
    }
    if (!exact_) return;
    SKYSAIL_HOLDS(all.entries == held_.size() + garbage_.size());
    SKYSAIL_HOLDS(all.bytes == Bytes());
  }

  const bool exact_;
  fuzz::Script& script_;
  const CacheOptions options_;
  ManualClock clock_;
  PredictionCache cache_;
  std::vector<Known> spaces_{{PredictionCache::kNoSpace, 0, true}, {cache_.AddSpace(), 0, false}};
  // What is held, or may be, most recently used first; of erased spaces only what it is charged with.
  std::list<Held> held_;
  std::vector<size_t> garbage_;
  std::vector<std::pair<Slice, std::string>> handed_out_;  // values outlive their entries
  int puts_ = 0;
};

}  // namespace
}  // namespace skysail::cache

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  skysail::fuzz::Script script(skysail::fuzz::Text(data, size));
  const bool exact = script.Flip();
  skysail::cache::Play(exact, &script).Run();
  return 0;
}
