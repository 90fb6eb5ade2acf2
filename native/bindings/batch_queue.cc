#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <vector>

#include "batching/blocking_queue.h"
#include "bindings/bindings.h"
#include "bindings/errors.h"
#include "bindings/seconds.h"
#include "bindings/waiting.h"

namespace skysail::bindings {
namespace {

using batching::QueueOptions;

// Owns one reference without touching it, so that it can be moved while the GIL is released.
class ItemRef {
 public:
  ItemRef() = default;
  explicit ItemRef(py::object object) : object_(object.release()) {}
  ItemRef(ItemRef&& other) noexcept : object_(std::exchange(other.object_, py::handle())) {}
  ItemRef& operator=(ItemRef&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~ItemRef() { object_.dec_ref(); }  // requires the GIL unless moved from
  py::object Release() {
    return py::reinterpret_steal<py::object>(std::exchange(object_, py::handle()));
  }

 private:
  py::handle object_;
};

using Items = batching::BlockingQueue<ItemRef>;

class Queue {
 public:
  Queue(QueueOptions options, const Clock& clock)
      : options_(options), clock_(clock), items_(options, clock) {}

  void Put(py::object item, int64_t rows, std::optional<double> deadline_s,
           const py::bytes& group) {
    if (rows < 1) throw py::value_error("rows must be >= 1");
    TimeNs deadline =
        deadline_s ? After(clock_.Now(), FromSeconds(*deadline_s, "deadline_s")) : kNever;
    switch (items_.Put(ItemRef(std::move(item)), rows, deadline, std::string_view(group))) {
      case Items::Outcome::kAccepted:
        return;
      case Items::Outcome::kFull:
        RaiseQueueFull("the queue has no room: it is bounded to " +
                       std::to_string(options_.max_entries) + " entries and " +
                       std::to_string(options_.max_rows) + " rows");
      case Items::Outcome::kClosed:
        Raise(Unavailable("the queue is closed"));
    }
  }

  py::tuple Take(int64_t limit, std::optional<double> timeout_s, double needed_s) {
    if (limit < 1) throw py::value_error("limit must be >= 1");
    TimeNs needed = FromSecondsAtLeastZero(needed_s, "needed_s");
    Items::Taken taken;
    WaitInterruptibly(timeout_s, [&](TimeNs slice) {
      items_.Take(limit, needed, slice, &taken);
      return taken.closed || !taken.empty();
    });
    return py::make_tuple(ListOf(&taken.items), ListOf(&taken.expired));
  }

  void Close() { items_.Close(); }
  size_t entries() const { return items_.entries(); }
  int64_t rows() const { return items_.rows(); }

 private:
  static py::list ListOf(std::vector<ItemRef>* items) {
    py::list list;
    for (ItemRef& item : *items) list.append(item.Release());
    return list;
  }

  const QueueOptions options_;
  const Clock& clock_;
  Items items_;
};

std::unique_ptr<Queue> New(size_t max_entries, int64_t max_rows, const ManualClock* clock) {
  if (max_entries < 1) throw py::value_error("max_entries must be >= 1");
  if (max_rows < 1) throw py::value_error("max_rows must be >= 1");
  QueueOptions options{max_entries, max_rows};
  return clock != nullptr ? std::make_unique<Queue>(options, *clock)
                          : std::make_unique<Queue>(options, SystemClock::Get());
}

}  // namespace

void BindBatchQueue(py::module_& module) {
  const QueueOptions defaults;
  py::class_<Queue>(
      module, "BatchQueue", py::is_final(),
      "A bounded queue that gives out batches: earliest deadline first, only items of one group "
      "together.\n\n"
      "Thread-safe; take() waits with the GIL released. `max_entries` and `max_rows` bound what "
      "may wait.\n"
      "`clock`: what deadlines are measured by; the system's monotonic clock unless given.")
      .def(py::init(&New), py::kw_only(), py::arg("max_entries") = defaults.max_entries,
           py::arg("max_rows") = defaults.max_rows, py::arg("clock") = py::none(),
           py::keep_alive<1, 4>())
      .def("put", &Queue::Put, py::arg("item"), py::kw_only(), py::arg("rows") = 1,
           py::arg("deadline_s") = py::none(), py::arg("group") = py::bytes(),
           "Queues `item`, which counts `rows` rows, is owed `deadline_s` seconds from now (None: "
           "some\n"
           "time), and shares batches only with items of an equal `group`.\n\n"
           "Raises QueueFull when there is no room, NativeError (Unavailable) after close().")
      .def("take", &Queue::Take, py::arg("limit"), py::arg("timeout_s") = py::none(), py::kw_only(),
           py::arg("needed_s") = 0.0,
           "The next batch: (items, expired).\n\n"
           "`items` are in order of deadline and have at most `limit` rows together, except that "
           "an item\n"
           "with more goes alone. `expired` are all that are due in less than `needed_s` seconds: "
           "they are\n"
           "too late for a batch that takes so long. Waits for the first entry, at most "
           "`timeout_s` seconds\n"
           "(None: until there is one); both lists are empty at the timeout and after close().")
      .def("close", &Queue::Close,
           "Refuses what comes, gives out what is queued, lets nobody wait. Idempotent.")
      .def("__len__", &Queue::entries, "Items that wait.")
      .def_property_readonly("rows", &Queue::rows, "Rows of the items that wait.");
}

}  // namespace skysail::bindings
