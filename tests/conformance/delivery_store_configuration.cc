// Configuration, idle lanes and what a recovery gives: they are on disk, and read when somebody asks.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/conformance/delivery_store_suite.h"
#include "tests/conformance/describe.h"

namespace hookd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<EndpointId> Ids(const std::vector<StoredEndpoint>& endpoints) {
  std::vector<EndpointId> ids;
  for (const StoredEndpoint& stored : endpoints) ids.push_back(stored.endpoint->id);
  return ids;
}

std::vector<std::string> Ids(const std::vector<StoredSubscriber>& subscribers) {
  std::vector<std::string> ids;
  for (const StoredSubscriber& stored : subscribers) ids.push_back(stored.subscriber.id);
  return ids;
}

TEST_P(DeliveryStoreSuite, EndpointsAreListedUnderTheirSubscriber) {
  store().Apply(SubscriberChanged{MakeSubscriber("acme")});
  store().Apply(SubscriberChanged{MakeSubscriber("other")});
  const EndpointId first = AddEndpoint(1);
  const EndpointId second = AddEndpoint(3);
  store().Apply(EndpointChanged{MakeEndpoint("other", 2)});
  EXPECT_EQ(store().ReadEndpoint(first).status().code(), absl::StatusCode::kNotFound);  // not committed
  EXPECT_EQ(store().ReadAccount("acme").status().code(), absl::StatusCode::kNotFound);
  Commit();
  AddEndpoint(1);  // changed, not made anew
  Accept(first);
  Commit();

  EXPECT_THAT(Ids(*store().ListEndpoints("acme", EndpointId{}, 10)), ElementsAre(first, second));
  EXPECT_THAT(Ids(*store().ListEndpoints("acme", EndpointId{}, 1)), ElementsAre(first));
  EXPECT_THAT(Ids(*store().ListEndpoints("acme", first, 10)), ElementsAre(second));
  EXPECT_THAT(Ids(*store().ListEndpoints("acme", EndpointId{first.value + 1}, 10)), ElementsAre(second));
  EXPECT_THAT(*store().ListEndpoints("acme", EndpointId{UINT64_MAX}, 10), IsEmpty());
  EXPECT_THAT(*store().ListEndpoints("", EndpointId{UINT64_MAX}, 10), IsEmpty());
  EXPECT_THAT(*store().ListEndpoints("nobody", EndpointId{}, 10), IsEmpty());
  EXPECT_EQ(store().ListEndpoints("", EndpointId{}, 10)->size(), 3u);
  EXPECT_EQ(store().ReadSubscriber("acme")->endpoint_count, 2u);
  EXPECT_EQ(store().ReadSubscriber("other")->endpoint_count, 1u);
  EXPECT_EQ(store().ReadAccount("acme")->endpoints.size(), 2u);
  EXPECT_EQ(store().ReadEndpoint(first)->lane.queued, 1u);
  EXPECT_EQ(store().ReadEndpoint(second)->lane.queued, 0u);

  Delete(first);
  Commit();
  Reopen();
  EXPECT_THAT(Ids(*store().ListEndpoints("acme", EndpointId{}, 10)), ElementsAre(second));
  EXPECT_EQ(store().ReadEndpoint(first).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store().ReadSubscriber("acme")->endpoint_count, 1u);
  EXPECT_THAT(store().ReadAccount("acme")->endpoints, testing::SizeIs(1));
}

