// Messages into bytes and back, for every way of cutting the bytes.
#include <gtest/gtest.h>

#include <random>

#include "net/message_decoder.h"
#include "net/outbound_messages.h"
#include "net/output_buffer.h"

namespace skysail::net {
namespace {

using Outcome = MessageDecoder::Outcome;

std::string TakeAll(OutputBuffer* buffer) {
  std::string bytes;
  while (!buffer->empty()) {
    iovec pieces[3];
    const int n = buffer->Gather(pieces, 3);
    for (int i = 0; i < n; ++i) {
      bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
    }
    size_t gathered = 0;
    for (int i = 0; i < n; ++i) gathered += pieces[i].iov_len;
    buffer->Consume(gathered);
  }
  return bytes;
}

TEST(FramingTest, RandomMessagesSurviveRandomCuts) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    OutboundMessages outbound;
    std::vector<std::string> sent;
    for (int i = 0; i < 40; ++i) {
      Bytes message;
      std::string plain;
      for (unsigned part = random() % 4; part > 0; --part) {
        const std::string text(random() % (i % 10 == 0 ? 20'000 : 200),
                               static_cast<char>(random()));
        message.Append(Slice::Copy(text));
        plain += text;
      }
      outbound.Push(std::move(message), false);
      sent.push_back(plain);
    }
    MessageDecoder decoder(1 << 20);
    std::vector<std::string> received;
    OutputBuffer output;
    while (outbound.size() > 0) {
      outbound.MoveTo(&output, std::min<size_t>(outbound.size(), 1 + random() % 16384));
      if (random() % 3 == 0 && !output.empty()) continue;
      std::string wire = TakeAll(&output);
      std::string_view input = wire;
      ReceivedMessage message;
      while (decoder.Next(&input, &message) == Outcome::kMessage) {
        received.emplace_back(message.bytes.view());
      }
      ASSERT_TRUE(input.empty());
    }
    std::string wire = TakeAll(&output);
    std::string_view input = wire;
    ReceivedMessage message;
    while (decoder.Next(&input, &message) == Outcome::kMessage) {
      received.emplace_back(message.bytes.view());
    }
    ASSERT_EQ(received, sent);
    EXPECT_FALSE(decoder.mid_message());
  }
}

TEST(FramingTest, MessageOfExactlyTheLimitPassesAndOneMoreDoesNot) {
  ReceivedMessage message;
  {
    MessageDecoder decoder(4);
    std::string_view input("\0\0\0\0\4abcd", 9);
    ASSERT_EQ(decoder.Next(&input, &message), Outcome::kMessage);
    EXPECT_EQ(message.bytes.view(), "abcd");
  }
  MessageDecoder decoder(4);
  std::string_view input("\0\0\0\0\5", 5);
  ASSERT_EQ(decoder.Next(&input, &message), Outcome::kError);
  EXPECT_EQ(decoder.status().kind(), ErrorKind::kResourceExhausted);
}

TEST(FramingTest, UnknownFlagByteIsRefused) {
  MessageDecoder decoder(100);
  ReceivedMessage message;
  std::string_view input("\2\0\0\0\1x", 6);
  EXPECT_EQ(decoder.Next(&input, &message), Outcome::kError);
  EXPECT_EQ(decoder.status().kind(), ErrorKind::kInternal);
}

TEST(FramingTest, CompressedFlagIsCarried) {
  OutboundMessages outbound;
  outbound.Push(Bytes(Slice::Static("zip")), true);
  OutputBuffer output;
  outbound.MoveTo(&output, outbound.size());
  const std::string wire = TakeAll(&output);
  std::string_view input = wire;
  MessageDecoder decoder(100);
  ReceivedMessage message;
  ASSERT_EQ(decoder.Next(&input, &message), Outcome::kMessage);
  EXPECT_TRUE(message.compressed);
  EXPECT_EQ(message.bytes.view(), "zip");
}

TEST(OutputBufferTest, SmallPiecesShareOneIovecAndLargeOnesAreReferenced) {
  OutputBuffer output;
  for (int i = 0; i < 100; ++i) output.Copy("0123456789", 10);
  const Slice large = Slice::Copy(std::string(OutputBuffer::kReferenceBytes, 'L'));
  output.Append(large, 0, large.size());
  output.Append(Slice::Static("tail"), 0, 4);
  iovec pieces[8];
  ASSERT_EQ(output.Gather(pieces, 8), 3);
  EXPECT_EQ(pieces[0].iov_len, 1000u);
  EXPECT_EQ(pieces[1].iov_base, large.data());
  EXPECT_EQ(pieces[2].iov_len, 4u);
}

TEST(OutputBufferTest, PartialWritesKeepTheRest) {
  OutputBuffer output;
  std::string expected;
  for (int i = 0; i < 2000; ++i) {
    const std::string text(static_cast<size_t>(i % 60), static_cast<char>('a' + i % 26));
    output.Copy(text.data(), text.size());
    expected += text;
  }
  ASSERT_EQ(output.size(), expected.size());
  size_t at = 0;
  for (size_t step = 1; at < expected.size(); step = step * 3 % 4001) {
    iovec piece;
    ASSERT_EQ(output.Gather(&piece, 1), 1);
    const size_t n = std::min(step, piece.iov_len);
    ASSERT_EQ(std::string_view(static_cast<char*>(piece.iov_base), n),
              std::string_view(expected).substr(at, n));
    output.Consume(n);
    at += n;
  }
  EXPECT_TRUE(output.empty());
}

}  // namespace
}  // namespace skysail::net
