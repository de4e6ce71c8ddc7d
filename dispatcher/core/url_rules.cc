#include "dispatcher/core/url_rules.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <boost/url/src.hpp>

#include "base/concat.h"
#include "base/status_macros.h"

namespace hookd {
namespace {

constexpr size_t kMaxHostBytes = 253;
constexpr size_t kMaxLabelBytes = 63;

absl::Status Refuse(std::string_view why) { return absl::InvalidArgumentError(Concat("url: ", why)); }

bool AllDigits(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
}

bool IsLabel(std::string_view text) {
  return !text.empty() && text.size() <= kMaxLabelBytes && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  });
}

absl::Status CheckHostName(std::string_view host) {
  if (host.empty()) return Refuse("has no host");
  if (host.size() > kMaxHostBytes) return Refuse("the host is longer than 253 characters");
  size_t begin = 0;
  for (size_t dot = 0; dot != std::string_view::npos; begin = dot + 1) {
    dot = host.find('.', begin);
    if (!IsLabel(host.substr(begin, dot - begin))) {
      return Refuse(
          "the host is not a DNS name: use labels of 1 to 63 letters, digits, '-' and '_', joined by '.'");
    }
  }
  // 127.1, 0x7f000001 and 2130706433 are addresses to some resolvers and names to others.
  const std::string_view last = host.substr(host.rfind('.') + 1);
  if (AllDigits(last) || last.starts_with("0x")) {
    return Refuse(
        "the host looks like a number: write an address as four decimal numbers without leading zeros");
  }
  return absl::OkStatus();
}

// `text` is what follows the host: nothing, or a colon and the port.
absl::StatusOr<uint16_t> ParsePort(std::string_view text, bool https) {
  if (text.empty()) return https ? 443 : 80;
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), port);
  if (text[0] != ':' || error != std::errc() || end != text.data() + text.size() || port == 0 ||
      text[1] == '0') {
    return Refuse("the port must be 1 to 65535 without leading zeros, or be left out with its colon");
  }
  return port;
}

}  // namespace

// The authority is taken apart here: boost::urls::parse_uri of 1.81 stops inside one such
// as 10.0.0.1.example.com or example.com:80a, and takes what follows for a path.
absl::StatusOr<ParsedUrl> ParseUrl(std::string_view url) {
  if (url.size() > kMaxUrlBytes) return Refuse("is longer than 2048 characters");
  const auto is_graph = [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); };
  if (!std::all_of(url.begin(), url.end(), is_graph)) {
    return Refuse(
        "holds a space, control or non-ASCII character: percent-encode it, or use punycode for a host");
  }
  std::string begin(url.substr(0, 8));
  absl::AsciiStrToLower(&begin);
  const bool https = begin.starts_with("https://");
  if (!https && !begin.starts_with("http://")) return Refuse("must begin with http:// or https://");
  url.remove_prefix(https ? 8 : 7);
  if (url.find('#') != std::string_view::npos) return Refuse("holds a fragment ('#'): remove it");

  const std::string_view authority = url.substr(0, url.find_first_of("/?"));
  std::string target(url.substr(authority.size()));
  if (!target.starts_with('/')) target.insert(0, "/");
  if (!boost::urls::parse_origin_form(target)) {
    return Refuse("the path or query is not valid by RFC 3986: percent-encode special characters");
  }
  if (authority.find('@') != std::string_view::npos)
    return Refuse("holds user information: use a header instead");

  ParsedUrl result;
  result.scheme = https ? "https" : "http";
  size_t host_end = authority.find(':');
  if (authority.starts_with('[')) {
    host_end = authority.find(']');
    const std::string_view inside = authority.substr(1, host_end - 1);
    const auto address = boost::urls::parse_ipv6_address({inside.data(), inside.size()});
    if (host_end == std::string_view::npos || !address) {
      return Refuse("the host begins with '[' and is not an IPv6 address in brackets");
    }
    ++host_end;
    result.host_is_ip = true;
    result.host = address->to_string();
  } else {
    result.host = absl::AsciiStrToLower(std::string(authority.substr(0, host_end)));
    result.host_is_ip = boost::urls::parse_ipv4_address(result.host).has_value();
    if (!result.host_is_ip) RETURN_IF_ERROR(CheckHostName(result.host));
  }
  host_end = std::min(host_end, authority.size());
  ASSIGN_OR_RETURN(result.port, ParsePort(authority.substr(host_end), https));
  return result;
}

}  // namespace hookd
