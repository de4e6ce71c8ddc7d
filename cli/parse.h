// Texts of the command line that are more than a word or a number.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include <absl/status/statusor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "hookd/v1/endpoint_service.pb.h"

namespace hookd::cli {

// nullopt where the text is not of that form.

// "500ms", "30s", "15m", "1h", "7d".
std::optional<google::protobuf::Duration> ParseDuration(const std::string& text);
// "200-209" or "200".
std::optional<v1::StatusRange> ParseStatusRange(const std::string& text);
// "linear:STEP:CAP", "fixed:STEP", "exponential:STEP:CAP:FACTOR" or "schedule:WAIT,WAIT", each with ":JITTER"
// or without, such as "linear:15s:15m:0.1". "linear:" may be left out. ":exact" behind it = no jitter on the
// first retry.
std::optional<v1::Backoff> ParseBackoff(const std::string& text);
// "FAILURES:SPAN", such as "60:1h", or "never". on_gone stays unset.
std::optional<v1::AutoDisable> ParseAutoDisable(const std::string& text);
// "PER_SECOND" or "PER_SECOND:BURST", such as "5:5"; "0" = no limit. ":member" behind it counts the members
// of batches.
std::optional<v1::RateLimit> ParseRateLimit(const std::string& text);
// "FIRST" or "FIRST:CAP", such as "5m:1h", or "never".
std::optional<v1::AutoProbe> ParseAutoProbe(const std::string& text);
// "name=on" or "name=off".
std::optional<std::pair<std::string, bool>> ParseSetting(const std::string& text);
// "Name: value".
std::optional<v1::Header> ParseHeader(const std::string& text);

// RFC 3339, such as "2030-01-31T12:00:00Z", or a duration from `now` on, such as "15m".
std::optional<google::protobuf::Timestamp> ParseTime(const std::string& text,
                                                     const google::protobuf::Timestamp& now);

// RFC 3339, or how long ago, such as "2h".
std::optional<google::protobuf::Timestamp> ParsePast(const std::string& text,
                                                     const google::protobuf::Timestamp& now);

// Far above what hookd takes of anything.
inline constexpr size_t kMaxFileBytes = 16 * 1024 * 1024;

// What the file holds; "-" = standard input. INVALID_ARGUMENT says why it cannot be read, or that it is
// larger than kMaxFileBytes.
absl::StatusOr<std::string> ReadFile(const std::string& path);
// As ReadFile, of a file that holds one secret: without the line end behind it, and not empty.
absl::StatusOr<std::string> ReadSecret(const std::string& path);

}  // namespace hookd::cli
