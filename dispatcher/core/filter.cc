#include "dispatcher/core/filter.h"

#include <algorithm>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/event_rules.h"
#include "dispatcher/core/text_rules.h"

namespace hookd {
namespace {

bool MatchesPattern(std::string_view pattern, std::string_view type) {
  if (!pattern.ends_with('*')) return type == pattern;
  pattern.remove_suffix(1);
  return type.starts_with(pattern);
}

absl::Status CheckPattern(std::string_view field, std::string_view pattern) {
  std::string_view prefix = pattern;
  if (prefix.ends_with('*')) prefix.remove_suffix(1);
  if (pattern == "*") return absl::OkStatus();
  if (prefix.find('*') != std::string_view::npos) {
    return absl::InvalidArgumentError(Concat(field, ": '*' may stand at the end only, and once"));
  }
  return CheckName(field, prefix, kMaxEventTypeBytes, kEventTypePunctuation);
}

}  // namespace

absl::Status CheckPatterns(std::string_view field, const std::vector<std::string>& patterns) {
  if (patterns.size() > kMaxEventTypePatterns) {
    return absl::InvalidArgumentError(
        Concat(field, ": there are ", patterns.size(), ", use at most ", kMaxEventTypePatterns));
  }
  for (size_t i = 0; i < patterns.size(); ++i) {
    RETURN_IF_ERROR(CheckPattern(Concat(field, "[", i, "]"), patterns[i]));
  }
  return absl::OkStatus();
}

absl::Status CheckFilters(const std::vector<std::string>& event_types,
                          const std::vector<std::string>& channels) {
  RETURN_IF_ERROR(CheckPatterns("event_types", event_types));
  if (channels.size() > kMaxChannelFilters) {
    return absl::InvalidArgumentError(
        Concat("channels: there are ", channels.size(), ", use at most ", kMaxChannelFilters));
  }
  for (size_t i = 0; i < channels.size(); ++i) {
    const std::string field = Concat("channels[", i, "]");
    if (channels[i].empty()) return absl::InvalidArgumentError(Concat(field, ": must not be empty"));
    RETURN_IF_ERROR(CheckText(field, channels[i], kMaxChannelBytes));
  }
  return absl::OkStatus();
}

bool MatchesAny(const std::vector<std::string>& patterns, std::string_view type) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [type](const std::string& pattern) { return MatchesPattern(pattern, type); });
}

bool Matches(const Endpoint& endpoint, std::string_view type, std::string_view channel) {
  const auto& types = endpoint.event_types;
  const auto& channels = endpoint.channels;
  const bool type_passes =
      (types.empty() || MatchesAny(types, type)) && !MatchesAny(endpoint.muted_event_types, type);
  const bool channel_passes =
      channels.empty() ||
      (!channel.empty() && std::find(channels.begin(), channels.end(), channel) != channels.end());
  return type_passes && channel_passes;
}

}  // namespace hookd
