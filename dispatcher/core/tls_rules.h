// What TLS of an endpoint's own may be.
#pragma once

#include <absl/status/status.h>

#include "base/model.h"

namespace hookd {

// PEM is PEM, pins are pins, and a client certificate comes with the key that belongs to it. INVALID_ARGUMENT
// names the first bad field, and never holds a key.
absl::Status CheckTls(const TlsSettings& tls);

}  // namespace hookd
