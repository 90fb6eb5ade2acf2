#include <cstring>

#include "oip/gather.h"
#include "oip/transform.h"
#include "oip/wire.h"

namespace skysail::oip {
namespace {

constexpr int kModelName = 1, kModelVersion = 2, kParameters = 4;

// A map entry whose value is an InferParameter with the one encoded field `choice`.
void AppendEntry(std::string* out, std::string_view name, std::string_view choice) {
  wire::AppendPrefix(out, kParameters,
                     wire::BytesFieldSize(1, name.size()) + wire::BytesFieldSize(2, choice.size()));
  wire::AppendBytes(out, 1, name);
  wire::AppendBytes(out, 2, choice);
}

void AppendVarintEntry(std::string* out, std::string_view name, int field, uint64_t value) {
  char choice[1 + wire::kMaxVarint];
  choice[0] = static_cast<char>(field << 3);
  const char* const end = wire::PutVarint(choice + 1, value);
  AppendEntry(out, name, {choice, static_cast<size_t>(end - choice)});
}

}  // namespace

void FieldWriter::String(int field, std::string_view value) {
  wire::AppendBytes(out_, field, value);
}

void FieldWriter::Parameter(std::string_view name, std::string_view value) {
  const size_t choice = wire::BytesFieldSize(3, value.size());
  wire::AppendPrefix(out_, kParameters,
                     wire::BytesFieldSize(1, name.size()) + wire::BytesFieldSize(2, choice));
  wire::AppendBytes(out_, 1, name);
  wire::AppendPrefix(out_, 2, choice);
  wire::AppendBytes(out_, 3, value);
}

void FieldWriter::Parameter(std::string_view name, bool value) {
  AppendVarintEntry(out_, name, 1, value ? 1 : 0);
}

void FieldWriter::Parameter(std::string_view name, int64_t value) {
  AppendVarintEntry(out_, name, 2, static_cast<uint64_t>(value));
}

void FieldWriter::Parameter(std::string_view name, double value) {
  char choice[1 + sizeof(value)];
  choice[0] = static_cast<char>(4 << 3 | static_cast<int>(wire::Type::kFixed64));
  std::memcpy(choice + 1, &value, sizeof(value));
  AppendEntry(out_, name, {choice, sizeof(choice)});
}

Bytes AppendHead(const Slice& message, std::string_view model_name, std::string_view model_version,
                 std::string_view parameters) {
  Gather gather(Gather::FieldSize(model_name) + Gather::FieldSize(model_version) +
                parameters.size());
  gather.Field(kModelName, model_name);
  gather.Field(kModelVersion, model_version);
  gather.Copy(parameters);
  Bytes out(message);
  out.Append(gather.Take());
  return out;
}

Bytes ModelRequest(const Slice& message, const RequestView& view, std::string_view model_name,
                   std::string_view model_version) {
  Bytes out = AppendHead(Slice(), model_name, model_version);
  for (std::string_view span : view.visible) out.Append(message.Sub(span));
  return out;
}

}  // namespace skysail::oip
