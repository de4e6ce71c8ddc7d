#include "tests/conformance/fact_builders.h"

#include <string_view>
#include <utility>

#include "base/concat.h"

namespace hookd {

EndpointId MakeEndpointId(const std::string& subscriber_id, uint64_t number) {
  return EndpointId::Make(PartitionOf(subscriber_id), number);
}

std::shared_ptr<const Endpoint> MakeEndpoint(const std::string& subscriber_id, uint64_t number) {
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->id = MakeEndpointId(subscriber_id, number);
  endpoint->subscriber_id = subscriber_id;
  endpoint->description = "for the tests: ñ";
  endpoint->url = "https://hooks.example/in?key=" + std::to_string(number);
  endpoint->event_types = {"message:*", "number:update"};
  endpoint->channels = {"34600000001", "34600000002"};
  endpoint->headers = {{"X-Plain", "seen", false}, {"X-Token", "hidden", true}};
  endpoint->policy.mode = DeliveryMode::kParallel;
  endpoint->policy.max_in_flight = 7;
  endpoint->policy.timeout = Millis(12'345);
  endpoint->policy.success = {{200, 200}, {202, 204}};
  endpoint->policy.max_retries = 0;
  endpoint->policy.backoff = LinearBackoff(Millis(3'000), Millis(9'000), 0.25);
  endpoint->policy.backoff.factor = 1.5;
  endpoint->policy.backoff.schedule = {Millis(5), Millis(300)};
  endpoint->policy.retry_after_max = Millis(60'000);
  endpoint->policy.rate = {0, 1};
  endpoint->policy.alert_after = 3;
  endpoint->policy.disable = {7, Millis(1'000), false};
  endpoint->policy.backlog = 0;
  endpoint->policy.http_version = HttpVersion::kHttp2;
  endpoint->policy.keep_all_bodies = true;
  endpoint->policy.backoff.exact_first = true;
  endpoint->policy.disable.count_429 = true;
  endpoint->policy.rate.unit = RateUnit::kMember;
  endpoint->policy.batch = {{"message:*"}, 24, Millis(250)};
  endpoint->policy.coalesce = true;
  endpoint->policy.mail_subscriber = true;
  endpoint->policy.probe = {Millis(60'000), Millis(120'000)};
  endpoint->profile = "chat-api";
  endpoint->settings = {{"guaranteed_hooks", true}, {"upload", false}};
  endpoint->muted_event_types = {"ack"};
  endpoint->capture = Capture{"bin_1", kT0 + 600'000, true};
  endpoint->tls = std::make_shared<const TlsSettings>(TlsSettings{"ca", {"pin"}, "certificate", "key"});
  endpoint->signing_keys = {{std::string(32, 's'), SigningScheme::kV1a, kT0 - 7},
                            {Concat(std::string_view("\0\x01\xfe\xff", 4), std::string(20, 'k'))},
                            {std::string(64, 'o'), SigningScheme::kV1, kT0 - 9, kT0 + 90}};
  endpoint->authorization.oauth2 = std::make_shared<const OAuth2Credentials>(
      OAuth2Credentials{"https://login.example/token", "client", "secret", {"a", "b"}, "api", true});
  endpoint->paused = true;
  endpoint->disabled = DisableReason::kPerson;
  endpoint->disabled_ms = kT0 - 5;
  endpoint->state_note = "asked for: ñ";
  endpoint->created_ms = kT0 - 2;
  endpoint->updated_ms = kT0 - 1;
  return endpoint;
}

Subscriber MakeSubscriber(const std::string& id) {
  Subscriber subscriber{id, "Acme, Inc.", true, kT0 - 4, kT0 - 3};
  subscriber.profile = "chat-api";
  subscriber.plan = "paid";
  subscriber.strict = true;
  subscriber.alert_addresses = {"alerts@acme.example", "night@acme.example"};
  subscriber.held_channels = {"34600000001", "34600000009"};
  return subscriber;
}

std::shared_ptr<const Event> MakeEvent(const std::string& subscriber_id, WallMs accepted_ms, uint16_t counter,
                                       std::string payload) {
  auto event = std::make_shared<Event>();
  event->id = EventId::Make(accepted_ms, counter, PartitionOf(subscriber_id), 0x0102030405060708 + counter);
  event->subscriber_id = subscriber_id;
  event->type = kEventType;
  event->channel = "34600000001";
  event->ordering_key = "34600000009@c.us";
  event->idempotency_key = "their-" + std::to_string(counter);
  event->traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  event->tracestate = "vendor=of-a-span";
  event->coalesce_key = "status of " + std::to_string(counter);
  event->payload = std::move(payload);
  event->not_before_ms = accepted_ms + 1;
  event->expires_ms = accepted_ms + 86'400'000;
  event->accepted_ms = accepted_ms;
  return event;
}

Attempt MakeAttempt(uint32_t number, ErrorKind error) {
  Attempt attempt;
  attempt.number = number;
  attempt.started_ms = kT0 + int64_t{number} * 1'000;
  attempt.us = {90, 100, 2'000, 30'000, 110'000, 120'500};
  attempt.error = error;
  attempt.status = error == ErrorKind::kNone ? 204 : error == ErrorKind::kStatus ? 503 : 0;
  attempt.remote_address = "[2001:db8::1]:443";
  attempt.http_version = 11;
  attempt.resends = number % 2;
  if (error != ErrorKind::kNone) {
    attempt.error_detail = "it failed: ñ";
    attempt.response_body = std::string("<html>\0\xff", 8);
    attempt.body_truncated = true;
    attempt.request_headers = "host: hooks.example\nx-token\n";
    attempt.response_headers = "Retry-After: 1\nx: \xff\n";
  }
  attempt.decision = error == ErrorKind::kNone ? AttemptDecision::kDelivered : AttemptDecision::kBackoff;
  return attempt;
}

AccessToken MakeToken(uint64_t id, std::vector<std::string> subscriber_ids) {
  AccessToken token;
  token.id = id;
  token.role = subscriber_ids.empty() ? TokenRole::kViewer : TokenRole::kSubscriber;
  token.subscriber_ids = std::move(subscriber_ids);
  token.description = "the one in the vault";
  token.hash.fill(static_cast<uint8_t>(id));
  token.created_ms = kT0 + 1;
  token.expires_ms = kT0 + 2;
  return token;
}

Job MakeJob(uint64_t id) {
  Job job;
  job.id = id;
  job.kind = JobKind::kExpire;
  job.state = JobState::kFailed;
  job.endpoint = MakeEndpointId("acme", 1);
  job.subscriber_id = "acme";
  job.host = "hooks.example:8443";
  job.event_type = "message:*";
  job.from_ms = kT0 - 7;
  job.before_ms = kT0 - 6;
  job.only_state = DeliveryState::kExpired;
  job.rate = 17;
  job.reason = "asked for: ñ";
  job.position = std::string("s\0\xff", 3);
  job.phase = 2;
  job.matched = 3;
  job.done = 4;
  job.skipped = 5;
  job.expected = 6;
  job.error = "no room";
  job.created_ms = kT0 + 1;
  job.updated_ms = kT0 + 2;
  job.ended_ms = kT0 + 3;
  return job;
}

DeliveryQuery ListOf(EndpointId endpoint, std::optional<DeliveryState> state) {
  DeliveryQuery query;
  query.endpoint = endpoint;
  query.state = state;
  return query;
}

DeliveryQuery ListIn(DeliveryState state) {
  DeliveryQuery query;
  query.state = state;
  return query;
}

AuditRecord MakeAuditRecord(uint64_t number) {
  AuditRecord record;
  record.number = number;
  record.at_ms = kT0 + static_cast<WallMs>(number / 10) * 1'000;  // ten of one time
  record.origin = {number % 2 == 0 ? "local" : "tok_0000000000000007",
                   "operator",
                   "on call ñ",
                   "192.0.2.1",
                   number % 3 == 0 ? "EndpointService/PauseEndpoint" : "SubscriberService/UpdateSubscriber",
                   "maintenance"};
  record.change = {"endpoint",
                   "ep_" + std::to_string(number % 5),
                   number % 4 == 0 ? "acme" : "beta",
                   R"({"paused":false})",
                   R"({"paused":true})",
                   {"headers/X-Key", "url"}};
  record.hash.fill(static_cast<uint8_t>(number));
  record.log_bytes = number * 300;
  return record;
}

}  // namespace hookd
