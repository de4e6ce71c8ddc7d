#include "dispatcher/core/delivery_state.h"

#include <algorithm>

#include "dispatcher/core/backoff.h"
#include "dispatcher/core/outcome.h"
#include "dispatcher/core/retry_after.h"

namespace hookd {
namespace {

constexpr int kTooManyRequests = 429;
constexpr int kServiceUnavailable = 503;

// 0 = no hold.
WallMs HoldUntil(const DeliveryPolicy& policy, const AttemptEnd& end, WallMs now) {
  const bool asks = end.status == kTooManyRequests || end.status == kServiceUnavailable;
  if (end.error != ErrorKind::kStatus || !asks || end.retry_after.empty()) return 0;
  const Millis asked = ParseRetryAfter(end.retry_after, now).value_or(Millis(0));
  const Millis honoured = std::min(asked, policy.retry_after_max);
  return honoured > Millis(0) ? now + honoured.count() : 0;
}

Decision Ended(Decision decision, DeliveryState state, EndReason reason, AttemptDecision why) {
  decision.state = state;
  decision.reason = reason;
  decision.why = why;
  return decision;
}

}  // namespace

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

Decision Decide(const DeliveryPolicy& policy, const AttemptEnd& end, WallMs now, double unit_random) {
  Decision decision;
  decision.failures = end.failures;
  if (end.error == ErrorKind::kNone) {
    return Ended(decision, DeliveryState::kSucceeded, EndReason::kDelivered, AttemptDecision::kDelivered);
  }
  const bool counts = CountsAsFailure(end.error);
  if (counts) ++decision.failures;
  decision.hold_until_ms = HoldUntil(policy, end, now);
  if (end.endpoint_deleted) {
    return Ended(decision, DeliveryState::kCanceled, EndReason::kEndpointDeleted,
                 AttemptDecision::kEndpointDeleted);
  }
  // Not ==: the policy may have been lowered while the delivery waited.
  if (counts && end.failures >= policy.max_retries) {
    return Ended(decision, DeliveryState::kExhausted, EndReason::kRetriesUsedUp,
                 AttemptDecision::kRetriesUsedUp);
  }
  const bool expires = end.expires_ms != 0;
  if (expires && now >= end.expires_ms) {
    return Ended(decision, DeliveryState::kExpired, EndReason::kExpiresAt, AttemptDecision::kExpired);
  }
  if (end.token_refused) {
    decision.next_due_ms = now;
    decision.why = AttemptDecision::kNewToken;
    return decision;
  }
  const Millis backoff = RetryDelay(policy.backoff, counts ? decision.failures : end.attempt, unit_random);
  decision.next_due_ms = std::max(now + backoff.count(), decision.hold_until_ms);
  decision.why = AttemptDecision::kBackoff;
  if (!counts) decision.why = AttemptDecision::kLocalBackoff;
  if (decision.hold_until_ms > now + backoff.count()) decision.why = AttemptDecision::kRetryAfter;
  if (expires) decision.next_due_ms = std::min(decision.next_due_ms, end.expires_ms);
  return decision;
}

}  // namespace hookd
