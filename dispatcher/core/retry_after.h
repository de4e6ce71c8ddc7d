// The Retry-After header (RFC 9110, 10.2.3).
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

// The longest wait that is told apart; far beyond what a policy honours.
inline constexpr Millis kMaxRetryAfter = std::chrono::hours(24 * 366);

// How long after `now` to wait: the value is a number of seconds, or an HTTP-date in any of its three forms
// (IMF-fixdate, RFC 850, asctime), of which a past one is no wait. Longer waits become kMaxRetryAfter;
// nullopt for anything else.
std::optional<Millis> ParseRetryAfter(std::string_view value, WallMs now);

}  // namespace hookd
