// Endpoints, whose secrets are sealed.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "hookd/storage/v1/records.pb.h"
#include "storage/record_codec.h"
#include "storage/record_parts.h"
#include "storage/seal.h"

namespace hookd::records {
namespace {

namespace pb = hookd::storage::v1;

pb::PolicyRecord ToRecord(const DeliveryPolicy& policy) {
  pb::PolicyRecord record;
  record.set_mode(static_cast<uint32_t>(policy.mode));
  record.set_max_in_flight(policy.max_in_flight);
  record.set_timeout_ms(policy.timeout.count());
  for (const StatusRange& range : policy.success) {
    pb::StatusRangeRecord* out = record.add_success();
    out->set_first(static_cast<uint32_t>(range.first));
    out->set_last(static_cast<uint32_t>(range.last));
  }
  record.set_max_retries(policy.max_retries);
  record.set_backoff_step_ms(policy.backoff.step.count());
  record.set_backoff_cap_ms(policy.backoff.cap.count());
  record.set_backoff_jitter(policy.backoff.jitter);
  record.set_rate_per_second(policy.rate.per_second);
  record.set_rate_burst(policy.rate.burst);
  record.set_backoff_kind(static_cast<uint32_t>(policy.backoff.kind));
  record.set_backoff_factor(policy.backoff.factor);
  for (const Millis wait : policy.backoff.schedule) record.add_backoff_schedule_ms(wait.count());
  record.set_retry_after_max_ms(policy.retry_after_max.count());
  record.set_alert_after(policy.alert_after);
  record.set_disable_failures(policy.disable.failures);
  record.set_disable_span_ms(policy.disable.span.count());
  record.set_disable_on_gone(policy.disable.on_gone);
  record.set_backlog(policy.backlog);
  record.set_http_version(static_cast<uint32_t>(policy.http_version));
  record.set_keep_all_bodies(policy.keep_all_bodies);
  record.set_backoff_exact_first(policy.backoff.exact_first);
  record.set_disable_count_429(policy.disable.count_429);
  if (policy.rate.unit != RateUnit::kRequest) record.set_rate_unit(static_cast<uint32_t>(policy.rate.unit));
  if (!policy.batch.event_types.empty()) {
    for (const std::string& type : policy.batch.event_types) record.add_batch_event_types(type);
    record.set_batch_max_members(policy.batch.max_members);
    record.set_batch_linger_ms(policy.batch.linger.count());
  }
  record.set_coalesce(policy.coalesce);
  record.set_mail_subscriber(policy.mail_subscriber);
  if (policy.probe.first != Millis(0)) {
    record.set_probe_first_ms(policy.probe.first.count());
    record.set_probe_cap_ms(policy.probe.cap.count());
  }
  return record;
}

bool FromRecord(const pb::PolicyRecord& record, DeliveryPolicy& policy) {
  policy.mode = static_cast<DeliveryMode>(record.mode());
  if (record.mode() < 1 || record.mode() > static_cast<uint32_t>(DeliveryMode::kKeyed)) return false;
  if (record.backoff_kind() < 1 || record.backoff_kind() > static_cast<uint32_t>(BackoffKind::kSchedule)) {
    return false;
  }
  if (record.http_version() < 1 || record.http_version() > static_cast<uint32_t>(HttpVersion::kHttp2)) {
    return false;
  }
  if (!UpTo(RateUnit::kMember, record.rate_unit())) return false;
  policy.max_in_flight = record.max_in_flight();
  policy.timeout = Millis(record.timeout_ms());
  policy.success.clear();
  for (const pb::StatusRangeRecord& range : record.success()) {
    policy.success.push_back({static_cast<int>(range.first()), static_cast<int>(range.last())});
  }
  policy.max_retries = record.max_retries();
  policy.backoff.step = Millis(record.backoff_step_ms());
  policy.backoff.cap = Millis(record.backoff_cap_ms());
  policy.backoff.jitter = record.backoff_jitter();
  policy.rate.per_second = record.rate_per_second();
  policy.rate.burst = record.rate_burst();
  policy.backoff.kind = static_cast<BackoffKind>(record.backoff_kind());
  policy.backoff.factor = record.backoff_factor();
  policy.backoff.schedule.clear();
  for (const int64_t wait : record.backoff_schedule_ms()) policy.backoff.schedule.emplace_back(wait);
  policy.retry_after_max = Millis(record.retry_after_max_ms());
  policy.alert_after = record.alert_after();
  policy.disable.failures = record.disable_failures();
  policy.disable.span = Millis(record.disable_span_ms());
  policy.disable.on_gone = record.disable_on_gone();
  policy.backlog = record.backlog();
  policy.http_version = static_cast<HttpVersion>(record.http_version());
  policy.keep_all_bodies = record.keep_all_bodies();
  policy.backoff.exact_first = record.backoff_exact_first();
  policy.disable.count_429 = record.disable_count_429();
  if (record.rate_unit() != 0) policy.rate.unit = static_cast<RateUnit>(record.rate_unit());
  if (!record.batch_event_types().empty()) {
    policy.batch.event_types.assign(record.batch_event_types().begin(), record.batch_event_types().end());
    policy.batch.max_members = record.batch_max_members();
    policy.batch.linger = Millis(record.batch_linger_ms());
  }
  policy.coalesce = record.coalesce();
  policy.mail_subscriber = record.mail_subscriber();
  if (record.probe_first_ms() != 0) {
    policy.probe = {Millis(record.probe_first_ms()), Millis(record.probe_cap_ms())};
  }
  return true;
}

std::string PlaceOf(EndpointId id, std::string_view field) {
  return Concat("endpoint/", id.ToString(), "/", field);
}

std::string HeaderPlace(EndpointId id, std::string_view name) { return PlaceOf(id, Concat("header/", name)); }

std::string KeyPlace(EndpointId id, SigningScheme scheme) {
  return PlaceOf(id, scheme == SigningScheme::kV1 ? "signing_key" : "signing_key_v1a");
}

void AddSigningKeys(const Endpoint& endpoint, const Sealer& sealer, pb::EndpointRecord& record) {
  bool plain = true;  // nothing beside the keys has to be known
  for (const SigningKey& key : endpoint.signing_keys) {
    sealer.Seal(key.key, KeyPlace(endpoint.id, key.scheme), *record.add_signing_keys());
    plain = plain && key.scheme == SigningScheme::kV1 && key.created_ms == 0 && key.expires_ms == 0;
  }
  if (plain) return;
  for (const SigningKey& key : endpoint.signing_keys) {
    pb::SigningKeyRecord* out = record.add_signing_key_facts();
    out->set_scheme(static_cast<uint32_t>(key.scheme));
    out->set_created_ms(key.created_ms);
    out->set_expires_ms(key.expires_ms);
  }
}

absl::Status ReadSigningKeys(const pb::EndpointRecord& record, const Sealer& sealer, Endpoint& endpoint) {
  const int facts = record.signing_key_facts_size();
  if (facts != 0 && facts != record.signing_keys_size()) return Damaged("endpoint");
  for (int i = 0; i < record.signing_keys_size(); ++i) {
    SigningKey key;
    if (facts != 0) {
      const pb::SigningKeyRecord& fact = record.signing_key_facts(i);
      if (fact.scheme() == 0 || !UpTo(SigningScheme::kV1a, fact.scheme())) return Damaged("endpoint");
      key.scheme = static_cast<SigningScheme>(fact.scheme());
      key.created_ms = fact.created_ms();
      key.expires_ms = fact.expires_ms();
    }
    ASSIGN_OR_RETURN(key.key, sealer.Open(record.signing_keys(i), KeyPlace(endpoint.id, key.scheme)));
    endpoint.signing_keys.push_back(std::move(key));
  }
  return absl::OkStatus();
}

void AddAuthorization(const Endpoint& endpoint, const Sealer& sealer, pb::EndpointRecord& record) {
  if (const auto& basic = endpoint.authorization.basic; basic != nullptr) {
    pb::AuthorizationRecord& out = *record.mutable_authorization();
    out.set_user(basic->user);
    sealer.Seal(basic->password, PlaceOf(endpoint.id, "password"), *out.mutable_password());
  } else if (const auto& oauth2 = endpoint.authorization.oauth2; oauth2 != nullptr) {
    pb::AuthorizationRecord& out = *record.mutable_authorization();
    out.set_token_url(oauth2->token_url);
    out.set_client_id(oauth2->client_id);
    sealer.Seal(oauth2->client_secret, PlaceOf(endpoint.id, "client_secret"), *out.mutable_client_secret());
    for (const std::string& scope : oauth2->scopes) out.add_scopes(scope);
    out.set_audience(oauth2->audience);
    out.set_secret_in_body(oauth2->secret_in_body);
  }
}

absl::Status ReadAuthorization(const pb::EndpointRecord& record, const Sealer& sealer, Endpoint& endpoint) {
  if (!record.has_authorization()) return absl::OkStatus();
  const pb::AuthorizationRecord& in = record.authorization();
  if (!in.user().empty()) {
    BasicCredentials basic;
    basic.user = in.user();
    ASSIGN_OR_RETURN(basic.password, sealer.Open(in.password(), PlaceOf(endpoint.id, "password")));
    endpoint.authorization.basic = std::make_shared<const BasicCredentials>(std::move(basic));
    return absl::OkStatus();
  }
  OAuth2Credentials oauth2;
  oauth2.token_url = in.token_url();
  oauth2.client_id = in.client_id();
  ASSIGN_OR_RETURN(oauth2.client_secret,
                   sealer.Open(in.client_secret(), PlaceOf(endpoint.id, "client_secret")));
  oauth2.scopes.assign(in.scopes().begin(), in.scopes().end());
  oauth2.audience = in.audience();
  oauth2.secret_in_body = in.secret_in_body();
  endpoint.authorization.oauth2 = std::make_shared<const OAuth2Credentials>(std::move(oauth2));
  return absl::OkStatus();
}

// By reflection, so that a secret in a field that comes later is not forgotten.
bool AllSealedUnder(const google::protobuf::Message& message, uint32_t key_id) {
  if (message.GetDescriptor() == pb::SealedValue::descriptor()) {
    return static_cast<const pb::SealedValue&>(message).key_id() == key_id;
  }
  const google::protobuf::Reflection& fields = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> set;
  fields.ListFields(message, &set);
  for (const google::protobuf::FieldDescriptor* field : set) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      if (!AllSealedUnder(fields.GetMessage(message, field), key_id)) return false;
      continue;
    }
    for (int i = 0; i < fields.FieldSize(message, field); ++i) {
      if (!AllSealedUnder(fields.GetRepeatedMessage(message, field, i), key_id)) return false;
    }
  }
  return true;
}

}  // namespace

