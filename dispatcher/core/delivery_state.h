// The state machine of a delivery.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

// The transition table. PENDING to PENDING is a failed attempt that is retried; a terminal state is final.
bool MayMove(DeliveryState from, DeliveryState to);

// An attempt that ended, as far as it decides.
struct AttemptEnd {
  uint32_t failures = 0;               // counted before this attempt
  uint32_t attempt = 1;                // its number
  ErrorKind error = ErrorKind::kNone;  // the verdict of Judge()
  int status = 0;                      // 0 = no answer
  std::string_view retry_after;        // the header's value; empty = none
  bool endpoint_deleted = false;
  WallMs expires_ms = 0;       // of the event; 0 = never
  bool token_refused = false;  // see HttpResult
};

// What becomes of a delivery after an attempt.
struct Decision {
  DeliveryState state = DeliveryState::kPending;
  EndReason reason = EndReason::kNone;           // set when `state` is terminal
  uint32_t failures = 0;                         // counted failures, with this attempt's
  WallMs next_due_ms = 0;                        // of the next attempt; 0 = none
  AttemptDecision why = AttemptDecision::kNone;  // what the attempt's record says of it
  WallMs hold_until_ms = 0;                      // until then no attempt of the endpoint starts; 0 = no hold
};

// A success stands, even if the endpoint was deleted or the event expired meanwhile. A failure is CANCELED if
// the endpoint was deleted, else EXHAUSTED if no retry is left, else EXPIRED if the event has expired, else
// retried. kLocal is retried however often it comes, with a backoff that grows with the attempts, and never
// counted. A due time is never after the expiry; one at the expiry is not for an attempt: the delivery ends
// then.
//
// Retry-After of 429 and 503 holds the endpoint for at most the policy's retry_after_max, whatever becomes of
// this delivery; its own retry is due at the later of hold and backoff.
//
// A refused token is not waited for: the retry, which counts, is due at once.
//
// `now`: when the attempt ended; `unit_random` is in [0, 1).
Decision Decide(const DeliveryPolicy& policy, const AttemptEnd& end, WallMs now, double unit_random);

}  // namespace hookd
