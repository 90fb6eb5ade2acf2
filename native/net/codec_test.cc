// The small encodings: round trips, and what they refuse.
#include <gtest/gtest.h>

#include "net/address.h"
#include "net/backoff.h"
#include "net/base64.h"
#include "net/grpc_timeout.h"
#include "net/gzip.h"
#include "net/header_list.h"
#include "net/percent_encoding.h"
#include "net/status_codes.h"

namespace skysail::net {
namespace {

TEST(StatusCodesTest, EveryKindHasACodeOfItsOwnAndComesBack) {
  for (int i = 0; i < kErrorKinds; ++i) {
    const auto kind = static_cast<ErrorKind>(i);
    EXPECT_EQ(KindOfGrpcCode(GrpcCode(kind)), kind);
    EXPECT_EQ(KindOfGrpcStatus(GrpcCodeText(kind)), kind);
    EXPECT_EQ(std::to_string(GrpcCode(kind)), GrpcCodeText(kind));
  }
  EXPECT_EQ(GrpcCode(ErrorKind::kOk), 0);
  EXPECT_EQ(GrpcCode(ErrorKind::kInvalidArgument), 3);
  EXPECT_EQ(GrpcCode(ErrorKind::kUnauthenticated), 16);
}

TEST(StatusCodesTest, StrangersAreUnknown) {
  EXPECT_EQ(KindOfGrpcCode(17), ErrorKind::kUnknown);
  EXPECT_EQ(KindOfGrpcCode(-1), ErrorKind::kUnknown);
  for (const char* text : {"", "x", "3x", "99999999999"}) {
    EXPECT_EQ(KindOfGrpcStatus(text), ErrorKind::kUnknown) << text;
  }
  EXPECT_EQ(KindOfHttpStatus(503), ErrorKind::kUnavailable);
  EXPECT_EQ(KindOfHttpStatus(404), ErrorKind::kUnimplemented);
  EXPECT_EQ(KindOfHttpStatus(299), ErrorKind::kUnknown);
  EXPECT_EQ(KindOfReset(NGHTTP2_REFUSED_STREAM), ErrorKind::kUnavailable);
  EXPECT_EQ(KindOfReset(NGHTTP2_CANCEL), ErrorKind::kCancelled);
  EXPECT_EQ(KindOfReset(NGHTTP2_NO_ERROR), ErrorKind::kInternal);
  EXPECT_EQ(KindOfReset(12345), ErrorKind::kUnknown);
}

TEST(GrpcTimeoutTest, ParsesEveryUnit) {
  EXPECT_EQ(ParseGrpcTimeout("5n"), 5);
  EXPECT_EQ(ParseGrpcTimeout("5u"), 5 * kMicrosecond);
  EXPECT_EQ(ParseGrpcTimeout("5m"), 5 * kMillisecond);
  EXPECT_EQ(ParseGrpcTimeout("5S"), 5 * kSecond);
  EXPECT_EQ(ParseGrpcTimeout("5M"), 300 * kSecond);
  EXPECT_EQ(ParseGrpcTimeout("5H"), 18'000 * kSecond);
  EXPECT_EQ(ParseGrpcTimeout("99999999H"), kNever);
  EXPECT_EQ(ParseGrpcTimeout("0m"), 0);
}

TEST(GrpcTimeoutTest, RefusesWhatIsNotATimeout) {
  for (const char* text : {"", "m", "5", "5x", "-5m", " 5m", "123456789m", "1.5S"}) {
    EXPECT_FALSE(ParseGrpcTimeout(text).has_value()) << text;
  }
}

TEST(GrpcTimeoutTest, FormatsWithinEightDigitsAndNeverLonger) {
  std::array<char, 16> buffer;
  for (TimeNs timeout = 1; timeout < kNever / 8; timeout = timeout * 7 + 3) {
    const std::string_view text = FormatGrpcTimeout(timeout, &buffer);
    EXPECT_LE(text.size(), 9u);
    const auto parsed = ParseGrpcTimeout(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_LE(*parsed, timeout);
    EXPECT_GE(static_cast<double>(*parsed), 0.999 * static_cast<double>(timeout));
  }
  EXPECT_EQ(FormatGrpcTimeout(-5, &buffer), "1n");
}

TEST(PercentEncodingTest, RoundTripsEveryByteInPrintableForm) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  const std::string encoded = PercentEncode(all);
  for (const char c : encoded) EXPECT_TRUE(c >= 0x20 && c <= 0x7e);
  EXPECT_EQ(PercentDecode(encoded), all);
  EXPECT_EQ(PercentEncode("plain text."), "plain text.");
}

TEST(PercentEncodingTest, KeepsWhatIsNoEscape) {
  EXPECT_EQ(PercentDecode("100%"), "100%");
  EXPECT_EQ(PercentDecode("%4"), "%4");
  EXPECT_EQ(PercentDecode("%zz%41"), "%zzA");
}

TEST(Base64Test, RoundTripsEveryLength) {
  std::string bytes;
  for (int i = 0; i < 70; ++i) {
    const std::string text = Base64Encode(bytes);
    EXPECT_EQ(text.find('='), std::string::npos);
    EXPECT_EQ(Base64Decode(text), bytes);
    EXPECT_EQ(Base64Decode(text + std::string((4 - text.size() % 4) % 4, '=')), bytes);
    bytes.push_back(static_cast<char>(i * 37));
  }
}

TEST(Base64Test, RefusesWhatIsNotBase64) {
  for (const char* text : {"a", "aaaaa", "a=", "ab=c", "ab!=", "====", "abcd=", " abc"}) {
    EXPECT_FALSE(Base64Decode(text).has_value()) << text;
  }
}

TEST(ReceivedPairTest, JoinedBinaryValuesAreSeparated) {
  Metadata metadata;
  EXPECT_TRUE(AddReceivedPair("k-bin", "AQ,Ag==", &metadata));
  ASSERT_EQ(metadata.size(), 2u);
  EXPECT_EQ(metadata.begin()->second, "\x01");
  EXPECT_EQ((metadata.begin() + 1)->second, "\x02");
  EXPECT_FALSE(AddReceivedPair("k-bin", "AQ,?", &metadata));
  EXPECT_TRUE(AddReceivedPair("plain", "a,b", &metadata));
  EXPECT_EQ(metadata.Get("plain"), "a,b");
}

TEST(HeaderListTest, ManyPairsKeepTheirOrder) {
  Metadata metadata;
  for (int i = 0; i < 40; ++i) metadata.Add("k" + std::to_string(i), std::to_string(i));
  HeaderList headers;
  headers.AddStatic("first", "1");
  headers.AddMetadata(metadata);
  ASSERT_EQ(headers.size(), 41u);
  for (size_t i = 0; i < 40; ++i) {
    const nghttp2_nv& header = headers.data()[i + 1];
    EXPECT_EQ(std::string(reinterpret_cast<char*>(header.name), header.namelen),
              "k" + std::to_string(i));
    EXPECT_EQ(std::string(reinterpret_cast<char*>(header.value), header.valuelen),
              std::to_string(i));
  }
}

TEST(HeaderListTest, LeavesOutWhatWouldEndTheConnection) {
  Metadata metadata;
  metadata.Add("Upper", "x");
  metadata.Add(":path", "/");
  metadata.Add("connection", "close");
  metadata.Add("grpc-status", "0");
  metadata.Add("line", "a\nb");
  metadata.Add("", "x");
  metadata.Add("fine", "yes");
  HeaderList headers;
  headers.AddMetadata(metadata);
  ASSERT_EQ(headers.size(), 1u);
  EXPECT_EQ(std::string(reinterpret_cast<char*>(headers.data()[0].name), 4), "fine");
}

TEST(GzipTest, RoundTripsChainsOfSlices) {
  Bytes message;
  std::string plain;
  for (int i = 0; i < 200; ++i) {
    const std::string part(static_cast<size_t>(i * 13 % 997), static_cast<char>(i));
    message.Append(Slice::Copy(part));
    plain += part;
  }
  const Slice packed = GzipCompress(message);
  EXPECT_LT(packed.size(), plain.size());
  const auto unpacked = Decompress(packed.view(), plain.size());
  ASSERT_TRUE(unpacked.ok()) << unpacked.status().ToString();
  EXPECT_EQ(unpacked.value().view(), plain);
  EXPECT_EQ(Decompress(packed.view(), plain.size() - 1).status().kind(),
            ErrorKind::kResourceExhausted);
}

TEST(GzipTest, RefusesBrokenAndShortData) {
  const Slice packed = GzipCompress(Bytes(Slice::Copy(std::string(5000, 'q'))));
  EXPECT_FALSE(Decompress(packed.view().substr(0, packed.size() - 4), 1 << 20).ok());
  EXPECT_EQ(Decompress(std::string(packed.view()) + "more", SIZE_MAX - 1).status().kind(),
            ErrorKind::kInternal);
  EXPECT_EQ(Decompress("not compressed at all", 1 << 20).status().kind(), ErrorKind::kInternal);
  EXPECT_EQ(Decompress("", 1 << 20).status().kind(), ErrorKind::kInternal);
}

TEST(AddressTest, ParsesAndPrintsEveryForm) {
  for (const char* text : {"localhost:80", "127.0.0.1:0", "[::1]:8001", "unix:/run/x.sock",
                           "unix:relative", ":9000"}) {
    const auto address = Address::Parse(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(address.value().ToString(), text);
  }
  EXPECT_EQ(Address::Parse("unix:///run/x")->path, "/run/x");
}

TEST(AddressTest, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "host", "host:", "host:x", "host:70000", "host:-1", "::1:80",
                           "[::1]", "[]:1", "unix:"}) {
    const auto address = Address::Parse(text);
    EXPECT_FALSE(address.ok()) << text;
    EXPECT_EQ(address.status().kind(), ErrorKind::kInvalidArgument);
  }
}

TEST(BackoffTest, GrowsToItsMaximumWithinTheJitter) {
  Backoff::Options options;
  options.initial = 100;
  options.max = 1000;
  options.multiplier = 2;
  options.jitter = 0.1;
  Backoff backoff(options, 7);
  for (const double expected : {100., 200., 400., 800., 1000., 1000.}) {
    const auto delay = static_cast<double>(backoff.Next());
    EXPECT_GE(delay, 0.9 * expected - 1);
    EXPECT_LE(delay, 1.1 * expected + 1);
  }
  backoff.Reset();
  EXPECT_LE(backoff.Next(), 110);
}

}  // namespace
}  // namespace skysail::net
