// What an endpoint's URL may be. Whether the address behind it may be connected to is the transport's to
// decide.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace hookd {

inline constexpr size_t kMaxUrlBytes = 2048;

struct ParsedUrl {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address in its shortest form, without brackets
  uint16_t port = 0;   // the scheme's if the URL has none
  bool host_is_ip = false;
};

// RFC 3986, http and https only, with a host that every parser reads the same way: a DNS name, a dotted quad,
// or an IPv6 address in brackets. No user information, no fragment. INVALID_ARGUMENT "url: ..." says which
// rule is broken and holds nothing of the URL.
absl::StatusOr<ParsedUrl> ParseUrl(std::string_view url);

}  // namespace hookd
