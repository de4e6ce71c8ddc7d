#include "cli/parse.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <google/protobuf/util/time_util.h>

namespace hookd::cli {
namespace {

constexpr int64_t kMaxSeconds = 1'000'000'000;
constexpr size_t kReadBytes = 64 * 1024;

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
  if (unit == "d") unit_ms = 86'400'000;
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
  std::vector<std::string> parts = absl::StrSplit(text, ':');
  std::string kind = "linear";
  if (!parts.front().empty() && absl::ascii_isalpha(static_cast<unsigned char>(parts.front()[0]))) {
    kind = parts.front();
    parts.erase(parts.begin());
  }
  v1::Backoff backoff;
  if (parts.size() > 1 && parts.back() == "exact") {
    backoff.set_exact_first(true);
    parts.pop_back();
  }
  size_t wanted = 1;  // parts of the kind, without the jitter
  if (kind == "linear") wanted = 2;
  if (kind == "exponential") wanted = 3;
  if (parts.size() != wanted && parts.size() != wanted + 1) return std::nullopt;
  if (parts.size() > wanted) {
    double jitter = 0;
    if (!absl::SimpleAtod(parts.back(), &jitter)) return std::nullopt;
    backoff.set_jitter(jitter);
  }
  if (kind == "schedule") {
    for (const absl::string_view wait : absl::StrSplit(parts[0], ',')) {
      const auto duration = ParseDuration(std::string(wait));
      if (!duration) return std::nullopt;
      *backoff.mutable_schedule()->add_waits() = *duration;
    }
    return backoff;
  }
  const auto step = ParseDuration(parts[0]);
  if (!step) return std::nullopt;
  if (kind == "fixed") {
    *backoff.mutable_fixed()->mutable_step() = *step;
    return backoff;
  }
  if (kind != "linear" && kind != "exponential") return std::nullopt;
  const auto cap = ParseDuration(parts[1]);
  if (!cap) return std::nullopt;
  if (kind == "linear") {
    *backoff.mutable_linear()->mutable_step() = *step;
    *backoff.mutable_linear()->mutable_cap() = *cap;
    return backoff;
  }
  double factor = 0;
  // 0 would be taken for unset.
  if (!absl::SimpleAtod(parts[2], &factor) || factor == 0) return std::nullopt;
  *backoff.mutable_exponential()->mutable_step() = *step;
  *backoff.mutable_exponential()->mutable_cap() = *cap;
  backoff.mutable_exponential()->set_factor(factor);
  return backoff;
}

std::optional<v1::AutoDisable> ParseAutoDisable(const std::string& text) {
  v1::AutoDisable disable;
  if (text == "never") {
    disable.set_failures(0);
    return disable;
  }
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  uint32_t failures = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &failures)) return std::nullopt;
  const auto span = ParseDuration(parts[1]);
  if (!span) return std::nullopt;
  disable.set_failures(failures);
  *disable.mutable_span() = *span;
  return disable;
}

std::optional<v1::RateLimit> ParseRateLimit(const std::string& text) {
  std::vector<std::string> parts = absl::StrSplit(text, ':');
  v1::RateLimit rate;
  if (parts.size() > 1 && parts.back() == "member") {
    rate.set_unit(v1::RATE_UNIT_MEMBER);
    parts.pop_back();
  }
  uint32_t per_second = 0;
  uint32_t burst = 0;
  if (parts.size() > 2 || !absl::SimpleAtoi(parts[0], &per_second) ||
      (parts.size() == 2 && !absl::SimpleAtoi(parts[1], &burst))) {
    return std::nullopt;
  }
  rate.set_per_second(per_second);
  rate.set_burst(burst);
  return rate;
}

std::optional<v1::AutoProbe> ParseAutoProbe(const std::string& text) {
  v1::AutoProbe probe;
  probe.mutable_first();
  if (text == "never") return probe;
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  const auto first = ParseDuration(parts[0]);
  if (parts.size() > 2 || !first) return std::nullopt;
  *probe.mutable_first() = *first;
  if (parts.size() == 1) return probe;
  const auto cap = ParseDuration(parts[1]);
  if (!cap) return std::nullopt;
  *probe.mutable_cap() = *cap;
  return probe;
}

std::optional<std::pair<std::string, bool>> ParseSetting(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return std::nullopt;
  const std::string value = text.substr(equals + 1);
  if (value != "on" && value != "off") return std::nullopt;
  return std::pair(text.substr(0, equals), value == "on");
}

std::optional<v1::Header> ParseHeader(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  v1::Header header;
  header.set_name(text.substr(0, colon));
  header.set_value(std::string(absl::StripAsciiWhitespace(text.substr(colon + 1))));
  return header;
}

std::optional<google::protobuf::Timestamp> ParseTime(const std::string& text,
                                                     const google::protobuf::Timestamp& now) {
  using google::protobuf::util::TimeUtil;
  if (const auto ahead = ParseDuration(text)) {
    // Beyond it, adding would end the process.
    if (now.seconds() + ahead->seconds() >= TimeUtil::kTimestampMaxSeconds) return std::nullopt;
    return now + *ahead;
  }
  google::protobuf::Timestamp time;
  if (!TimeUtil::FromString(text, &time)) return std::nullopt;
  return time;
}

std::optional<google::protobuf::Timestamp> ParsePast(const std::string& text,
                                                     const google::protobuf::Timestamp& now) {
  const auto ago = ParseDuration(text);
  if (!ago) return ParseTime(text, now);
  if (ago->seconds() >= now.seconds()) return std::nullopt;  // before the epoch
  return now - *ago;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const auto failed = [&path] {
    return absl::InvalidArgumentError(absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  };
  const int fd = path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed();
  std::string text;
  ssize_t got = 0;
  do {
    const size_t had = text.size();
    text.resize(had + kReadBytes);
    got = read(fd, text.data() + had, kReadBytes);
    text.resize(had + (got > 0 ? static_cast<size_t>(got) : 0));
  } while (text.size() <= kMaxFileBytes && (got > 0 || (got < 0 && errno == EINTR)));
  const absl::Status status = got < 0 ? failed() : absl::OkStatus();
  if (fd != STDIN_FILENO) close(fd);
  if (!status.ok()) return status;
  if (text.size() > kMaxFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is larger than ", kMaxFileBytes, " bytes"));
  }
  return text;
}

absl::StatusOr<std::string> ReadSecret(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text;
  std::string secret(absl::StripAsciiWhitespace(*text));
  if (secret.empty()) return absl::InvalidArgumentError(absl::StrCat(path, " is empty"));
  return secret;
}

}  // namespace hookd::cli
