// The server against bytes that gRPC's clients do not send.
#include "net/raw_peer_test_support.h"
#include "net/rpc_test_support.h"

namespace skysail::net {
namespace {


class ProtocolTest : public ::testing::Test {
 protected:
  int Start(ServerOptions options = {}) {
    server = std::make_unique<TestServer>(options);
    address = server->Start();
    return address.port;
  }
  void ExpectStillServing() {
    TestClient client(address);
    EXPECT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
  }
  // The header fields that answer one request.
  std::map<std::string, std::string> Ask(
      const Fields& fields) {
    RawPeer peer(address.port);
    peer.SendPreface();
    peer.Send(Call(1, fields));
    const RawPeer::Received answer = peer.NextOf(NGHTTP2_HEADERS);
    EXPECT_EQ(answer.type, NGHTTP2_HEADERS) << "the connection ended";
    return answer.headers;
  }

  std::unique_ptr<TestServer> server;
  Address address;
};

TEST_F(ProtocolTest, GarbageInsteadOfThePrefaceClosesThatConnectionOnly) {
  RawPeer peer(Start());
  peer.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(peer.WaitForEnd());
  ExpectStillServing();
  EXPECT_EQ(server->server().stats().protocol_errors, 1u);
}

TEST_F(ProtocolTest, BrokenFramesEndWithGoaway) {
  RawPeer peer(Start());
  peer.SendPreface();
  peer.Send(Frame(NGHTTP2_HEADERS, kEndHeaders, 2, "\xff\xff\xff"));  // even id, broken HPACK
  EXPECT_EQ(peer.NextOf(NGHTTP2_GOAWAY).type, NGHTTP2_GOAWAY);
  EXPECT_TRUE(peer.WaitForEnd());
  TestClient client(address);
  EXPECT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
  EXPECT_TRUE(client.Until([&] { return server->server().stats().protocol_errors == 1; }));
}

TEST_F(ProtocolTest, SilentConnectionIsDroppedAfterTheHandshakeTimeout) {
  ServerOptions options;
  options.handshake_timeout = 50 * kMillisecond;
  RawPeer peer(Start(options));
  EXPECT_TRUE(peer.WaitForEnd());
}

TEST_F(ProtocolTest, CallIsAnsweredWithHeadersDataAndTrailers) {
  RawPeer peer(Start());
  peer.SendPreface();
  peer.Send(Call(1));
  RawPeer::Received frame = peer.NextOf(NGHTTP2_HEADERS);
  EXPECT_EQ(frame.headers[":status"], "200");
  EXPECT_EQ(frame.headers["content-type"], "application/grpc");
  frame = peer.NextOf(NGHTTP2_DATA);
  EXPECT_EQ(frame.payload, kMessage);
  frame = peer.NextOf(NGHTTP2_HEADERS);
  EXPECT_EQ(frame.headers["grpc-status"], "0");
  EXPECT_NE(frame.flags & kEndStream, 0);
}

TEST_F(ProtocolTest, MessageInPiecesOfOneByteIsPutTogether) {
  RawPeer peer(Start());
  peer.SendPreface();
  peer.Send(HeadersFrame(1, Request()));
  for (const char c : kMessage) peer.Send(Data(1, std::string(1, c)));
  peer.Send(Data(1, "", kEndStream));
  EXPECT_EQ(peer.NextOf(NGHTTP2_DATA).payload, kMessage);
}

TEST_F(ProtocolTest, OtherContentTypeIs415) {
  Start();
  auto fields = Request();
  fields.back().second = "application/json";
  EXPECT_EQ(Ask(fields)[":status"], "415");
  fields.back().second = "application/grpcx";
  EXPECT_EQ(Ask(fields)[":status"], "415");
  fields.back().second = "application/grpc+proto";
  EXPECT_EQ(Ask(fields)[":status"], "200");
}

TEST_F(ProtocolTest, OtherMethodIs405) {
  Start();
  auto fields = Request();
  fields.front().second = "GET";
  EXPECT_EQ(Ask(fields)[":status"], "405");
}

TEST_F(ProtocolTest, UnknownEncodingIsUnimplementedAndNamesTheKnown) {
  Start();
  auto fields = Request();
  fields.emplace_back("grpc-encoding", "snappy");
  auto answer = Ask(fields);
  EXPECT_EQ(answer["grpc-status"], "12");
  EXPECT_EQ(answer["grpc-accept-encoding"], "identity,gzip,deflate");
}

TEST_F(ProtocolTest, StatusMessageIsPercentEncoded) {
  Start();
  server->Stop();
  server = std::make_unique<TestServer>();
  server->AddUnary("/t.T/Fail", [](UnaryCall call) { call.Fail(Internal("ü%\n")); });
  address = server->Start();
  auto answer = Ask(Request("/t.T/Fail"));
  EXPECT_EQ(answer["grpc-message"], "%C3%BC%25%0A");
  EXPECT_EQ(answer["grpc-status"], "13");
}

TEST_F(ProtocolTest, HugeDeclaredLengthIsRefusedBeforeItsBytesCome) {
  RawPeer peer(Start());
  peer.SendPreface();
  peer.Send(HeadersFrame(1, Request()) +
            Data(1, std::string("\0\xff\xff\xff\xff", 5)));
  EXPECT_EQ(peer.NextOf(NGHTTP2_HEADERS).headers["grpc-status"], "8");
  // The caller had more to send: it is told that nobody reads it.
  EXPECT_EQ(peer.NextOf(NGHTTP2_RST_STREAM).payload, std::string(4, '\0'));
}

TEST_F(ProtocolTest, RequestCutShortIsInternal) {
  RawPeer peer(Start());
  peer.SendPreface();
  peer.Send(HeadersFrame(1, Request()) +
            Data(1, std::string("\0\0\0\0\2h", 6), kEndStream));
  EXPECT_EQ(peer.NextOf(NGHTTP2_HEADERS).headers["grpc-status"], "13");
}

TEST_F(ProtocolTest, NoOrTwoMessagesInAUnaryCallAreInternal) {
  RawPeer peer(Start());
  peer.SendPreface();
  peer.Send(HeadersFrame(1, Request(), kEndStream));
  EXPECT_EQ(peer.NextOf(NGHTTP2_HEADERS).headers["grpc-status"], "13");
  peer.Send(HeadersFrame(3, Request()) + Data(3, kMessage + kMessage, kEndStream));
  EXPECT_EQ(peer.NextOf(NGHTTP2_HEADERS).headers["grpc-status"], "13");
}

TEST_F(ProtocolTest, CompressedFlagWithoutEncodingAndBrokenGzipAreInternal) {
  Start();
  RawPeer peer(address.port);
  peer.SendPreface();
  const std::string marked("\1\0\0\0\2hi", 7);
  peer.Send(HeadersFrame(1, Request()) + Data(1, marked, kEndStream));
  EXPECT_EQ(peer.NextOf(NGHTTP2_HEADERS).headers["grpc-status"], "13");
  auto fields = Request();
  fields.emplace_back("grpc-encoding", "gzip");
  peer.Send(HeadersFrame(3, fields) + Data(3, marked, kEndStream));
  EXPECT_EQ(peer.NextOf(NGHTTP2_HEADERS).headers["grpc-status"], "13");
}

TEST_F(ProtocolTest, PeerThatVanishesMidMessageLeavesNothingBehind) {
  Start();
  {
    RawPeer peer(address.port);
    peer.SendPreface();
    peer.Send(HeadersFrame(1, Request()) +
              Data(1, std::string("\0\0\0\x10\0half", 9)));
    ASSERT_EQ(peer.NextOf(NGHTTP2_SETTINGS).type, NGHTTP2_SETTINGS);
  }
  TestClient client(address);
  EXPECT_TRUE(client.Until([&] {
    return server->server().stats().connections_open == 0 &&
           server->server().stats().calls_open == 0;
  }));
  ExpectStillServing();
}

TEST_F(ProtocolTest, PingIsAnswered) {
  RawPeer peer(Start());
  peer.SendPreface();
  peer.Send(Ping());
  const RawPeer::Received pong = peer.NextOf(NGHTTP2_PING);
  EXPECT_EQ(pong.payload, "12345678");
  EXPECT_NE(pong.flags & NGHTTP2_FLAG_ACK, 0);
}

TEST_F(ProtocolTest, PeerThatTakesNoAnswersHasNewCallsRefused) {
  ServerOptions options;
  options.max_unsent_bytes = 1 << 20;
  RawPeer peer(Start(options));
  peer.SendPreface();
  ASSERT_EQ(peer.NextOf(NGHTTP2_SETTINGS).type, NGHTTP2_SETTINGS);
  peer.Send(SettingsAck());  // the server's windows hold now
  const std::string request =
      std::string("\0\0\3\x0d\x40", 5) + std::string(200'000, 'x');  // within the 1 MiB window
  for (int32_t id = 1; id < 30; id += 2) {
    peer.Send(HeadersFrame(id, Request()));
    for (size_t at = 0; at < request.size(); at += 16384) {
      const std::string part = request.substr(at, 16384);
      peer.Send(Frame(NGHTTP2_DATA, at + 16384 >= request.size() ? kEndStream : 0, id, part));
    }
  }
  // Its flow-control window of 64 KiB is never widened, so answers stay unsent.
  EXPECT_EQ(peer.NextOf(NGHTTP2_RST_STREAM).payload.back(), NGHTTP2_REFUSED_STREAM);
  ExpectStillServing();
}

TEST_F(ProtocolTest, ConnectionsOverTheLimitAreClosed) {
  ServerOptions options;
  options.max_connections = 1;
  RawPeer first(Start(options));
  first.SendPreface();
  ASSERT_EQ(first.NextOf(NGHTTP2_SETTINGS).type, NGHTTP2_SETTINGS);
  RawPeer second(address.port);
  second.SendPreface();
  EXPECT_TRUE(second.WaitForEnd());
  EXPECT_EQ(server->server().stats().connections_refused, 1u);
  first.Send(Ping());
  EXPECT_EQ(first.NextOf(NGHTTP2_PING).type, NGHTTP2_PING);
}

}  // namespace
}  // namespace skysail::net
