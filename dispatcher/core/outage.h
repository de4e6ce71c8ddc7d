// Tells an outage of our own network from receivers that fail.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>

#include <absl/container/flat_hash_map.h>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

// Whether an attempt reached its host: not if the name, the connection or any answer in time was missing, nor
// with our own trouble. A failed TLS handshake did connect. A timeout without an answer counts as not
// connected: what an outage drops looks so, and a host that takes connections and never answers is as good as
// gone. Without a token (kToken) nothing was sent.
bool Connected(ErrorKind error, int status);

// Which hosts were tried lately, and whether the last try reached them. While most of them cannot be reached
// the trouble is more likely here, and no endpoint should be disabled for it. Thread-compatible.
class OutageDetector {
 public:
  // A host that was last tried longer ago is forgotten.
  static constexpr Duration kActiveWindow = std::chrono::minutes(10);
  // With fewer active hosts it is never an outage: one dead receiver of two is not one.
  static constexpr size_t kMinHosts = 5;
  // When full, the host that was not tried for longest is forgotten.
  static constexpr size_t kMaxHosts = 4096;

  // `host`: a hash of its name. An attempt that a shutdown cut off tells nothing and is not recorded. O(1),
  // amortised.
  void Record(uint64_t host, bool connected, SteadyTime now);

  // More than half of the active hosts were not reached by their last try. O(1), and one step for each host
  // that left the window since the last Record.
  bool Suspended(SteadyTime now) const;

 private:
  struct Host {
    uint64_t host = 0;
    bool connected = false;
    SteadyTime tried;
  };

  void ForgetOldest();

  std::list<Host> hosts_;  // the one not tried for longest is first
  absl::flat_hash_map<uint64_t, std::list<Host>::iterator> by_host_;
  size_t unreached_ = 0;  // of hosts_, those not connected
};

}  // namespace hookd
