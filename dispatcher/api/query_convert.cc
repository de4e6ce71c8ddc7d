#include "dispatcher/api/query_convert.h"

#include <algorithm>

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/time_convert.h"
#include "dispatcher/core/filter.h"

namespace hookd {

absl::StatusOr<uint64_t> ParseJobId(const std::string& text) {
  uint64_t id = 0;
  if (text.size() == 20 && absl::SimpleHexAtoi(text.substr(4), &id) && JobIdText(id) == text && id != 0) {
    return id;
  }
  return absl::InvalidArgumentError("id: is no job's, use \"job_\" and 16 hex digits");
}

absl::StatusOr<std::optional<EndpointId>> OptionalEndpointId(const std::string& text) {
  if (text.empty()) return std::optional<EndpointId>();
  const absl::StatusOr<EndpointId> id = EndpointId::Parse(text);
  if (!id.ok()) return absl::InvalidArgumentError(absl::StrCat("endpoint_id: ", id.status().message()));
  return std::optional<EndpointId>(*id);
}

absl::Status CheckTypePattern(const std::string& pattern) {
  if (pattern.empty()) return absl::OkStatus();
  const absl::Status bad = CheckFilters({pattern}, {});
  if (bad.ok()) return bad;
  return absl::InvalidArgumentError(
      "event_type: is an exact type, or a prefix such as \"message:*\", or \"*\"");
}

absl::StatusOr<std::string> NormalHost(const std::string& host) {
  if (host.empty()) return host;
  if (host.size() > kMaxHostText || host.find_first_of("/@?# \t\r\n") != std::string::npos) {
    return absl::InvalidArgumentError(
        "host: is a name or an address, with a port where the URL has one, such as example.com:8443");
  }
  return absl::AsciiStrToLower(host);
}

absl::StatusOr<TimeRange> MakeTimeRange(const google::protobuf::Timestamp* from,
                                        const google::protobuf::Timestamp* before, absl::string_view field) {
  TimeRange range;
  if (from != nullptr) {
    ASSIGN_OR_RETURN(range.from_ms, FromTimestamp(*from, absl::StrCat(field, "_from")));
    range.from_ms = std::max<WallMs>(range.from_ms, 0);
  }
  if (before != nullptr) {
    ASSIGN_OR_RETURN(range.before_ms, FromTimestamp(*before, absl::StrCat(field, "_before")));
    if (range.before_ms <= range.from_ms) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, "_before: is not later than ", field, "_from, or than 1970"));
    }
  }
  return range;
}

absl::StatusOr<StatWindow> FromProto(v1::StatisticsWindow window) {
  switch (window) {
    case v1::STATISTICS_WINDOW_UNSPECIFIED:
      return StatWindow::kHour;
    case v1::STATISTICS_WINDOW_MINUTE:
    case v1::STATISTICS_WINDOW_HOUR:
    case v1::STATISTICS_WINDOW_DAY:
      return static_cast<StatWindow>(window);
    default:
      return absl::InvalidArgumentError(absl::StrCat("window: ", static_cast<int>(window), " is none"));
  }
}

}  // namespace hookd
