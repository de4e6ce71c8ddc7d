// The stored bytes, pinned. When a line here has to change, the format changes: see docs/storage-format.md
// first.
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "storage/format.h"
#include "storage/key_codec.h"
#include "storage/record_codec.h"

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

Attempt SomeAttempt() {
  Attempt attempt;
  attempt.number = 3;
  attempt.started_ms = 1'700'000'001'000;
  attempt.us = {100, 200, 300, 400, 1500};
  attempt.error = ErrorKind::kStatus;
  attempt.error_detail = "answered 503";
  attempt.status = 503;
  attempt.remote_address = "192.0.2.1:443";
  attempt.http_version = 11;
  attempt.response_body = "busy";
  attempt.body_truncated = true;
  attempt.resends = 1;
  attempt.next_due_ms = 1'700'000'046'000;
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
  endpoint.signing_keys = {std::string(24, 'k')};
  endpoint.policy.backoff.schedule = {Millis(5), Millis(300)};
  endpoint.paused = true;
  endpoint.disabled = DisableReason::kGone;
  endpoint.disabled_ms = 3;
  endpoint.state_note = "note";
  endpoint.created_ms = 1;
  endpoint.updated_ms = 2;
  return endpoint;
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
  event.payload = "{\"a\":1}";
  event.not_before_ms = 17;
  event.expires_ms = 18;
  event.accepted_ms = kEvent.accepted_ms();
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

ParkedDelivery SomeParked() { return {9, kEvent, 0x1122334455667788, 3, 2, 1'700'000'046'000}; }

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
  return end;
}

std::map<std::string, std::string> Current() {
  IdempotencyKey idempotency;
  idempotency.key.fill(0xaa);
  idempotency.fingerprint.fill(0xbb);
  return {
      {"key.state", keys::State()},
      {"key.operations", keys::OperationsRow()},
      {"key.bucket", keys::BucketRow(kEvent.bucket())},
      {"key.subscriber", keys::OfSubscriber("acme")},
      {"key.subscribers_endpoint", keys::OfSubscribersEndpoint("acme", kEndpoint)},
      {"key.endpoint", keys::OfEndpoint(kEndpoint)},
      {"key.delivery", keys::OfDelivery(kEndpoint, 9)},
      {"key.event", keys::OfEvent(kEvent)},
      {"key.history", keys::HistoryRow(kDelivery, 3)},
      {"key.end", keys::HistoryRow(kDelivery, keys::kEndRow)},
      {"key.by_state", keys::StateRow(DeliveryState::kExhausted, kDelivery)},
      {"key.idempotency", keys::OfIdempotency(keys::DayOf(kEvent.accepted_ms()), idempotency.key)},
      {"record.subscriber", records::Encode(Subscriber{"acme", "Acme", true, 1, 2})},
      {"record.endpoint", records::Encode(SomeEndpoint())},
      {"record.lane", records::Encode(SomeLane())},
      {"record.queued", records::EncodeQueued(kEvent)},
      {"record.parked", records::Encode(SomeParked())},
      {"record.event", records::Encode(SomeEvent())},
      {"record.attempt", records::Encode(SomeAttempt())},
      {"record.end", records::Encode(SomeEnd())},
      {"record.idempotency", records::EncodeIdempotency(kEvent, idempotency.fingerprint)},
      {"record.bucket", records::Encode(BucketView{77, 4, 5, 6, true})},
      {"record.operations", records::Encode(Operations{true, "note", 8, true})},
      {"record.state", records::Encode(records::StoreState{7, 8, 9, 1})},
  };
}

TEST(StorageFormatTest, BytesAreThoseOfFormat1) {
  ASSERT_EQ(kStorageFormat, 1u) << "a new format gets a new golden file; this one stays, for the migration";
  const std::map<std::string, std::string> golden = Golden();
  const std::map<std::string, std::string> current = Current();
  EXPECT_EQ(golden.size(), current.size());
  for (const auto& [name, bytes] : current) {
    const auto it = golden.find(name);
    EXPECT_EQ(it == golden.end() ? "(missing)" : it->second, Hex(bytes)) << name << " " << Hex(bytes);
  }
}

