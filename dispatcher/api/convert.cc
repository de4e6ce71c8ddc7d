#include "dispatcher/api/convert.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/field_mask.h"
#include "dispatcher/core/signature.h"

namespace hookd {
namespace {

constexpr std::array<absl::string_view, 14> kEndpointPaths = {"description",
                                                              "url",
                                                              "event_types",
                                                              "channels",
                                                              "headers",
                                                              "signing_secret",
                                                              "policy",
                                                              "policy.mode",
                                                              "policy.max_in_flight",
                                                              "policy.timeout",
                                                              "policy.success_codes",
                                                              "policy.max_retries",
                                                              "policy.backoff",
                                                              "policy.rate_limit"};

// google/protobuf/duration.proto: about 10,000 years.
constexpr int64_t kMaxDurationSeconds = 315'576'000'000;

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

v1::DeliveryPolicy ToProto(const DeliveryPolicy& policy) {
  v1::DeliveryPolicy proto;
  proto.set_mode(static_cast<v1::DeliveryMode>(policy.mode));
  proto.set_max_in_flight(policy.max_in_flight);
  *proto.mutable_timeout() = ToDuration(policy.timeout);
  for (const StatusRange& range : policy.success) {
    v1::StatusRange& added = *proto.add_success_codes();
    added.set_first(range.first);
    added.set_last(range.last);
  }
  proto.set_max_retries(policy.max_retries);
  *proto.mutable_backoff()->mutable_linear()->mutable_step() = ToDuration(policy.backoff.step);
  *proto.mutable_backoff()->mutable_linear()->mutable_cap() = ToDuration(policy.backoff.cap);
  proto.mutable_backoff()->set_jitter(policy.backoff.jitter);
  proto.mutable_rate_limit()->set_per_second(policy.rate.per_second);
  proto.mutable_rate_limit()->set_burst(policy.rate.burst);
  return proto;
}

// A whole policy; what is unset has its default, and so has a zero that cannot be meant (max_in_flight,
// burst).
absl::StatusOr<DeliveryPolicy> FromProto(const v1::DeliveryPolicy& proto) {
  DeliveryPolicy policy;
  switch (proto.mode()) {
    case v1::DELIVERY_MODE_UNSPECIFIED:
      break;
    case v1::DELIVERY_MODE_ORDERED:
      policy.mode = DeliveryMode::kOrdered;
      break;
    case v1::DELIVERY_MODE_PARALLEL:
      policy.mode = DeliveryMode::kParallel;
      break;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("policy.mode: ", static_cast<int>(proto.mode()),
                       " is no mode, use DELIVERY_MODE_ORDERED or DELIVERY_MODE_PARALLEL"));
  }
  if (proto.max_in_flight() != 0) policy.max_in_flight = proto.max_in_flight();
  if (proto.has_timeout()) {
    ASSIGN_OR_RETURN(policy.timeout, FromDuration(proto.timeout(), "policy.timeout"));
  }
  if (!proto.success_codes().empty()) {
    policy.success.clear();
    for (const v1::StatusRange& range : proto.success_codes()) {
      policy.success.push_back({range.first(), range.last()});
    }
  }
  if (proto.has_max_retries()) policy.max_retries = proto.max_retries();
  if (proto.has_backoff()) {
    const v1::LinearBackoff& backoff = proto.backoff().linear();
    if (backoff.has_step()) {
      ASSIGN_OR_RETURN(policy.backoff.step, FromDuration(backoff.step(), "policy.backoff.step"));
    }
    if (backoff.has_cap()) {
      ASSIGN_OR_RETURN(policy.backoff.cap, FromDuration(backoff.cap(), "policy.backoff.cap"));
    }
    if (proto.backoff().has_jitter()) policy.backoff.jitter = proto.backoff().jitter();
  }
  if (proto.has_rate_limit()) {
    if (proto.rate_limit().has_per_second()) policy.rate.per_second = proto.rate_limit().per_second();
    if (proto.rate_limit().burst() != 0) policy.rate.burst = proto.rate_limit().burst();
  }
  return policy;
}

// `stored`: the headers that the endpoint has, whose secret values an update may keep.
absl::StatusOr<std::vector<Header>> FromProto(const google::protobuf::RepeatedPtrField<v1::Header>& protos,
                                              const std::vector<Header>& stored) {
  std::vector<Header> headers;
  headers.reserve(protos.size());
  for (const v1::Header& proto : protos) {
    Header header{proto.name(), proto.value(), proto.secret()};
    if (header.secret && header.value.empty()) {
      const auto kept = std::find_if(stored.begin(), stored.end(), [&header](const Header& candidate) {
        return candidate.secret && absl::EqualsIgnoreCase(candidate.name, header.name);
      });
      if (kept == stored.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("headers[", headers.size(), "].value: a secret header needs a value"));
      }
      header.value = kept->value;
    }
    headers.push_back(std::move(header));
  }
  return headers;
}

