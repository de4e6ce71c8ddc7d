#include "dispatcher/engine/scheduler.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

using ::testing::ElementsAre;

class RecordingHost : public SchedulerHost {
 public:
  void StartAttempt(Lane& lane, Work work) override { started.emplace_back(lane.id().value, work.sequence); }
  void ReadParked(EndpointId endpoint) override { parked_reads.push_back(endpoint); }
  void ReadQueue(EndpointId endpoint, Sequence from) override { queue_reads.emplace_back(endpoint, from); }
  void ReadEvent(EndpointId, Sequence sequence, EventId) override { event_reads.push_back(sequence); }
  void LaneAtRest(EndpointId endpoint) override { at_rest.push_back(endpoint); }

  std::vector<std::pair<uint64_t, Sequence>> started;
  std::vector<EndpointId> parked_reads;
  std::vector<std::pair<EndpointId, Sequence>> queue_reads;
  std::vector<Sequence> event_reads;
  std::vector<EndpointId> at_rest;
};

class SchedulerTest : public ::testing::Test {
 protected:
  void Add(uint64_t id, DeliveryMode mode, uint32_t max_in_flight = 16, RateLimit rate = {0, 5}) {
    auto endpoint = std::make_shared<Endpoint>();
    endpoint->id = EndpointId{id};
    endpoint->policy.mode = mode;
    endpoint->policy.max_in_flight = max_in_flight;
    endpoint->policy.rate = rate;
    scheduler_.Configure(endpoint, false, nullptr, now_, 0);
  }
  void Accept(uint64_t id, Sequence sequence) {
    auto event = std::make_shared<Event>();
    event->payload = "{}";
    scheduler_.Accepted(EndpointId{id}, sequence, event, now_);
  }
  void End(uint64_t id, Sequence sequence, AfterAttempt after = {}) {
    scheduler_.Find(EndpointId{id})->Submit(sequence, after);
    scheduler_.Recorded(EndpointId{id}, sequence);
  }
  std::vector<std::pair<uint64_t, Sequence>> Run() {
    host_.started.clear();
    scheduler_.RunDue(now_);
    return host_.started;
  }

  SteadyTime now_{std::chrono::hours(1)};
  RecordingHost host_;
  SchedulerLimits limits_{{256, 1000}, 4, 1u << 20};
  Scheduler scheduler_{limits_, host_};
};

TEST_F(SchedulerTest, GoesRoundTheReadyEndpoints) {
  Add(1, DeliveryMode::kParallel);
  Add(2, DeliveryMode::kParallel);
  for (Sequence n : {1u, 2u, 3u}) Accept(1, n);
  Accept(2, 1);
  EXPECT_THAT(Run(), ElementsAre(std::pair(1u, 1u), std::pair(2u, 1u), std::pair(1u, 2u), std::pair(1u, 3u)));
}

TEST_F(SchedulerTest, StartsNoMoreThanTheShardMayHaveInFlight) {
  Add(1, DeliveryMode::kParallel);
  for (Sequence n = 1; n <= 6; ++n) Accept(1, n);
  EXPECT_EQ(Run().size(), 4u);
  EXPECT_EQ(scheduler_.in_flight(), 4u);
  End(1, 2);
  EXPECT_THAT(Run(), ElementsAre(std::pair(1u, 5u)));
}

TEST_F(SchedulerTest, SlotAndLaneAreHeldUntilTheOutcomeIsOnDisk) {
  Add(1, DeliveryMode::kOrdered);
  Accept(1, 1);
  Accept(1, 2);
  EXPECT_EQ(Run().size(), 1u);
  scheduler_.Find(EndpointId{1})->Submit(1, {});
  EXPECT_EQ(scheduler_.in_flight(), 1u);
  EXPECT_TRUE(Run().empty());
  scheduler_.Recorded(EndpointId{1}, 1);
  EXPECT_EQ(scheduler_.in_flight(), 0u);
  EXPECT_THAT(Run(), ElementsAre(std::pair(1u, 2u)));
}

