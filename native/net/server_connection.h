// One caller's connection at the server. Loop thread only; owned by its ServerLoop.
#ifndef SKYSAIL_NET_SERVER_CONNECTION_H_
#define SKYSAIL_NET_SERVER_CONNECTION_H_

#include <memory>
#include <string>
#include <string_view>

#include "net/byte_stream.h"
#include "net/grpc_server.h"
#include "net/h2_session.h"
#include "net/method_table.h"
#include "net/server_counters.h"

namespace skysail::net {

class ServerLoop;

class ServerConnection final : public H2Session {
 public:
  ServerConnection(ServerLoop* owner, std::unique_ptr<ByteStream> stream, bool inner);

  const ServerOptions& options() const;
  ServerCounters& counters() const;
  bool inner() const { return inner_; }
  const Method* FindMethod(std::string_view path);
  // A view as long-lived as the connection, when `authority` is the one that its first call had;
  // a null view otherwise.
  std::string_view RememberAuthority(std::string_view authority);

 private:
  RpcStream* NewStream(int32_t id) override;
  void OnEstablished() override {}
  void OnGoaway() override {}
  void OnStreamGone() override {}
  void OnTraffic(size_t read, size_t written) override;
  void OnOffence(Offence offence) override;
  void OnOverrun(Overrun overrun) override;
  void OnRetired() override;
  void OnClosed(const Status& why, bool protocol_error) override;
  void OnFinished() override;

  ServerLoop* const owner_;
  const bool inner_;
  const Method* last_method_ = nullptr;  // callers tend to repeat themselves
  std::string authority_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_SERVER_CONNECTION_H_
