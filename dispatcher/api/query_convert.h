// What requests ask for: filters, times and ids, checked. Thread-compatible, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <google/protobuf/timestamp.pb.h>

#include "base/clock.h"
#include "base/ids.h"
#include "dispatcher/engine/engine.h"
#include "hookd/v1/endpoint_service.pb.h"

namespace hookd {

// A name of at most 253 characters, or an address, and a port.
inline constexpr size_t kMaxHostText = 260;

// The text of JobIdText(). INVALID_ARGUMENT starts with "id".
absl::StatusOr<uint64_t> ParseJobId(const std::string& text);

// An optional id of an endpoint; empty = nullopt. INVALID_ARGUMENT starts with "endpoint_id".
absl::StatusOr<std::optional<EndpointId>> OptionalEndpointId(const std::string& text);
// An event type, or a prefix such as "message:*"; empty is fine. INVALID_ARGUMENT starts with "event_type".
absl::Status CheckTypePattern(const std::string& pattern);
// "example.com" or "example.com:8443" in lower case; empty is fine. INVALID_ARGUMENT starts with "host".
absl::StatusOr<std::string> NormalHost(const std::string& host);
// An unset time is 0. INVALID_ARGUMENT when from is not before before.
struct TimeRange {
  WallMs from_ms = 0;
  WallMs before_ms = 0;
};
absl::StatusOr<TimeRange> MakeTimeRange(const google::protobuf::Timestamp* from,
                                        const google::protobuf::Timestamp* before, absl::string_view field);
absl::StatusOr<StatWindow> FromProto(v1::StatisticsWindow window);

}  // namespace hookd
