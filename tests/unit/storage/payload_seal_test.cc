// Payloads and what is kept of exchanges, sealed at rest.
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hookd/storage/v1/records.pb.h"
#include "storage/payload_vault.h"
#include "storage/record_codec.h"
#include "storage/rocksdb_store.h"
#include "tests/unit/storage/secret_keys.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;
using testing::Key;
using testing::Keys;
using ::testing::Not;

constexpr WallMs kNow = 1'700'000'000'000;
const EndpointId kEndpoint = EndpointId::Make(PartitionOf("acme"), 1);

TEST(PayloadVaultTest, AKeySealsForADay) {
  PayloadVault vault(true);
  const std::optional<PayloadKey> first = vault.Renew(kNow);
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(vault.Renew(kNow + kPayloadKeyMs - 1).has_value());
  storage::v1::SealedValue sealed;
  vault.sealer()->Seal("plain", "place", sealed);
  const std::optional<PayloadKey> second = vault.Renew(kNow + kPayloadKeyMs);
  ASSERT_TRUE(second.has_value());
  EXPECT_NE(first->key.bytes, second->key.bytes);
  EXPECT_EQ(vault.sealer()->key_id(), second->key.id());
  EXPECT_EQ(*vault.sealer()->Open(sealed, "place"), "plain");

  PayloadVault reopened(true);
  reopened.Load(*second);  // in the order of their ids, not of their times
  reopened.Load(*first);
  EXPECT_EQ(reopened.sealer()->key_id(), second->key.id());
  EXPECT_EQ(*reopened.sealer()->Open(sealed, "place"), "plain");
  EXPECT_FALSE(reopened.Renew(kNow + kPayloadKeyMs + 1).has_value());
}

