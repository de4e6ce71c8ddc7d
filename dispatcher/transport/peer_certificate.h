// What a receiver's certificate says, seen as it is checked: also of one that is refused.
#pragma once

#include <memory>

#include "dispatcher/transport/http_transport.h"

namespace hookd {

struct SeenCertificate {
  bool whole = false;                            // asked for: otherwise only its end is looked at
  std::shared_ptr<PeerCertificate> certificate;  // null = no handshake came so far
  WallMs ends_ms = 0;                            // likewise 0
};

// `ssl_context`: the SSL_CTX that CURLOPT_SSL_CTX_FUNCTION gives, before its handshake. The check stays as
// strict as it is; `seen` is written during the handshake, and outlives the connection. A receiver that asks
// to renegotiate later is refused that.
void WatchCertificate(void* ssl_context, SeenCertificate& seen);

}  // namespace hookd
