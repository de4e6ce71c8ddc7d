// What the profiles say to the tools.
#pragma once

#include <cstdint>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/model.h"

namespace hookd {

struct Sample {
  std::string name;
  std::string payload;
};

// How a receiver proves that it wants an endpoint's webhooks. Numbers are sent: never reuse one.
enum class VerificationMethod : uint8_t {
  kNone = 0,
  kHubChallenge = 1,
  kHmacChallenge = 2,
  kCloudEvents = 3
};

// Thread-safe. `profile`: a name as it is stored; empty = none. As it stands here: no profile says anything.
class ToolRules {
 public:
  virtual ~ToolRules() = default;

  // FAILED_PRECONDITION names the plans that have it.
  virtual absl::Status MaySimulate(const std::string& /*profile*/, const Subscriber& /*subscriber*/) const {
    return absl::OkStatus();
  }

  // Likewise.
  virtual absl::Status MayCapture(const std::string& /*profile*/, const Subscriber& /*subscriber*/) const {
    return absl::OkStatus();
  }

  // Of the profile's catalogue; `name` empty = the type's first. NOT_FOUND says what there is.
  virtual absl::StatusOr<Sample> FindSample(const std::string& /*profile*/, const std::string& type,
                                            const std::string& /*name*/) const {
    return absl::NotFoundError("sample: there is no catalogue with event type " + type + ": give a payload");
  }

  // What an endpoint has to pass before it is enabled; kNone = nothing.
  virtual VerificationMethod Ownership(const std::string& /*profile*/) const {
    return VerificationMethod::kNone;
  }
};

}  // namespace hookd
