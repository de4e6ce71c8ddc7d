// What an endpoint's own headers may be.
#pragma once

#include <vector>

#include <absl/status/status.h>

#include "base/model.h"

namespace hookd {

inline constexpr size_t kMaxHeaders = 32;
inline constexpr size_t kMaxHeaderNameBytes = 128;
inline constexpr size_t kMaxHeaderValueBytes = 4096;
inline constexpr size_t kMaxHeadersBytes = 16 * 1024;  // all names and values

// Names: HTTP tokens, each once, none that hookd or HTTP itself sets. Values: visible ASCII, with spaces and
// tabs inside; may be empty. INVALID_ARGUMENT "headers[2].name: ..." never holds a value.
absl::Status CheckHeaders(const std::vector<Header>& headers);

}  // namespace hookd
