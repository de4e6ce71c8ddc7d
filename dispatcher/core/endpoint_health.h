// What an endpoint's failures in a row lead to.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

// Whether the attempt belongs to the row that disables: a failure that is neither our own trouble nor, unless
// the rule counts it, status 429, by which a receiver that works slows us down.
bool CountsTowardsDisable(const AutoDisable& rule, ErrorKind error, int status);

// Whether an attempt that ended at `attempt_end_ms` disables its endpoint. `disable_failures`: the row, with
// this attempt; `disable_since_ms`: the end of its first failure. Only a failure disables: a row that was
// long enough before it, under another rule, waits for the next one.
DisableReason ShouldDisable(const AutoDisable& rule, uint32_t disable_failures, WallMs disable_since_ms,
                            ErrorKind error, int status, WallMs attempt_end_ms);

enum class HealthAlert { kNone, kFailing, kRecovered };

// The alert that an attempt calls for, which took the endpoint's failures in a row from `failures_before` to
// `failures_after`: one when the row reaches `alert_after` (0 = never any), one when it then ends.
HealthAlert AlertFor(uint32_t alert_after, uint32_t failures_before, uint32_t failures_after);

// Whether the endpoint's pending deliveries have just reached 80 % of the policy's `backlog` (0 = unbounded:
// never).
bool BacklogNearlyFull(uint64_t backlog, uint64_t pending_before, uint64_t pending_after);

}  // namespace hookd
