// Where hookd may send: addresses, names and ports. The rules never change once made; EgressPolicy holds
// those that count now.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>

#include "base/ip.h"
#include "base/model.h"

namespace hookd {

// A host is under a suffix when it is the suffix or ends with a dot and the suffix, in any case.
struct EgressOptions {
  bool allow_loopback = false;           // 127.0.0.0/8 and ::1
  std::vector<Cidr> allow_addresses;     // may be connected to although not public
  std::vector<Cidr> deny_addresses;      // never
  std::vector<std::string> allow_hosts;  // suffixes; empty = every name, else these alone, and no literal
                                         // but of allow_addresses
  std::vector<std::string> deny_hosts;
  std::vector<uint16_t> allow_ports;  // empty = every port
  std::vector<uint16_t> deny_ports;
};

// A refusal is a reason in plain words, one of a fixed few; empty = allowed. Deny wins over allow.
class EgressRules {
 public:
  EgressRules() = default;  // strict: public unicast, every name and port
  explicit EgressRules(EgressOptions options) : options_(std::move(options)) {}

  // Mapped forms count as their IPv4 address; what another form embeds has to be allowed too.
  std::string_view RefuseAddress(const Ip& ip) const;
  // `host`: a name, or an IP literal without brackets. The addresses of a name are not looked at.
  std::string_view RefuseTarget(std::string_view host, uint16_t port) const;
  // INVALID_ARGUMENT "url: ..." for a URL that no attempt could be made to. A URL that breaks
  // core/url_rules.h is refused as well.
  absl::Status CheckUrl(std::string_view url) const;

 private:
  EgressOptions options_;
};

// Thread-safe.
class EgressPolicy {
 public:
  explicit EgressPolicy(EgressOptions options = {});
  EgressPolicy(const EgressPolicy&) = delete;
  EgressPolicy& operator=(const EgressPolicy&) = delete;

  void Set(EgressOptions options);
  std::shared_ptr<const EgressRules> Get() const;
  // Grows with each Set: who keeps what Get gave compares it.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  mutable absl::Mutex mutex_;
  std::shared_ptr<const EgressRules> rules_;
  std::atomic<uint64_t> version_{1};
};

// The URL and the token_url of `after`, where they are not those of `before`: INVALID_ARGUMENT names which
// one no request could be made to. `policy` null: nothing is looked at.
absl::Status CheckNewUrls(const EgressPolicy* policy, const Endpoint& before, const Endpoint& after);

}  // namespace hookd