// Decoding what is pinned gives every field back: a symmetric mistake in encoder and decoder shows here.
TEST(StorageFormatTest, PinnedRecordsReadBackWhole) {
  const Endpoint endpoint = *records::DecodeEndpoint(kEndpoint, records::Encode(SomeEndpoint()));
  EXPECT_EQ(endpoint.url, SomeEndpoint().url);
  EXPECT_EQ(endpoint.headers, SomeEndpoint().headers);
  EXPECT_EQ(endpoint.policy, SomeEndpoint().policy);
  EXPECT_EQ(endpoint.signing_keys, SomeEndpoint().signing_keys);
  EXPECT_TRUE(endpoint.paused);
  EXPECT_EQ(endpoint.disabled, DisableReason::kGone);
  EXPECT_EQ(endpoint.disabled_ms, 3);
  EXPECT_EQ(endpoint.state_note, "note");
  const records::End end = *records::DecodeEnd(records::Encode(SomeEnd()));
  EXPECT_EQ(end.state, DeliveryState::kExhausted);
  EXPECT_EQ(end.last_attempt.response_body, "busy");
  EXPECT_EQ(end.last_attempt.us.total, 1500);
  const ParkedDelivery parked = *records::DecodeParked(9, records::Encode(SomeParked()));
  EXPECT_EQ(parked.sequence, 9u);
  EXPECT_EQ(parked.attempts, 3u);
  EXPECT_EQ(parked.failures, 2u);
  EXPECT_EQ(parked.ordering_key_hash, 0x1122334455667788u);
  EXPECT_EQ(parked.due_ms, 1'700'000'046'000);
  const LaneState lane = *records::DecodeLane(records::Encode(SomeLane()));
  EXPECT_EQ(lane.cursor, 5u);
  EXPECT_EQ(lane.pending(), 4u);
  EXPECT_TRUE(lane.deleted);
  EXPECT_EQ(lane.disable_failures, 14u);
  EXPECT_EQ(lane.disable_since_ms, 15);
  EXPECT_EQ(lane.hold_until_ms, 16);
  EXPECT_TRUE(records::DecodeBucket(77, records::Encode(BucketView{77, 4, 5, 6, true}))->payloads_gone);
  const Operations operations{true, "note", 8, true};
  EXPECT_EQ(*records::DecodeOperations(records::Encode(operations)), operations);
  EXPECT_EQ((*records::DecodeEvent(kEvent, records::Encode(SomeEvent())))->payload, "{\"a\":1}");
}

TEST(StorageFormatTest, DamagedRecordsAreDataLoss) {
  const std::string junk = "\xff\xff\xff";
  EXPECT_EQ(records::DecodeEndpoint(kEndpoint, junk).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeEnd(junk).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeEnd("").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeQueued("").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(records::DecodeParked(1, "").status().code(), absl::StatusCode::kDataLoss);
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
  EXPECT_TRUE(keys::StateRow(DeliveryState::kExpired, kDelivery)
                  .starts_with(keys::StateBucket(DeliveryState::kExpired, kDelivery.bucket)));
}

TEST(KeyCodecTest, ParsersTakeBackTheirOwnAndNothingElse) {
  EXPECT_EQ(keys::ParseHistoryRow(keys::HistoryRow(kDelivery, 3))->id, kDelivery);
  EXPECT_EQ(keys::ParseStateRow(keys::StateRow(DeliveryState::kExhausted, kDelivery)), kDelivery);
  EXPECT_EQ(keys::ParseBucketRow(keys::BucketRow(77)), 77u);
  EXPECT_EQ(keys::ParseHistoryRow(keys::StateRow(DeliveryState::kExhausted, kDelivery)), std::nullopt);
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
