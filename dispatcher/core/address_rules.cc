#include "dispatcher/core/address_rules.h"

#include <algorithm>
#include <cstddef>

#include "base/check.h"

namespace hookd {
namespace {

struct Named {
  std::string_view range;
  std::string_view name;
};

// IANA's special-purpose registries, and metadata services of clouds that live on public addresses. Others of
// those are in 100.64.0.0/10, 169.254.0.0/16, 192.0.0.0/24, fc00::/7 and fe80::/10.
constexpr Named kRanges[] = {
    {"0.0.0.0/8", "this network"},
    {"10.0.0.0/8", "private"},
    {"100.64.0.0/10", "shared by a carrier's NAT"},
    {"127.0.0.0/8", "loopback"},
    {"168.63.129.16/32", "cloud metadata"},  // Azure
    {"169.254.0.0/16", "link-local"},
    {"172.16.0.0/12", "private"},
    {"192.0.0.0/24", "protocol assignments"},
    {"192.0.2.0/24", "documentation"},
    {"192.31.196.0/24", "AS112"},
    {"192.52.193.0/24", "AMT"},
    {"192.88.99.0/24", "6to4 relay"},
    {"192.168.0.0/16", "private"},
    {"192.175.48.0/24", "AS112"},
    {"198.18.0.0/15", "benchmarking"},
    {"198.51.100.0/24", "documentation"},
    {"203.0.113.0/24", "documentation"},
    {"224.0.0.0/4", "multicast"},
    {"240.0.0.0/4", "reserved"},
    {"::/128", "unspecified"},
    {"::1/128", "loopback"},
    {"::/96", "IPv4-compatible"},
    {"::ffff:0:0:0/96", "IPv4-translated"},
    {"64:ff9b:1::/48", "local NAT64"},
    {"100::/64", "discard"},
    {"100:0:0:1::/64", "dummy"},
    {"2001::/23", "protocol assignments"},
    {"2001:db8::/32", "documentation"},
    {"2620:4f:8000::/48", "AS112"},
    {"3fff::/20", "documentation"},
    {"5f00::/16", "segment routing"},
    {"fc00::/7", "private"},
    {"fe80::/10", "link-local"},
    {"fec0::/10", "site-local"},
    {"ff00::/8", "multicast"},
};

Cidr Range(std::string_view text) {
  const absl::StatusOr<Cidr> cidr = ParseCidr(text);
  HOOKD_CHECK(cidr.ok(), "a range of the table is not one");
  return *cidr;
}

template <size_t kSize>
bool HasBytes(const Ip& ip, size_t at, const std::array<uint8_t, kSize>& bytes) {
  return std::equal(bytes.begin(), bytes.end(), ip.bytes.begin() + static_cast<ptrdiff_t>(at));
}

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::array<uint8_t, 12> kNat64 = {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};
constexpr std::array<uint8_t, 6> kLocalNat64 = {0, 0x64, 0xff, 0x9b, 0, 1};
constexpr std::array<uint8_t, 2> k6to4 = {0x20, 0x02};
constexpr std::array<uint8_t, 4> kTeredo = {0x20, 0x01, 0, 0};
constexpr std::array<uint8_t, 4> kIsatapLocal = {0, 0, 0x5e, 0xfe};
constexpr std::array<uint8_t, 4> kIsatapUniversal = {2, 0, 0x5e, 0xfe};

Ip V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  Ip ip;
  ip.bytes = {a, b, c, d};
  return ip;
}

Ip V4At(const Ip& ip, size_t at) {
  return V4(ip.bytes[at], ip.bytes[at + 1], ip.bytes[at + 2], ip.bytes[at + 3]);
}

void Add(EmbeddedIps& to, const Ip& ip) { to.ips[to.count++] = ip; }

}  // namespace

const std::vector<SpecialRange>& SpecialRanges() {
  static const std::vector<SpecialRange>& ranges = *[] {
    auto* all = new std::vector<SpecialRange>;
    for (const Named& named : kRanges) all->push_back({Range(named.range), named.name});
    return all;
  }();
  return ranges;
}

std::string_view SpecialPurpose(const Ip& ip) {
  if (ip.v6 && (HasBytes(ip, 0, kMapped) || HasBytes(ip, 0, kNat64) || HasBytes(ip, 0, kTeredo))) return "";
  for (const SpecialRange& range : SpecialRanges()) {
    if (range.cidr.Contains(ip)) return range.name;
  }
  // All that IANA has given out is in 2000::/3.
  return !ip.v6 || (ip.bytes[0] & 0xe0) == 0x20 ? "" : "not global unicast";
}

Ip Unmapped(const Ip& ip) { return ip.v6 && HasBytes(ip, 0, kMapped) ? V4At(ip, 12) : ip; }

EmbeddedIps Embedded(const Ip& ip) {
  EmbeddedIps found;
  if (!ip.v6) return found;
  if (HasBytes(ip, 0, kNat64)) {
    Add(found, V4At(ip, 12));
  } else if (HasBytes(ip, 0, kLocalNat64)) {
    // RFC 6052: a /48 has it around byte 8, with nothing behind; longer prefixes are in use as /96.
    const bool behind =
        std::any_of(ip.bytes.begin() + 11, ip.bytes.end(), [](uint8_t byte) { return byte != 0; });
    Add(found, behind ? V4At(ip, 12) : V4(ip.bytes[6], ip.bytes[7], ip.bytes[9], ip.bytes[10]));
  } else if (HasBytes(ip, 0, k6to4)) {
    Add(found, V4At(ip, 2));
  } else if (HasBytes(ip, 0, kTeredo)) {
    Add(found, V4At(ip, 4));
    Ip client = V4At(ip, 12);
    for (size_t i = 0; i < 4; ++i) client.bytes[i] ^= 0xff;
    Add(found, client);
    return found;
  }
  if (HasBytes(ip, 8, kIsatapLocal) || HasBytes(ip, 8, kIsatapUniversal)) Add(found, V4At(ip, 12));
  return found;
}

bool IsLoopback(const Ip& ip) {
  static const Cidr v4 = Range("127.0.0.0/8");
  static const Cidr v6 = Range("::1/128");
  return v4.Contains(ip) || v6.Contains(ip);
}

}  // namespace hookd
