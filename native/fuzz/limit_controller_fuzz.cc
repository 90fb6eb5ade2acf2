// The limit controller under any sequence of batches: the limit stays within [1, max], another max never
// raises it, and from wherever it was led, full batches that miss bring it down to one row.
#include <cstdint>

#include "batching/limit_controller.h"
#include "fuzz/script.h"

namespace skysail::batching {
namespace {

constexpr TimeNs kObjective = 100 * kMillisecond;

class Play {
 public:
  explicit Play(fuzz::Script* script)
      : script_(*script), most_(Rows()), controller_(Options(script, most_)) {}

  void Run() {
    Check();
    while (!script_.done()) {
      Step();
      Check();
    }
    // By a tenth at least each time, or to below what is known to miss.
    for (int i = 0; i < 256; ++i) {
      controller_.Observe(controller_.limit(), 2 * kObjective, kObjective, true);
    }
    SKYSAIL_HOLDS(controller_.limit() == 1);
  }

 private:
  static LimitOptions Options(fuzz::Script* script, int64_t most) {
    LimitOptions options;
    options.max_rows = most;
    options.initial_rows = static_cast<int64_t>(1 + script->Pick(256));
    return options;
  }
  int64_t Rows() { return static_cast<int64_t>(1 + script_.Byte() * (script_.Flip() ? 8 : 1)); }
  TimeNs Time() { return static_cast<TimeNs>(script_.Byte()) << script_.Pick(40); }

  void Step() {
    const int64_t before = controller_.limit();
    switch (script_.Pick(4)) {
      case 0:
        most_ = Rows();
        controller_.SetMaxRows(most_);
        SKYSAIL_HOLDS(controller_.limit() <= before);
        break;
      case 1:  // as large as it may be, at a speed that depends on its size
        controller_.Observe(before, before * kMicrosecond * script_.Byte(), kObjective, true);
        break;
      default: {
        const int64_t rows = Rows();
        const TimeNs latency = Time(), objective = Time();
        controller_.Observe(rows, latency, objective, script_.Flip());
      }
    }
  }

  void Check() const {
    SKYSAIL_HOLDS(controller_.limit() >= 1 && controller_.limit() <= most_);
    SKYSAIL_HOLDS(controller_.Estimate(controller_.limit()) >= 0);
  }

  fuzz::Script& script_;
  int64_t most_;
  LimitController controller_;
};

}  // namespace
}  // namespace skysail::batching

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  skysail::fuzz::Script script(skysail::fuzz::Text(data, size));
  skysail::batching::Play(&script).Run();
  return 0;
}
