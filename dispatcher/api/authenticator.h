// Who calls: from the text of a token to the token, at most as often as it may, without a read per call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "base/audit.h"
#include "base/clock.h"
#include "dispatcher/api/publish_limits.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/telemetry/telemetry.h"

namespace hookd {

// Tokens in use that are held in memory; when full, all are read anew.
inline constexpr size_t kMaxHeldTokens = 4096;
// Wrong tokens that may come from one address (of IPv6: one /64) at once, and per second after that; more are
// refused unseen.
inline constexpr uint32_t kWrongTokensBurst = 20;
inline constexpr uint32_t kWrongTokensPerSecond = 1;
// Addresses whose wrong tokens are counted; when full, those that may try again are forgotten, else any.
inline constexpr size_t kMaxWrongAddresses = 4096;

struct AuthOptions {
  bool required = false;
  RateLimit calls{10'000, 10'000, RateUnit::kRequest};  // of one token; per_second 0 = no limit
  // Of what a token publishes, unless it says otherwise; 0 = no limit.
  uint32_t bytes_per_second = 0;
  uint32_t max_payload_bytes = 0;
};

// Who makes a call. Cheap to copy.
struct Caller {
  std::shared_ptr<const AccessToken> token;  // null: anybody may do anything
  uint64_t changes = 0;                      // Engine::TokenChanges when it was read
  // A subscriber's token: only what is of these. Null = not bound.
  const std::vector<std::string>* Subscribers() const {
    return token != nullptr && token->role == TokenRole::kSubscriber ? &token->subscriber_ids : nullptr;
  }
  bool Owns(const std::string& subscriber_id) const;
};

// Thread-safe. A token that is not held is read from the disk.
class Authenticator {
 public:
  // All outlive it.
  Authenticator(const AuthOptions& options, Engine& engine, Telemetry& telemetry, const Clock& clock);

  bool required() const { return options_.required; }

  // `authorization`: "Bearer hkt_..."; `remote`: the address that it comes from, without a port.
  // UNAUTHENTICATED; RESOURCE_EXHAUSTED: too many calls of the token, or wrong tokens from the address.
  // Without `required` nothing is looked at.
  absl::StatusOr<Caller> Authenticate(std::string_view authorization, std::string_view remote);

  // As Authenticate, of an API key alone, also without `required`.
  absl::StatusOr<Caller> Identify(std::string_view key, std::string_view remote);

  // Outlived by this.
  PublishLimits LimitsOf(const Caller& caller);

  // For calls that last: UNAUTHENTICATED once the token is not valid any more, or is bound otherwise. Reads
  // only if tokens have changed.
  absl::Status StillValid(Caller& caller);

 private:
  struct Held {
    std::shared_ptr<const AccessToken> token;
    uint64_t changes = 0;
    int64_t tat_us = 0;        // of its calls
    int64_t bytes_tat_us = 0;  // of what it published
  };

  absl::StatusOr<Caller> Find(std::string_view text, const std::string& address);
  absl::Status Slowed();
  absl::Status CountCall(uint64_t id);
  absl::Status CountBytes(uint64_t id, uint32_t per_second, size_t bytes);
  bool MayTry(const std::string& address);
  void CountWrong(const std::string& address);
  absl::Status Refuse(AuthFailure why, absl::Status status);

  const AuthOptions options_;
  Engine& engine_;
  Telemetry& telemetry_;
  const Clock& clock_;
  absl::Mutex mutex_;
  absl::flat_hash_map<uint64_t, Held> held_ ABSL_GUARDED_BY(mutex_);         // by id
  absl::flat_hash_map<std::string, int64_t> wrong_ ABSL_GUARDED_BY(mutex_);  // tats by address
};

// For the audit log. Null: calls need no token.
AuditOrigin OriginOfToken(const AccessToken* token);

// What wrong tokens are counted by: an IPv4 address, or the first half of an IPv6 one.
std::string AddressKey(std::string_view remote);

}  // namespace hookd
