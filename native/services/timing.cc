#include "services/timing.h"

#include <cstring>

#include "oip/wire.h"

namespace skysail::services {
namespace {

namespace wire = oip::wire;

constexpr size_t kMostReplicaBytes = 256;

uint32_t* NumberOf(Timing* timing, uint32_t field) {
  static constexpr uint32_t Timing::*kFields[] = {
      nullptr,           &Timing::served_us, &Timing::queue_us, &Timing::fill_us,    &Timing::staged_us,
      &Timing::model_us, &Timing::hop_us,    nullptr,           &Timing::batch_rows, &Timing::limit_rows};
  if (field >= sizeof(kFields) / sizeof(kFields[0]) || kFields[field] == nullptr) return nullptr;
  return &(timing->*kFields[field]);
}

}  // namespace

void AppendTiming(const Timing& timing, std::string* out) {
  char head[10 * (1 + wire::kMaxVarint)];
  char* at = head;
  const auto number = [&at](int field, uint32_t value) {
    if (value == 0) return;
    *at++ = static_cast<char>(field << 3);
    at = wire::PutVarint(at, value);
  };
  number(1, timing.served_us);
  number(2, timing.queue_us);
  number(3, timing.fill_us);
  number(4, timing.staged_us);
  number(5, timing.model_us);
  number(6, timing.hop_us);
  number(8, timing.batch_rows);
  number(9, timing.limit_rows);
  if (timing.batch != 0) {
    *at++ = 7 << 3 | static_cast<int>(wire::Type::kFixed64);
    std::memcpy(at, &timing.batch, sizeof(timing.batch));
    at += sizeof(timing.batch);
  }
  out->append(head, at);
  if (!timing.replica.empty()) wire::AppendBytes(out, 10, timing.replica);
}

bool ParseTiming(std::string_view encoded, Timing* timing) {
  const char* at = encoded.data();
  const char* const end = at + encoded.size();
  // What is sent most: numbers in fields whose tags take one byte. The rest is left to the general reader.
  while (at != end && (*at & 0x87) == static_cast<int>(wire::Type::kVarint)) {
    uint32_t* const number = NumberOf(timing, static_cast<uint8_t>(*at) >> 3);
    if (number == nullptr) break;
    uint64_t value;
    const char* next = at + 1;
    if (!wire::ReadVarint(&next, end, &value) || value > UINT32_MAX) return false;
    *number = static_cast<uint32_t>(value);
    at = next;
  }
  wire::Reader reader({at, static_cast<size_t>(end - at)});
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.number == 7) {
      if (field.type != wire::Type::kFixed64) return false;
      timing->batch = field.value;
    } else if (field.number == 10) {
      if (field.type != wire::Type::kLength || field.bytes.size() > kMostReplicaBytes) return false;
      timing->replica = field.bytes;
    } else if (uint32_t* const number = NumberOf(timing, field.number)) {
      if (field.type != wire::Type::kVarint || field.value > UINT32_MAX) return false;
      *number = static_cast<uint32_t>(field.value);
    }
  }
  return reader.ok();
}

}  // namespace skysail::services
