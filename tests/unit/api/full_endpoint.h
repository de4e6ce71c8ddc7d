// An endpoint with a value of its own in every field.
#pragma once

#include <memory>
#include <utility>

#include "dispatcher/api/convert.h"

namespace hookd {

inline constexpr char kSecret[] = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";

inline v1::Endpoint FullEndpoint() {
  v1::Endpoint endpoint;
  endpoint.set_subscriber_id("acme");
  endpoint.set_description("words");
  endpoint.set_url("https://example.com/hook?key=1");
  endpoint.add_event_types("message:*");
  endpoint.add_channels("c1");
  v1::Header& plain = *endpoint.add_headers();
  plain.set_name("X-Plain");
  plain.set_value("seen");
  v1::Header& secret = *endpoint.add_headers();
  secret.set_name("X-Secret");
  secret.set_value("unseen");
  secret.set_secret(true);
  v1::DeliveryPolicy& policy = *endpoint.mutable_policy();
  policy.set_mode(v1::DELIVERY_MODE_PARALLEL);
  policy.set_max_in_flight(3);
  policy.mutable_timeout()->set_seconds(1);
  policy.mutable_timeout()->set_nanos(500'000'000);
  v1::StatusRange& range = *policy.add_success_codes();
  range.set_first(200);
  range.set_last(204);
  policy.set_max_retries(0);
  policy.mutable_backoff()->mutable_linear()->mutable_step()->set_seconds(2);
  policy.mutable_backoff()->mutable_linear()->mutable_cap()->set_seconds(60);
  policy.mutable_backoff()->set_jitter(0.5);
  policy.mutable_rate_limit()->set_per_second(7);
  policy.mutable_rate_limit()->set_burst(9);
  policy.mutable_retry_after_max()->set_seconds(60);
  policy.set_alert_after(0);
  policy.mutable_auto_disable()->set_failures(0);
  policy.mutable_auto_disable()->mutable_span()->set_seconds(61);
  policy.mutable_auto_disable()->set_on_gone(false);
  policy.set_backlog(0);
  policy.set_http_version(v1::HTTP_VERSION_2);
  policy.set_kept_bodies(v1::KEPT_BODIES_ALL);
  policy.mutable_backoff()->set_exact_first(true);
  policy.mutable_rate_limit()->set_unit(v1::RATE_UNIT_MEMBER);
  policy.mutable_auto_disable()->set_count_429(true);
  policy.mutable_batch()->add_event_types("message:*");
  policy.mutable_batch()->set_max_members(7);
  policy.mutable_batch()->mutable_linger()->set_nanos(250'000'000);
  policy.set_coalesce(true);
  policy.set_mail_subscriber(true);
  policy.mutable_auto_probe()->mutable_first()->set_seconds(60);
  policy.mutable_auto_probe()->mutable_cap()->set_seconds(120);
  endpoint.set_signing_secret(kSecret);
  v1::OAuth2& oauth2 = *endpoint.mutable_authorization()->mutable_oauth2();
  oauth2.set_token_url("https://login.example/token");
  oauth2.set_client_id("client");
  oauth2.set_client_secret("unheard");
  oauth2.add_scopes("a");
  oauth2.add_scopes("b");
  oauth2.set_audience("api");
  oauth2.set_secret_in_body(true);
  return endpoint;
}

inline EndpointView ViewOf(Endpoint endpoint) {
  return {std::make_shared<const Endpoint>(std::move(endpoint)), LaneState{}};
}

}  // namespace hookd
