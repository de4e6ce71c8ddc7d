// The state machine of a delivery.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

// The transition table. PENDING to PENDING is a failed attempt that is retried; a terminal state is final.
bool MayMove(DeliveryState from, DeliveryState to);

// What becomes of a delivery after an attempt.
struct Decision {
  DeliveryState state = DeliveryState::kPending;
  EndReason reason = EndReason::kNone;  // set when `state` is terminal
  uint32_t failures = 0;                // counted failures, with this attempt's
  WallMs next_due_ms = 0;               // of the next attempt; 0 = none
};

// `failures`: counted before this attempt; `attempt`: its number. `error`: the verdict of Judge(). kLocal is
// retried however often it comes, with a backoff that grows with the attempts, and never counted. A success
// stands even if the endpoint was deleted meanwhile; anything else is then CANCELED. `unit_random` is in [0,
// 1).
Decision Decide(const DeliveryPolicy& policy, uint32_t failures, uint32_t attempt, ErrorKind error,
                bool endpoint_deleted, WallMs now, double unit_random);

}  // namespace hookd
