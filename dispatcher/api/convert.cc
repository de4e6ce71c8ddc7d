#include "dispatcher/api/convert.h"

#include <algorithm>
#include <string>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/policy_convert.h"
#include "dispatcher/core/filter.h"
#include "dispatcher/core/header_rules.h"
#include "dispatcher/core/signature.h"

namespace hookd {
namespace {

std::vector<std::string> ToVector(const google::protobuf::RepeatedPtrField<std::string>& values) {
  return {values.begin(), values.end()};
}

// What a library or a receiver said may hold any byte; a proto3 string may not.
std::string Printable(std::string_view text) {
  std::string printable(text);
  for (char& c : printable) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return printable;
}

void SetPhase(int64_t us, google::protobuf::Duration* (v1::AttemptPhases::*mutable_field)(),
              v1::AttemptPhases& phases) {
  if (us > 0) *(phases.*mutable_field)() = ToDuration(std::chrono::microseconds(us));
}

v1::Attempt ToProto(const Attempt& attempt) {
  v1::Attempt proto;
  proto.set_number(attempt.number);
  *proto.mutable_start_time() = ToTimestamp(attempt.started_ms);
  v1::AttemptPhases& phases = *proto.mutable_phases();
  SetPhase(attempt.us.name, &v1::AttemptPhases::mutable_name, phases);
  SetPhase(attempt.us.connect, &v1::AttemptPhases::mutable_connect, phases);
  SetPhase(attempt.us.tls, &v1::AttemptPhases::mutable_tls, phases);
  SetPhase(attempt.us.first_byte, &v1::AttemptPhases::mutable_first_byte, phases);
  SetPhase(attempt.us.total, &v1::AttemptPhases::mutable_total, phases);
  if (attempt.error != ErrorKind::kNone) proto.set_error_kind(std::string(ToString(attempt.error)));
  proto.set_error_detail(Printable(attempt.error_detail));
  proto.set_status(attempt.status);
  proto.set_remote_address(attempt.remote_address);
  proto.set_http_version(std::string(HttpVersionName(attempt.http_version)));
  proto.set_response_body(attempt.response_body);
  proto.set_response_body_truncated(attempt.body_truncated);
  proto.set_resends(attempt.resends);
  if (attempt.next_due_ms != 0) *proto.mutable_next_due_time() = ToTimestamp(attempt.next_due_ms);
  return proto;
}

absl::Status CheckCount(absl::string_view field, int count, size_t max) {
  if (static_cast<size_t>(count) <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": there are ", count, ", use at most ", max));
}

absl::StatusOr<std::string> SigningKey(const std::string& secret) {
  absl::StatusOr<std::string> key = ParseSecret(secret);
  if (key.ok() || absl::StartsWith(key.status().message(), "signing_secret")) return key;
  return absl::Status(key.status().code(), absl::StrCat("signing_secret: ", key.status().message()));
}

}  // namespace

v1::Subscriber ToProto(const SubscriberView& view) {
  v1::Subscriber proto;
  proto.set_id(view.subscriber.id);
  proto.set_name(view.subscriber.name);
  proto.set_paused(view.subscriber.paused);
  *proto.mutable_create_time() = ToTimestamp(view.subscriber.created_ms);
  *proto.mutable_update_time() = ToTimestamp(view.subscriber.updated_ms);
  proto.set_endpoint_count(view.endpoint_count);
  return proto;
}

v1::Endpoint ToProto(const EndpointView& view) {
  const Endpoint& endpoint = *view.endpoint;
  v1::Endpoint proto;
  proto.set_id(endpoint.id.ToString());
  proto.set_subscriber_id(endpoint.subscriber_id);
  proto.set_description(endpoint.description);
  proto.set_url(endpoint.url);
  for (const std::string& type : endpoint.event_types) proto.add_event_types(type);
  for (const std::string& channel : endpoint.channels) proto.add_channels(channel);
  for (const Header& header : endpoint.headers) {
    v1::Header& added = *proto.add_headers();
    added.set_name(header.name);
    added.set_secret(header.secret);
    if (!header.secret) added.set_value(header.value);
  }
  *proto.mutable_policy() = ToProto(endpoint.policy);
  proto.set_paused(endpoint.paused);
  if (endpoint.disabled != DisableReason::kNone) {
    proto.mutable_disabled()->set_reason(static_cast<v1::DisableReason>(endpoint.disabled));
    *proto.mutable_disabled()->mutable_time() = ToTimestamp(endpoint.disabled_ms);
  }
  proto.set_state_note(endpoint.state_note);
  *proto.mutable_create_time() = ToTimestamp(endpoint.created_ms);
  *proto.mutable_update_time() = ToTimestamp(endpoint.updated_ms);
  v1::EndpointHealth& health = *proto.mutable_health();
  health.set_pending(view.lane.pending());
  health.set_retrying(view.lane.parked);
  health.set_consecutive_failures(view.lane.consecutive_failures);
  if (view.lane.failing_since_ms != 0) {
    *health.mutable_failing_since() = ToTimestamp(view.lane.failing_since_ms);
  }
  if (view.lane.last_success_ms != 0) {
    *health.mutable_last_success() = ToTimestamp(view.lane.last_success_ms);
  }
  health.set_next_sequence(view.lane.next);
  if (view.lane.hold_until_ms != 0) *health.mutable_hold_until() = ToTimestamp(view.lane.hold_until_ms);
  return proto;
}

