#include "oip/response.h"

#include <cstring>

#include "oip/encode.h"
#include "oip/gather.h"
#include "oip/text.h"
#include "oip/wire.h"

namespace skysail::oip {
namespace {

constexpr int kRawOutput = 6;

void PutUnlessEmpty(Gather* gather, int field, std::string_view text) {
  if (!text.empty()) gather->Field(field, text);
}

}  // namespace

Bytes PayloadOf(const Slice& message, const ResponseView& view) {
  Bytes payload;
  for (std::string_view span : view.visible) payload.Append(message.Sub(span));
  return payload;
}

Bytes EncodeResponse(const ResponseHead& head, Bytes payload) {
  Gather gather(Gather::FieldSize(head.model_name) + Gather::FieldSize(head.model_version) +
                Gather::FieldSize(head.id) + head.parameters.size());
  PutUnlessEmpty(&gather, 1, head.model_name);
  PutUnlessEmpty(&gather, 2, head.model_version);
  PutUnlessEmpty(&gather, 3, head.id);
  gather.Copy(head.parameters);
  Bytes out = gather.Take();
  out.Append(std::move(payload));
  return out;
}

Result<Bytes> RepeatRows(const ResponseView& one_row, int64_t rows, size_t max_bytes) {
  std::string head;
  AppendVisibleParameters(&head, one_row.parameters);
  size_t size = 0;
  for (const TensorView& output : one_row.outputs) {
    if (output.shape.rank() == 0 || output.shape[0] != 1 || !output.has_raw) {
      return InvalidArgument("output " + Quote(output.name) +
                             ": expected raw contents of one row, got shape " +
                             output.shape.ToString() + (output.has_raw ? "" : " without them"));
    }
    AppendTensor(&head, output, rows);
    size_t bytes;
    if (rows < 0 || __builtin_mul_overflow(output.raw.size(), static_cast<size_t>(rows), &bytes) ||
        bytes > max_bytes || (size += bytes + 2 * wire::kMaxVarint) > max_bytes) {
      return ResourceExhausted("output " + Quote(output.name) + ": " + std::to_string(rows) +
                               " rows take more than the " + std::to_string(max_bytes) +
                               " bytes allowed");
    }
  }
  Block* const block = Block::New(head.size() + size);
  char* at = block->data();
  std::memcpy(at, head.data(), head.size());
  at += head.size();
  for (const TensorView& output : one_row.outputs) {
    *at++ = static_cast<char>(kRawOutput << 3 | static_cast<int>(wire::Type::kLength));
    at = wire::PutVarint(at, output.raw.size() * rows);
    if (output.raw.empty()) continue;
    for (int64_t row = 0; row < rows; ++row) {
      std::memcpy(at, output.raw.data(), output.raw.size());
      at += output.raw.size();
    }
  }
  return Bytes(Slice(block, block->data(), at - block->data()));
}

}  // namespace skysail::oip
