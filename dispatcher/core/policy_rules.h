// What a delivery policy may be: the ranges that proto/hookd/v1/endpoint_service.proto promises.
#pragma once

#include <absl/status/status.h>

#include "base/model.h"

namespace hookd {

// INVALID_ARGUMENT names the first bad field and its range: "policy.timeout: 50ms is out of range, use 100ms
// to 120s".
absl::Status CheckPolicy(const DeliveryPolicy& policy);

}  // namespace hookd
