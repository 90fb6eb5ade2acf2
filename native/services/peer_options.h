// How we hold channels to the next service and to replicas.
#ifndef SKYSAIL_SERVICES_PEER_OPTIONS_H_
#define SKYSAIL_SERVICES_PEER_OPTIONS_H_

#include "net/address.h"
#include "net/client_channel.h"
#include "services/config.h"

namespace skysail::services {

// A peer behind a Unix socket or one that takes packed calls is our own process, whose loop answers a
// PING whatever its model does: one that does not within a second is stopped or stuck, and is known to be
// away within two, whether calls are open or not. Servers of others, which may take many PINGs for abuse,
// are asked seldom, and only while they owe us an answer.
inline net::ChannelOptions PeerOptions(const Endpoint& endpoint, const net::Address& address) {
  net::ChannelOptions options;
  options.stay_connected = true;
  if (endpoint.packed || address.kind == net::Address::Kind::kUnix) {
    options.keepalive_interval = 500 * kMillisecond;
    options.keepalive_timeout = kSecond;
    options.keepalive_without_calls = true;
  }
  return options;
}

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_PEER_OPTIONS_H_
