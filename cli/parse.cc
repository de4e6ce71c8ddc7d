#include "cli/parse.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_split.h>

namespace hookd::cli {
namespace {

constexpr int64_t kMaxSeconds = 1'000'000'000;

}  // namespace

std::optional<google::protobuf::Duration> ParseDuration(const std::string& text) {
  const size_t digits = text.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string::npos) return std::nullopt;
  int64_t count = 0;
  if (!absl::SimpleAtoi(text.substr(0, digits), &count) || count > kMaxSeconds) return std::nullopt;
  const std::string unit = text.substr(digits);
  int64_t unit_ms = 0;
  if (unit == "ms") unit_ms = 1;
  if (unit == "s") unit_ms = 1000;
  if (unit == "m") unit_ms = 60'000;
  if (unit == "h") unit_ms = 3'600'000;
  if (unit_ms == 0) return std::nullopt;
  const int64_t ms = count * unit_ms;
  google::protobuf::Duration duration;
  duration.set_seconds(ms / 1000);
  duration.set_nanos(static_cast<int32_t>(ms % 1000 * 1'000'000));
  return duration;
}

std::optional<v1::StatusRange> ParseStatusRange(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '-');
  int32_t first = 0;
  int32_t last = 0;
  if (parts.size() > 2 || !absl::SimpleAtoi(parts.front(), &first) ||
      !absl::SimpleAtoi(parts.back(), &last)) {
    return std::nullopt;
  }
  v1::StatusRange range;
  range.set_first(first);
  range.set_last(last);
  return range;
}

std::optional<v1::Backoff> ParseBackoff(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  const auto step = ParseDuration(parts[0]);
  const auto cap = ParseDuration(parts[1]);
  double jitter = 0;
  if (!step || !cap || (parts.size() == 3 && !absl::SimpleAtod(parts[2], &jitter))) return std::nullopt;
  v1::Backoff backoff;
  *backoff.mutable_linear()->mutable_step() = *step;
  *backoff.mutable_linear()->mutable_cap() = *cap;
  if (parts.size() == 3) backoff.set_jitter(jitter);
  return backoff;
}

std::optional<v1::RateLimit> ParseRateLimit(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  uint32_t per_second = 0;
  uint32_t burst = 0;
  if (parts.size() > 2 || !absl::SimpleAtoi(parts[0], &per_second) ||
      (parts.size() == 2 && !absl::SimpleAtoi(parts[1], &burst))) {
    return std::nullopt;
  }
  v1::RateLimit rate;
  rate.set_per_second(per_second);
  rate.set_burst(burst);
  return rate;
}

std::optional<v1::Header> ParseHeader(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  v1::Header header;
  header.set_name(text.substr(0, colon));
  header.set_value(std::string(absl::StripAsciiWhitespace(text.substr(colon + 1))));
  return header;
}

std::optional<std::string> ReadFile(const std::string& path) {
  if (path == "-") {
    return std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return std::nullopt;
  return text;
}

}  // namespace hookd::cli
