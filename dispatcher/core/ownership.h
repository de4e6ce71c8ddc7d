// How a receiver proves that it wants an endpoint's webhooks: what it is asked, and what counts as proof.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "base/model.h"

namespace hookd {

inline constexpr size_t kMaxVerifyTokenBytes = 128;
inline constexpr size_t kShownProofBytes = 200;  // of what a receiver answered, in the account of it

struct Proof {
  bool proven = false;
  std::string expected;  // in plain words; both empty when proven
  std::string received;
  std::optional<uint32_t> allowed_per_second;  // CloudEvents: a rate below the endpoint's own
};

// Visible ASCII; may be empty. INVALID_ARGUMENT "verify_token: ...".
absl::Status CheckVerifyToken(std::string_view token);

// 32 random bytes as hex.
std::string NewChallenge();

// The URL with hub.mode, hub.challenge and, unless it is empty, hub.verify_token behind its query.
std::string HubUrl(const std::string& url, std::string_view challenge, std::string_view verify_token);
Proof JudgeHub(std::string_view challenge, int status, std::string_view body);

// {"type":"endpoint.verification","crc_token":"..."}
std::string HmacChallengeBody(std::string_view challenge);
// `keys`: the endpoint's secrets of scheme V1, any of which may be used.
Proof JudgeHmac(const std::vector<std::string>& keys, std::string_view challenge, int status,
                std::string_view body);

// Requests per minute, for WebHook-Request-Rate; nullopt = the endpoint has no limit.
std::optional<uint64_t> RequestRate(const RateLimit& rate);
// `allowed_origin`, `allowed_rate`: the values of WebHook-Allowed-Origin and -Rate; empty = there is none.
Proof JudgeCloudEvents(std::string_view origin, const RateLimit& rate, int status,
                       std::string_view allowed_origin, std::string_view allowed_rate);

}  // namespace hookd
