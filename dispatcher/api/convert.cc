#include "dispatcher/api/convert.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/url_query.h"
#include "dispatcher/api/policy_convert.h"
#include "dispatcher/core/authorization.h"
#include "dispatcher/core/filter.h"
#include "dispatcher/core/header_rules.h"
#include "dispatcher/core/profile_resolve.h"
#include "dispatcher/core/signature.h"
#include "dispatcher/core/signing_keys.h"

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

// Lines "Name: value", or "Name" where the value is masked.
void AddHeaders(std::string_view lines, google::protobuf::RepeatedPtrField<v1::HeaderField>& fields) {
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    const size_t colon = line.find(':');
    v1::HeaderField& field = *fields.Add();
    field.set_name(Printable(line.substr(0, colon)));
    field.set_masked(colon == std::string_view::npos);
    if (!field.masked()) {
      const std::string_view value = line.substr(colon + 1);
      field.set_value(Printable(value.substr(std::min<size_t>(value.find_first_not_of(' '), value.size()))));
    }
  }
}

absl::Status CheckCount(absl::string_view field, int count, size_t max) {
  if (static_cast<size_t>(count) <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": there are ", count, ", use at most ", max));
}

v1::SigningKey ToProto(const SigningKey& key) {
  v1::SigningKey proto;
  proto.set_scheme(static_cast<v1::SigningScheme>(key.scheme));
  proto.set_fingerprint(Fingerprint(key));
  if (key.created_ms != 0) *proto.mutable_create_time() = ToTimestamp(key.created_ms);
  if (key.expires_ms != 0) *proto.mutable_expire_time() = ToTimestamp(key.expires_ms);
  if (key.scheme == SigningScheme::kV1a) proto.set_public_key(FormatPublicKey(PublicKeyOf(key.key)));
  return proto;
}

// Without the secrets.
void AddAuthorization(const Authorization& authorization, v1::Endpoint& proto) {
  if (authorization.basic != nullptr) {
    proto.mutable_authorization()->mutable_basic()->set_user(authorization.basic->user);
  } else if (authorization.oauth2 != nullptr) {
    v1::OAuth2& oauth2 = *proto.mutable_authorization()->mutable_oauth2();
    oauth2.set_token_url(authorization.oauth2->token_url);
    oauth2.set_client_id(authorization.oauth2->client_id);
    for (const std::string& scope : authorization.oauth2->scopes) oauth2.add_scopes(scope);
    oauth2.set_audience(authorization.oauth2->audience);
    oauth2.set_secret_in_body(authorization.oauth2->secret_in_body);
  }
}

absl::StatusOr<Authorization> FromProto(const v1::Authorization& proto) {
  Authorization authorization;
  if (proto.has_basic()) {
    authorization.basic = std::make_shared<const BasicCredentials>(
        BasicCredentials{proto.basic().user(), proto.basic().password()});
  } else if (proto.has_oauth2()) {
    const v1::OAuth2& oauth2 = proto.oauth2();
    RETURN_IF_ERROR(CheckCount("authorization.oauth2.scopes", oauth2.scopes_size(), kMaxScopes));
    authorization.oauth2 = std::make_shared<const OAuth2Credentials>(
        OAuth2Credentials{oauth2.token_url(), oauth2.client_id(), oauth2.client_secret(),
                          ToVector(oauth2.scopes()), oauth2.audience(), oauth2.secret_in_body()});
  }
  return authorization;
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
  proto.set_profile(view.subscriber.profile);
  proto.set_plan(view.subscriber.plan);
  proto.set_strict(view.subscriber.strict);
  for (const std::string& address : view.subscriber.alert_addresses) proto.add_alert_addresses(address);
  for (const std::string& channel : view.subscriber.held_channels) proto.add_held_channels(channel);
  return proto;
}

