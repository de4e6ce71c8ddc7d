// Texts of the command line that are more than a word or a number.
#pragma once

#include <optional>
#include <string>

#include <google/protobuf/duration.pb.h>

#include "hookd/v1/endpoint_service.pb.h"

namespace hookd::cli {

// nullopt where the text is not of that form.

// "500ms", "30s", "15m", "1h".
std::optional<google::protobuf::Duration> ParseDuration(const std::string& text);
// "200-209" or "200".
std::optional<v1::StatusRange> ParseStatusRange(const std::string& text);
// "STEP:CAP" or "STEP:CAP:JITTER", such as "15s:15m:0.1".
std::optional<v1::Backoff> ParseBackoff(const std::string& text);
// "PER_SECOND" or "PER_SECOND:BURST", such as "5:5"; "0" = no limit.
std::optional<v1::RateLimit> ParseRateLimit(const std::string& text);
// "Name: value".
std::optional<v1::Header> ParseHeader(const std::string& text);

// What the file holds; "-" = standard input. nullopt when it cannot be read.
std::optional<std::string> ReadFile(const std::string& path);

}  // namespace hookd::cli
