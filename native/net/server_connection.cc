#include "net/server_connection.h"

#include <utility>

#include "net/server_call.h"
#include "net/server_loop.h"

namespace skysail::net {
namespace {

SessionOptions OptionsOf(const ServerOptions& options) {
  SessionOptions session;
  static_cast<PeerLimits&>(session) = options;
  session.server = true;
  return session;
}

}  // namespace

ServerConnection::ServerConnection(ServerLoop* owner, std::unique_ptr<ByteStream> stream,
                                   bool inner)
    : H2Session(owner->loop(), OptionsOf(owner->shared().options)), owner_(owner), inner_(inner) {
  Start(std::move(stream));
}

const ServerOptions& ServerConnection::options() const { return owner_->shared().options; }

ServerCounters& ServerConnection::counters() const { return owner_->counters(); }

const Method* ServerConnection::FindMethod(std::string_view path) {
  if (last_method_ != nullptr && last_method_->path == path) return last_method_;
  const Method* found = owner_->shared().methods.Find(path);
  if (found != nullptr && !found->path.empty()) last_method_ = found;
  return found;
}

std::string_view ServerConnection::RememberAuthority(std::string_view authority) {
  if (authority_.empty()) authority_ = authority;
  return authority_ == authority ? std::string_view(authority_) : std::string_view();
}

RpcStream* ServerConnection::NewStream(int32_t) {
  counters().calls_started.Add(1);
  counters().calls_open.Add(1);
  return new ServerCall(this);
}

void ServerConnection::OnTraffic(size_t read, size_t written) {
  if (read > 0) counters().bytes_read.Add(static_cast<int64_t>(read));
  if (written > 0) counters().bytes_written.Add(static_cast<int64_t>(written));
}

void ServerConnection::OnOffence(Offence offence) { counters().of(offence).Add(1); }

void ServerConnection::OnOverrun(Overrun overrun) { counters().of(overrun).Add(1); }

void ServerConnection::OnRetired() { counters().connections_retired.Add(1); }

void ServerConnection::OnClosed(const Status&, bool protocol_error) {
  if (protocol_error) counters().protocol_errors.Add(1);
}

void ServerConnection::OnFinished() { owner_->Remove(this); }

}  // namespace skysail::net