v1::Endpoint ToProto(const EndpointView& view, const Profiles* profiles, bool url_query) {
  const Endpoint& endpoint = *view.endpoint;
  v1::Endpoint proto;
  proto.set_id(endpoint.id.ToString());
  proto.set_subscriber_id(endpoint.subscriber_id);
  proto.set_description(endpoint.description);
  proto.set_url(url_query ? endpoint.url : MaskQuery(endpoint.url));
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
  proto.set_profile(endpoint.profile);
  const LoadedProfile* profile = profiles == nullptr ? nullptr : profiles->Find(endpoint.profile);
  for (const auto& [name, on] :
       profile == nullptr ? endpoint.settings : WholeSettings(**profile, endpoint.settings)) {
    (*proto.mutable_settings())[name] = on;
  }
  for (const std::string& type : endpoint.muted_event_types) proto.add_muted_event_types(type);
  if (endpoint.capture) {
    proto.mutable_capture()->set_bin_id(endpoint.capture->bin);
    *proto.mutable_capture()->mutable_end_time() = ToTimestamp(endpoint.capture->until_ms);
    proto.mutable_capture()->set_delivers(endpoint.capture->delivers);
  }
  if (endpoint.tls != nullptr) {
    v1::Tls& tls = *proto.mutable_tls();
    tls.set_ca_pem(endpoint.tls->ca_pem);
    for (const std::string& key : endpoint.tls->pinned_keys) tls.add_pinned_keys(key);
    tls.set_client_certificate_pem(endpoint.tls->client_certificate_pem);
  }
  for (const SigningKey& key : endpoint.signing_keys) *proto.add_signing_keys() = ToProto(key);
  AddAuthorization(endpoint.authorization, proto);
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

v1::Attempt ToProto(const Attempt& attempt) {
  v1::Attempt proto;
  proto.set_number(attempt.number);
  *proto.mutable_start_time() = ToTimestamp(attempt.started_ms);
  v1::AttemptPhases& phases = *proto.mutable_phases();
  SetPhase(attempt.us.queue, &v1::AttemptPhases::mutable_queue, phases);
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
  proto.set_decision(static_cast<v1::AttemptDecision>(attempt.decision));
  AddHeaders(attempt.request_headers, *proto.mutable_request_headers());
  AddHeaders(attempt.response_headers, *proto.mutable_response_headers());
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
  proto.set_origin(static_cast<v1::DeliveryOrigin>(delivery.origin));
  if (delivery.replaces) proto.set_replaces(delivery.replaces->ToString());
  if (delivery.replaced_by) proto.set_replaced_by(delivery.replaced_by->ToString());
  if (delivery.batch) proto.set_batch_id(delivery.batch->ToString());
  proto.set_last_status(delivery.last_status);
  if (delivery.last_error != ErrorKind::kNone) {
    proto.set_last_error_kind(std::string(ToString(delivery.last_error)));
  }
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

v1::Delivery ToProto(const DeliveryView& view) {
  v1::Delivery proto = ToProto(view.delivery);
  if (!view.waiting) return proto;
  const Waiting& waiting = *view.waiting;
  v1::WaitingOn& on = *proto.mutable_waiting_on();
  on.set_kind(static_cast<v1::WaitKind>(waiting.kind));
  if (waiting.since_ms != 0) *on.mutable_since() = ToTimestamp(waiting.since_ms);
  if (waiting.until_ms != 0) *on.mutable_until() = ToTimestamp(waiting.until_ms);
  if (waiting.behind) on.set_delivery_id(waiting.behind->ToString());
  on.set_detail(waiting.detail);
  return proto;
}

v1::DeliveryChange ToProto(const StateChange& change) {
  v1::DeliveryChange proto;
  proto.set_delivery_id(change.delivery.ToString());
  proto.set_event_id(change.event.ToString());
  proto.set_endpoint_id(change.delivery.endpoint.ToString());
  proto.set_subscriber_id(change.subscriber_id);
  proto.set_event_type(change.event_type);
  proto.set_state(static_cast<v1::DeliveryState>(change.state));
  if (change.reason != EndReason::kNone) proto.set_end_reason(std::string(ToString(change.reason)));
  proto.set_attempt_count(change.attempt_count);
  proto.set_status(change.status);
  if (change.error != ErrorKind::kNone) proto.set_error_kind(std::string(ToString(change.error)));
  *proto.mutable_change_time() = ToTimestamp(change.at_ms);
  if (change.next_due_ms != 0) *proto.mutable_next_due_time() = ToTimestamp(change.next_due_ms);
  return proto;
}

v1::Event ToProto(const Event& event) {
  v1::Event proto;
  proto.set_id(event.id.ToString());
  proto.set_subscriber_id(event.subscriber_id);
  proto.set_type(event.type);
  proto.set_payload(event.payload);
  proto.set_channel(event.channel);
  proto.set_ordering_key(event.ordering_key);
  proto.set_idempotency_key(event.idempotency_key);
  proto.set_traceparent(event.traceparent);
  proto.set_tracestate(event.tracestate);
  proto.set_coalesce_key(event.coalesce_key);
  *proto.mutable_accept_time() = ToTimestamp(event.accepted_ms);
  if (event.not_before_ms != 0) *proto.mutable_not_before_time() = ToTimestamp(event.not_before_ms);
  if (event.expires_ms != 0) *proto.mutable_expire_time() = ToTimestamp(event.expires_ms);
  return proto;
}

v1::Job ToProto(const Job& job) {
  v1::Job proto;
  if (job.id != 0) proto.set_id(JobIdText(job.id));
  proto.set_dry_run(job.id == 0);
  proto.set_kind(static_cast<v1::JobKind>(job.kind));
  proto.set_state(static_cast<v1::JobState>(job.state));
  proto.set_matched(job.matched);
  proto.set_done(job.done);
  proto.set_skipped(job.skipped);
  proto.set_expected(job.expected);
  proto.set_rate(job.rate);
  if (job.created_ms != 0) *proto.mutable_create_time() = ToTimestamp(job.created_ms);
  if (job.updated_ms != 0) *proto.mutable_update_time() = ToTimestamp(job.updated_ms);
  if (job.ended_ms != 0) *proto.mutable_end_time() = ToTimestamp(job.ended_ms);
  proto.set_error(job.error);
  if (job.endpoint.value != 0) proto.set_endpoint_id(job.endpoint.ToString());
  proto.set_subscriber_id(job.subscriber_id);
  proto.set_host(job.host);
  proto.set_event_type(job.event_type);
  if (job.from_ms != 0) *proto.mutable_time_from() = ToTimestamp(job.from_ms);
  if (job.before_ms != 0) *proto.mutable_time_before() = ToTimestamp(job.before_ms);
  proto.set_reason(job.reason);
  if (job.event) proto.set_event_id(job.event->ToString());
  return proto;
}

v1::Statistics ToProto(const Statistics& statistics, StatWindow window) {
  v1::Statistics proto;
  proto.set_window(static_cast<v1::StatisticsWindow>(window));
  proto.set_attempts(statistics.attempts);
  proto.set_succeeded(statistics.succeeded);
  proto.set_status_2xx(statistics.by_class[2]);
  proto.set_status_3xx(statistics.by_class[3]);
  proto.set_status_4xx(statistics.by_class[4]);
  proto.set_status_5xx(statistics.by_class[5]);
  proto.set_timeouts(statistics.timeouts);
  proto.set_other_errors(statistics.by_class[0] - statistics.timeouts);
  *proto.mutable_latency_p50() = ToDuration(std::chrono::microseconds(statistics.p50_us));
  *proto.mutable_latency_p90() = ToDuration(std::chrono::microseconds(statistics.p90_us));
  *proto.mutable_latency_p99() = ToDuration(std::chrono::microseconds(statistics.p99_us));
  proto.set_pending(statistics.pending);
  if (statistics.oldest_pending_ms != 0) {
    *proto.mutable_oldest_pending_time() = ToTimestamp(statistics.oldest_pending_ms);
  }
  if (statistics.since_ms != 0) *proto.mutable_since() = ToTimestamp(statistics.since_ms);
  return proto;
}

std::string JobIdText(uint64_t id) { return absl::StrCat("job_", absl::Hex(id, absl::kZeroPad16)); }

absl::StatusOr<Event> FromProto(const v1::NewEvent& proto) {
  Event event;
  event.subscriber_id = proto.subscriber_id();
  event.type = proto.type();
  event.channel = proto.channel();
  event.ordering_key = proto.ordering_key();
  event.idempotency_key = proto.idempotency_key();
  event.traceparent = proto.traceparent();
  event.tracestate = proto.tracestate();
  event.coalesce_key = proto.coalesce_key();
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

Subscriber FromProto(const v1::Subscriber& proto) {
  Subscriber subscriber;
  subscriber.id = proto.id();
  subscriber.name = proto.name();
  subscriber.profile = proto.profile();
  subscriber.plan = proto.plan();
  subscriber.strict = proto.strict();
  subscriber.alert_addresses = ToVector(proto.alert_addresses());
  return subscriber;
}

absl::StatusOr<Endpoint> FromProto(const v1::Endpoint& proto) {
  // Before they are copied.
  RETURN_IF_ERROR(CheckCount("event_types", proto.event_types_size(), kMaxEventTypePatterns));
  RETURN_IF_ERROR(CheckCount("channels", proto.channels_size(), kMaxChannelFilters));
  RETURN_IF_ERROR(CheckCount("headers", proto.headers_size(), kMaxHeaders));
  RETURN_IF_ERROR(CheckCount("settings", proto.settings().size(), kMaxSettings));
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
  RETURN_IF_ERROR(CheckCount("tls.pinned_keys", proto.tls().pinned_keys_size(), kMaxPinnedKeys));
  TlsSettings tls{proto.tls().ca_pem(), ToVector(proto.tls().pinned_keys()),
                  proto.tls().client_certificate_pem(), proto.tls().client_key_pem()};
  if (tls != TlsSettings()) endpoint.tls = std::make_shared<const TlsSettings>(std::move(tls));
  endpoint.profile = proto.profile();
  endpoint.settings = {proto.settings().begin(), proto.settings().end()};
  ASSIGN_OR_RETURN(endpoint.authorization, FromProto(proto.authorization()));
  SigningKey key = GenerateSigningKey(SigningScheme::kV1);
  if (!proto.signing_secret().empty()) {
    ASSIGN_OR_RETURN(key, ParseSigningKey(SigningScheme::kV1, proto.signing_secret(), "signing_secret"));
  }
  endpoint.signing_keys.push_back(std::move(key));
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
