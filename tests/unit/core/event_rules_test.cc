#include "dispatcher/core/event_rules.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <absl/strings/escaping.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Event GoodEvent() {
  Event event;
  event.subscriber_id = "acct_1@example.com";
  event.type = "message:in:new";
  event.channel = "number-1";
  event.ordering_key = "chat/\u00e9";
  event.idempotency_key = "key 1";
  event.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  event.payload = R"({"text":"hi"})";
  return event;
}

std::string Check(const Event& event) { return CheckEvent(event).ToString(); }

std::string Hex(const std::array<uint8_t, 16>& bytes) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

TEST(EventRulesTest, TakesFullAndSparseEvents) {
  EXPECT_EQ(Check(GoodEvent()), "OK");
  Event sparse;
  sparse.subscriber_id = "1";
  sparse.type = "t";
  sparse.payload = "0";
  EXPECT_EQ(Check(sparse), "OK");
}

TEST(EventRulesTest, BoundsIdAndType) {
  Event event = GoodEvent();
  event.subscriber_id = std::string(128, 'a');
  event.type = std::string(128, 'a');
  EXPECT_EQ(Check(event), "OK");
  for (const std::string& bad : {std::string(), std::string(129, 'a'), std::string("a b"), std::string("a/b"),
                                 std::string("a\n"), std::string("a\0", 2), std::string("\u00e9")}) {
    event = GoodEvent();
    event.subscriber_id = bad;
    EXPECT_THAT(Check(event), StartsWith("INVALID_ARGUMENT: subscriber_id: use 1 to 128 characters"));
    event = GoodEvent();
    event.type = bad;
    EXPECT_THAT(Check(event), StartsWith("INVALID_ARGUMENT: type: use 1 to 128 characters"));
  }
  event = GoodEvent();
  event.type = "message:*";
  EXPECT_THAT(Check(event), StartsWith("INVALID_ARGUMENT: type: "));
}

TEST(EventRulesTest, BoundsOptionalTexts) {
  const std::pair<const char*, std::string Event::*> fields[] = {{"channel", &Event::channel},
                                                                 {"ordering_key", &Event::ordering_key},
                                                                 {"idempotency_key", &Event::idempotency_key},
                                                                 {"traceparent", &Event::traceparent}};
  for (const auto& [name, member] : fields) {
    const std::string begin = std::string("INVALID_ARGUMENT: ") + name + ": ";
    Event event = GoodEvent();
    event.*member = "";
    EXPECT_EQ(Check(event), "OK") << name;
    event.*member = std::string(128, 'a');
    EXPECT_EQ(Check(event), "OK") << name;
    event.*member = std::string(129, 'a');
    EXPECT_EQ(Check(event), begin + "is 129 bytes long, use at most 128");
    for (const std::string& bad :
         {std::string("a\nb"), std::string("a\r"), std::string("\0", 1), std::string("\x7f")}) {
      event.*member = bad;
      EXPECT_EQ(Check(event), begin + "holds a control character, remove it");
    }
    event.*member = "\xff";
    EXPECT_EQ(Check(event), begin + "is not valid UTF-8");
  }
}

TEST(EventRulesTest, TraceparentIsFitForAHeader) {
  Event event = GoodEvent();
  for (const char* bad : {"00 01", "\u00e9"}) {
    event.traceparent = bad;
    EXPECT_THAT(Check(event), StartsWith("INVALID_ARGUMENT: traceparent: holds a space"));
  }
}

TEST(EventRulesTest, BoundsPayload) {
  Event event = GoodEvent();
  event.payload = "\"" + std::string(kMaxPayloadBytes - 2, 'a') + "\"";
  EXPECT_EQ(Check(event), "OK");
  event.payload.insert(1, "a");
  EXPECT_EQ(Check(event), "INVALID_ARGUMENT: payload: is 1048577 bytes long, use at most 1048576");
  event.payload = "{sesame}";
  EXPECT_EQ(Check(event), "INVALID_ARGUMENT: payload: is not valid JSON: syntax error at byte 1");
  event.payload = "";
  EXPECT_THAT(Check(event), StartsWith("INVALID_ARGUMENT: payload: is not valid JSON"));
}

TEST(EventRulesTest, BoundsTheCoalesceKey) {
  Event event = GoodEvent();
  event.coalesce_key = std::string(128, 'k');
  EXPECT_EQ(Check(event), "OK");
  event.coalesce_key += 'k';
  EXPECT_THAT(Check(event), StartsWith("INVALID_ARGUMENT: coalesce_key: "));
}

