#include "config/value.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <arpa/inet.h>
#include <google/protobuf/duration.pb.h>

#include "base/check.h"
#include "base/ip.h"
#include "base/status_macros.h"

namespace hookd::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kMaxShown = 80;

// Values are the operator's own; they are shown cut and escaped so that an error stays one line.
std::string Shown(absl::string_view text) {
  const bool cut = text.size() > kMaxShown;
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text.substr(0, kMaxShown)), cut ? "..." : "", "\"");
}

absl::Status Refuse(absl::string_view text, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(Shown(text), " ", reason));
}

bool IsHost(absl::string_view text) {
  for (const absl::string_view label : absl::StrSplit(text, '.')) {
    if (label.empty()) return false;
    for (const char c : label) {
      if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') return false;
    }
  }
  return true;
}

struct Unit {
  absl::string_view name;
  int64_t factor;
};

absl::StatusOr<int64_t> ParseWithUnit(absl::string_view text, std::span<const Unit> units,
                                      absl::string_view how) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  int64_t number = 0;
  if (digits == 0) return Refuse(text, how);
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& candidate) {
    return candidate.name == text.substr(digits);
  });
  if (unit == units.end()) return Refuse(text, how);
  if (!absl::SimpleAtoi(text.substr(0, digits), &number) ||
      number > std::numeric_limits<int64_t>::max() / unit->factor) {
    return Refuse(text, "is too large: give a smaller number");
  }
  return number * unit->factor;
}

struct IpPort {
  bool loopback = false;
  int port = 0;
};

std::optional<IpPort> ParseIpPort(absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return std::nullopt;
  const absl::string_view port = text.substr(colon + 1);
  std::string host(text.substr(0, colon));
  IpPort result;
  if (port.empty() || port.size() > 5 || !std::all_of(port.begin(), port.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(port, &result.port) || result.port > 65535) {
    return std::nullopt;
  }
  if (in_addr v4{}; inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    result.loopback = (ntohl(v4.s_addr) >> 24) == 127;
    return result;
  }
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return std::nullopt;
  host = host.substr(1, host.size() - 2);
  in6_addr v6{};
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return std::nullopt;
  result.loopback = IN6_IS_ADDR_LOOPBACK(&v6);
  return result;
}

absl::Status CheckString(const v1::Rule& rule, absl::string_view text) {
  if (text.empty()) {
    return rule.optional() ? absl::OkStatus() : absl::InvalidArgumentError("is empty: give a value");
  }
  if (std::any_of(text.begin(), text.end(), absl::ascii_iscntrl)) {
    return Refuse(text, "holds a control character: remove it");
  }
  if (rule.one_of_size() > 0 &&
      std::find(rule.one_of().begin(), rule.one_of().end(), text) == rule.one_of().end()) {
    return Refuse(text, absl::StrCat("is not known: give one of ", absl::StrJoin(rule.one_of(), ", ")));
  }
  return CheckFormat(rule.format(), text);
}

using Parser = absl::StatusOr<int64_t> (*)(absl::string_view);

absl::StatusOr<int64_t> ParseInRange(const v1::Rule& rule, absl::string_view text, Parser parse) {
  ASSIGN_OR_RETURN(const int64_t value, parse(text));
  // Bounds are written by us: a bad one is a bug in the schema, which .value() makes loud.
  const bool low = !rule.min().empty() && value < parse(rule.min()).value();
  const bool high = !rule.max().empty() && value > parse(rule.max()).value();
  if (!low && !high) return value;
  return Refuse(text, absl::StrCat("is out of range: give ", rule.min(), " to ", rule.max()));
}

}  // namespace

absl::StatusOr<int64_t> ParseInteger(absl::string_view text) {
  int64_t value = 0;
  if (text.empty() || absl::ascii_isspace(text.front()) || absl::ascii_isspace(text.back()) ||
      !absl::SimpleAtoi(text, &value)) {
    return Refuse(text, "is not a whole number: write it like 512");
  }
  return value;
}

absl::StatusOr<int64_t> ParseByteSize(absl::string_view text) {
  static constexpr std::array<Unit, 4> kUnits = {
      {{"B", 1}, {"KiB", int64_t{1} << 10}, {"MiB", int64_t{1} << 20}, {"GiB", int64_t{1} << 30}}};
  return ParseWithUnit(text, kUnits,
                       "is not a size: write a whole number and B, KiB, MiB or GiB, like 64MiB");
}