v1::Delivery ToProto(const Delivery& delivery) {
  v1::Delivery proto;
  proto.set_id(delivery.id.ToString());
  proto.set_endpoint_id(delivery.id.endpoint.ToString());
  proto.set_event_id(delivery.event.ToString());
  proto.set_subscriber_id(delivery.subscriber_id);
  proto.set_event_type(delivery.event_type);
  proto.set_sequence(delivery.id.sequence);
  proto.set_state(static_cast<v1::DeliveryState>(delivery.state));
  if (delivery.reason != EndReason::kNone) proto.set_end_reason(std::string(ToString(delivery.reason)));
  *proto.mutable_accept_time() = ToTimestamp(delivery.accepted_ms);
  if (delivery.ended_ms != 0) *proto.mutable_end_time() = ToTimestamp(delivery.ended_ms);
  if (delivery.next_due_ms != 0) *proto.mutable_next_due_time() = ToTimestamp(delivery.next_due_ms);
  proto.set_attempt_count(delivery.attempt_count);
  const size_t hidden = delivery.attempts.size() - std::min(delivery.attempts.size(), kMaxShownAttempts);
  for (size_t i = hidden; i < delivery.attempts.size(); ++i) {
    *proto.add_attempts() = ToProto(delivery.attempts[i]);
  }
  size_t kept = 0;
  for (int i = proto.attempts_size(); i-- > 0;) {
    v1::Attempt& attempt = *proto.mutable_attempts(i);
    kept += attempt.response_body().size();
    if (kept <= kMaxShownBodyBytes || attempt.response_body().empty()) continue;
    attempt.clear_response_body();
    attempt.set_response_body_truncated(true);
  }
  return proto;
}

absl::StatusOr<Event> FromProto(const v1::NewEvent& proto) {
  Event event;
  event.subscriber_id = proto.subscriber_id();
  event.type = proto.type();
  event.channel = proto.channel();
  event.ordering_key = proto.ordering_key();
  event.idempotency_key = proto.idempotency_key();
  event.traceparent = proto.traceparent();
  event.payload = proto.payload();
  if (proto.has_not_before_time()) {
    ASSIGN_OR_RETURN(event.not_before_ms, FromTimestamp(proto.not_before_time(), "not_before_time"));
  }
  if (proto.has_expire_time()) {
    ASSIGN_OR_RETURN(event.expires_ms, FromTimestamp(proto.expire_time(), "expire_time"));
    if (event.expires_ms == 0) event.expires_ms = -1;  // 1970, which is over: 0 would mean that there is none
  }
  return event;
}

absl::StatusOr<std::optional<DeliveryState>> FromProto(v1::DeliveryState state) {
  switch (state) {
    case v1::DELIVERY_STATE_UNSPECIFIED:
      return std::optional<DeliveryState>();
    case v1::DELIVERY_STATE_PENDING:
    case v1::DELIVERY_STATE_SUCCEEDED:
    case v1::DELIVERY_STATE_EXHAUSTED:
    case v1::DELIVERY_STATE_EXPIRED:
    case v1::DELIVERY_STATE_CANCELED:
      return std::optional<DeliveryState>(static_cast<DeliveryState>(state));
    default:
      return absl::InvalidArgumentError(absl::StrCat("state: ", static_cast<int>(state), " is no state"));
  }
}

absl::StatusOr<Endpoint> FromProto(const v1::Endpoint& proto) {
  // Before they are copied.
  RETURN_IF_ERROR(CheckCount("event_types", proto.event_types_size(), kMaxEventTypePatterns));
  RETURN_IF_ERROR(CheckCount("channels", proto.channels_size(), kMaxChannelFilters));
  RETURN_IF_ERROR(CheckCount("headers", proto.headers_size(), kMaxHeaders));
  Endpoint endpoint;
  endpoint.subscriber_id = proto.subscriber_id();
  endpoint.description = proto.description();
  endpoint.url = proto.url();
  endpoint.event_types = ToVector(proto.event_types());
  endpoint.channels = ToVector(proto.channels());
  for (const v1::Header& header : proto.headers()) {
    endpoint.headers.push_back({header.name(), header.value(), header.secret()});
  }
  ASSIGN_OR_RETURN(endpoint.policy, FromProto(proto.policy()));
  if (proto.signing_secret().empty()) {
    endpoint.signing_keys = {GenerateKey()};
  } else {
    ASSIGN_OR_RETURN(std::string key, SigningKey(proto.signing_secret()));
    endpoint.signing_keys = {std::move(key)};
  }
  return endpoint;
}

absl::Status CheckSecretHeaders(const std::vector<Header>& headers) {
  for (size_t i = 0; i < headers.size(); ++i) {
    if (!headers[i].secret || !headers[i].value.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat("headers[", i, "].value: a secret header needs a value"));
  }
  return absl::OkStatus();
}

}  // namespace hookd
