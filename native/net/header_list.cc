#include "net/header_list.h"

#include <optional>
#include <utility>

#include "net/base64.h"
#include "net/percent_encoding.h"
#include "net/status_codes.h"

namespace skysail::net {
namespace {

constexpr std::string_view kBinarySuffix = "-bin";

bool IsBinary(std::string_view name) {
  return name.size() > kBinarySuffix.size() &&
         name.substr(name.size() - kBinarySuffix.size()) == kBinarySuffix;
}

const uint8_t* Octets(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

bool MayBeSent(std::string_view name, std::string_view value) {
  if (nghttp2_check_header_name(Octets(name), name.size()) == 0 || name.front() == ':') {
    return false;
  }
  if (name == "connection" || name == "te" || name == "transfer-encoding" ||
      name == "grpc-status" || name == "grpc-message" || name == "content-type") {
    return false;
  }
  if (IsBinary(name)) return true;
  for (const char c : value) {
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}

}  // namespace

void HeaderList::Push(const nghttp2_nv& header) {
  if (size_ < kInline) {
    inline_[size_++] = header;
    return;
  }
  if (spilled_.empty()) spilled_.assign(inline_, inline_ + kInline);
  spilled_.push_back(header);
  ++size_;
}

void HeaderList::Add(std::string_view name, std::string_view value, bool once) {
  nghttp2_nv header = StaticHeader(name, value);
  header.flags = once ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
  Push(header);
}

void HeaderList::AddStatus(const Status& status) {
  AddStatic("grpc-status", GrpcCodeText(status.kind()));
  if (status.ok() || status.message().empty()) return;
  Add("grpc-message", encoded_.emplace_front(PercentEncode(status.message())));
}

void HeaderList::AddMetadata(const Metadata& metadata) {
  for (const auto& [name, value] : metadata) {
    if (!MayBeSent(name, value)) continue;
    if (IsBinary(name)) {
      Add(name, encoded_.emplace_front(Base64Encode(value)), true);  // hardly ever twice the same
    } else {
      Add(name, value);
    }
  }
}

bool IsGrpcContent(std::string_view type) {
  return type.substr(0, kContentType.size()) == kContentType &&
         (type.size() == kContentType.size() || type[kContentType.size()] == '+' ||
          type[kContentType.size()] == ';');
}

bool AddReceivedPair(std::string_view name, std::string_view value, Metadata* metadata) {
  if (!IsBinary(name)) {
    metadata->Add(std::string(name), std::string(value));
    return true;
  }
  for (;;) {
    const size_t comma = value.find(',');
    std::optional<std::string> bytes = Base64Decode(value.substr(0, comma));
    if (!bytes) return false;
    metadata->Add(std::string(name), *std::move(bytes));
    if (comma == std::string_view::npos) return true;
    value.remove_prefix(comma + 1);
  }
}

}  // namespace skysail::net