absl::StatusOr<int64_t> ParseDurationMs(absl::string_view text) {
  static constexpr std::array<Unit, 4> kUnits = {{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
  return ParseWithUnit(text, kUnits, "is not a duration: write a whole number and ms, s, m or h, like 30s");
}

absl::Status CheckFormat(v1::Format format, absl::string_view text) {
  if (format == v1::FORMAT_UNSPECIFIED || format == v1::FORMAT_PROSE) return absl::OkStatus();
  if (format == v1::FORMAT_CIDR) {
    const absl::StatusOr<Cidr> cidr = ParseCidr(std::string_view(text.data(), text.size()));
    return cidr.ok() ? absl::OkStatus() : Refuse(text, cidr.status().message());
  }
  if (format == v1::FORMAT_HOST) {
    if (IsHost(text)) return absl::OkStatus();
    return Refuse(text, "is not a host name: write it like example.com, without dots around it");
  }
  if (format == v1::FORMAT_IP) {
    if (ParseIp(std::string_view(text.data(), text.size()))) return absl::OkStatus();
    return Refuse(text, "is not an IP address: write it like 192.0.2.1 or 2001:db8::1");
  }
  if (format == v1::FORMAT_PROXY) {
    constexpr absl::string_view kHttp = "http://";
    const bool http = absl::StartsWith(text, kHttp);
    const std::optional<IpPort> proxy = http ? ParseIpPort(text.substr(kHttp.size())) : std::nullopt;
    if (proxy && proxy->port > 0) return absl::OkStatus();
    return Refuse(text,
                  "is not a proxy: write http://IP:PORT, like http://10.0.0.5:3128 (names are not accepted)");
  }
  const std::optional<IpPort> address = ParseIpPort(text);
  if (!address) {
    return Refuse(
        text, "is not an address: write IP:PORT, like 127.0.0.1:7070 or [::1]:7070 (names are not accepted)");
  }
  if (format == v1::FORMAT_IP_PORT && address->port == 0) {
    return Refuse(text, "has port 0: give a port from 1 to 65535");
  }
  return absl::OkStatus();
}

bool IsLoopback(absl::string_view ip_port) {
  const std::optional<IpPort> address = ParseIpPort(ip_port);
  return address && address->loopback;
}

bool IsValue(const FieldDescriptor& field) {
  return field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE ||
         field.message_type() == v1::ByteSize::descriptor() ||
         field.message_type() == google::protobuf::Duration::descriptor();
}

absl::Status SetValue(const FieldDescriptor& field, absl::string_view text, Message& parent) {
  const v1::Rule& rule = field.options().GetExtension(v1::rule);
  const google::protobuf::Reflection& reflection = *parent.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string value(text);
      if (rule.format() == v1::FORMAT_PROSE) absl::RemoveExtraAsciiWhitespace(&value);
      RETURN_IF_ERROR(CheckString(rule, value));
      if (field.is_repeated()) {
        reflection.AddString(&parent, &field, std::move(value));
      } else {
        reflection.SetString(&parent, &field, std::move(value));
      }
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT32: {
      ASSIGN_OR_RETURN(const int64_t value, ParseInRange(rule, text, &ParseInteger));
      HOOKD_CHECK(value >= INT32_MIN && value <= INT32_MAX, "an int32 key needs a range within int32");
      if (field.is_repeated()) {
        reflection.AddInt32(&parent, &field, static_cast<int32_t>(value));
      } else {
        reflection.SetInt32(&parent, &field, static_cast<int32_t>(value));
      }
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      ASSIGN_OR_RETURN(const int64_t value, ParseInRange(rule, text, &ParseInteger));
      reflection.SetInt64(&parent, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double value = 0;
      if (!absl::SimpleAtod(text, &value) || !std::isfinite(value)) {
        return Refuse(text, "is not a number: write it like 0.1");
      }
      reflection.SetDouble(&parent, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false") return Refuse(text, "is not true or false: give one of them");
      reflection.SetBool(&parent, &field, text == "true");
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      if (field.message_type() == v1::ByteSize::descriptor()) {
        ASSIGN_OR_RETURN(const int64_t bytes, ParseInRange(rule, text, &ParseByteSize));
        v1::ByteSize size;
        size.set_bytes(bytes);
        reflection.MutableMessage(&parent, &field)->CopyFrom(size);
        return absl::OkStatus();
      }
      ASSIGN_OR_RETURN(const int64_t ms, ParseInRange(rule, text, &ParseDurationMs));
      google::protobuf::Duration duration;
      duration.set_seconds(ms / 1000);
      duration.set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
      (field.is_repeated() ? reflection.AddMessage(&parent, &field)
                           : reflection.MutableMessage(&parent, &field))
          ->CopyFrom(duration);
      return absl::OkStatus();
    }
    default:
      HOOKD_CHECK(false, "the schema uses a type that the loader does not know");
      return absl::InternalError("unreachable");
  }
}

}  // namespace hookd::config
