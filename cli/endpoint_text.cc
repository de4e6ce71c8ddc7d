#include "cli/endpoint_text.h"

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "cli/output.h"
#include "cli/words.h"

namespace hookd::cli {
namespace {

std::string ModeText(const v1::DeliveryPolicy& policy) {
  const std::string name = ModeName(policy.mode());
  if (policy.mode() == v1::DELIVERY_MODE_ORDERED) return name;
  return absl::StrCat(name, ", ", policy.max_in_flight(), " in flight");
}

std::string RetryAfterText(const google::protobuf::Duration& most) {
  const bool ignored = most.seconds() == 0 && most.nanos() == 0;
  return ignored ? "ignored" : absl::StrCat("honoured up to ", DurationText(most));
}

void AddState(const v1::Endpoint& endpoint, Fields& fields) {
  const v1::EndpointHealth& health = endpoint.health();
  const Fields added = {
      {"paused", YesNo(endpoint.paused())},
      {"disabled", DisabledText(endpoint)},
      {"reason", OneLine(endpoint.state_note(), 256)},
      {"pending", absl::StrCat(health.pending(), " (", health.retrying(), " wait for a retry)")},
      {"held until", TimeText(health.hold_until())},
      {"failures in a row", std::to_string(health.consecutive_failures())},
      {"failing since", TimeText(health.failing_since())},
      {"last success", TimeText(health.last_success())},
      {"next sequence", std::to_string(health.next_sequence())},
      {"created", TimeText(endpoint.create_time())},
      {"updated", TimeText(endpoint.update_time())},
  };
  fields.insert(fields.end(), added.begin(), added.end());
}

}  // namespace

void AddPolicy(const v1::DeliveryPolicy& policy, Fields& fields) {
  const Fields added = {
      {"mode", ModeText(policy)},
      {"timeout", DurationText(policy.timeout())},
      {"success", SuccessText(policy)},
      {"max retries", std::to_string(policy.max_retries())},
      {"backoff", BackoffText(policy.backoff())},
      {"retry-after", RetryAfterText(policy.retry_after_max())},
      {"rate limit", RateText(policy.rate_limit())},
      {"alert", policy.alert_after() == 0
                    ? "never"
                    : absl::StrCat("after ", policy.alert_after(), " failures in a row")},
      {"auto-disable", AutoDisableText(policy.auto_disable())},
      {"backlog", policy.backlog() == 0 ? "as the disk allows"
                                        : absl::StrCat("at most ", policy.backlog(), " deliveries")},
      {"http", policy.http_version() == v1::HTTP_VERSION_2 ? "2" : "1.1"},
      {"kept bodies", policy.kept_bodies() == v1::KEPT_BODIES_ALL ? "of all attempts" : "of failures"},
      {"batch", BatchText(policy.batch())},
      {"coalesce", YesNo(policy.coalesce())},
      {"mail to subscriber", YesNo(policy.mail_subscriber())},
      {"auto-probe", AutoProbeText(policy.auto_probe())},
  };
  fields.insert(fields.end(), added.begin(), added.end());
}

std::string SuccessText(const v1::DeliveryPolicy& policy) {
  return absl::StrJoin(policy.success_codes(), ",", [](std::string* out, const v1::StatusRange& range) {
    absl::StrAppend(out, range.first(), "-", range.last());
  });
}

std::string ModeName(v1::DeliveryMode mode) {
  if (mode == v1::DELIVERY_MODE_PARALLEL) return "parallel";
  return mode == v1::DELIVERY_MODE_KEYED ? "keyed" : "ordered";
}

std::string BackoffText(const v1::Backoff& backoff) {
  std::string text;
  switch (backoff.kind_case()) {
    case v1::Backoff::KIND_NOT_SET:
      break;
    case v1::Backoff::kLinear:
      text = absl::StrCat(DurationText(backoff.linear().step()), " x n, at most ",
                          DurationText(backoff.linear().cap()));
      break;
    case v1::Backoff::kFixed:
      text = absl::StrCat(DurationText(backoff.fixed().step()), " each");
      break;
    case v1::Backoff::kExponential:
      text = absl::StrCat(DurationText(backoff.exponential().step()), " x ", backoff.exponential().factor(),
                          "^(n-1), at most ", DurationText(backoff.exponential().cap()));
      break;
    case v1::Backoff::kSchedule:
      text = absl::StrJoin(
          backoff.schedule().waits(), ", ",
          [](std::string* out, const google::protobuf::Duration& wait) { out->append(DurationText(wait)); });
      text += ", the last one repeats";
      break;
  }
  return absl::StrCat(text, ", jitter ", backoff.jitter(), backoff.exact_first() ? " but for the first" : "");
}

std::string RateText(const v1::RateLimit& rate) {
  if (rate.per_second() == 0) return "none";
  return absl::StrCat(rate.per_second(), rate.unit() == v1::RATE_UNIT_MEMBER ? " members/s" : "/s",
                      ", burst ", rate.burst());
}

std::string BatchText(const v1::Batch& batch) {
  if (batch.event_types().empty()) return "off";
  return absl::StrCat(absl::StrJoin(batch.event_types(), " "), ", at most ", batch.max_members(),
                      ", lingers ", DurationText(batch.linger()));
}

std::string AutoProbeText(const v1::AutoProbe& probe) {
  if (probe.first().seconds() == 0 && probe.first().nanos() == 0) return "never";
  return absl::StrCat("after ", DurationText(probe.first()), ", at most ", DurationText(probe.cap()),
                      " apart");
}

std::string SettingsText(const v1::Endpoint& endpoint) {
  const std::map<std::string, bool> sorted(endpoint.settings().begin(), endpoint.settings().end());
  return absl::StrJoin(sorted, ", ", [](std::string* out, const auto& one) {
    absl::StrAppend(out, one.first, one.second ? " on" : " off");
  });
}

std::string AutoDisableText(const v1::AutoDisable& disable) {
  std::vector<std::string> causes;
  if (disable.failures() != 0) {
    causes.push_back(
        absl::StrCat(disable.failures(), " failures in a row over ", DurationText(disable.span())));
  }
  if (disable.failures() != 0 && disable.count_429()) causes.back() += ", 429 counted";
  if (disable.on_gone()) causes.emplace_back("status 410");
  return causes.empty() ? "never" : absl::StrJoin(causes, ", or ");
}

std::string DisabledText(const v1::Endpoint& endpoint) {
  if (!endpoint.has_disabled()) return "no";
  const char* why = "yes";
  switch (endpoint.disabled().reason()) {
    case v1::DISABLE_REASON_FAILURES:
      why = "too many failures in a row";
      break;
    case v1::DISABLE_REASON_GONE:
      why = "it answered 410";
      break;
    case v1::DISABLE_REASON_PERSON:
      why = "by a person";
      break;
    case v1::DISABLE_REASON_URL_CLEARED:
      why = "a new API key took its URL: set one";
      break;
    case v1::DISABLE_REASON_UNVERIFIED:
      why = "its ownership is not proven yet";
      break;
    default:
      break;
  }
  return absl::StrCat(why, ", since ", TimeText(endpoint.disabled().time()));
}

std::string TlsText(const v1::Endpoint& endpoint) {
  std::vector<std::string> parts;
  // PEM is long: what tells two apart is enough.
  const auto pem = [&parts](const char* name, const std::string& text) {
    if (text.empty()) return;
    parts.push_back(absl::StrCat(name, " ", absl::Hex(std::hash<std::string>()(text), absl::kZeroPad16)));
  };
  pem("ca", endpoint.tls().ca_pem());
  for (const std::string& key : endpoint.tls().pinned_keys()) parts.push_back(key);
  pem("client certificate", endpoint.tls().client_certificate_pem());
  return parts.empty() ? "none of its own" : absl::StrJoin(parts, ", ");
}

std::string AuthorizationText(const v1::Endpoint& endpoint) {
  const v1::Authorization& authorization = endpoint.authorization();
  if (authorization.has_basic()) return absl::StrCat("basic, as ", authorization.basic().user());
  if (!authorization.has_oauth2()) return "none of its own";
  const v1::OAuth2& oauth2 = authorization.oauth2();
  std::vector<std::string> parts = {
      absl::StrCat("oauth2, as ", oauth2.client_id(), " at ", oauth2.token_url())};
  if (!oauth2.scopes().empty()) parts.push_back(absl::StrCat("scopes ", absl::StrJoin(oauth2.scopes(), " ")));
  if (!oauth2.audience().empty()) parts.push_back(absl::StrCat("audience ", oauth2.audience()));
  if (oauth2.secret_in_body()) parts.emplace_back("secret in the form");
  return absl::StrJoin(parts, ", ");
}

void AddSigningKeys(const v1::Endpoint& endpoint, Fields& fields) {
  for (const v1::SigningKey& key : endpoint.signing_keys()) {
    std::string text = absl::StrCat(Word(key.scheme()), " ", key.fingerprint());
    if (key.has_create_time()) absl::StrAppend(&text, ", since ", TimeText(key.create_time()));
    if (key.has_expire_time()) absl::StrAppend(&text, ", until ", TimeText(key.expire_time()));
    if (!key.public_key().empty()) absl::StrAppend(&text, ", ", key.public_key());
    fields.emplace_back("signs with", std::move(text));
  }
}

void ShowEndpoint(const v1::Endpoint& endpoint) {
  Fields fields = {
      {"id", endpoint.id()},
      {"subscriber", endpoint.subscriber_id()},
      {"description", endpoint.description()},
      {"profile", endpoint.profile()},
      {"settings", SettingsText(endpoint)},
      {"url", endpoint.url()},
      {"event types", absl::StrJoin(endpoint.event_types(), " ")},
      {"muted types", absl::StrJoin(endpoint.muted_event_types(), " ")},
      {"channels", absl::StrJoin(endpoint.channels(), " ")},
  };
  if (endpoint.has_capture()) {
    fields.emplace_back("captured", absl::StrCat("by bin ", endpoint.capture().bin_id(), " until ",
                                                 TimeText(endpoint.capture().end_time())));
  }
  for (const v1::Header& header : endpoint.headers()) {
    fields.emplace_back("header",
                        absl::StrCat(header.name(), ": ", header.secret() ? "(secret)" : header.value()));
  }
  fields.emplace_back("tls", TlsText(endpoint));
  fields.emplace_back("authorization", AuthorizationText(endpoint));
  AddSigningKeys(endpoint, fields);
  AddPolicy(endpoint.policy(), fields);
  AddState(endpoint, fields);
  PrintFields(fields);
}

}  // namespace hookd::cli
