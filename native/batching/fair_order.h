// In which order lanes are served: classes of priority first, then equal shares by weight.
//
// A lane is what one application has waiting in one class. The higher class goes first, but a lower
// one that waits is owed one row for every kRowsAbove rows that classes above it are given, so nothing
// starves. Within a class the lane that has been given the least, by its weight, is next (start-time
// fair queueing: Goyal, Vin, Cheng, SIGCOMM'96); a lane that comes back after a pause begins where the
// class is now, so nobody saves up and nobody is punished for what was free.
//
// A pure state machine: no clock, no entries. Not thread-safe.
#ifndef SKYSAIL_BATCHING_FAIR_ORDER_H_
#define SKYSAIL_BATCHING_FAIR_ORDER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace skysail::batching {

enum class Priority : uint8_t { kHigh, kNormal, kLow };
inline constexpr size_t kPriorities = 3;
std::string_view PriorityName(Priority priority);  // "high", "normal", "low"
std::optional<Priority> ParsePriority(std::string_view name);

// Written by FairOrder only, once in use, but for `weight`.
struct FairLane {
  Priority priority = Priority::kNormal;
  double weight = 1;     // > 0
  int64_t waiting = 0;   // rows
  double given = 0;      // rows by weight, on the class's own count
};

class FairOrder {
 public:
  // Rows that go to higher classes for each one that a lower class is owed.
  static constexpr int64_t kRowsAbove = 7;

  void Arrived(FairLane& lane, int64_t rows);
  void Left(FairLane& lane, int64_t rows);    // without having been served
  // And so left. `owed`: Choice::owed of the choice that led here.
  void Served(FairLane& lane, int64_t rows, bool owed);

  struct Choice {
    Priority priority;
    bool owed;  // it passes over a higher class
  };
  // The class to serve next, when only those in `present` (bit i: class i) can be. Requires one.
  Choice Next(unsigned present) const;
  // Whether `a` goes before `b` of the same class; neither before the other: by deadline.
  static bool Before(const FairLane& a, const FairLane& b) { return a.given < b.given; }

 private:
  static size_t Index(Priority priority) { return static_cast<size_t>(priority); }

  std::array<int64_t, kPriorities> waiting_{};  // rows of each class
  std::array<double, kPriorities> given_{};     // where a lane of the class begins
  // Rows given to higher classes while this one waited, less kRowsAbove for each row with which it then
  // passed them over; below zero when one large entry took more than was owed.
  std::array<int64_t, kPriorities> owed_{};
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_FAIR_ORDER_H_
