// Which addresses belong to the public internet, so that a subscriber may have hookd connect to them.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "base/ip.h"

namespace hookd {

// The name of what `ip` is instead of public unicast: "loopback", "private", "cloud metadata"; empty if it is
// public unicast. Looks at the address itself alone: mapped, NAT64 and Teredo forms have no name of their
// own, see Embedded.
std::string_view SpecialPurpose(const Ip& ip);

// An IPv4-mapped address leads to its IPv4 address: that one; any other as it is.
Ip Unmapped(const Ip& ip);

// The IPv4 addresses that packets to `ip` may be passed on to by a translator or at a tunnel's end: of the
// forms NAT64, 6to4, Teredo (server and client) and ISATAP. At most two.
struct EmbeddedIps {
  size_t count = 0;
  std::array<Ip, 2> ips;
};
EmbeddedIps Embedded(const Ip& ip);

bool IsLoopback(const Ip& ip);

// The ranges that SpecialPurpose knows by name, for the docs' and the tests' sake.
struct SpecialRange {
  Cidr cidr;
  std::string_view name;
};
const std::vector<SpecialRange>& SpecialRanges();

}  // namespace hookd
