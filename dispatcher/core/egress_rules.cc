#include "dispatcher/core/egress_rules.h"

#include <algorithm>
#include <utility>

#include <absl/strings/match.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/address_rules.h"
#include "dispatcher/core/url_rules.h"

namespace hookd {
namespace {

bool Holds(const std::vector<Cidr>& ranges, const Ip& ip) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Cidr& range) { return range.Contains(ip); });
}

bool IsUnder(std::string_view host, std::string_view suffix) {
  if (host.size() < suffix.size()) return false;
  const std::string_view end = host.substr(host.size() - suffix.size());
  if (!absl::EqualsIgnoreCase({end.data(), end.size()}, {suffix.data(), suffix.size()})) return false;
  return host.size() == suffix.size() || host[host.size() - suffix.size() - 1] == '.';
}

bool IsUnderAny(std::string_view host, const std::vector<std::string>& suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [&](const std::string& suffix) { return IsUnder(host, suffix); });
}

template <typename T>
bool HoldsValue(const std::vector<T>& values, T value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace

std::string_view EgressRules::RefuseAddress(const Ip& given) const {
  const Ip ip = Unmapped(given);
  if (Holds(options_.deny_addresses, ip)) return "denied by egress.deny_addresses";
  if (!Holds(options_.allow_addresses, ip) && !(options_.allow_loopback && IsLoopback(ip))) {
    if (const std::string_view special = SpecialPurpose(ip); !special.empty()) return special;
  }
  const EmbeddedIps embedded = Embedded(ip);
  for (size_t i = 0; i < embedded.count; ++i) {
    if (const std::string_view why = RefuseAddress(embedded.ips[i]); !why.empty()) return why;
  }
  return "";
}

std::string_view EgressRules::RefuseTarget(std::string_view host, uint16_t port) const {
  if (HoldsValue(options_.deny_ports, port)) return "the port is denied by egress.deny_ports";
  if (!options_.allow_ports.empty() && !HoldsValue(options_.allow_ports, port)) {
    return "the port is not in egress.allow_ports";
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  if (IsUnderAny(host, options_.deny_hosts)) return "the host is denied by egress.deny_hosts";
  if (!options_.allow_hosts.empty() && !IsUnderAny(host, options_.allow_hosts)) {
    const std::optional<Ip> literal = ParseIp(host);
    if (!literal || !Holds(options_.allow_addresses, Unmapped(*literal))) {
      return "the host is not in egress.allow_hosts";
    }
  }
  return "";
}

absl::Status EgressRules::CheckUrl(std::string_view url) const {
  ASSIGN_OR_RETURN(const ParsedUrl parsed, ParseUrl(url));
  if (const std::string_view why = RefuseTarget(parsed.host, parsed.port); !why.empty()) {
    return absl::InvalidArgumentError(Concat("url: ", why));
  }
  std::optional<Ip> literal;
  if (parsed.host_is_ip) literal = ParseIp(parsed.host);
  // RFC 6761: always this machine.
  if (IsUnder(parsed.host, "localhost")) literal = ParseIp("127.0.0.1");
  if (!literal) return absl::OkStatus();
  const std::string_view why = RefuseAddress(*literal);
  if (why.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Concat("url: the host is not an address that may be sent to (", why,
             "): use a public one, or have the operator allow it under egress in the configuration"));
}

EgressPolicy::EgressPolicy(EgressOptions options)
    : rules_(std::make_shared<const EgressRules>(std::move(options))) {}

void EgressPolicy::Set(EgressOptions options) {
  auto rules = std::make_shared<const EgressRules>(std::move(options));
  const absl::MutexLock lock(&mutex_);
  rules_ = std::move(rules);
  version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const EgressRules> EgressPolicy::Get() const {
  const absl::MutexLock lock(&mutex_);
  return rules_;
}

absl::Status CheckNewUrls(const EgressPolicy* policy, const Endpoint& before, const Endpoint& after) {
  if (policy == nullptr) return absl::OkStatus();
  const std::shared_ptr<const EgressRules> rules = policy->Get();
  if (after.url != before.url && !after.url.empty()) RETURN_IF_ERROR(rules->CheckUrl(after.url));
  const OAuth2Credentials none;
  const auto token_url = [&none](const Endpoint& endpoint) -> const std::string& {
    const std::shared_ptr<const OAuth2Credentials>& oauth2 = endpoint.authorization.oauth2;
    return oauth2 == nullptr ? none.token_url : oauth2->token_url;
  };
  if (token_url(after).empty() || token_url(after) == token_url(before)) return absl::OkStatus();
  const absl::Status bad = rules->CheckUrl(token_url(after));
  if (bad.ok()) return bad;
  return absl::InvalidArgumentError(
      Concat("authorization.oauth2.token_", std::string_view(bad.message().data(), bad.message().size())));
}

}  // namespace hookd
