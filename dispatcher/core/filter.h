// Which events an endpoint receives.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "base/model.h"

namespace hookd {

inline constexpr size_t kMaxEventTypePatterns = 64;
inline constexpr size_t kMaxChannelFilters = 1000;
inline constexpr size_t kMaxSettings = 64;  // that an endpoint may say

// Patterns are exact types, or a prefix (perhaps empty) and one '*' at the end. INVALID_ARGUMENT
// "event_types[3]: ...".
absl::Status CheckFilters(const std::vector<std::string>& event_types,
                          const std::vector<std::string>& channels);

// One of the patterns takes the type.
bool MatchesAny(const std::vector<std::string>& patterns, std::string_view type);

// Both filters let it through; an empty filter lets everything through. `channel` empty = none, which only an
// empty filter lets through. None of its muted types is let through.
bool Matches(const Endpoint& endpoint, std::string_view type, std::string_view channel);

// At most kMaxEventTypePatterns of them. INVALID_ARGUMENT "FIELD[3]: ...".
absl::Status CheckPatterns(std::string_view field, const std::vector<std::string>& patterns);

}  // namespace hookd