TEST_F(SchedulerTest, SaysWhenToComeBack) {
  Add(1, DeliveryMode::kOrdered);
  Accept(1, 1);
  Run();
  End(1, 1, {true, 1, 1, now_ + std::chrono::seconds(15)});
  Run();
  ASSERT_EQ(scheduler_.NextDue(), now_ + std::chrono::seconds(15));
  now_ += std::chrono::seconds(15);
  EXPECT_TRUE(Run().empty());
  EXPECT_THAT(host_.event_reads, ElementsAre(1u));
  EXPECT_EQ(scheduler_.NextDue(), std::nullopt);
  auto event = std::make_shared<Event>();
  scheduler_.LoadedEvent(EndpointId{1}, 1, event);
  EXPECT_THAT(Run(), ElementsAre(std::pair(1u, 1u)));
}

TEST_F(SchedulerTest, AnIdleLaneIsForgottenAndComesBackWithItsNextDelivery) {
  Add(1, DeliveryMode::kOrdered);
  Accept(1, 1);
  Run();
  End(1, 1);
  Run();
  EXPECT_EQ(scheduler_.Find(EndpointId{1}), nullptr);
  Accept(1, 2);
  EXPECT_THAT(Run(), ElementsAre(std::pair(1u, 2u)));
}

TEST_F(SchedulerTest, ALaneWithARateIsForgottenOnceTheRateHasRecovered) {
  Add(1, DeliveryMode::kOrdered, 1, {5, 5});
  Accept(1, 1);
  Run();
  End(1, 1);
  Run();
  ASSERT_EQ(scheduler_.NextDue(), now_ + std::chrono::milliseconds(200));
  now_ += std::chrono::milliseconds(200);
  Run();
  EXPECT_EQ(scheduler_.Find(EndpointId{1}), nullptr);
}

TEST_F(SchedulerTest, ADeletedLaneComesToRestWhenNothingIsInFlight) {
  Add(1, DeliveryMode::kOrdered);
  Accept(1, 1);
  Accept(1, 2);
  Run();
  scheduler_.Delete(EndpointId{1});
  EXPECT_TRUE(host_.at_rest.empty());
  EXPECT_TRUE(scheduler_.Find(EndpointId{1})->deleted());
  End(1, 1);
  EXPECT_THAT(host_.at_rest, ElementsAre(EndpointId{1}));
  EXPECT_TRUE(Run().empty());
}

TEST_F(SchedulerTest, AnIdleEndpointIsAtRestAtOnceAndLateAnswersAreIgnored) {
  Add(1, DeliveryMode::kOrdered);
  scheduler_.Delete(EndpointId{1});
  EXPECT_THAT(host_.at_rest, ElementsAre(EndpointId{1}));
  scheduler_.LoadedQueue(EndpointId{1}, {}, now_);
  Accept(1, 1);
  EXPECT_TRUE(Run().empty());
}

TEST_F(SchedulerTest, ALaneThatWasDeletedBeforeTheStartIsAtRestAtOnce) {
  scheduler_.DeletedBefore(EndpointId{9});
  EXPECT_THAT(host_.at_rest, ElementsAre(EndpointId{9}));
}

TEST_F(SchedulerTest, RestoredLanesReadWhatTheStoreRemembers) {
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->id = EndpointId{1};
  LaneState state;
  state.cursor = 3;
  state.next = 5;
  state.queued = 2;
  scheduler_.Configure(endpoint, false, &state, now_, 0);
  Run();
  EXPECT_THAT(host_.queue_reads, ElementsAre(std::pair(EndpointId{1}, 3u)));
}

TEST_F(SchedulerTest, StoppedStartsNothingMore) {
  Add(1, DeliveryMode::kOrdered);
  Accept(1, 1);
  scheduler_.StopStarting();
  EXPECT_TRUE(Run().empty());
  EXPECT_EQ(scheduler_.NextDue(), std::nullopt);
}

}  // namespace
}  // namespace hookd
