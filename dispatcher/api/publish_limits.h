// What the caller of a publish may still send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include <absl/status/status.h>

namespace hookd {

// Of one call. Default: no limit.
struct PublishLimits {
  size_t max_payload = SIZE_MAX;  // of one event
  // Asked with the payloads of each message of the call, and counts them if it answers OK. Null = always OK.
  std::function<absl::Status(size_t bytes)> charge;

  absl::Status Charge(size_t bytes) const { return charge == nullptr ? absl::OkStatus() : charge(bytes); }
  // RESOURCE_EXHAUSTED: one event is too large for the token.
  absl::Status CheckPayload(size_t bytes) const;
};

}  // namespace hookd
