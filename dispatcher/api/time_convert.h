// Between the API's times and hookd's: milliseconds. Pure functions.
#pragma once

#include <chrono>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

google::protobuf::Timestamp ToTimestamp(WallMs ms);
google::protobuf::Duration ToDuration(std::chrono::microseconds duration);

// Down to whole milliseconds. INVALID_ARGUMENT (starts with `field`) for what is not a valid Timestamp.
absl::StatusOr<WallMs> FromTimestamp(const google::protobuf::Timestamp& time, absl::string_view field);

// INVALID_ARGUMENT (starts with `field`) for what is not a valid Duration of whole milliseconds.
absl::StatusOr<Millis> FromDuration(const google::protobuf::Duration& duration, absl::string_view field);

}  // namespace hookd
