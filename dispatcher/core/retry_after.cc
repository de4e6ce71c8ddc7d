#include "dispatcher/core/retry_after.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>

#include <absl/strings/ascii.h>
#include <absl/strings/string_view.h>
#include <absl/time/civil_time.h>
#include <absl/time/time.h>

namespace hookd {
namespace {

constexpr absl::string_view kImfFixdate = "%a, %d %b %Y %H:%M:%S GMT";
constexpr absl::string_view kRfc850 = "%A, %d-%b-%y %H:%M:%S GMT";
constexpr absl::string_view kAsctime = "%a %b %e %H:%M:%S %Y";

constexpr int kCentury = 100;
constexpr int kFarthestYear = 50;

// ParseTime takes "infinite-future" too, which is no HTTP-date.
bool Parse(absl::string_view format, std::string_view value, absl::Time* time) {
  return absl::ParseTime(format, {value.data(), value.size()}, absl::UTCTimeZone(), time, nullptr) &&
         *time != absl::InfiniteFuture() && *time != absl::InfinitePast();
}

// A two-digit year is the next one with these digits, or the last one if that lies more than 50 years ahead
// (RFC 9110, 5.6.7).
absl::Time WithCentury(absl::Time time, absl::Time now) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  const absl::CivilSecond read = absl::ToCivilSecond(time, utc);
  const absl::CivilSecond today = absl::ToCivilSecond(now, utc);
  const auto in_year = [&read](absl::civil_year_t year) {
    return absl::CivilSecond(year, read.month(), read.day(), read.hour(), read.minute(), read.second());
  };
  const absl::civil_year_t ahead = (read.year() % kCentury - today.year() % kCentury + kCentury) % kCentury;
  const absl::CivilSecond next = in_year(today.year() + ahead);
  const absl::CivilSecond farthest(today.year() + kFarthestYear, today.month(), today.day(), today.hour(),
                                   today.minute(), today.second());
  return absl::FromCivil(next > farthest ? in_year(next.year() - kCentury) : next, utc);
}

std::optional<WallMs> ParseHttpDate(std::string_view value, WallMs now) {
  absl::Time time;
  if (Parse(kImfFixdate, value, &time) || Parse(kAsctime, value, &time)) return absl::ToUnixMillis(time);
  if (Parse(kRfc850, value, &time)) {
    return absl::ToUnixMillis(WithCentury(time, absl::FromUnixMillis(now)));
  }
  return std::nullopt;
}

}  // namespace

std::optional<Millis> ParseRetryAfter(std::string_view value, WallMs now) {
  const absl::string_view stripped = absl::StripAsciiWhitespace({value.data(), value.size()});
  const char* const begin = stripped.data();
  const char* const end = begin + stripped.size();
  uint64_t seconds = 0;  // unsigned: no sign is taken
  const auto [last, error] = std::from_chars(begin, end, seconds);
  if (error != std::errc::invalid_argument && last == end) {
    const uint64_t most = static_cast<uint64_t>(kMaxRetryAfter / std::chrono::seconds(1));
    const bool longer = error == std::errc::result_out_of_range || seconds > most;
    return longer ? kMaxRetryAfter : Millis(static_cast<int64_t>(seconds) * 1000);
  }
  const std::optional<WallMs> date = ParseHttpDate({begin, stripped.size()}, now);
  if (!date) return std::nullopt;
  return Millis(std::clamp(*date, now, now + kMaxRetryAfter.count()) - now);
}

}  // namespace hookd
