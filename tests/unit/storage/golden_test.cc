// The stored bytes, pinned. When a line here has to change, the format changes: see docs/storage-format.md
// first.
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/strings/escaping.h>
#include <gtest/gtest.h>

#include "storage/change_log.h"
#include "storage/format.h"
#include "storage/key_codec.h"
#include "storage/record_codec.h"
#include "storage/seal.h"

namespace hookd {
namespace {

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    text.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return text;
}

// "name hex" lines of tests/golden/format-1.txt.
std::map<std::string, std::string> Golden() {
  std::ifstream file("tests/golden/format-1.txt");
  EXPECT_TRUE(file.good()) << "run from the repository's root";
  std::map<std::string, std::string> lines;
  std::string name;
  std::string hex;
  while (file >> name >> hex) lines[name] = hex;
  return lines;
}

const EventId kEvent = EventId::Make(1'700'000'000'123, 7, 0x0abc, 0x0102030405060708);
const EndpointId kEndpoint = EndpointId::Make(0x0abc, 42);
const DeliveryId kDelivery{kEvent.bucket(), kEndpoint, 9};
constexpr WallMs kMade = 1'700'007'200'000;  // later than the event

Attempt SomeAttempt() {
  Attempt attempt;
  attempt.number = 3;
  attempt.started_ms = 1'700'000'001'000;
  attempt.us = {50, 100, 200, 300, 400, 1500};
  attempt.error = ErrorKind::kStatus;
  attempt.error_detail = "answered 503";
  attempt.status = 503;
  attempt.remote_address = "192.0.2.1:443";
  attempt.http_version = 11;
  attempt.response_body = "busy";
  attempt.body_truncated = true;
  attempt.resends = 1;
  attempt.next_due_ms = 1'700'000'046'000;
  attempt.decision = AttemptDecision::kBackoff;
  attempt.request_headers = "x: 1\nx-secret\n";
  attempt.response_headers = "y: 2\n";
  return attempt;
}

Endpoint SomeEndpoint() {
  Endpoint endpoint;
  endpoint.id = kEndpoint;
  endpoint.subscriber_id = "acme";
  endpoint.description = "orders";
  endpoint.url = "https://example.com/hook?key=1";
  endpoint.event_types = {"message:*"};
  endpoint.channels = {"42"};
  endpoint.headers = {{"X-Plain", "a", false}, {"X-Secret", "b", true}};
  endpoint.policy.mode = DeliveryMode::kParallel;
  endpoint.signing_keys = {{std::string(24, 'k')}};
  endpoint.policy.backoff.schedule = {Millis(5), Millis(300)};
  endpoint.paused = true;
  endpoint.disabled = DisableReason::kGone;
  endpoint.disabled_ms = 3;
  endpoint.state_note = "note";
  endpoint.created_ms = 1;
  endpoint.updated_ms = 2;
  return endpoint;
}

// With what profiles and batches brought.
Endpoint WholeEndpoint() {
  Endpoint endpoint = SomeEndpoint();
  endpoint.policy.backoff.exact_first = true;
  endpoint.policy.disable.count_429 = true;
  endpoint.policy.rate.unit = RateUnit::kMember;
  endpoint.policy.batch = {{"message:*"}, 24, Millis(250)};
  endpoint.policy.coalesce = true;
  endpoint.policy.mail_subscriber = true;
  endpoint.policy.probe = {Millis(60'000), Millis(120'000)};
  endpoint.disabled = DisableReason::kUnverified;
  endpoint.profile = "chat-api";
  endpoint.settings = {{"a", true}, {"b", false}};
  endpoint.muted_event_types = {"ack"};
  endpoint.capture = Capture{"bin_1", 4, true};
  return endpoint;
}

Endpoint TlsEndpoint() {
  Endpoint endpoint = SomeEndpoint();
  endpoint.tls =
      std::make_shared<const TlsSettings>(TlsSettings{"ca", {"pin1", "pin2"}, "certificate", "key"});
  return endpoint;
}

// With secrets that rotate, and a token server.
Endpoint SignedEndpoint() {
  Endpoint endpoint = SomeEndpoint();
  endpoint.signing_keys = {{std::string(32, 'p'), SigningScheme::kV1a, 21, 0},
                           {std::string(24, 'n'), SigningScheme::kV1, 22, 0},
                           {std::string(24, 'k'), SigningScheme::kV1, 0, 23}};
  endpoint.authorization.oauth2 = std::make_shared<const OAuth2Credentials>(
      OAuth2Credentials{"https://login.example/t", "client", "secret", {"a", "b"}, "api", true});
  return endpoint;
}

Endpoint BasicEndpoint() {
  Endpoint endpoint = SomeEndpoint();
  endpoint.authorization.basic =
      std::make_shared<const BasicCredentials>(BasicCredentials{"user", "password"});
  return endpoint;
}

Subscriber WholeSubscriber() {
  Subscriber subscriber{"acme", "Acme", true, 1, 2};
  subscriber.profile = "chat-api";
  subscriber.plan = "paid";
  subscriber.strict = true;
  subscriber.alert_addresses = {"a@example.com"};
  subscriber.held_channels = {"42"};
  return subscriber;
}

Event SomeEvent() {
  Event event;
  event.id = kEvent;
  event.subscriber_id = "acme";
  event.type = "message:in:new";
  event.channel = "42";
  event.ordering_key = "chat-1";
  event.idempotency_key = "k";
  event.traceparent = "00-a-b-01";
  event.tracestate = "v=1";
  event.payload = "{\"a\":1}";
  event.not_before_ms = 17;
  event.expires_ms = 18;
  event.accepted_ms = kEvent.accepted_ms();
  return event;
}

Event CoalescedEvent() {
  Event event = SomeEvent();
  event.coalesce_key = "status of 7";
  return event;
}

LaneState SomeLane() {
  LaneState lane;
  lane.cursor = 5;
  lane.next = 9;
  lane.queued = 3;
  lane.parked = 1;
  lane.consecutive_failures = 2;
  lane.failing_since_ms = 11;
  lane.last_success_ms = 12;
  lane.rate_tat_ms = 13;
  lane.deleted = true;
  lane.disable_failures = 14;
  lane.disable_since_ms = 15;
  lane.hold_until_ms = 16;
  return lane;
}

RemadePtr SomeRemade() { return std::make_shared<const Remade>(Remade{kMade, Origin::kRecover, kDelivery}); }

ParkedDelivery SomeParked() {
  return {9, kEvent, 0x1122334455667788, 3, 2, 1'700'000'046'000, 503, ErrorKind::kStatus, SomeRemade()};
}

Subscriber SomeSubscriber() {
  Subscriber subscriber;
  subscriber.id = "acme";
  subscriber.name = "Acme";
  subscriber.paused = true;
  subscriber.created_ms = 1;
  subscriber.updated_ms = 2;
  return subscriber;
}

AccessToken SomeToken() {
  AccessToken token;
  token.role = TokenRole::kSubscriber;
  token.subscriber_ids = {"acme", "beta"};
  token.description = "d";
  for (size_t i = 0; i < token.hash.size(); ++i) token.hash[i] = static_cast<uint8_t>(i);
  token.created_ms = 1;
  token.expires_ms = 2;
  return token;
}

AccessToken LimitedToken() {
  AccessToken token = SomeToken();
  token.bytes_per_second = 3;
  token.max_payload_bytes = 4;
  return token;
}

AuditRecord SomeAudit() {
  AuditRecord record;
  record.number = 42;
  record.at_ms = 1;
  record.origin = {"tok_0000000000000007", "operator", "d", "192.0.2.1", "S/Call", "why"};
  record.change = {"endpoint", "ep_1", "acme", "{}", R"({"a":1})", {"url", "headers/X"}};
  for (size_t i = 0; i < record.hash.size(); ++i) record.hash[i] = static_cast<uint8_t>(i);
  record.log_bytes = 2;
  return record;
}

Job SomeJob() {
  Job job;
  job.kind = JobKind::kReplay;
  job.state = JobState::kDone;
  job.endpoint = kEndpoint;
  job.subscriber_id = "acme";
  job.host = "example.com";
  job.event_type = "message:*";
  job.from_ms = 1;
  job.before_ms = 2;
  job.only_state = DeliveryState::kExpired;
  job.rate = 3;
  job.reason = "why";
  job.position = "p";
  job.phase = 4;
  job.matched = 5;
  job.done = 6;
  job.skipped = 7;
  job.expected = 8;
  job.error = "e";
  job.created_ms = 9;
  job.updated_ms = 10;
  job.ended_ms = 11;
  return job;
}

// A delivery made with its event for two endpoints, one made later, and the end of the latter.
std::string SomeChanges() {
  const auto event = std::make_shared<const Event>(SomeEvent());
  ChangeLog log;
  log.Apply(Accepted{event, {{kEndpoint, 9}, {EndpointId{3}, 1}}, std::nullopt});
  log.Apply(
      Redelivered{event, {kEndpoint, 10}, SomeRemade(), DeliveryState::kExhausted, kEvent.accepted_ms()});
  AttemptRecorded attempt;
  attempt.delivery = {BucketOf(kMade), kEndpoint, 10};
  attempt.event = kEvent;
  attempt.remade = SomeRemade();
  attempt.event_type = event->type;
  attempt.subscriber_id = event->subscriber_id;
  attempt.attempt = SomeAttempt();
  log.Apply(attempt);
  DeliveryEnded end;
  end.delivery = attempt.delivery;
  end.event = kEvent;
  end.remade = SomeRemade();
  end.event_type = event->type;
  end.subscriber_id = event->subscriber_id;
  end.reason = EndReason::kCanceledByPerson;
  end.at_ms = kMade + 5;
  end.attempt_count = 3;
  log.Apply(end);
  return log.Take(kMade + 10);
}

records::End SomeEnd() {
  records::End end;
  end.event = kEvent;
  end.state = DeliveryState::kExhausted;
  end.reason = EndReason::kRetriesUsedUp;
  end.ended_ms = 1'700'000'002'000;
  end.attempt_count = 3;
  end.event_type = "message:in:new";
  end.subscriber_id = "acme";
  end.has_attempt = true;
  end.last_attempt = SomeAttempt();
  end.remade = SomeRemade();
  return end;
}

std::map<std::string, std::string> Current() {
  IdempotencyKey idempotency;
  idempotency.key.fill(0xaa);
  idempotency.fingerprint.fill(0xbb);
  return {
      {"key.state", keys::State()},
      {"key.operations", keys::OperationsRow()},
      {"key.mail_cursor", keys::MailCursorRow()},
      {"key.bucket", keys::BucketRow(kEvent.bucket())},
      {"key.subscriber", keys::OfSubscriber("acme")},
      {"key.subscribers_endpoint", keys::OfSubscribersEndpoint("acme", kEndpoint)},
      {"key.endpoint", keys::OfEndpoint(kEndpoint)},
      {"key.delivery", keys::OfDelivery(kEndpoint, 9)},
      {"key.event", keys::OfEvent(kEvent)},
      {"key.history", keys::HistoryRow(kDelivery, 3)},
      {"key.end", keys::HistoryRow(kDelivery, keys::kEndRow)},
      {"key.by_state", keys::StateRow(DeliveryState::kExhausted, kMade, kEndpoint, 9)},
      {"key.by_time", keys::TimeRow(StableHash("acme"), kMade, kEndpoint, 9)},
      {"key.remade", keys::RemadeRow(kEvent, kEndpoint, 9)},
      {"key.job", keys::JobRow(42)},
      {"key.token", keys::TokenRow(42)},
      {"key.token_of_subscriber", keys::TokenOfSubscriberRow(StableHash("acme"), 42)},
      {"key.changes", keys::OfCommit(7)},
      {"key.changes_hour", keys::ChangesHour(kEvent.bucket())},
      {"value.id", keys::OfId(kDelivery)},
      {"value.commit", keys::OfNumber(uint64_t{7})},
      {"value.bucket", keys::OfNumber(Bucket{7})},
      {"key.idempotency", keys::OfIdempotency(keys::DayOf(kEvent.accepted_ms()), idempotency.key)},
      {"record.subscriber", records::Encode(SomeSubscriber())},
      {"record.subscriber_whole", records::Encode(WholeSubscriber())},
      {"record.endpoint", records::Encode(SomeEndpoint(), Sealer())},
      {"record.endpoint_basic", records::Encode(BasicEndpoint(), Sealer())},
      {"record.endpoint_signed", records::Encode(SignedEndpoint(), Sealer())},
      {"record.endpoint_tls", records::Encode(TlsEndpoint(), Sealer())},
      {"record.endpoint_whole", records::Encode(WholeEndpoint(), Sealer())},
      {"record.lane", records::Encode(SomeLane())},
      {"record.queued", records::Encode(records::Queued{kEvent})},
      {"record.queued_anew", records::Encode(records::Queued{kEvent, SomeRemade()})},
      {"record.job", records::Encode(SomeJob())},
      {"record.token", records::Encode(SomeToken())},
      {"record.token_limited", records::Encode(LimitedToken())},
      {"record.audit", records::Encode(SomeAudit())},
      {"key.payload_key", keys::PayloadKeyRow(0x1a2b3c4d)},
      {"record.changes", SomeChanges()},
      {"record.parked", records::Encode(SomeParked())},
      {"record.event", records::Encode(SomeEvent())},
      {"record.event_coalesced", records::Encode(CoalescedEvent())},
      {"record.attempt", records::Encode(SomeAttempt())},
      {"record.end", records::Encode(SomeEnd())},
      {"record.idempotency", records::EncodeIdempotency(kEvent, idempotency.fingerprint)},
      {"record.bucket", records::Encode(BucketView{77, 4, 7, 5, 6, true})},
      {"record.operations", records::Encode(Operations{true, "note", 8, true})},
      {"record.mail_cursor", records::EncodeMailCursor("after x\n")},
      {"record.state", records::Encode(records::StoreState{7, 8, 9, 1, 10})},
  };
}

TEST(StorageFormatTest, BytesAreThoseOfFormat1) {
  ASSERT_EQ(kStorageFormat, 1u) << "a new format gets a new golden file; this one stays, for the migration";
  const std::map<std::string, std::string> golden = Golden();
  const std::map<std::string, std::string> current = Current();
  EXPECT_EQ(golden.size(), current.size() + 1);  // what is sealed differs each time: PinnedSecretsOpen
  for (const auto& [name, bytes] : current) {
    const auto it = golden.find(name);
    EXPECT_EQ(it == golden.end() ? "(missing)" : it->second, Hex(bytes)) << name << " " << Hex(bytes);
  }
}

// By another implementation: fields of an endpoint under a key of 32 times 'k', behind a record in clear.
TEST(StorageFormatTest, PinnedSecretsOpen) {
  const std::map<std::string, std::string> golden = Golden();
  SecretKeys keys;
  keys.newest.emplace().bytes.fill('k');
  EXPECT_EQ(KeyIdText(keys.newest->id()), "d58f21e8");
  const std::string record =
      absl::HexStringToBytes(golden.at("record.endpoint") + golden.at("sealed.fields"));
  const absl::StatusOr<Endpoint> endpoint = records::DecodeEndpoint(kEndpoint, record, Sealer(keys));
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  EXPECT_EQ(endpoint->url, "https://example.com/sealed?key=2");
  EXPECT_EQ(endpoint->headers.back(), (Header{"X-Sealed", "hush", true}));
  EXPECT_EQ(endpoint->signing_keys.back().key, std::string(24, 's'));
  EXPECT_EQ(*records::HasStaleSecrets(record, keys.newest->id()), true);  // those before are in clear
  EXPECT_EQ(records::DecodeEndpoint(kEndpoint, record, Sealer()).status().code(),
            absl::StatusCode::kFailedPrecondition);
  const EndpointId other = EndpointId::Make(0x0abc, 43);
  EXPECT_EQ(records::DecodeEndpoint(other, record, Sealer(keys)).status().code(),
            absl::StatusCode::kDataLoss);
}

// Decoding what is pinned gives every field back: a symmetric mistake in encoder and decoder shows here.
TEST(StorageFormatTest, PinnedRecordsReadBackWhole) {
  const Endpoint endpoint =
      *records::DecodeEndpoint(kEndpoint, records::Encode(SomeEndpoint(), Sealer()), Sealer());
  EXPECT_EQ(endpoint.url, SomeEndpoint().url);
  EXPECT_EQ(endpoint.headers, SomeEndpoint().headers);
  EXPECT_EQ(endpoint.policy, SomeEndpoint().policy);
  EXPECT_EQ(endpoint.signing_keys, SomeEndpoint().signing_keys);
  EXPECT_TRUE(endpoint.paused);
  EXPECT_EQ(endpoint.disabled, DisableReason::kGone);
  EXPECT_EQ(endpoint.disabled_ms, 3);
  EXPECT_EQ(endpoint.state_note, "note");
  EXPECT_EQ(endpoint.profile, "");
  EXPECT_EQ(endpoint.tls, nullptr);
  EXPECT_EQ(endpoint.authorization.basic, nullptr);
  EXPECT_EQ(endpoint.authorization.oauth2, nullptr);
  const Endpoint with_keys =
      *records::DecodeEndpoint(kEndpoint, records::Encode(SignedEndpoint(), Sealer()), Sealer());
  EXPECT_EQ(with_keys.signing_keys, SignedEndpoint().signing_keys);
  EXPECT_EQ(*with_keys.authorization.oauth2, *SignedEndpoint().authorization.oauth2);
  EXPECT_EQ(with_keys.authorization.basic, nullptr);
  const Endpoint basic =
      *records::DecodeEndpoint(kEndpoint, records::Encode(BasicEndpoint(), Sealer()), Sealer());
  EXPECT_EQ(*basic.authorization.basic, *BasicEndpoint().authorization.basic);
  EXPECT_EQ(basic.authorization.oauth2, nullptr);
  EXPECT_EQ(*records::DecodeEndpoint(kEndpoint, records::Encode(TlsEndpoint(), Sealer()), Sealer())->tls,
            *TlsEndpoint().tls);
  const Endpoint whole =
      *records::DecodeEndpoint(kEndpoint, records::Encode(WholeEndpoint(), Sealer()), Sealer());
  EXPECT_EQ(whole.policy, WholeEndpoint().policy);
  EXPECT_EQ(whole.disabled, DisableReason::kUnverified);
  EXPECT_EQ(whole.profile, "chat-api");
  EXPECT_EQ(whole.settings, WholeEndpoint().settings);
  EXPECT_EQ(whole.muted_event_types, WholeEndpoint().muted_event_types);
  EXPECT_EQ(whole.capture, WholeEndpoint().capture);
  const Subscriber subscriber = *records::DecodeSubscriber(records::Encode(WholeSubscriber()));
  EXPECT_EQ(subscriber.profile, "chat-api");
  EXPECT_EQ(subscriber.plan, "paid");
  EXPECT_TRUE(subscriber.strict);
  EXPECT_EQ(subscriber.alert_addresses, WholeSubscriber().alert_addresses);
  EXPECT_EQ(subscriber.held_channels, WholeSubscriber().held_channels);
  EXPECT_EQ((*records::DecodeEvent(kEvent, records::Encode(CoalescedEvent())))->coalesce_key, "status of 7");
  const records::End end = *records::DecodeEnd(records::Encode(SomeEnd()));
  EXPECT_EQ(end.state, DeliveryState::kExhausted);
  EXPECT_EQ(end.last_attempt.response_body, "busy");
  EXPECT_EQ(end.last_attempt.us.total, 1500);
  EXPECT_EQ(end.last_attempt.us.queue, 50);
  EXPECT_EQ(end.last_attempt.decision, AttemptDecision::kBackoff);
  EXPECT_EQ(end.last_attempt.request_headers, "x: 1\nx-secret\n");
  EXPECT_EQ(end.last_attempt.response_headers, "y: 2\n");
  ASSERT_NE(end.remade, nullptr);
  EXPECT_EQ(end.remade->accepted_ms, kMade);
  EXPECT_EQ(end.remade->origin, Origin::kRecover);
  EXPECT_EQ(end.remade->replaces, kDelivery);
  EXPECT_EQ(records::DecodeQueued(records::Encode(records::Queued{kEvent}))->remade, nullptr);
  const ParkedDelivery parked = *records::DecodeParked(9, records::Encode(SomeParked()));
  EXPECT_EQ(parked.sequence, 9u);
  EXPECT_EQ(parked.attempts, 3u);
  EXPECT_EQ(parked.failures, 2u);
  EXPECT_EQ(parked.ordering_key_hash, 0x1122334455667788u);
  EXPECT_EQ(parked.due_ms, 1'700'000'046'000);
  EXPECT_EQ(parked.last_status, 503);
  EXPECT_EQ(parked.last_error, ErrorKind::kStatus);
  const LaneState lane = *records::DecodeLane(records::Encode(SomeLane()));
  EXPECT_EQ(lane.cursor, 5u);
  EXPECT_EQ(lane.pending(), 4u);
  EXPECT_TRUE(lane.deleted);
  EXPECT_EQ(lane.disable_failures, 14u);
  EXPECT_EQ(lane.disable_since_ms, 15);
  EXPECT_EQ(lane.hold_until_ms, 16);
  EXPECT_TRUE(records::DecodeBucket(77, records::Encode(BucketView{77, 4, 7, 5, 6, true}))->payloads_gone);
  const Operations operations{true, "note", 8, true};
  EXPECT_EQ(*records::DecodeOperations(records::Encode(operations)), operations);
  EXPECT_EQ(*records::DecodeAudit(42, records::Encode(SomeAudit())), SomeAudit());
  AccessToken limited = LimitedToken();
  EXPECT_EQ(records::DecodeToken(limited.id, records::Encode(limited))->max_payload_bytes, 4u);
  EXPECT_EQ(*records::DecodeMailCursor(records::EncodeMailCursor("after x\n")), "after x\n");
  EXPECT_EQ((*records::DecodeEvent(kEvent, records::Encode(SomeEvent())))->payload, "{\"a\":1}");
}

TEST(StorageFormatTest, DamagedRecordsAreDataLoss) {
  const std::string junk = "\xff\xff\xff";
  EXPECT_EQ(records::DecodeEndpoint(kEndpoint, junk, Sealer()).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeEnd(junk).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeEnd("").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeQueued("").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeParked(1, "").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeJob(1, junk).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeJob(1, "").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeToken(1, junk).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeToken(1, "").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeAudit(1, junk).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeAudit(1, "").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodePayloadKey(1, "", Sealer()).status().code(), absl::StatusCode::kDataLoss);
  std::vector<StateChange> changes;
  EXPECT_EQ(DecodeChanges(junk, changes).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeIdempotency("").status().code(), absl::StatusCode::kDataLoss);
}

TEST(KeyCodecTest, BytewiseOrderIsTheOrderOfTheNumbers) {
  EXPECT_LT(keys::OfDelivery(kEndpoint, 255), keys::OfDelivery(kEndpoint, 256));
  EXPECT_LT(keys::OfDelivery(EndpointId{1}, UINT64_MAX), keys::OfDelivery(EndpointId{2}, 0));
  EXPECT_LT(keys::HistoryRow(kDelivery, 100), keys::HistoryRow(kDelivery, keys::kEndRow));
}

TEST(KeyCodecTest, EndpointsLieBehindTheirSubscriberAndBeforeTheNext) {
  EXPECT_LT(keys::OfSubscriber("acme"), keys::OfSubscribersEndpoint("acme", EndpointId{0}));
  EXPECT_LT(keys::OfSubscribersEndpoint("acme", EndpointId{UINT64_MAX}), keys::AfterSubscriber("acme"));
}

TEST(KeyCodecTest, ABucketIsAPrefixOfAllItsRows) {
  EXPECT_TRUE(keys::OfEvent(kEvent).starts_with(keys::EventBucket(kDelivery.bucket)));
  EXPECT_TRUE(keys::HistoryRow(kDelivery, 3).starts_with(keys::HistoryBucket(kDelivery.bucket)));
  EXPECT_TRUE(keys::TimeRow(1, kMade, kEndpoint, 9).starts_with(keys::TimeBucket(BucketOf(kMade))));
}

TEST(KeyCodecTest, ParsersTakeBackTheirOwnAndNothingElse) {
  EXPECT_EQ(keys::ParseHistoryRow(keys::HistoryRow(kDelivery, 3))->id, kDelivery);
  const std::string by_state = keys::StateRow(DeliveryState::kExhausted, kMade, kEndpoint, 9);
  EXPECT_EQ(keys::ParseStateRow(by_state)->made_ms, kMade);
  EXPECT_EQ(keys::ParseStateRow(by_state)->id, (DeliveryId{BucketOf(kMade), kEndpoint, 9}));
  const std::string by_time = keys::TimeRow(77, kMade, kEndpoint, 9);
  EXPECT_EQ(keys::ParseTimeRow(by_time)->subscriber, 77u);
  EXPECT_EQ(keys::ParseTimeRow(by_time)->made_ms, kMade);
  EXPECT_EQ(keys::ParseTimeRow(by_time)->id, (DeliveryId{BucketOf(kMade), kEndpoint, 9}));
  EXPECT_EQ(keys::ParseRemadeRow(keys::RemadeRow(kEvent, kEndpoint, 9))->sequence, 9u);
  EXPECT_EQ(keys::ParseJobRow(keys::JobRow(42)), 42u);
  EXPECT_EQ(keys::ParsePayloadKeyRow(keys::PayloadKeyRow(42)), 42u);
  EXPECT_EQ(keys::ParsePayloadKeyRow(keys::BucketRow(42)), std::nullopt);
  EXPECT_EQ(keys::ParseTokenRow(keys::TokenRow(42)), 42u);
  EXPECT_EQ(keys::ParseTokenOfSubscriberRow(keys::TokenOfSubscriberRow(1, 42)), 42u);
  EXPECT_EQ(keys::ParseCommit(keys::OfCommit(42)), 42u);
  EXPECT_EQ(keys::ParseChangesHour(keys::ChangesHour(42)), 42u);
  EXPECT_EQ(keys::ParseId(keys::OfId(kDelivery)), kDelivery);
  EXPECT_EQ(keys::ParseNumber(keys::OfNumber(uint64_t{42})), 42u);
  EXPECT_EQ(keys::ParseTimeRow(by_state), std::nullopt);
  EXPECT_FALSE(keys::ParseRemadeRow(by_time).has_value());
  EXPECT_EQ(keys::ParseChangesHour(keys::BucketRow(42)), std::nullopt);
  EXPECT_EQ(keys::ParseId("short"), std::nullopt);
  EXPECT_EQ(keys::ParseBucketRow(keys::BucketRow(77)), 77u);
  EXPECT_EQ(keys::ParseHistoryRow(by_state), std::nullopt);
  EXPECT_EQ(keys::ParseStateRow(keys::HistoryRow(kDelivery, 3)), std::nullopt);
  EXPECT_EQ(keys::ParseBucketRow(keys::State()), std::nullopt);
  EXPECT_FALSE(keys::ParseDelivery("short").has_value());
  const std::string own = keys::OfSubscriber("acme");
  EXPECT_EQ(keys::ParseSubscriber(own)->id, "acme");
  EXPECT_EQ(keys::ParseSubscriber(own)->endpoint, std::nullopt);
  const std::string listed = keys::OfSubscribersEndpoint("acme", kEndpoint);
  EXPECT_EQ(keys::ParseSubscriber(listed)->id, "acme");
  EXPECT_EQ(keys::ParseSubscriber(listed)->endpoint, kEndpoint);
  EXPECT_FALSE(keys::ParseSubscriber(listed.substr(0, listed.size() - 1)).has_value());
  EXPECT_FALSE(keys::ParseSubscriber("").has_value());
}

TEST(KeyCodecTest, AfterIsAboveEveryKeyWithThePrefix) {
  EXPECT_EQ(keys::After("a"), "b");
  EXPECT_EQ(keys::After(std::string("a\xff", 2)), "b");
  EXPECT_EQ(keys::After("\xff"), "");
}

}  // namespace
}  // namespace hookd
