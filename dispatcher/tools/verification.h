// Asks a receiver to prove that it wants an endpoint's webhooks: one request, and the verdict over its
// answer.
#pragma once

#include <functional>
#include <string>

#include <absl/status/status.h>

#include "base/clock.h"
#include "base/model.h"
#include "dispatcher/core/ownership.h"
#include "dispatcher/tools/one_shot.h"
#include "dispatcher/tools/sample_run.h"
#include "dispatcher/tools/tool_rules.h"

namespace hookd {

// The endpoint's own timeout, if that is shorter.
inline constexpr Millis kVerificationTimeout{10'000};

struct VerificationOrder {
  Endpoint endpoint;
  VerificationMethod method = VerificationMethod::kHmacChallenge;  // not kNone
  std::string verify_token;                                        // of kHubChallenge
  std::string origin;                                              // of kCloudEvents
  std::string user_agent;
};

struct VerificationResult {
  Proof proof;
  ToolExchange exchange;
};

// To the endpoint's URL, whatever stands in for it. `done`: as OneShot::Send's. Errors: likewise.
absl::Status Verify(OneShot& one_shot, const Clock& clock, const VerificationOrder& order,
                    std::function<void(VerificationResult)> done);

}  // namespace hookd
