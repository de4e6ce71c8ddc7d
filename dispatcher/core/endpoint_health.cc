#include "dispatcher/core/endpoint_health.h"

#include "dispatcher/core/outcome.h"

namespace hookd {
namespace {

constexpr int kGoneStatus = 410;
constexpr int kTooManyRequests = 429;

}  // namespace

bool CountsTowardsDisable(const AutoDisable& rule, ErrorKind error, int status) {
  const bool slowed_down = !rule.count_429 && error == ErrorKind::kStatus && status == kTooManyRequests;
  return CountsAsFailure(error) && !slowed_down;
}

DisableReason ShouldDisable(const AutoDisable& rule, uint32_t disable_failures, WallMs disable_since_ms,
                            ErrorKind error, int status, WallMs attempt_end_ms) {
  if (rule.on_gone && error == ErrorKind::kStatus && status == kGoneStatus) return DisableReason::kGone;
  const bool too_many = rule.failures > 0 && disable_failures >= rule.failures;
  const bool too_long = attempt_end_ms - disable_since_ms >= rule.span.count();
  return too_many && too_long && CountsTowardsDisable(rule, error, status) ? DisableReason::kFailures
                                                                           : DisableReason::kNone;
}

HealthAlert AlertFor(uint32_t alert_after, uint32_t failures_before, uint32_t failures_after) {
  if (alert_after == 0) return HealthAlert::kNone;
  const bool was_failing = failures_before >= alert_after;
  if (!was_failing && failures_after >= alert_after) return HealthAlert::kFailing;
  return was_failing && failures_after == 0 ? HealthAlert::kRecovered : HealthAlert::kNone;
}

bool BacklogNearlyFull(uint64_t backlog, uint64_t pending_before, uint64_t pending_after) {
  if (backlog == 0) return false;
  const uint64_t mark = backlog - backlog / 5;  // 80 %, rounded up
  return pending_before < mark && pending_after >= mark;
}

}  // namespace hookd
