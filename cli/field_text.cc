#include "cli/field_text.h"

#include <functional>
#include <map>

#include <absl/strings/str_join.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/url_query.h"
#include "cli/endpoint_text.h"
#include "cli/output.h"
#include "cli/words.h"

namespace hookd::cli {
namespace {

std::string List(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return texts.empty() ? "all" : absl::StrJoin(texts, ", ");
}

std::string HeadersText(const v1::Endpoint& endpoint) {
  const auto append = [](std::string* out, const v1::Header& header) {
    out->append(Concat(header.name(), ": ", header.secret() ? "(secret)" : header.value()));
  };
  return endpoint.headers().empty() ? "none" : absl::StrJoin(endpoint.headers(), ", ", append);
}

using Policy = v1::DeliveryPolicy;

const std::map<std::string, std::function<std::string(const Policy&)>>& PolicyTexts() {
  static const auto* const kTexts = new std::map<std::string, std::function<std::string(const Policy&)>>{
      {"policy.mode", [](const Policy& p) { return ModeName(p.mode()); }},
      {"policy.max_in_flight", [](const Policy& p) { return std::to_string(p.max_in_flight()); }},
      {"policy.timeout", [](const Policy& p) { return DurationText(p.timeout()); }},
      {"policy.success_codes", [](const Policy& p) { return SuccessText(p); }},
      {"policy.max_retries", [](const Policy& p) { return std::to_string(p.max_retries()); }},
      {"policy.backoff", [](const Policy& p) { return BackoffText(p.backoff()); }},
      {"policy.rate_limit", [](const Policy& p) { return RateText(p.rate_limit()); }},
      {"policy.retry_after_max", [](const Policy& p) { return DurationText(p.retry_after_max()); }},
      {"policy.alert_after", [](const Policy& p) { return std::to_string(p.alert_after()); }},
      {"policy.auto_disable", [](const Policy& p) { return AutoDisableText(p.auto_disable()); }},
      {"policy.backlog", [](const Policy& p) { return std::to_string(p.backlog()); }},
      {"policy.http_version",
       [](const Policy& p) { return std::string(p.http_version() == v1::HTTP_VERSION_2 ? "2" : "1.1"); }},
      {"policy.kept_bodies", [](const Policy& p) { return Word(p.kept_bodies()); }},
      {"policy.batch", [](const Policy& p) { return BatchText(p.batch()); }},
      {"policy.coalesce", [](const Policy& p) { return YesNo(p.coalesce()); }},
      {"policy.mail_subscriber", [](const Policy& p) { return YesNo(p.mail_subscriber()); }},
      {"policy.auto_probe", [](const Policy& p) { return AutoProbeText(p.auto_probe()); }},
  };
  return *kTexts;
}

}  // namespace

std::string EndpointFieldText(const v1::Endpoint& endpoint, const std::string& path) {
  if (path == "description") return endpoint.description();
  if (path == "url") return MaskQuery(endpoint.url());
  if (path == "settings") return SettingsText(endpoint);
  if (path == "event_types") return List(endpoint.event_types());
  if (path == "channels") return List(endpoint.channels());
  if (path == "headers") return HeadersText(endpoint);
  if (path == "tls") return TlsText(endpoint);
  if (path == "authorization") return AuthorizationText(endpoint);
  const auto text = PolicyTexts().find(path);
  HOOKD_CHECK(text != PolicyTexts().end(), "a path that no text is for");
  return text->second(endpoint.policy());
}

std::string SubscriberFieldText(const v1::Subscriber& subscriber, const std::string& path) {
  if (path == "name") return subscriber.name();
  if (path == "profile") return subscriber.profile();
  if (path == "plan") return subscriber.plan();
  if (path == "strict") return YesNo(subscriber.strict());
  HOOKD_CHECK(path == "alert_addresses", "a path that no text is for");
  return absl::StrJoin(subscriber.alert_addresses(), ", ");
}

}  // namespace hookd::cli