// Their rows lie next to each other, with the first one's endpoints between.
TEST_P(DeliveryStoreSuite, SubscribersOfOnePartitionAreKeptApart) {
  const std::string shorter = "acme";
  std::string longer;
  for (int i = 0; longer.empty() || PartitionOf(longer) != PartitionOf(shorter); ++i) {
    longer = shorter + std::to_string(i);
  }
  const std::string control = shorter + '\x01';  // the lowest that an id may go on with
  for (const std::string& id : {shorter, longer}) store().Apply(SubscriberChanged{MakeSubscriber(id)});
  store().Apply(EndpointChanged{MakeEndpoint(shorter, 1)});
  store().Apply(EndpointChanged{MakeEndpoint(shorter, 2)});
  store().Apply(EndpointChanged{MakeEndpoint(longer, 3)});
  Commit();
  const auto all = *store().ListSubscribers("", 10);
  EXPECT_THAT(Ids(all), ElementsAre(shorter, longer));
  EXPECT_EQ(all[0].endpoint_count, 2u);
  EXPECT_EQ(all[1].endpoint_count, 1u);
  EXPECT_THAT(Ids(*store().ListSubscribers("", 1)), ElementsAre(shorter));
  EXPECT_THAT(Ids(*store().ListSubscribers(shorter, 10)), ElementsAre(longer));
  EXPECT_THAT(*store().ListSubscribers(longer, 10), IsEmpty());
  EXPECT_EQ(store().ReadAccount(shorter)->endpoints.size(), 2u);
  EXPECT_EQ(store().ReadAccount(longer)->endpoints.size(), 1u);
  EXPECT_EQ(store().ReadSubscriber(control).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(DeliveryStoreSuite, SubscribersAreListedByPartitionAndId) {
  std::vector<std::pair<Partition, std::string>> expected;
  for (int i = 0; i < 20; ++i) {
    const std::string id = "customer-" + std::to_string(i);
    expected.emplace_back(PartitionOf(id), id);
    store().Apply(SubscriberChanged{MakeSubscriber(id)});
  }
  Commit();
  std::sort(expected.begin(), expected.end());
  std::vector<std::string> ids;
  for (const auto& [partition, id] : expected) ids.push_back(id);
  EXPECT_EQ(Ids(*store().ListSubscribers("", 100)), ids);
  // After one that is not there: as if it were.
  const std::string nobody = "nobody";
  const auto after =
      std::upper_bound(expected.begin(), expected.end(), std::pair(PartitionOf(nobody), nobody));
  ids.erase(ids.begin(), ids.begin() + (after - expected.begin()));
  EXPECT_EQ(Ids(*store().ListSubscribers(nobody, 100)), ids);
}

TEST_P(DeliveryStoreSuite, RecoveryKnowsWhatHoldsALane) {
  Subscriber acme = MakeSubscriber("acme");
  acme.paused = false;
  acme.held_channels = {"down"};
  store().Apply(SubscriberChanged{acme});
  const std::vector<std::vector<std::string>> channels = {{"down"}, {"up"}, {"down", "up"}, {}};
  std::vector<EndpointId> ids;
  for (size_t i = 0; i < channels.size(); ++i) {
    auto endpoint = std::make_shared<Endpoint>(*MakeEndpoint("acme", i + 1));
    endpoint->channels = channels[i];
    endpoint->paused = false;
    endpoint->disabled = DisableReason::kNone;
    store().Apply(EndpointChanged{endpoint, false});
    ids.push_back(endpoint->id);
    Accept(endpoint->id);
  }
  Commit();
  const DeliveryStore::Recovered recovered = Reopen();
  ASSERT_EQ(recovered.lanes.size(), ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(recovered.lanes[i].id, ids[i]);
    EXPECT_EQ(recovered.lanes[i].hold, i == 0 ? Hold::kChannel : Hold::kNone) << i;
  }
}

TEST_P(DeliveryStoreSuite, RecoveryGivesActiveLanesAlone) {
  Subscriber acme = MakeSubscriber("acme");
  acme.paused = true;
  store().Apply(SubscriberChanged{acme});
  std::vector<EndpointId> ids;
  for (uint64_t number = 1; number <= 7; ++number) ids.push_back(AddEndpoint(number));
  // 1 has nothing, 2 is queued, 3 parked; 4 to 6 are done, with a rate or a hold that is over or not; 7 is
  // deleted.
  Accept(ids[1]);
  Attempt(Accept(ids[2]), 1, ErrorKind::kStatus);
  SetRateAndHold(kT0 + 10'000, kT0 + 10'000);
  Attempt(Accept(ids[3]), 1, ErrorKind::kNone);
  SetRateAndHold(kT0 + 10'001, 0);
  Attempt(Accept(ids[4]), 1, ErrorKind::kNone);
  SetRateAndHold(0, kT0 + 10'001);
  Attempt(Accept(ids[5]), 1, ErrorKind::kNone);
  Delete(ids[6]);
  Commit(kT0 + 10'000);

  const DeliveryStore::Recovered recovered = Reopen();
  EXPECT_EQ(recovered.subscribers, 1u);
  EXPECT_EQ(recovered.endpoints, 6u);
  std::vector<EndpointId> active;
  for (const DeliveryStore::ActiveLane& lane : recovered.lanes) {
    active.push_back(lane.id);
    EXPECT_EQ(lane.lane.deleted, lane.endpoint == nullptr);
    EXPECT_EQ(lane.hold, lane.lane.deleted ? Hold::kNone : Hold::kEndpoint);  // before its subscriber's pause
    EXPECT_EQ(Describe(lane.lane), Describe(*store().Lane(lane.id)));
  }
  EXPECT_THAT(active, ElementsAre(ids[1], ids[2], ids[4], ids[5], ids[6]));
  EXPECT_EQ(store().Stats().pending, 2u);
  ASSERT_NE(store().Lane(ids[0]), nullptr);
  EXPECT_EQ(store().Lane(ids[3])->last_success_ms, kT0 + 1'120);
}

// More lanes than a store keeps in memory.
TEST_P(DeliveryStoreSuite, IdleLanesAreReadAgain) {
  constexpr uint64_t kLanes = 18'000;
  std::vector<EndpointId> ids;
  for (uint64_t number = 1; number <= kLanes; ++number) {
    ids.push_back(AddEndpoint(number));
    if (number % 1'000 == 0) Attempt(Accept(ids.back()), 1, ErrorKind::kNone);
    if (number % 3'000 == 0) Commit();
  }
  for (uint64_t number = 1; number <= kLanes; ++number) {
    const LaneState* lane = store().Lane(ids[number - 1]);
    ASSERT_NE(lane, nullptr) << number;
    ASSERT_EQ(lane->next, number % 1'000 == 0 ? 2u : 1u) << number;
  }
  EXPECT_EQ(Accept(ids[999]).id.sequence, 2u);
  Delete(ids[0]);
  store().Apply(LaneRemoved{ids[0]});
  EXPECT_EQ(store().Lane(ids[0]), nullptr);  // though it is still on disk
  Commit();
  EXPECT_EQ(store().Lane(ids[0]), nullptr);
  EXPECT_EQ(store().Stats().pending, 1u);
  EXPECT_EQ(Reopen().endpoints, kLanes - 1);
}

TEST_P(DeliveryStoreSuite, OperationsSurviveReopening) {
  Operations operations;
  operations.paused = true;
  operations.pause_note = "maintenance: ñ";
  operations.paused_ms = kT0;
  operations.clock_suspect = true;
  store().Apply(OperationsChanged{operations});
  Commit();
  EXPECT_EQ(Reopen().operations, operations);
  store().Apply(OperationsChanged{});
  Commit();
  EXPECT_EQ(Reopen().operations, Operations{});
}

TEST_P(DeliveryStoreSuite, TheMailCursorSurvivesReopening) {
  EXPECT_EQ(Reopen().mail_cursor, "");
  store().Apply(MailCursorChanged{"after x\n"});
  store().Apply(MailCursorChanged{"after y\n"});
  EXPECT_EQ(store().Stats().last_commit, 0u);
  Commit();
  EXPECT_EQ(Reopen().mail_cursor, "after y\n");
  store().Apply(MailCursorChanged{""});
  Commit();
  EXPECT_EQ(Reopen().mail_cursor, "");
}

TEST_P(DeliveryStoreSuite, DiskAndStallAreTold) {
  EXPECT_FALSE(store().Stalled());
  const auto disk = store().Disk();
  ASSERT_TRUE(disk.ok()) << disk.status();
  EXPECT_LE(disk->free_bytes, disk->total_bytes);
}

TEST_P(DeliveryStoreSuite, TokensAreFoundByIdAndBySubscriber) {
  const AccessToken partner = MakeToken(7, {"acme", "beta"});
  const AccessToken own = MakeToken(~uint64_t{0}, {"acme"});
  const AccessToken viewer = MakeToken(9, {});
  EXPECT_EQ(store().ReadToken(7).status().code(), absl::StatusCode::kNotFound);
  for (const AccessToken& token : {partner, own, viewer}) store().Apply(TokenMade{token});
  Commit();
  Reopen();
  EXPECT_EQ(*store().ReadToken(7), partner);
  EXPECT_THAT(*store().ListTokens("", 0, 10), ElementsAre(partner, viewer, own));
  EXPECT_THAT(*store().ListTokens("", 7, 1), ElementsAre(viewer));
  EXPECT_THAT(*store().ListTokens("acme", 0, 10), ElementsAre(partner, own));
  EXPECT_THAT(*store().ListTokens("acme", 7, 10), ElementsAre(own));
  EXPECT_THAT(*store().ListTokens("beta", 0, 10), ElementsAre(partner));
  EXPECT_THAT(*store().ListTokens("acme", ~uint64_t{0}, 10), IsEmpty());

  store().Apply(TokenRevoked{partner});
  Commit();
  EXPECT_EQ(store().ReadToken(7).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(*store().ListTokens("beta", 0, 10), IsEmpty());
  EXPECT_THAT(*store().ListTokens("acme", 0, 10), ElementsAre(own));
}

}  // namespace
}  // namespace hookd
