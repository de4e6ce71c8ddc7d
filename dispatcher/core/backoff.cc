#include "dispatcher/core/backoff.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace hookd {
namespace {

Millis Wait(const Backoff& backoff, uint32_t n) {
  switch (backoff.kind) {
    case BackoffKind::kFixed:
      return backoff.step;
    case BackoffKind::kExponential: {
      const double grown = static_cast<double>(backoff.step.count()) * std::pow(backoff.factor, n - 1);
      // Infinity is over the cap too.
      return grown >= static_cast<double>(backoff.cap.count()) ? backoff.cap
                                                               : Millis(static_cast<int64_t>(grown));
    }
    case BackoffKind::kSchedule:
      return backoff.schedule[std::min<size_t>(n, backoff.schedule.size()) - 1];
    case BackoffKind::kLinear:
      break;
  }
  // Compared by division, so that step * n cannot overflow.
  const bool capped = static_cast<int64_t>(n) > backoff.cap / backoff.step;
  return capped ? backoff.cap : backoff.step * static_cast<int64_t>(n);
}

}  // namespace

Millis RetryDelay(const Backoff& backoff, uint32_t n, double unit_random) {
  HOOKD_CHECK(n >= 1, "retries are counted from 1");
  HOOKD_CHECK(LongestBackoff(backoff).count() > 0, "the backoff was not checked");
  HOOKD_CHECK(unit_random >= 0 && unit_random < 1, "not in [0, 1)");
  const Millis base = Wait(backoff, n);
  if (n == 1 && backoff.exact_first) return base;
  const double jitter = static_cast<double>(base.count()) * backoff.jitter * unit_random;
  return base + Millis(static_cast<int64_t>(jitter));
}

Millis LongestBackoff(const Backoff& backoff) {
  switch (backoff.kind) {
    case BackoffKind::kFixed:
      return backoff.step;
    case BackoffKind::kSchedule:
      return backoff.schedule.empty() ? Millis(0)
                                      : *std::max_element(backoff.schedule.begin(), backoff.schedule.end());
    case BackoffKind::kLinear:
    case BackoffKind::kExponential:
      break;
  }
  return backoff.cap >= backoff.step ? backoff.cap : Millis(0);
}

}  // namespace hookd
