#include "base/ip.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>

#include "base/concat.h"

namespace hookd {
namespace {

bool IsMapped(const Ip& ip) {
  constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return ip.v6 && std::equal(kMapped.begin(), kMapped.end(), ip.bytes.begin());
}

}  // namespace

std::optional<Ip> ParseIp(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof terminated) return std::nullopt;
  std::memcpy(terminated, text.data(), text.size());
  Ip ip;
  ip.v6 = text.find(':') != std::string_view::npos;
  if (text.find('\0') != std::string_view::npos ||
      inet_pton(ip.v6 ? AF_INET6 : AF_INET, terminated, ip.bytes.data()) != 1) {
    return std::nullopt;
  }
  return ip;
}

std::string ToString(const Ip& ip) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(ip.v6 ? AF_INET6 : AF_INET, ip.bytes.data(), text, sizeof text);
  return text;
}

bool Cidr::Contains(const Ip& ip) const {
  if (ip.v6 != base.v6) return false;
  const auto whole = static_cast<size_t>(prefix / 8);
  if (std::memcmp(ip.bytes.data(), base.bytes.data(), whole) != 0) return false;
  if (prefix % 8 == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff << (8 - prefix % 8));
  return (ip.bytes[whole] & mask) == (base.bytes[whole] & mask);
}

absl::StatusOr<Cidr> ParseCidr(std::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<Ip> base = ParseIp(text.substr(0, slash));
  if (!base)
    return absl::InvalidArgumentError("is not an address range: write it like 10.0.0.0/8 or 2001:db8::/32");
  if (IsMapped(*base)) {
    return absl::InvalidArgumentError("is an IPv4 address in IPv6 form: write it as IPv4, like 10.0.0.0/8");
  }
  const int bits = base->v6 ? 128 : 32;
  Cidr cidr{*base, bits};
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), cidr.prefix);
    if (number.empty() || number[0] == '-' || (number.size() > 1 && number[0] == '0') ||
        error != std::errc() || end != number.data() + number.size() || cidr.prefix > bits) {
      return absl::InvalidArgumentError(Concat("has a prefix length that is not 0 to ", bits));
    }
  }
  Ip cut = *base;
  for (int bit = cidr.prefix; bit < bits; ++bit) {
    cut.bytes[static_cast<size_t>(bit / 8)] &= static_cast<uint8_t>(~(0x80 >> (bit % 8)));
  }
  if (cut != *base) {
    return absl::InvalidArgumentError(
        Concat("has bits beyond its prefix: write ", ToString(cut), "/", cidr.prefix));
  }
  return cidr;
}

}  // namespace hookd