absl::StatusOr<std::string> SigningKey(const std::string& secret) {
  absl::StatusOr<std::string> key = ParseSecret(secret);
  if (key.ok() || absl::StartsWith(key.status().message(), "signing_secret")) return key;
  return absl::Status(key.status().code(), absl::StrCat("signing_secret: ", key.status().message()));
}

void ApplyPolicyPath(std::string_view path, const DeliveryPolicy& from, DeliveryPolicy& to) {
  if (path == "policy") to = from;
  if (path == "policy.mode") to.mode = from.mode;
  if (path == "policy.max_in_flight") to.max_in_flight = from.max_in_flight;
  if (path == "policy.timeout") to.timeout = from.timeout;
  if (path == "policy.success_codes") to.success = from.success;
  if (path == "policy.max_retries") to.max_retries = from.max_retries;
  if (path == "policy.backoff") to.backoff = from.backoff;
  if (path == "policy.rate_limit") to.rate = from.rate;
}

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
  for (const Attempt& attempt : delivery.attempts) *proto.add_attempts() = ToProto(attempt);
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

Event FromProto(const v1::NewEvent& proto) {
  Event event;
  event.subscriber_id = proto.subscriber_id();
  event.type = proto.type();
  event.channel = proto.channel();
  event.ordering_key = proto.ordering_key();
  event.idempotency_key = proto.idempotency_key();
  event.traceparent = proto.traceparent();
  event.payload = proto.payload();
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
  Endpoint endpoint;
  endpoint.subscriber_id = proto.subscriber_id();
  endpoint.description = proto.description();
  endpoint.url = proto.url();
  endpoint.event_types = ToVector(proto.event_types());
  endpoint.channels = ToVector(proto.channels());
  ASSIGN_OR_RETURN(endpoint.headers, FromProto(proto.headers(), {}));
  ASSIGN_OR_RETURN(endpoint.policy, FromProto(proto.policy()));
  if (proto.signing_secret().empty()) {
    endpoint.signing_keys = {GenerateKey()};
  } else {
    ASSIGN_OR_RETURN(std::string key, SigningKey(proto.signing_secret()));
    endpoint.signing_keys = {std::move(key)};
  }
  return endpoint;
}

absl::Status ApplyUpdate(const v1::Endpoint& from, const google::protobuf::FieldMask& mask, Endpoint& to) {
  RETURN_IF_ERROR(CheckFieldMask(mask, kEndpointPaths));
  for (const std::string& path : mask.paths()) {
    if (path == "description") {
      to.description = from.description();
    } else if (path == "url") {
      to.url = from.url();
    } else if (path == "event_types") {
      to.event_types = ToVector(from.event_types());
    } else if (path == "channels") {
      to.channels = ToVector(from.channels());
    } else if (path == "headers") {
      ASSIGN_OR_RETURN(to.headers, FromProto(from.headers(), to.headers));
    } else if (path == "signing_secret") {
      if (from.signing_secret().empty()) {
        return absl::InvalidArgumentError(
            "signing_secret: is empty, give \"whsec_\" and base64 of 24 to 64 bytes");
      }
      ASSIGN_OR_RETURN(std::string key, SigningKey(from.signing_secret()));
      to.signing_keys = {std::move(key)};
    } else {
      ASSIGN_OR_RETURN(const DeliveryPolicy policy, FromProto(from.policy()));
      ApplyPolicyPath(path, policy, to.policy);
    }
  }
  return absl::OkStatus();
}

}  // namespace hookd