std::string Encode(const Endpoint& endpoint, const Sealer& sealer) {
  pb::EndpointRecord record;
  record.set_subscriber_id(endpoint.subscriber_id);
  record.set_description(endpoint.description);
  sealer.Seal(endpoint.url, PlaceOf(endpoint.id, "url"), *record.mutable_url());
  for (const std::string& type : endpoint.event_types) record.add_event_types(type);
  for (const std::string& channel : endpoint.channels) record.add_channels(channel);
  for (const Header& header : endpoint.headers) {
    pb::HeaderRecord* out = record.add_headers();
    out->set_name(header.name);
    if (header.secret) {
      sealer.Seal(header.value, HeaderPlace(endpoint.id, header.name), *out->mutable_sealed_value());
    } else {
      out->set_value(header.value);
    }
  }
  *record.mutable_policy() = ToRecord(endpoint.policy);
  AddSigningKeys(endpoint, sealer, record);
  record.set_paused(endpoint.paused);
  record.set_disabled(static_cast<uint32_t>(endpoint.disabled));
  record.set_disabled_ms(endpoint.disabled_ms);
  record.set_state_note(endpoint.state_note);
  record.set_created_ms(endpoint.created_ms);
  record.set_updated_ms(endpoint.updated_ms);
  record.set_profile(endpoint.profile);
  for (const auto& [name, on] : endpoint.settings) {
    pb::SettingRecord* out = record.add_settings();
    out->set_name(name);
    out->set_on(on);
  }
  for (const std::string& type : endpoint.muted_event_types) record.add_muted_event_types(type);
  if (endpoint.capture) {
    pb::CaptureRecord* out = record.mutable_capture();
    out->set_bin(endpoint.capture->bin);
    out->set_until_ms(endpoint.capture->until_ms);
    out->set_delivers(endpoint.capture->delivers);
  }
  if (endpoint.tls != nullptr) {
    pb::TlsRecord* out = record.mutable_tls();
    out->set_ca_pem(endpoint.tls->ca_pem);
    for (const std::string& key : endpoint.tls->pinned_keys) out->add_pinned_keys(key);
    out->set_client_certificate_pem(endpoint.tls->client_certificate_pem);
    if (!endpoint.tls->client_key_pem.empty()) {
      sealer.Seal(endpoint.tls->client_key_pem, PlaceOf(endpoint.id, "client_key"),
                  *out->mutable_client_key_pem());
    }
  }
  AddAuthorization(endpoint, sealer, record);
  return record.SerializeAsString();
}

