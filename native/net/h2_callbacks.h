// How nghttp2 reports to an H2Session: its callbacks and options.
#ifndef SKYSAIL_NET_H2_CALLBACKS_H_
#define SKYSAIL_NET_H2_CALLBACKS_H_

#include <nghttp2/nghttp2.h>

#include "net/h2_session.h"

namespace skysail::net {

// A new session with its SETTINGS queued; `owner` gets the callbacks. Owned by the caller.
nghttp2_session* NewNghttp2Session(const SessionOptions& options, H2Session* owner);

}  // namespace skysail::net

#endif  // SKYSAIL_NET_H2_CALLBACKS_H_
