// A name server in the test's process: UDP on a free loopback port, in its own thread. Knows what the test
// tells it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hookd::testing {

struct DnsAnswer {
  std::vector<std::string> v4;  // A records
  std::vector<std::string> v6;  // AAAA records
  uint32_t ttl = 60;            // seconds
  int rcode = 0;                // 2 = SERVFAIL, 3 = NXDOMAIN, 5 = REFUSED; records are then left out
  bool silent = false;          // never answered
  std::optional<std::string> raw = std::nullopt;  // these bytes behind the query's id, instead of all that
};

// Thread-safe.
class DnsResponder {
 public:
  // `names` in lower case; any other is NXDOMAIN.
  explicit DnsResponder(std::map<std::string, DnsAnswer> names);
  ~DnsResponder();
  DnsResponder(const DnsResponder&) = delete;
  DnsResponder& operator=(const DnsResponder&) = delete;

  // From the next query on.
  void Set(const std::string& name, DnsAnswer answer);
  // "127.0.0.1:PORT"
  std::string address() const;
  // Queries for `name`, A and AAAA alike.
  size_t queries(const std::string& name) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd::testing
