#include "net/client_connection.h"

#include <array>
#include <utility>
#include <vector>

#include "net/grpc_timeout.h"
#include "net/gzip.h"
#include "net/header_list.h"

namespace skysail::net {
namespace {

SessionOptions OptionsOf(const ChannelOptions& options) {
  SessionOptions session;
  session.initial_window_bytes = options.initial_window_bytes;
  session.connection_window_bytes = options.connection_window_bytes;
  session.max_metadata_bytes = options.max_metadata_bytes;
  session.handshake_timeout = options.connect_timeout;
  session.keepalive_interval = options.keepalive_interval;
  session.keepalive_timeout = options.keepalive_timeout;
  session.keepalive_without_calls = options.keepalive_without_calls;
  session.incomplete_timeout = options.incomplete_timeout;
  session.untaken_timeout = options.untaken_timeout;
  session.idle_timeout = 0;  // when to go is for the server to say
  session.max_connection_age = 0;
  return session;
}

}  // namespace

ClientConnection::ClientConnection(EventLoop& loop, ClientConnectionOwner* owner,
                                   const ChannelOptions& options, std::string authority,
                                   std::unique_ptr<ByteStream> stream)
    : H2Session(loop, OptionsOf(options)), owner_(owner), authority_(std::move(authority)) {
  Start(std::move(stream));
}

bool ClientConnection::StartCall(ClientCall* call, std::string_view path,
                                 const CallOptions& options) {
  HeaderList headers;
  headers.AddStatic(":method", "POST");
  headers.AddStatic(":scheme", "http");
  headers.AddStatic(":path", path);
  headers.AddStatic(":authority", authority_);
  headers.AddStatic("te", "trailers");
  headers.AddStatic("content-type", kContentType);
  headers.AddStatic("grpc-accept-encoding", kAcceptedEncodings);
  if (options.compress) headers.AddStatic("grpc-encoding", "gzip");
  std::array<char, 16> timeout;
  if (options.deadline != kNever) {
    headers.Add("grpc-timeout",
                FormatGrpcTimeout(options.deadline - loop().TurnTime(), &timeout), true);
  }
  if (options.metadata != nullptr) headers.AddMetadata(*options.metadata);
  return SubmitRequest(call, headers.data(), headers.size());
}

void ClientConnection::Orphan(const Status& why) {
  owner_ = nullptr;
  std::vector<ClientCall*> calls;
  ForEachStream([&calls](RpcStream* stream) { calls.push_back(static_cast<ClientCall*>(stream)); });
  for (ClientCall* call : calls) call->Disown();
  for (ClientCall* call : calls) call->End({why, Metadata(), false});
  Close(why);
}

void ClientConnection::OnEstablished() {
  if (owner_ != nullptr) owner_->OnConnectionReady(this);
}

void ClientConnection::OnGoaway() {
  if (owner_ != nullptr) owner_->OnConnectionGoaway(this);
}

void ClientConnection::OnClosed(const Status& why, bool) {
  if (owner_ != nullptr) std::exchange(owner_, nullptr)->OnConnectionClosed(this, why);
}

}  // namespace skysail::net