TEST(PayloadCodecTest, WhatIsSealedOpensInItsOwnRecordAlone) {
  const Sealer sealer(Keys('p'));
  Event event;
  event.id = EventId::Make(kNow, 1, 7, 9);
  event.payload = R"({"text":"MARK"})";
  const std::string bytes = records::Encode(event, &sealer);
  EXPECT_THAT(bytes, Not(HasSubstr("MARK")));
  EXPECT_EQ((*records::DecodeEvent(event.id, bytes, &sealer))->payload, event.payload);
  EXPECT_EQ((*records::DecodeEvent(event.id, bytes))->payload, "") << "without keys it is left out";
  const EventId other = EventId::Make(kNow, 2, 7, 9);
  EXPECT_EQ(records::DecodeEvent(other, bytes, &sealer).status().code(), absl::StatusCode::kDataLoss);
  const Sealer wrong(Keys('q'));
  EXPECT_EQ(records::DecodeEvent(event.id, bytes, &wrong).status().code(), absl::StatusCode::kDataLoss);
  // What was stored in clear before is read with keys, too.
  EXPECT_EQ((*records::DecodeEvent(event.id, records::Encode(event), &sealer))->payload, event.payload);

  const DeliveryId delivery{BucketOf(kNow), kEndpoint, 3};
  Attempt attempt;
  attempt.number = 2;
  attempt.status = 500;
  attempt.response_body = "MARK body";
  attempt.request_headers = "x: MARK\n";
  attempt.response_headers = "y: MARK\n";
  const std::string kept = records::Encode(attempt, delivery, &sealer);
  EXPECT_THAT(kept, Not(HasSubstr("MARK")));
  const Attempt opened = *records::DecodeAttempt(kept, delivery, &sealer);
  EXPECT_EQ(opened.response_body, attempt.response_body);
  EXPECT_EQ(opened.request_headers, attempt.request_headers);
  EXPECT_EQ(opened.response_headers, attempt.response_headers);
  EXPECT_EQ(records::DecodeAttempt(kept)->response_body, "");
  EXPECT_EQ(records::DecodeAttempt(kept)->status, 500);
  const DeliveryId elsewhere{delivery.bucket, kEndpoint, 4};
  EXPECT_EQ(records::DecodeAttempt(kept, elsewhere, &sealer).status().code(), absl::StatusCode::kDataLoss);

  const PayloadKey key{Key('d'), kNow};
  const Sealer operators(Keys('a'));
  const std::string stored = records::Encode(key, operators);
  EXPECT_THAT(stored, Not(HasSubstr("dddddddd")));
  EXPECT_EQ(records::DecodePayloadKey(key.key.id(), stored, operators)->key.bytes, key.key.bytes);
  EXPECT_EQ(records::DecodePayloadKey(key.key.id(), stored, Sealer(Keys('b'))).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(records::DecodePayloadKey(7, stored, operators).ok());
}

class SealedPayloadsTest : public ::testing::Test {
 protected:
  SealedPayloadsTest() {
    std::string pattern = ::testing::TempDir() + "/payloads_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~SealedPayloadsTest() override {
    store_.reset();
    std::filesystem::remove_all(path_);
  }

  absl::Status Open(SecretKeys keys, bool seal_payloads) {
    store_.reset();
    RocksDbOptions options;
    options.path = path_;
    options.secrets = std::move(keys);
    options.seal_payloads = seal_payloads;
    absl::StatusOr<std::unique_ptr<DeliveryStore>> store = OpenRocksDbStore(options, RealClock());
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    return store_->Recover().status();
  }
  void MakeEndpoint() {
    auto endpoint = std::make_shared<Endpoint>();
    endpoint->id = kEndpoint;
    endpoint->subscriber_id = "acme";
    Subscriber subscriber;
    subscriber.id = "acme";
    store_->Apply(SubscriberChanged{std::move(subscriber)});
    store_->Apply(EndpointChanged{std::move(endpoint)});
    ASSERT_TRUE(store_->Commit(kNow).ok());
  }
  // An event of `at`, and its delivery, whose first attempt failed.
  DeliveryId Publish(const std::string& mark, WallMs at = kNow) {
    auto event = std::make_shared<Event>();
    event->id = EventId::Make(at, ++events_, PartitionOf("acme"), 7);
    event->accepted_ms = at;
    event->subscriber_id = "acme";
    event->type = "t";
    // Above what lies in blob files, and of one text over and over: nothing hides it but the seal.
    event->payload = "\"";
    while (event->payload.size() < 8'000) event->payload += mark + " ";
    event->payload += "\"";
    const Sequence sequence = store_->Lane(kEndpoint)->next;
    store_->Apply(Accepted{event, {{kEndpoint, sequence}}, std::nullopt});
    AttemptRecorded fact;
    fact.delivery = {event->id.bucket(), kEndpoint, sequence};
    fact.event = event->id;
    fact.event_type = "t";
    fact.subscriber_id = "acme";
    fact.attempt.number = 1;
    fact.attempt.started_ms = at;
    fact.attempt.error = ErrorKind::kStatus;
    fact.attempt.status = 500;
    fact.attempt.response_body = mark + " in the body";
    fact.attempt.request_headers = "x: " + mark + "\n";
    fact.attempt.next_due_ms = at + 1;
    fact.cursor = sequence + 1;
    store_->Apply(fact);
    EXPECT_TRUE(store_->Commit(at).ok());
    return fact.delivery;
  }
  void ExpectWhole(const DeliveryId& id, const std::string& mark) {
    const absl::StatusOr<Delivery> delivery = store_->ReadDelivery(id);
    ASSERT_TRUE(delivery.ok()) << delivery.status();
    EXPECT_EQ(delivery->attempts.at(0).response_body, mark + " in the body");
    EXPECT_EQ(delivery->attempts.at(0).request_headers, "x: " + mark + "\n");
    EXPECT_THAT((*store_->ReadEvent(delivery->event))->payload, HasSubstr("\"" + mark));
  }
  size_t Files(const std::string& text) const {
    size_t found = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      if (bytes.find(text) != std::string::npos) ++found;
    }
    return found;
  }

  uint16_t events_ = 0;
  std::string path_;
  std::unique_ptr<DeliveryStore> store_;
};

TEST_F(SealedPayloadsTest, NoPayloadIsInAnyFile) {
  ASSERT_TRUE(Open(Keys('a'), true).ok());
  MakeEndpoint();
  const DeliveryId id = Publish("QXWKZJ");
  ExpectWhole(id, "QXWKZJ");
  EXPECT_EQ(Files("QXWKZJ"), 0u);
  ASSERT_TRUE(Open(Keys('a'), true).ok());  // which makes tables of the log
  ExpectWhole(id, "QXWKZJ");
  EXPECT_EQ(Files("QXWKZJ"), 0u);
  EXPECT_GT(Files("acme"), 0u);  // the search finds what is there
}

TEST_F(SealedPayloadsTest, TheSettingActsOnWhatIsStoredFromThenOn) {
  ASSERT_TRUE(Open(Keys('a'), false).ok());
  MakeEndpoint();
  const DeliveryId clear = Publish("VBNMLK");
  ASSERT_TRUE(Open(Keys('a'), true).ok());
  const DeliveryId sealed = Publish("QXWKZJ");
  ExpectWhole(clear, "VBNMLK");
  ExpectWhole(sealed, "QXWKZJ");
  ASSERT_TRUE(Open(Keys('a'), false).ok());
  const DeliveryId again = Publish("RTYPSD");
  ExpectWhole(clear, "VBNMLK");
  ExpectWhole(sealed, "QXWKZJ");
  ExpectWhole(again, "RTYPSD");
  EXPECT_GT(Files("VBNMLK"), 0u);
  EXPECT_EQ(Files("QXWKZJ"), 0u);
}

TEST_F(SealedPayloadsTest, AnotherKeyOfTheOperatorLeavesPayloadsReadable) {
  ASSERT_TRUE(Open(Keys('a'), true).ok());
  MakeEndpoint();
  const DeliveryId first = Publish("QXWKZJ");
  const DeliveryId next_day = Publish("VBNMLK", kNow + kPayloadKeyMs);
  EXPECT_EQ(Open(Keys('b'), true).code(), absl::StatusCode::kFailedPrecondition) << "it is needed";
  ASSERT_TRUE(Open(Keys('b', "a"), true).ok());
  ExpectWhole(first, "QXWKZJ");
  MakeEndpoint();  // which seals its secrets anew
  std::atomic<bool> stop{false};
  ASSERT_TRUE(store_->Scour(Scoured::kSecrets, stop).ok());
  ASSERT_TRUE(store_->ForgetOldKeys().ok());
  ASSERT_TRUE(Open(Keys('b'), true).ok());
  ExpectWhole(first, "QXWKZJ");
  ExpectWhole(next_day, "VBNMLK");
  // Back to secrets in clear: so are the payload keys then, and payloads stay readable.
  SecretKeys clear;
  clear.old = {Key('b')};
  ASSERT_TRUE(Open(clear, false).ok());
  MakeEndpoint();
  ASSERT_TRUE(store_->ForgetOldKeys().ok());
  ASSERT_TRUE(Open(SecretKeys{}, false).ok());
  ExpectWhole(first, "QXWKZJ");
}

TEST_F(SealedPayloadsTest, APurgeTakesSealedPayloadsAway) {
  ASSERT_TRUE(Open(Keys('a'), true).ok());
  MakeEndpoint();
  const DeliveryId id = Publish("QXWKZJ");
  Delivery delivery = *store_->ReadDelivery(id);
  DeliveryEnded end;
  end.delivery = id;
  end.event = delivery.event;
  end.event_type = "t";
  end.subscriber_id = "acme";
  end.reason = EndReason::kPurged;
  end.at_ms = kNow;
  end.was_parked = true;
  end.attempt_count = 1;
  store_->Apply(end);
  ASSERT_TRUE(store_->Commit(kNow).ok());
  delivery = *store_->ReadDelivery(id);
  for (Attempt& attempt : delivery.attempts) {
    attempt.response_body.clear();
    attempt.request_headers.clear();
  }
  store_->Apply(ResponsesErased{delivery});
  store_->Apply(EventErased{delivery.event, 8'000});
  ASSERT_TRUE(store_->Commit(kNow).ok());
  EXPECT_EQ(store_->ReadEvent(delivery.event).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->ReadDelivery(id)->attempts.at(0).response_body, "");
  EXPECT_EQ(store_->ReadDelivery(id)->attempts.at(0).status, 500);
}

}  // namespace
}  // namespace hookd
