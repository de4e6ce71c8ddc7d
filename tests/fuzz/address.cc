// Addresses: one verdict, whatever the spelling. The input is a host as text, and 16 bytes of it an address.
#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string>

#include <arpa/inet.h>

#include "base/concat.h"
#include "base/ip.h"
#include "dispatcher/core/address_rules.h"
#include "dispatcher/core/egress_rules.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

using fuzz::Must;

const EgressRules& Strict() {
  static const EgressRules& rules = *new EgressRules;
  return rules;
}

bool Refused(const std::string& host) { return !Strict().CheckUrl(Concat("http://", host, "/")).ok(); }

// Every group in full, in upper case.
std::string Long(const Ip& ip) {
  std::string text;
  for (size_t i = 0; i < 16; i += 2) {
    std::array<char, 6> group{};
    std::snprintf(group.data(), group.size(), "%02X%02X", ip.bytes[i], ip.bytes[i + 1]);
    text += Concat(i == 0 ? "" : ":", group.data());
  }
  return text;
}

Ip Around(const std::array<uint8_t, 12>& before, const Ip& v4) {
  Ip ip;
  ip.v6 = true;
  std::copy(before.begin(), before.end(), ip.bytes.begin());
  std::copy_n(v4.bytes.begin(), 4, ip.bytes.begin() + 12);
  return ip;
}

void CheckAddress(const Ip& ip) {
  const std::string text = ToString(ip);
  const std::optional<Ip> again = ParseIp(text);
  Must(again && *again == ip, "an address that is written is read as the same");
  const absl::StatusOr<Cidr> alone = ParseCidr(text);
  Must(!alone.ok() || (alone->Contains(ip) && alone->base == ip), "a range of one address holds it");
  const bool refused = !Strict().RefuseAddress(ip).empty();
  if (ip.v6) {
    Must(Refused(Concat("[", text, "]")) == refused, "the short spelling has the address's verdict");
    Must(Refused(Concat("[", Long(ip), "]")) == refused, "the long spelling has the address's verdict");
    return;
  }
  Must(Refused(text) == refused, "a dotted quad has the address's verdict");
  const Ip mapped = Around({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, ip);
  Must(!Strict().RefuseAddress(mapped).empty() == refused,
       "a mapped address has the verdict of what it maps");
  Must(Refused(Concat("[::ffff:", text, "]")) == refused, "so has its spelling with a dotted quad");
  Must(Refused(Concat("[", Long(mapped), "]")) == refused, "so has its spelling in full");
  const Ip nat64 = Around({0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}, ip);
  Must(!refused || !Strict().RefuseAddress(nat64).empty(), "NAT64 leads to nothing that is refused");
  Ip sixtofour;
  sixtofour.v6 = true;
  sixtofour.bytes = {0x20, 0x02, ip.bytes[0], ip.bytes[1], ip.bytes[2], ip.bytes[3]};
  Must(!refused || !Strict().RefuseAddress(sixtofour).empty(), "6to4 leads to nothing that is refused");
}

// What the C library takes for an address is one for the rules too, or refused.
void CheckHost(const std::string& host) {
  in_addr address{};
  if (host.find('\0') != std::string::npos || inet_aton(host.c_str(), &address) == 0 || Refused(host)) return;
  const std::optional<Ip> ip = ParseIp(host);
  Must(ip && Strict().RefuseAddress(*ip).empty(), "an odd spelling of an address is refused");
}

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const std::optional<Ip> ip = ParseIp(text)) CheckAddress(*ip);
  if (const absl::StatusOr<Cidr> cidr = ParseCidr(text); cidr.ok()) {
    fuzz::Must(cidr->Contains(cidr->base), "a range holds its first address");
  } else {
    fuzz::MustRefuse(cidr.status());
  }
  CheckHost(std::string(text));
  Ip raw;
  raw.v6 = size > 4;
  std::copy_n(data, std::min<size_t>(size, raw.v6 ? 16 : 4), raw.bytes.begin());
  CheckAddress(raw);
  return 0;
}
