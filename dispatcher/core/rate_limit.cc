#include "dispatcher/core/rate_limit.h"

#include <algorithm>

namespace hookd {
namespace {

constexpr int64_t kSecondUs = 1'000'000;

// Rounded up, so that the rate is never exceeded.
int64_t IntervalUs(const RateLimit& rate) { return (kSecondUs + rate.per_second - 1) / rate.per_second; }

}  // namespace

int64_t GcraEarliestUs(const RateLimit& rate, int64_t tat_us) {
  if (rate.per_second == 0) return 0;
  const int64_t tolerance_us = (std::max<int64_t>(rate.burst, 1) - 1) * IntervalUs(rate);
  return std::max<int64_t>(tat_us - tolerance_us, 0);
}

int64_t GcraAdvanceUs(const RateLimit& rate, int64_t tat_us, int64_t now_us, uint32_t cost) {
  if (rate.per_second == 0) return tat_us;
  return std::max(tat_us, now_us) + cost * IntervalUs(rate);
}

}  // namespace hookd