Subscriber GoodSubscriber() {
  Subscriber subscriber;
  subscriber.id = "acme";
  subscriber.profile = "small";
  subscriber.plan = std::string(64, 'p');
  subscriber.strict = true;
  subscriber.alert_addresses.assign(10, "a.b+c@mail.example.com");
  return subscriber;
}

TEST(SubscriberRulesTest, BoundsPlanProfileAndAddresses) {
  const auto check = [](const std::function<void(Subscriber&)>& change) {
    Subscriber subscriber = GoodSubscriber();
    change(subscriber);
    return CheckSubscriber(subscriber).ToString();
  };
  EXPECT_EQ(check([](Subscriber&) {}), "OK");
  EXPECT_THAT(check([](Subscriber& s) { s.plan += 'p'; }), StartsWith("INVALID_ARGUMENT: plan: "));
  EXPECT_THAT(check([](Subscriber& s) { s.profile = std::string(65, 'p'); }),
              StartsWith("INVALID_ARGUMENT: profile: "));
  EXPECT_THAT(check([](Subscriber& s) { s.profile.clear(); }), HasSubstr("strict: needs a profile"));
  EXPECT_THAT(check([](Subscriber& s) { s.alert_addresses.push_back("a@b"); }),
              HasSubstr("alert_addresses: there are 11, use at most 10"));
  for (const std::string& bad :
       {std::string("a"), std::string("@b"), std::string("a@"), std::string("a@b@c"), std::string("a b@c"),
        std::string("a@b\r\nBcc: x@y"), std::string("<a@b>"), std::string("a@b,c@d"), std::string("\"a\"@b"),
        std::string("a..b@c"), std::string(".a@b"), std::string("a@b."), std::string(65, 'a') + "@b",
        std::string("a@") + std::string(253, 'b'), std::string("\u00e9@b")}) {
    EXPECT_THAT(check([&bad](Subscriber& s) {
                  s.alert_addresses = {"good@example.com", bad};
                }),
                StartsWith("INVALID_ARGUMENT: alert_addresses[1]: is not a mail address"))
        << bad;
  }
}

