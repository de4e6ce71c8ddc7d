#include "dispatcher/engine/scheduler.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;

class RecordingHost : public SchedulerHost {
 public:
  void StartAttempt(Lane& lane, Work work) override { started.emplace_back(lane.id().value, work.sequence); }
  void Settle(Lane& lane, LaneStep step) override {
    settled.emplace_back(lane.id().value, step.work.sequence);
  }
  void ReadParked(EndpointId endpoint) override { parked_reads.push_back(endpoint); }
  void ReadQueue(EndpointId endpoint, Sequence from) override { queue_reads.emplace_back(endpoint, from); }
  void ReadEvent(EndpointId, Sequence sequence, EventId) override { event_reads.push_back(sequence); }
  void LaneAtRest(EndpointId endpoint) override { at_rest.push_back(endpoint); }

  std::vector<std::pair<uint64_t, Sequence>> started;
  std::vector<std::pair<uint64_t, Sequence>> settled;
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
    endpoint->subscriber_id = "acme";
    endpoint->url = Concat("http://host", id, "/");
    endpoint->policy.mode = mode;
    endpoint->policy.max_in_flight = max_in_flight;
    endpoint->policy.rate = rate;
    endpoints_[id] = endpoint;
  }
  void Accept(uint64_t id, Sequence sequence) {
    auto event = std::make_shared<Event>();
    event->payload = "{}";
    NewDelivery delivery;
    delivery.endpoint = endpoints_.at(id);
    delivery.proven = !unproven_.contains(id);
    delivery.failing = failing_.contains(id);
    delivery.sequence = sequence;
    delivery.event = event;
    scheduler_.Accepted(delivery, now_);
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

  void Pass(Duration time) { now_.steady += time; }

  Now now_{SteadyTime(std::chrono::hours(1)), 0};
  std::map<uint64_t, std::shared_ptr<Endpoint>> endpoints_;
  std::set<uint64_t> unproven_;
  std::set<uint64_t> failing_;
  RecordingHost host_;
  SchedulerLimits limits_{{256, 1000, 256}, 4, 256, 1u << 20};
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
  AfterAttempt after;
  after.parked = true;
  after.attempts = after.failures = 1;
  after.due = now_.steady + std::chrono::seconds(15);
  End(1, 1, after);
  Run();
  ASSERT_EQ(scheduler_.NextDue(), now_.steady + std::chrono::seconds(15));
  Pass(std::chrono::seconds(15));
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
  ASSERT_EQ(scheduler_.NextDue(), now_.steady + std::chrono::milliseconds(200));
  Pass(std::chrono::milliseconds(200));
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
  scheduler_.LoadedEvent(EndpointId{1}, 1, std::make_shared<Event>());
  EXPECT_TRUE(Run().empty());
}

TEST_F(SchedulerTest, RestoredLanesReadWhatTheStoreRemembers) {
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->id = EndpointId{1};
  endpoint->url = "http://host/";
  LaneState state;
  state.cursor = 3;
  state.next = 5;
  state.queued = 2;
  scheduler_.Restore(endpoint, Hold::kNone, state, now_);
  Run();
  EXPECT_THAT(host_.queue_reads, ElementsAre(std::pair(EndpointId{1}, 3u)));
}

TEST_F(SchedulerTest, ASubscriberWithManyEndpointsHasNoMoreTurnsThanOneWithASingleOne) {
  limits_.max_in_flight = 6;
  Scheduler scheduler(limits_, host_);
  for (uint64_t id = 1; id <= 50; ++id) Add(id, DeliveryMode::kOrdered);
  Add(99, DeliveryMode::kParallel);
  endpoints_[99]->subscriber_id = "small";
  const auto accept = [&](uint64_t id, Sequence sequence) {
    NewDelivery delivery{endpoints_.at(id), Hold::kNone, true, false, sequence, std::make_shared<Event>()};
    scheduler.Accepted(delivery, now_);
  };
  for (uint64_t id = 1; id <= 50; ++id) accept(id, 1);
  for (Sequence n = 1; n <= 3; ++n) accept(99, n);
  scheduler.RunDue(now_);
  EXPECT_THAT(host_.started, ElementsAre(std::pair(1u, 1u), std::pair(99u, 1u), std::pair(2u, 1u),
                                         std::pair(99u, 2u), std::pair(3u, 1u), std::pair(99u, 3u)));
}

TEST_F(SchedulerTest, EndpointsThatFailHaveAtMostHalfOfTheSlots) {
  for (uint64_t id = 1; id <= 4; ++id) {
    Add(id, DeliveryMode::kOrdered);
    failing_.insert(id);
    Accept(id, 1);
  }
  EXPECT_THAT(Run(), ElementsAre(std::pair(1u, 1u), std::pair(2u, 1u)));
  Add(9, DeliveryMode::kParallel);
  Accept(9, 1);
  Accept(9, 2);
  EXPECT_THAT(Run(), ElementsAre(std::pair(9u, 1u), std::pair(9u, 2u)));
  AfterAttempt failed;
  failed.counted = true;
  End(1, 1, failed);
  EXPECT_THAT(Run(), ElementsAre(std::pair(3u, 1u)));
}

