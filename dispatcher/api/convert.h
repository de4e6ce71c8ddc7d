// Between the API's messages and base/model.h. Secrets go in and never come out. Thread-compatible, no I/O.
#pragma once

#include <optional>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/model.h"
#include "dispatcher/api/time_convert.h"
#include "dispatcher/engine/engine.h"
#include "hookd/v1/delivery_service.pb.h"
#include "hookd/v1/endpoint_service.pb.h"
#include "hookd/v1/event_service.pb.h"
#include "hookd/v1/job_service.pb.h"
#include "hookd/v1/subscriber_service.pb.h"

namespace hookd {

// So that a delivery with its attempts stays below the 4 MiB that gRPC clients receive by default.
inline constexpr size_t kMaxShownBodyBytes = 2 * 1024 * 1024;
inline constexpr size_t kMaxShownAttempts = 1000;

v1::Subscriber ToProto(const SubscriberView& view);
// Without signing keys, and without the values of secret headers. With `profiles`, all settings of its
// profile are there; without `url_query`, the values of the URL's query are masked.
v1::Endpoint ToProto(const EndpointView& view, const Profiles* profiles = nullptr, bool url_query = false);
v1::Attempt ToProto(const Attempt& attempt);
// The newest kMaxShownAttempts, and of their response bodies, newest first, kMaxShownBodyBytes; the others
// are left out, as truncated.
v1::Delivery ToProto(const Delivery& delivery);
// With what it waits for.
v1::Delivery ToProto(const DeliveryView& view);
v1::DeliveryChange ToProto(const StateChange& change);
v1::Event ToProto(const Event& event);
v1::Job ToProto(const Job& job);
v1::Statistics ToProto(const Statistics& statistics, StatWindow window);

// "job_" and 16 hex digits.
std::string JobIdText(uint64_t id);

// Copies. INVALID_ARGUMENT for what is no time at all; the rules are core/event_rules.h's.
absl::StatusOr<Event> FromProto(const v1::NewEvent& event);

// UNSPECIFIED = nullopt. INVALID_ARGUMENT for a number that is no state.
absl::StatusOr<std::optional<DeliveryState>> FromProto(v1::DeliveryState state);

// What a client gives of a subscriber.
Subscriber FromProto(const v1::Subscriber& subscriber);

// A new endpoint: output-only fields are ignored, unset ones take their default, and a signing key is made
// when none is given. `profile` and `settings` are copied as they are. Says INVALID_ARGUMENT for what the
// model cannot hold; ranges are core/endpoint_rules.h's.
absl::StatusOr<Endpoint> FromProto(const v1::Endpoint& endpoint);

// INVALID_ARGUMENT when a secret header has no value.
absl::Status CheckSecretHeaders(const std::vector<Header>& headers);

}  // namespace hookd
