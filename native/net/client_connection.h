// One HTTP/2 connection of a client channel. Deletes itself when it has ended; a channel that goes
// away orphans it first. Loop thread only.
#ifndef SKYSAIL_NET_CLIENT_CONNECTION_H_
#define SKYSAIL_NET_CLIENT_CONNECTION_H_

#include <memory>
#include <string>
#include <string_view>

#include "net/byte_stream.h"
#include "net/channel_counters.h"
#include "net/client_call.h"
#include "net/client_channel.h"
#include "net/h2_session.h"

namespace skysail::net {

class ClientConnection;

class ClientConnectionOwner {
 public:
  virtual void OnConnectionReady(ClientConnection* connection) = 0;
  virtual void OnConnectionGoaway(ClientConnection* connection) = 0;
  // The pointer is of no more use.
  virtual void OnConnectionClosed(ClientConnection* connection, const Status& why) = 0;

 protected:
  ~ClientConnectionOwner() = default;
};

class ClientConnection final : public H2Session {
 public:
  ClientConnection(EventLoop& loop, ClientConnectionOwner* owner, const ChannelOptions& options,
                   std::string authority, std::unique_ptr<ByteStream> stream);

  // Opens a stream for `call`; false when this connection can open no more.
  bool StartCall(ClientCall* call, std::string_view path, const CallOptions& options);
  // Ends every call with `why` (before this returns) and the connection.
  void Orphan(const Status& why);

 private:
  RpcStream* NewStream(int32_t) override { return nullptr; }  // push is switched off
  void OnEstablished() override;
  void OnGoaway() override;
  void OnStreamGone() override {}
  void OnTraffic(size_t, size_t) override {}
  void OnOffence(Offence offence) override { ChannelCounters::OfProcess().Count(offence); }
  void OnOverrun(Overrun overrun) override { ChannelCounters::OfProcess().Count(overrun); }
  void OnRetired() override {}  // a channel never sends its peer away
  void OnClosed(const Status& why, bool protocol_error) override;
  void OnFinished() override { delete this; }

  ClientConnectionOwner* owner_;  // null once orphaned
  const std::string authority_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_CLIENT_CONNECTION_H_
