// IP addresses and ranges as plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace hookd {

// In network order; of an IPv4 address the first four bytes count, the others are 0.
struct Ip {
  bool v6 = false;
  std::array<uint8_t, 16> bytes{};
  bool operator==(const Ip&) const = default;
};

// "192.0.2.1", "2001:db8::1": no brackets, no zone, no short, octal or hexadecimal form.
std::optional<Ip> ParseIp(std::string_view text);
// In the shortest form.
std::string ToString(const Ip& ip);

struct Cidr {
  Ip base;
  int prefix = 0;  // bits that count
  bool Contains(const Ip& ip) const;
};

// "10.0.0.0/8", "2001:db8::/32", or an address alone. INVALID_ARGUMENT says what is wrong, without the text:
// bits beyond the prefix have to be 0, and an IPv4 range is not written as a mapped IPv6 one.
absl::StatusOr<Cidr> ParseCidr(std::string_view text);

}  // namespace hookd
