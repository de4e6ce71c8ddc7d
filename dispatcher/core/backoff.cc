#include "dispatcher/core/backoff.h"

#include "base/check.h"

namespace hookd {

Millis RetryDelay(const LinearBackoff& backoff, uint32_t n, double unit_random) {
  HOOKD_CHECK(n >= 1, "retries are counted from 1");
  HOOKD_CHECK(backoff.step.count() > 0 && backoff.cap >= backoff.step, "the backoff was not checked");
  HOOKD_CHECK(unit_random >= 0 && unit_random < 1, "not in [0, 1)");
  // Compared by division, so that step * n cannot overflow.
  const bool capped = static_cast<int64_t>(n) > backoff.cap / backoff.step;
  const Millis base = capped ? backoff.cap : backoff.step * static_cast<int64_t>(n);
  const double jitter = static_cast<double>(base.count()) * backoff.jitter * unit_random;
  return base + Millis(static_cast<int64_t>(jitter));
}

}  // namespace hookd
