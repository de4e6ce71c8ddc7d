// Retry-After: a wait within its bounds, that time only shortens. The input: the moment, 8 bytes, and the
// value.
#include "dispatcher/core/retry_after.h"

#include <optional>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  using fuzz::Must;
  fuzz::Input input(data, size);
  const auto now = static_cast<WallMs>(input.Number() % 4'102'444'800'000);  // until 2100
  const std::optional<Millis> wait = ParseRetryAfter(input.rest(), now);
  const std::optional<Millis> later = ParseRetryAfter(input.rest(), now + 1'000);
  if (!wait) return 0;
  Must(*wait >= Millis(0) && *wait <= kMaxRetryAfter, "a wait is neither negative nor beyond its bound");
  Must(later.has_value(), "a value stays one");
  // But for a year of two digits, whose century moves on.
  Must(*later <= *wait || *wait == Millis(0), "a wait does not grow");
  return 0;
}
