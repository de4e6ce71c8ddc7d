// Durations of the configuration.
#pragma once

#include <chrono>

#include "base/clock.h"
#include "base/model.h"
#include "hookd/config/v1/config.pb.h"  // google.protobuf.Duration is its own to include

namespace hookd {

inline Duration FromProto(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

inline Millis ToMillis(const google::protobuf::Duration& duration) {
  return std::chrono::duration_cast<Millis>(FromProto(duration));
}

}  // namespace hookd
