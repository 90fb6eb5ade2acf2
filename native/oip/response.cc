#include "oip/response.h"

#include <cstring>

#include "oip/encode.h"
#include "oip/text.h"
#include "oip/transform.h"
#include "oip/wire.h"

namespace skysail::oip {
namespace {

constexpr int kRawOutput = 6;
constexpr int kStreamError = 1, kStreamResponse = 2;

void AppendUnlessEmpty(std::string* out, int field, std::string_view text) {
  if (!text.empty()) wire::AppendBytes(out, field, text);
}

}  // namespace

Bytes PayloadOf(const Slice& message, const ResponseView& view) {
  Bytes payload;
  for (std::string_view span : view.visible) payload.Append(message.Sub(span));
  return payload;
}

Bytes EncodeResponse(const ResponseHead& head, Bytes payload) {
  std::string fields;
  fields.reserve(6 * wire::kMaxVarint + head.model_name.size() + head.model_version.size() +
                 head.id.size() + head.parameters.size());
  AppendUnlessEmpty(&fields, 1, head.model_name);
  AppendUnlessEmpty(&fields, 2, head.model_version);
  AppendUnlessEmpty(&fields, 3, head.id);
  fields.append(head.parameters);
  Bytes out;
  if (!fields.empty()) out.Append(Slice::Copy(fields));
  out.Append(std::move(payload));
  return out;
}

Bytes EncodeStreamResponse(Bytes response) {
  std::string prefix;
  wire::AppendPrefix(&prefix, kStreamResponse, response.size());
  Bytes out(Slice::Copy(prefix));
  out.Append(std::move(response));
  return out;
}

Bytes EncodeStreamError(std::string_view message, std::string_view id) {
  std::string fields;
  wire::AppendBytes(&fields, kStreamError, message);
  wire::AppendPrefix(&fields, kStreamResponse, wire::BytesFieldSize(3, id.size()));
  wire::AppendBytes(&fields, 3, id);
  return Slice::Copy(fields);
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
