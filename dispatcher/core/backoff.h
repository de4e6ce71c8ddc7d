// How long a failed delivery waits for its next attempt.
#pragma once

#include <cstdint>

#include "base/model.h"

namespace hookd {

// The wait before retry `n` (1 for the first), as base/model.h says, plus `unit_random` of the jitter's share
// of it. `unit_random` is in [0, 1). Exact for every `n`; `backoff` has passed core/policy_rules.h.
Millis RetryDelay(const Backoff& backoff, uint32_t n, double unit_random);

// The longest wait that it ever gives, without jitter.
Millis LongestBackoff(const Backoff& backoff);

}  // namespace hookd
