// The works in flight by the whole key of their request, so that equal queries run once. Chains
// works through themselves: nothing is allocated per entry. O(1) expected; grows, never shrinks.
// Not thread-safe.
#ifndef SKYSAIL_SERVICES_FLIGHT_TABLE_H_
#define SKYSAIL_SERVICES_FLIGHT_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "services/work.h"

namespace skysail::services {

class FlightTable {
 public:
  FlightTable() : buckets_(64, nullptr) {}

  // The work with that key, or null.
  Work* Find(std::string_view key, uint64_t hash) const {
    Work* work = buckets_[hash & (buckets_.size() - 1)];
    while (work != nullptr && (work->key_hash != hash || work->key.view() != key)) {
      work = work->next_in_bucket;
    }
    return work;
  }
  // Requires that no work with its key is here.
  void Add(Work* work) {
    if (size_ == buckets_.size()) Grow();
    Chain(work);
    ++size_;
  }
  // Takes out `work` itself; nothing happens when it is not here.
  void Remove(Work* work) {
    Work** link = &buckets_[work->key_hash & (buckets_.size() - 1)];
    while (*link != nullptr && *link != work) link = &(*link)->next_in_bucket;
    if (*link == nullptr) return;
    *link = work->next_in_bucket;
    --size_;
  }
  size_t size() const { return size_; }

 private:
  void Chain(Work* work) {
    Work*& bucket = buckets_[work->key_hash & (buckets_.size() - 1)];
    work->next_in_bucket = bucket;
    bucket = work;
  }
  void Grow() {
    std::vector<Work*> old(buckets_.size() * 2, nullptr);
    old.swap(buckets_);
    for (Work* work : old) {
      while (work != nullptr) {
        Work* next = work->next_in_bucket;
        Chain(work);
        work = next;
      }
    }
  }

  std::vector<Work*> buckets_;  // a power of two
  size_t size_ = 0;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_FLIGHT_TABLE_H_