absl::StatusOr<Endpoint> DecodeEndpoint(EndpointId id, std::string_view bytes, const Sealer& sealer) {
  pb::EndpointRecord record;
  Endpoint endpoint;
  if (!Parse(record, bytes) || !FromRecord(record.policy(), endpoint.policy) ||
      !UpTo(DisableReason::kUnverified, record.disabled())) {
    return Damaged("endpoint");
  }
  endpoint.id = id;
  endpoint.subscriber_id = record.subscriber_id();
  endpoint.description = record.description();
  ASSIGN_OR_RETURN(endpoint.url, sealer.Open(record.url(), PlaceOf(id, "url")));
  endpoint.event_types.assign(record.event_types().begin(), record.event_types().end());
  endpoint.channels.assign(record.channels().begin(), record.channels().end());
  for (const pb::HeaderRecord& header : record.headers()) {
    Header out{header.name(), header.value(), header.has_sealed_value()};
    if (out.secret) {
      ASSIGN_OR_RETURN(out.value, sealer.Open(header.sealed_value(), HeaderPlace(id, header.name())));
    }
    endpoint.headers.push_back(std::move(out));
  }
  RETURN_IF_ERROR(ReadSigningKeys(record, sealer, endpoint));
  endpoint.paused = record.paused();
  endpoint.disabled = static_cast<DisableReason>(record.disabled());
  endpoint.disabled_ms = record.disabled_ms();
  endpoint.state_note = record.state_note();
  endpoint.created_ms = record.created_ms();
  endpoint.updated_ms = record.updated_ms();
  endpoint.profile = record.profile();
  for (const pb::SettingRecord& setting : record.settings()) endpoint.settings[setting.name()] = setting.on();
  endpoint.muted_event_types.assign(record.muted_event_types().begin(), record.muted_event_types().end());
  if (record.has_capture()) {
    const pb::CaptureRecord& capture = record.capture();
    endpoint.capture = {capture.bin(), capture.until_ms(), capture.delivers()};
  }
  if (record.has_tls()) {
    TlsSettings tls;
    tls.ca_pem = record.tls().ca_pem();
    tls.pinned_keys.assign(record.tls().pinned_keys().begin(), record.tls().pinned_keys().end());
    tls.client_certificate_pem = record.tls().client_certificate_pem();
    if (record.tls().has_client_key_pem()) {
      ASSIGN_OR_RETURN(tls.client_key_pem,
                       sealer.Open(record.tls().client_key_pem(), PlaceOf(id, "client_key")));
    }
    endpoint.tls = std::make_shared<const TlsSettings>(std::move(tls));
  }
  RETURN_IF_ERROR(ReadAuthorization(record, sealer, endpoint));
  return endpoint;
}

absl::StatusOr<bool> HasStaleSecrets(std::string_view endpoint, uint32_t key_id) {
  pb::EndpointRecord record;
  if (!Parse(record, endpoint)) return Damaged("endpoint");
  return !AllSealedUnder(record, key_id);
}

}  // namespace hookd::records
