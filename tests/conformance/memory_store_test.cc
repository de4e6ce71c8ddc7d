#include "storage/memory_store.h"

#include <memory>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "tests/conformance/delivery_store_suite.h"
#include "tests/conformance/describe.h"

namespace hookd {
namespace {

class MemoryHarness final : public StoreHarness {
 public:
  std::unique_ptr<DeliveryStore> Open() override { return MakeMemoryStore(); }
  std::unique_ptr<DeliveryStore> Reopen(std::unique_ptr<DeliveryStore> store) override {
    return static_cast<const MemoryStore&>(*store).Reopen();
  }
};

INSTANTIATE_TEST_SUITE_P(Memory, DeliveryStoreSuite,
                         testing::Values(StoreParam{"memory",
                                                    [] { return std::make_unique<MemoryHarness>(); }}),
                         testing::PrintToStringParamName());

TEST(MemoryStoreTest, ReopenLeavesTheStoreAsItIs) {
  MemoryStore store;
  ASSERT_TRUE(store.Recover().ok());
  const auto endpoint = MakeEndpoint("acme", 1);
  const auto event = MakeEvent("acme", kT0, 1);
  store.Apply(EndpointChanged{endpoint});
  ASSERT_TRUE(store.Commit(kT0).ok());
  store.Apply(Accepted{event, {{endpoint->id, 1}}, std::nullopt});
  const std::unique_ptr<MemoryStore> crashed = store.Reopen();
  ASSERT_TRUE(store.Commit(kT0).ok());
  ASSERT_TRUE(crashed->Recover().ok());
  EXPECT_TRUE(store.ReadEvent(event->id).ok());
  EXPECT_EQ(store.Stats().last_commit, 2u);
  EXPECT_FALSE(crashed->ReadEvent(event->id).ok());
  EXPECT_EQ(crashed->Stats().last_commit, 1u);
  EXPECT_EQ(crashed->Stats().commits, 0u);
  EXPECT_EQ(crashed->Lane(endpoint->id)->next, 1u);
}

// Rules that a store of blind writes need not notice.
TEST(MemoryStoreDeathTest, FactsAboutOtherDeliveriesEndTheProcess) {
  MemoryStore store;
  ASSERT_TRUE(store.Recover().ok());
  const auto endpoint = MakeEndpoint("acme", 1);
  const auto event = MakeEvent("acme", kT0, 1);
  // Each bucket that is named has something pending throughout: what is refused is the fact, not the count.
  const auto second = MakeEvent("acme", kT0 + kBucketMs, 2);
  const auto third = MakeEvent("acme", kT0, 3);
  store.Apply(EndpointChanged{endpoint});
  store.Apply(Accepted{event, {{endpoint->id, 1}}, std::nullopt});
  store.Apply(Accepted{second, {{endpoint->id, 2}}, std::nullopt});
  store.Apply(Accepted{third, {{endpoint->id, 3}}, std::nullopt});
  ASSERT_TRUE(store.Commit(kT0).ok());

  AttemptRecorded good;
  good.delivery = {event->id.bucket(), endpoint->id, 1};
  good.event = event->id;
  good.event_type = kEventType;
  good.subscriber_id = "acme";
  good.attempt = MakeAttempt(1, ErrorKind::kNone);
  good.state = DeliveryState::kSucceeded;
  good.reason = EndReason::kDelivered;
  good.cursor = 2;
  const auto apply = [&store](AttemptRecorded fact, auto change) {
    change(fact);
    store.Apply(fact);
    (void)store.Commit(kT0);
  };
  EXPECT_DEATH(apply(good, [](auto& fact) { fact.delivery.sequence = 4; }), "not pending");
  EXPECT_DEATH(apply(good, [](auto& fact) { ++fact.delivery.bucket; }), "needs its payloads");
  EXPECT_DEATH(apply(good, [&](auto& fact) { fact.event = third->id; }), "another delivery");
  EXPECT_DEATH(apply(good,
                     [](auto& fact) {
                       fact.remade = std::make_shared<Remade>(Remade{kT0, Origin::kRetry, std::nullopt});
                     }),
               "another delivery");
  EXPECT_DEATH(apply(good, [](auto& fact) { fact.event_type.clear(); }), "another delivery");
  EXPECT_DEATH(apply(good, [](auto& fact) { fact.subscriber_id = "other"; }), "another delivery");
  EXPECT_DEATH(apply(good, [](auto& fact) { fact.attempt.number = 2; }), "numbered without gaps");
  EXPECT_DEATH(apply(good, [](auto& fact) { fact.cursor = 3; }), "below the cursor");
  apply(good, [](auto&) {});
  EXPECT_DEATH(apply(good, [](auto&) {}), "not pending");  // the second time
}

TEST(MemoryStoreDeathTest, AnEndpointStaysWithItsSubscriber) {
  MemoryStore store;
  ASSERT_TRUE(store.Recover().ok());
  const auto endpoint = MakeEndpoint("acme", 1);
  store.Apply(EndpointChanged{endpoint});
  ASSERT_TRUE(store.Commit(kT0).ok());
  auto moved = std::make_shared<Endpoint>(*endpoint);
  moved->subscriber_id = "other";
  const auto apply = [&store](const Fact& fact) {
    store.Apply(fact);
    (void)store.Commit(kT0);
  };
  EXPECT_DEATH(apply(EndpointChanged{moved}), "stays with its subscriber");
  EXPECT_DEATH(apply(EndpointDeleted{endpoint->id, "other"}), "no such endpoint");
}

TEST(MemoryStoreDeathTest, RecoverComesFirstAndOnce) {
  MemoryStore store;
  EXPECT_DEATH(store.Apply(SubscriberChanged{MakeSubscriber("acme")}), "Recover comes before Apply");
  ASSERT_TRUE(store.Recover().ok());
  EXPECT_DEATH((void)store.Recover(), "once");
}

}  // namespace
}  // namespace hookd
