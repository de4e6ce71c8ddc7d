// The engine under what operators and shortages ask of it.
#include <atomic>
#include <map>
#include <string>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using EnginePolicyTest = EngineTest;

TEST_F(EnginePolicyTest, KeyedKeepsTheOrderOfEachKeyOverFailures) {
  constexpr Sequence kKeys = 7;
  constexpr Sequence kEvents = 300;
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint(DeliveryMode::kKeyed);
  const auto sequence_of = [](const SentRequest& request) {
    return static_cast<Sequence>(std::stoull(request.Header("hookd-sequence").substr(2)));
  };
  std::map<Sequence, int> tries;
  receiver_.SetHandler([&](const SentRequest& request) {
    const Sequence sequence = sequence_of(request);
    return ++tries[sequence] <= static_cast<int>(sequence % 3) ? 500 : 200;
  });
  std::vector<NewEvent> events;
  for (Sequence n = 1; n <= kEvents; ++n) {
    events.push_back(MakeEvent(std::to_string(n)));
    events.back().event.ordering_key = Concat("chat", n % kKeys);
  }
  Publish(std::move(events));
  WaitUntilDone();
  // Of each key, none is sent before the one before it was answered 200.
  std::map<Sequence, Sequence> newest;  // by key
  for (const SentRequest& request : receiver_.requests()) {
    const Sequence sequence = sequence_of(request);
    Sequence& before = newest[sequence % kKeys];
    EXPECT_GE(sequence, before);
    before = sequence;
  }
  EXPECT_EQ(tries.size(), kEvents);
  EXPECT_EQ(store_->ReadEndpoint(endpoint)->lane.pending(), 0u);
}

TEST_F(EnginePolicyTest, APauseForEverythingIsDurableAndDrainsInOrder) {
  CreateSubscriber();
  CreateEndpoint();
  ASSERT_TRUE(engine_->SetPaused(true, "the receivers' network is down").ok());
  Publish("1");
  Publish("2");
  EXPECT_EQ(engine_->Status().operations.pause_note, "the receivers' network is down");
  Crash();
  EXPECT_TRUE(engine_->Status().operations.paused);
  EXPECT_THAT(receiver_.requests(), IsEmpty());
  ASSERT_TRUE(engine_->SetPaused(false, "").ok());
  EXPECT_FALSE(engine_->Status().operations.paused);
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("1", "2"));
}

TEST_F(EnginePolicyTest, GoneDisablesEnableGoesOnAndDisableSaysWho) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  receiver_.SetHandler([](const SentRequest&) { return 410; });
  Publish("1");
  Publish("2");
  const auto disabled = [&] { return engine_->GetEndpoint(endpoint)->endpoint->disabled; };
  while (disabled() == DisableReason::kNone) std::this_thread::yield();
  EXPECT_EQ(disabled(), DisableReason::kGone);
  EXPECT_EQ(telemetry_.alerts(AlertKind::kDisabled), 1u);
  LetShardsRun(endpoint);
  EXPECT_EQ(receiver_.requests().size(), 1u);

  // A pause and its end do not enable.
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, true, "").ok());
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, false, "").ok());
  EXPECT_EQ(disabled(), DisableReason::kGone);

  receiver_.SetHandler([](const SentRequest&) { return 200; });
  const absl::StatusOr<EndpointView> enabled = engine_->EnableEndpoint(endpoint, "moved back");
  ASSERT_TRUE(enabled.ok()) << enabled.status();
  EXPECT_EQ(enabled->endpoint->state_note, "moved back");
  EXPECT_EQ(enabled->lane.consecutive_failures, 0u);
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("1", "1", "2"));

  ASSERT_TRUE(engine_->DisableEndpoint(endpoint, "asked to").ok());
  EXPECT_EQ(disabled(), DisableReason::kPerson);
  Publish("3");
  LetShardsRun(endpoint);
  EXPECT_EQ(receiver_.requests().size(), 3u);
  Crash();
  EXPECT_EQ(disabled(), DisableReason::kPerson);
  ASSERT_TRUE(engine_->EnableEndpoint(endpoint, "").ok());
  WaitUntilDone();
}

