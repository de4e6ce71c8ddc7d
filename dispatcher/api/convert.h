// Between the API's messages and base/model.h. Secrets go in and never come out. Thread-compatible, no I/O.
#pragma once

#include <chrono>
#include <optional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "base/model.h"
#include "dispatcher/engine/engine.h"
#include "hookd/v1/delivery_service.pb.h"
#include "hookd/v1/endpoint_service.pb.h"
#include "hookd/v1/event_service.pb.h"
#include "hookd/v1/subscriber_service.pb.h"

namespace hookd {

// A delivery with all of its attempts stays below the 4 MiB that gRPC clients receive by default.
inline constexpr size_t kMaxShownBodyBytes = 2 * 1024 * 1024;

google::protobuf::Timestamp ToTimestamp(WallMs ms);
google::protobuf::Duration ToDuration(std::chrono::microseconds duration);
// INVALID_ARGUMENT (starts with `field`) for what is not a valid Duration of whole milliseconds.
absl::StatusOr<Millis> FromDuration(const google::protobuf::Duration& duration, absl::string_view field);

v1::Subscriber ToProto(const SubscriberView& view);
// Without signing keys, and without the values of secret headers.
v1::Endpoint ToProto(const EndpointView& view);
// Response bodies up to kMaxShownBodyBytes, newest first; the others are left out, as truncated.
v1::Delivery ToProto(const Delivery& delivery);

// Copies; checks nothing (core/event_rules.h does).
Event FromProto(const v1::NewEvent& event);

// UNSPECIFIED = nullopt. INVALID_ARGUMENT for a number that is no state.
absl::StatusOr<std::optional<DeliveryState>> FromProto(v1::DeliveryState state);

// A new endpoint: output-only fields are ignored, unset ones take their default, and a signing key is made
// when none is given. Says INVALID_ARGUMENT for what the model cannot hold; ranges are
// core/endpoint_rules.h's.
absl::StatusOr<Endpoint> FromProto(const v1::Endpoint& endpoint);

// Changes in `to` what `mask` names; an unset field takes its default. A secret header without a value keeps
// the value that it has. INVALID_ARGUMENT leaves `to` in pieces: apply it to a copy.
absl::Status ApplyUpdate(const v1::Endpoint& from, const google::protobuf::FieldMask& mask, Endpoint& to);

}  // namespace hookd
