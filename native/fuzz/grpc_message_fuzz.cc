// The decoder of gRPC messages against a plain reading of the whole input, however that is cut; and
// decompression: what it gives never passes its limit, and what was compressed comes back.
#include <cstdint>
#include <string_view>

#include "fuzz/script.h"
#include "net/gzip.h"
#include "net/message_decoder.h"

namespace skysail::net {
namespace {

using Outcome = MessageDecoder::Outcome;

// The next whole message of `rest`; kError: a message that is to be refused begins there.
Outcome Plain(std::string_view* rest, size_t most, std::string_view* body) {
  if (rest->size() < kMessagePrefixBytes) return Outcome::kNeedMore;
  size_t length = 0;
  for (size_t i = 1; i < kMessagePrefixBytes; ++i) {
    length = length << 8 | static_cast<uint8_t>((*rest)[i]);
  }
  if (static_cast<uint8_t>((*rest)[0]) > 1 || length > most) return Outcome::kError;
  if (rest->size() - kMessagePrefixBytes < length) return Outcome::kNeedMore;
  *body = rest->substr(kMessagePrefixBytes, length);
  rest->remove_prefix(kMessagePrefixBytes + length);
  return Outcome::kMessage;
}

void CheckDecompress(std::string_view bytes, size_t most) {
  Result<Slice> plain = Decompress(bytes, most);
  if (plain.ok()) SKYSAIL_HOLDS(plain->size() <= most);
  Bytes message;
  message.Append(Slice::Copy(bytes));
  const Slice compressed = GzipCompress(message);
  Result<Slice> back = Decompress(compressed.view(), bytes.size());
  SKYSAIL_HOLDS(back.ok() && back->view() == bytes);
  if (!bytes.empty()) SKYSAIL_HOLDS(!Decompress(compressed.view(), bytes.size() - 1).ok());
}

void Run(fuzz::Script script) {
  const size_t most = script.Byte() * size_t{16};
  const size_t cut = 1 + script.Byte();
  std::string_view left = script.Bytes(SIZE_MAX), expected = left;
  MessageDecoder decoder(most);
  while (!left.empty()) {
    std::string_view piece = left.substr(0, cut);
    left.remove_prefix(piece.size());
    while (!piece.empty()) {
      ReceivedMessage message;
      const Outcome outcome = decoder.Next(&piece, &message);
      if (outcome == Outcome::kNeedMore) break;
      const bool compressed = expected[0] == 1;
      std::string_view body;
      SKYSAIL_HOLDS(Plain(&expected, most, &body) == outcome);
      if (outcome == Outcome::kError) return;
      SKYSAIL_HOLDS(message.bytes.view() == body && message.compressed == compressed);
      CheckDecompress(body, most);
    }
    SKYSAIL_HOLDS(piece.empty());
  }
  std::string_view body;
  SKYSAIL_HOLDS(decoder.mid_message() == !expected.empty());
  SKYSAIL_HOLDS(Plain(&expected, most, &body) == Outcome::kNeedMore);
}

}  // namespace
}  // namespace skysail::net

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  skysail::net::Run(skysail::fuzz::Script(skysail::fuzz::Text(data, size)));
  return 0;
}
