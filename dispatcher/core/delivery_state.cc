#include "dispatcher/core/delivery_state.h"

#include <algorithm>

#include "dispatcher/core/backoff.h"
#include "dispatcher/core/outcome.h"

namespace hookd {

bool MayMove(DeliveryState from, DeliveryState to) {
  if (IsTerminal(from)) return false;
  switch (to) {
    case DeliveryState::kPending:
    case DeliveryState::kSucceeded:
    case DeliveryState::kExhausted:
    case DeliveryState::kExpired:
    case DeliveryState::kCanceled:
      return true;
  }
  return false;
}

Decision Decide(const DeliveryPolicy& policy, uint32_t failures, uint32_t attempt, ErrorKind error,
                bool endpoint_deleted, WallMs now, double unit_random) {
  if (error == ErrorKind::kNone) return {DeliveryState::kSucceeded, EndReason::kDelivered, failures, 0};
  const bool counts = CountsAsFailure(error);
  const uint32_t counted = counts ? failures + 1 : failures;
  if (endpoint_deleted) return {DeliveryState::kCanceled, EndReason::kEndpointDeleted, counted, 0};
  // Not ==: the policy may have been lowered while the delivery waited.
  if (counts && failures >= policy.max_retries) {
    return {DeliveryState::kExhausted, EndReason::kRetriesUsedUp, counted, 0};
  }
  const Millis delay = RetryDelay(policy.backoff, counts ? counted : attempt, unit_random);
  return {DeliveryState::kPending, EndReason::kNone, counted, now + delay.count()};
}

}  // namespace hookd
