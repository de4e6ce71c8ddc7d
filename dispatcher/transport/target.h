// Where a URL leads, in libcurl's own reading of it, so that what is resolved is what is sent to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <absl/container/flat_hash_map.h>

#include "dispatcher/transport/resolver.h"

namespace hookd {

inline constexpr size_t kMaxCachedTargets = 4'096;  // full: all go, and are read anew

struct Target {
  bool https = false;
  std::string host;  // a name, or an IP literal without brackets
  uint16_t port = 0;
  Addresses literal;  // the host's address, when it is an IP literal; else null
};

// Empty when the URL is not http(s) or has no host.
std::optional<Target> ParseTarget(const std::string& url);

// The targets of the URLs used last: reading a URL costs as much as a tenth of sending.
class TargetCache {
 public:
  // As ParseTarget; null = empty.
  std::shared_ptr<const Target> Get(const std::string& url);

 private:
  absl::flat_hash_map<std::string, std::shared_ptr<const Target>> targets_;
};

// "1.2.3.4:80", "[::1]:80".
std::string AddressAndPort(const std::string& address, uint16_t port);

}  // namespace hookd