TEST_F(EnginePolicyTest, AFullBacklogExpiresItsOldest) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) {
    it.paused = true;
    it.policy.backlog = 5;
  });
  for (int i = 0; i < 20; ++i) Publish(std::to_string(i));
  while (store_->Stats().pending > 5) std::this_thread::yield();
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, false, "").ok());
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("15", "16", "17", "18", "19"));
}

TEST_F(EnginePolicyTest, OneSubscriberCannotFillTheIntake) {
  Close();
  options_.intake_bytes = 10'000;
  options_.intake_bytes_per_subscriber = 1'000;
  Open(MakeMemoryStore());
  CreateSubscriber();
  CreateSubscriber("small");
  absl::Notification entered;
  absl::Notification leave;
  std::thread holder([&] {
    const auto change = [&](Subscriber&) {
      entered.Notify();
      leave.WaitForNotification();
      return absl::CancelledError("");
    };
    EXPECT_FALSE(engine_->UpdateSubscriber("acme", change).ok());
  });
  entered.WaitForNotification();
  std::atomic<int> done{0};
  const auto count = [&](std::vector<PublishOutcome>) { ++done; };
  absl::Status status;
  int taken = 0;
  while ((status = engine_->Publish({MakeEvent(std::string(300, '1'))}, count)).ok()) ++taken;
  EXPECT_EQ(taken, 3);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("acme"));
  NewEvent other = MakeEvent(std::string(300, '1'));
  other.event.subscriber_id = "small";
  EXPECT_TRUE(engine_->Publish({other}, count).ok());
  leave.Notify();
  holder.join();
  while (done < 4) std::this_thread::yield();
}

TEST_F(EnginePolicyTest, AFullDiskOrAStallHoldsTheIntakeAndItOpensByItself) {
  Close();
  auto failing = std::make_unique<FailingStore>();
  FailingStore* store = failing.get();
  Open(std::move(failing));
  CreateSubscriber();
  CreateEndpoint();
  Publish("1");
  const auto wait_until_held = [&](const std::string& why) {
    while (engine_->Status().intake_closed != why) std::this_thread::yield();
  };
  store->used_percent = 95;
  wait_until_held("disk");
  EXPECT_EQ(telemetry_.alerts(AlertKind::kDisk), 1u);
  const auto ignore = [](std::vector<PublishOutcome>) {};
  EXPECT_TRUE(absl::IsResourceExhausted(engine_->Publish({MakeEvent("2")}, ignore)));
  absl::Notification room;
  engine_->WhenRoom({1, 1, {}}, [&] { room.Notify(); });
  store->used_percent = 87;  // below the high mark, above the low one
  store->stalled = true;
  EXPECT_FALSE(room.HasBeenNotified());
  store->used_percent = 50;
  wait_until_held("stall");
  EXPECT_FALSE(room.HasBeenNotified());
  store->stalled = false;
  room.WaitForNotification();
  EXPECT_TRUE(Publish("3").status.ok());
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("1", "3"));
}

TEST_F(EnginePolicyTest, ManyIdleEndpointsComeFromTheStoreWhenTheyAreAskedFor) {
  for (int i = 0; i < 50; ++i) CreateSubscriber(Concat("s", i));
  std::vector<EndpointId> endpoints;
  for (int i = 0; i < 50; ++i) {
    endpoints.push_back(
        CreateEndpoint(DeliveryMode::kOrdered, [i](Endpoint& it) { it.subscriber_id = Concat("s", i); }));
  }
  Crash();
  EXPECT_EQ(engine_->Status().endpoints, 50u);
  EXPECT_EQ(engine_->Status().subscribers, 50u);
  for (int i = 0; i < 50; ++i) {
    NewEvent event = MakeEvent(std::to_string(i));
    event.event.subscriber_id = Concat("s", i);
    EXPECT_EQ(Publish({event}).at(0).deliveries, 1u);
  }
  WaitUntilDone();
  EXPECT_EQ(receiver_.requests().size(), 50u);
  ASSERT_TRUE(engine_->DeleteEndpoint(endpoints[7]).ok());
  EXPECT_TRUE(absl::IsNotFound(engine_->GetEndpoint(endpoints[7]).status()));
  EXPECT_TRUE(engine_->DeleteSubscriber("s7").ok());
  EXPECT_EQ(engine_->Status().endpoints, 49u);
}

}  // namespace
}  // namespace hookd