TEST_F(SchedulerTest, WhatHasNeverSucceededLeavesAQuarterToTheOthers) {
  for (uint64_t id = 1; id <= 8; ++id) {
    Add(id, DeliveryMode::kOrdered);
    (id <= 4 ? unproven_ : failing_).insert(id);
    Accept(id, 1);
  }
  EXPECT_EQ(Run().size(), 3u);
  Add(9, DeliveryMode::kOrdered);
  Accept(9, 1);
  EXPECT_THAT(Run(), ElementsAre(std::pair(9u, 1u)));
}

TEST_F(SchedulerTest, OneSubscribersUnprovenEndpointsLeaveRoomForAnothers) {
  limits_.max_in_flight = 16;  // 4 for what is unproven, 2 of them for one subscriber
  Scheduler scheduler(limits_, host_);
  for (uint64_t id = 1; id <= 10; ++id) {
    Add(id, DeliveryMode::kOrdered);
    if (id == 10) endpoints_[id]->subscriber_id = "another";
    NewDelivery delivery{endpoints_.at(id), Hold::kNone, false, false, 1, std::make_shared<Event>()};
    scheduler.Accepted(delivery, now_);
  }
  scheduler.RunDue(now_);
  EXPECT_THAT(host_.started, ElementsAre(std::pair(1u, 1u), std::pair(10u, 1u), std::pair(2u, 1u)));
  host_.started.clear();
  scheduler.Find(EndpointId{1})->Submit(1, {});
  scheduler.Recorded(EndpointId{1}, 1);
  scheduler.RunDue(now_);
  EXPECT_THAT(host_.started, ElementsAre(std::pair(3u, 1u)));
}

TEST_F(SchedulerTest, OneHostHasItsCapAndThenItsTurns) {
  limits_.max_per_host = 1;
  Scheduler scheduler(limits_, host_);
  for (uint64_t id : {1u, 2u, 3u}) {
    Add(id, DeliveryMode::kOrdered);
    endpoints_[id]->url = id == 3 ? "http://other/" : "http://same/";
    NewDelivery delivery{endpoints_.at(id), Hold::kNone, true, false, 1, std::make_shared<Event>()};
    scheduler.Accepted(delivery, now_);
  }
  scheduler.RunDue(now_);
  EXPECT_THAT(host_.started, ElementsAre(std::pair(1u, 1u), std::pair(3u, 1u)));
  host_.started.clear();
  scheduler.Find(EndpointId{1})->Submit(1, {});
  scheduler.Recorded(EndpointId{1}, 1);
  scheduler.RunDue(now_);
  EXPECT_THAT(host_.started, ElementsAre(std::pair(2u, 1u)));
}

TEST_F(SchedulerTest, ATurnAtAGateThatStartsNothingIsPassedOn) {
  limits_.max_per_host = 1;
  Scheduler scheduler(limits_, host_);
  for (uint64_t id : {1u, 2u, 3u}) {
    Add(id, DeliveryMode::kOrdered);
    endpoints_[id]->url = "http://same/";
    NewDelivery delivery{endpoints_.at(id), Hold::kNone, true, false, 1, std::make_shared<Event>()};
    scheduler.Accepted(delivery, now_);
  }
  scheduler.RunDue(now_);
  ASSERT_THAT(host_.started, ElementsAre(std::pair(1u, 1u)));
  host_.started.clear();
  scheduler.Configure(endpoints_[2], Hold::kEndpoint);  // the first that waits is paused meanwhile
  scheduler.Find(EndpointId{1})->Submit(1, {});
  scheduler.Recorded(EndpointId{1}, 1);
  scheduler.RunDue(now_);
  EXPECT_THAT(host_.started, ElementsAre(std::pair(3u, 1u)));
}

TEST_F(SchedulerTest, ReadsOfQueuesAreBoundedAndAllComeToTheirTurn) {
  limits_.max_in_flight = 1000;
  Scheduler scheduler(limits_, host_);
  for (uint64_t id = 1; id <= kMaxQueueReads + 5; ++id) {
    Add(id, DeliveryMode::kOrdered);
    LaneState state;
    state.next = 2;
    state.queued = 1;
    state.last_success_ms = 1;
    scheduler.Restore(endpoints_[id], Hold::kNone, state, now_);
  }
  scheduler.RunDue(now_);
  EXPECT_EQ(host_.queue_reads.size(), kMaxQueueReads);
  for (size_t i = 0; i < host_.queue_reads.size(); ++i) {
    scheduler.LoadedQueue(host_.queue_reads[i].first, {{1, std::make_shared<Event>()}}, now_);
  }
  EXPECT_EQ(host_.queue_reads.size(), kMaxQueueReads + 5);
  scheduler.RunDue(now_);
  EXPECT_EQ(host_.started.size(), kMaxQueueReads + 5);
}

TEST_F(SchedulerTest, APauseForEverythingHoldsAllLanes) {
  Operations paused;
  paused.paused = true;
  scheduler_.SetOperations(paused);
  Add(1, DeliveryMode::kOrdered);
  Accept(1, 1);
  EXPECT_TRUE(Run().empty());
  scheduler_.SetOperations({});
  EXPECT_THAT(Run(), ElementsAre(std::pair(1u, 1u)));
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
