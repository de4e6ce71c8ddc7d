// Where a URL leads, in libcurl's own reading of it, so that what is resolved is what is sent to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace hookd {

struct Target {
  bool https = false;
  std::string host;  // a name, or an IP literal without brackets
  uint16_t port = 0;
  bool is_literal = false;
};

// Empty when the URL is not http(s) or has no host.
std::optional<Target> ParseTarget(const std::string& url);

// "1.2.3.4:80", "[::1]:80".
std::string AddressAndPort(const std::string& address, uint16_t port);

}  // namespace hookd
