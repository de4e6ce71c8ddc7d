#include "dispatcher/api/time_convert.h"

#include <absl/strings/str_cat.h>

namespace hookd {
namespace {

// google/protobuf/timestamp.proto: the years 1 to 9999.
constexpr int64_t kMinTimestampSeconds = -62'135'596'800;
constexpr int64_t kMaxTimestampSeconds = 253'402'300'799;
// google/protobuf/duration.proto: about 10,000 years.
constexpr int64_t kMaxDurationSeconds = 315'576'000'000;

}  // namespace

google::protobuf::Timestamp ToTimestamp(WallMs ms) {
  google::protobuf::Timestamp time;
  int64_t seconds = ms / 1000;
  int64_t rest = ms % 1000;
  if (rest < 0) {
    rest += 1000;
    --seconds;
  }
  time.set_seconds(seconds);
  time.set_nanos(static_cast<int32_t>(rest * 1'000'000));
  return time;
}

google::protobuf::Duration ToDuration(std::chrono::microseconds duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(duration.count() / 1'000'000);
  proto.set_nanos(static_cast<int32_t>(duration.count() % 1'000'000 * 1000));
  return proto;
}

absl::StatusOr<WallMs> FromTimestamp(const google::protobuf::Timestamp& time, absl::string_view field) {
  if (time.seconds() < kMinTimestampSeconds || time.seconds() > kMaxTimestampSeconds || time.nanos() < 0 ||
      time.nanos() > 999'999'999) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": is not a valid time"));
  }
  return time.seconds() * 1000 + time.nanos() / 1'000'000;
}

absl::StatusOr<Millis> FromDuration(const google::protobuf::Duration& duration, absl::string_view field) {
  const int64_t seconds = duration.seconds();
  const int32_t nanos = duration.nanos();
  const bool signs_differ = (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0);
  if (seconds > kMaxDurationSeconds || seconds < -kMaxDurationSeconds || nanos > 999'999'999 ||
      nanos < -999'999'999 || signs_differ) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": is not a valid duration"));
  }
  if (nanos % 1'000'000 != 0) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": use whole milliseconds"));
  }
  return Millis(seconds * 1000 + nanos / 1'000'000);
}

}  // namespace hookd