TEST(SubscriberRulesTest, HoldsAndReleasesChannels) {
  Subscriber subscriber = GoodSubscriber();
  for (const std::string channel : {"b", "a", "b", "c"})
    EXPECT_TRUE(HoldChannel(channel, true, subscriber).ok());
  EXPECT_EQ(subscriber.held_channels, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(HoldChannel("b", false, subscriber).ok());
  EXPECT_TRUE(HoldChannel("x", false, subscriber).ok());
  EXPECT_EQ(subscriber.held_channels, (std::vector<std::string>{"a", "c"}));
  EXPECT_THAT(HoldChannel("", true, subscriber).ToString(), HasSubstr("channel: must not be empty"));
  EXPECT_THAT(HoldChannel(std::string(129, 'c'), true, subscriber).ToString(),
              HasSubstr("INVALID_ARGUMENT: channel"));
  for (size_t i = 2; i < kMaxHeldChannels; ++i)
    ASSERT_TRUE(HoldChannel("n" + std::to_string(i), true, subscriber).ok());
  EXPECT_EQ(HoldChannel("one more", true, subscriber).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(HoldChannel("a", true, subscriber).ok());
  EXPECT_EQ(subscriber.held_channels.size(), kMaxHeldChannels);
}

TEST(HoldTest, TheFirstThatAppliesIsSaid) {
  Subscriber subscriber;
  Endpoint endpoint;
  endpoint.channels = {"a"};
  subscriber.held_channels = {"a"};
  EXPECT_EQ(HoldOf(subscriber, endpoint), Hold::kChannel);
  subscriber.paused = true;
  EXPECT_EQ(HoldOf(subscriber, endpoint), Hold::kSubscriber);
  endpoint.paused = true;
  EXPECT_EQ(HoldOf(subscriber, endpoint), Hold::kEndpoint);
  endpoint = {};
  subscriber.paused = false;
  // It serves other channels too.
  EXPECT_EQ(HoldOf(subscriber, endpoint), Hold::kNone);
  endpoint.channels = {"a", "b"};
  EXPECT_EQ(HoldOf(subscriber, endpoint), Hold::kNone);
}

TEST(EventTimesTest, ExactToTheMillisecond) {
  constexpr WallMs kNow = 1'700'000'000'000;
  constexpr WallMs kMonth = 30 * WallMs{86'400'000};
  const std::string far = "not_before_time: is too far ahead, use at most 30 days from now";
  const std::string past = "expire_time: is not in the future, use a later time or leave it out";
  const std::string order = "expire_time: is not after not_before_time, use a later time";
  struct Case {
    WallMs not_before, expires;
    std::string why;  // empty = fine
  };
  const Case cases[] = {
      {0, 0, ""},
      {1, 0, ""},  // long past: no wait
      {kNow + kMonth, 0, ""},
      {kNow + kMonth + 1, 0, far},
      {INT64_MAX, 0, far},
      {-1, 0, "not_before_time: is before 1970, use a later time or leave it out"},
      {0, kNow + 1, ""},
      {0, INT64_MAX, ""},
      {0, kNow, past},
      {0, -1, past},
      {kNow + 5, kNow + 6, ""},
      {kNow + 5, kNow + 5, order},
      {kNow + 5, kNow + 1, order},
  };
  for (const auto& [not_before, expires, why] : cases) {
    Event event = GoodEvent();
    event.not_before_ms = not_before;
    event.expires_ms = expires;
    EXPECT_EQ(CheckEventTimes(event, kNow).ToString(), why.empty() ? "OK" : "INVALID_ARGUMENT: " + why)
        << not_before << " to " << expires;
  }
}

TEST(SubscriberRulesTest, BoundsIdAndName) {
  Subscriber subscriber;
  subscriber.id = "A-z_0.9:@+";
  EXPECT_EQ(CheckSubscriber(subscriber).ToString(), "OK");
  subscriber.name = std::string(256, 'n');
  EXPECT_EQ(CheckSubscriber(subscriber).ToString(), "OK");
  subscriber.name = std::string(257, 'n');
  EXPECT_EQ(CheckSubscriber(subscriber).ToString(),
            "INVALID_ARGUMENT: name: is 257 bytes long, use at most 256");
  subscriber.name = "two\nlines";
  EXPECT_THAT(CheckSubscriber(subscriber).ToString(), HasSubstr("name: holds a control character"));
  subscriber.id = "";
  EXPECT_THAT(CheckSubscriber(subscriber).ToString(), StartsWith("INVALID_ARGUMENT: id: use 1 to 128"));
}

// Stored: a change of these bytes would accept an event twice.
TEST(IdempotencyKeyTest, IsTheSameInEveryVersion) {
  const IdempotencyKey key = MakeIdempotencyKey(GoodEvent());
  EXPECT_EQ(Hex(key.key), "086c6836fc4f5f23b8e06693c2f0eea6");
  EXPECT_EQ(Hex(key.fingerprint), "821c780533964ce1acbb8a880049b357");
}

TEST(IdempotencyKeyTest, KeyIsPerSubscriberAndFingerprintOfWhatWasPublished) {
  const IdempotencyKey first = MakeIdempotencyKey(GoodEvent());
  Event event = GoodEvent();
  event.subscriber_id = "other";
  EXPECT_NE(MakeIdempotencyKey(event).key, first.key);
  EXPECT_EQ(MakeIdempotencyKey(event).fingerprint, first.fingerprint);
  event = GoodEvent();
  event.traceparent = "";
  event.not_before_ms = 1;
  event.expires_ms = 2;
  EXPECT_EQ(MakeIdempotencyKey(event).fingerprint, first.fingerprint);
  for (std::string Event::*member : {&Event::type, &Event::channel, &Event::ordering_key, &Event::payload}) {
    event = GoodEvent();
    event.*member += "x";
    EXPECT_EQ(MakeIdempotencyKey(event).key, first.key);
    EXPECT_NE(MakeIdempotencyKey(event).fingerprint, first.fingerprint);
  }
}

TEST(IdempotencyKeyTest, TheCoalesceKeyIsPartOfWhatWasPublished) {
  const IdempotencyKey without = MakeIdempotencyKey(GoodEvent());
  Event event = GoodEvent();
  event.coalesce_key = "status of 7";
  const IdempotencyKey with = MakeIdempotencyKey(event);
  EXPECT_EQ(with.key, without.key);
  EXPECT_NE(with.fingerprint, without.fingerprint);
  event.coalesce_key = "status of 8";
  EXPECT_NE(MakeIdempotencyKey(event).fingerprint, with.fingerprint);
}

TEST(IdempotencyKeyTest, PartsDoNotRunTogether) {
  Event a = GoodEvent();
  Event b = GoodEvent();
  a.subscriber_id = "ab";
  a.idempotency_key = "c";
  b.subscriber_id = "a";
  b.idempotency_key = "bc";
  EXPECT_NE(MakeIdempotencyKey(a).key, MakeIdempotencyKey(b).key);
  a.channel = "x";
  a.ordering_key = "";
  b.channel = "";
  b.ordering_key = "x";
  EXPECT_NE(MakeIdempotencyKey(a).fingerprint, MakeIdempotencyKey(b).fingerprint);
}

}  // namespace
}  // namespace hookd
