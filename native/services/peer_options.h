// How we hold channels to the next service and to replicas.
#ifndef SKYSAIL_SERVICES_PEER_OPTIONS_H_
#define SKYSAIL_SERVICES_PEER_OPTIONS_H_

#include "net/address.h"
#include "net/client_channel.h"

namespace skysail::services {

// A peer on this machine is our own process, whose loop answers a PING whatever its model does: one that
// does not within a second is stopped or stuck, and is known to be away within two. Servers of others,
// which may take many PINGs for abuse, are asked seldom.
inline net::ChannelOptions PeerOptions(const net::Address& address) {
  net::ChannelOptions options;
  if (address.kind == net::Address::Kind::kUnix) {
    options.keepalive_interval = 500 * kMillisecond;
    options.keepalive_timeout = kSecond;
  }
  return options;
}

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_PEER_OPTIONS_H_
