#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/scheduler.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SettlingHost : public SchedulerHost {
 public:
  void StartAttempt(Lane& lane, Work work) override { started.emplace_back(lane.id().value, work.sequence); }
  void Settle(Lane&, LaneStep step) override { settled.push_back(std::move(step)); }
  void ReadParked(EndpointId endpoint) override { parked_reads.push_back(endpoint); }
  void ReadQueue(EndpointId, Sequence) override {}
  void ReadEvent(EndpointId, Sequence, EventId) override {}
  void LaneAtRest(EndpointId) override {}

  std::vector<std::pair<uint64_t, Sequence>> started;
  std::vector<LaneStep> settled;
  std::vector<EndpointId> parked_reads;
};

class SchedulerSteerTest : public ::testing::Test {
 protected:
  std::shared_ptr<Endpoint> Add(uint64_t id, const std::string& host) {
    auto endpoint = std::make_shared<Endpoint>();
    endpoint->id = EndpointId{id};
    endpoint->subscriber_id = "acme";
    endpoint->url = Concat("http://", host, "/");
    endpoint->policy.mode = DeliveryMode::kParallel;
    endpoint->policy.rate = {0, 5};
    endpoints_[id] = endpoint;
    return endpoint;
  }
  void Accept(uint64_t id, Sequence sequence, bool proven = true, Hold hold = Hold::kNone) {
    auto event = std::make_shared<Event>();
    event->payload = "{}";
    scheduler_.Accepted({endpoints_.at(id), hold, proven, false, sequence, event}, now_);
  }
  Waiting Why(uint64_t id, Sequence sequence) {
    const std::optional<Waiting> waiting = scheduler_.WhyWaiting(EndpointId{id}, sequence, now_);
    EXPECT_TRUE(waiting);
    return waiting.value_or(Waiting());
  }

  Now now_{SteadyTime(std::chrono::hours(1)), 1'700'000'000'000};
  std::map<uint64_t, std::shared_ptr<Endpoint>> endpoints_;
  SettlingHost host_;
  SchedulerLimits limits_{{256, 1000, 256}, 4, 2, 1u << 20};
  Scheduler scheduler_{limits_, host_};
};

TEST_F(SchedulerSteerTest, SaysWhichCapOrSlotIsMissing) {
  Add(1, "a");
  Add(2, "b");
  Add(3, "c");
  for (Sequence n = 1; n <= 3; ++n) Accept(1, n);
  scheduler_.RunDue(now_);
  EXPECT_EQ(Why(1, 1).kind, WaitKind::kInFlight);
  EXPECT_EQ(Why(1, 1).since_ms, now_.wall);
  EXPECT_EQ(Why(1, 3).kind, WaitKind::kCap);
  EXPECT_THAT(Why(1, 3).detail, HasSubstr("its host"));
  for (Sequence n = 1; n <= 2; ++n) Accept(2, n);
  Accept(3, 1);
  scheduler_.RunDue(now_);
  EXPECT_EQ(host_.started.size(), 4u);
  EXPECT_EQ(Why(2, 2).kind, WaitKind::kSlot);
  EXPECT_EQ(Why(2, 2).detail, "all slots are in use");
  EXPECT_FALSE(scheduler_.WhyWaiting(EndpointId{3}, 2, now_));
  EXPECT_FALSE(scheduler_.WhyWaiting(EndpointId{4}, 1, now_));
  scheduler_.StopStarting();
  EXPECT_EQ(Why(2, 2).kind, WaitKind::kServer);
}

TEST_F(SchedulerSteerTest, SaysThatTheUnprovenHaveTheirShare) {
  Add(1, "a");
  Add(2, "b");
  Accept(1, 1, /*proven=*/false);
  Accept(2, 1, /*proven=*/false);
  scheduler_.RunDue(now_);
  ASSERT_EQ(host_.started.size(), 1u);
  const Waiting waiting = Why(host_.started[0].first == 1 ? 2 : 1, 1);
  EXPECT_EQ(waiting.kind, WaitKind::kCap);
  EXPECT_THAT(waiting.detail, HasSubstr("never succeeded"));
}

TEST_F(SchedulerSteerTest, EndsOfAHeldEndpointAreCountedUntilTheyAreOnDisk) {
  Add(1, "a")->paused = true;
  Accept(1, 1, true, Hold::kSubscriber);
  scheduler_.RunDue(now_);
  EXPECT_EQ(Why(1, 1).kind, WaitKind::kPaused);
  EndOrder order;
  order.delivery.id = {0, EndpointId{1}, 1};
  order.state = DeliveryState::kExpired;
  order.reason = EndReason::kExpiredByPerson;
  EXPECT_EQ(scheduler_.End(order, nullptr), EndAnswer::Kind::kEnds);
  ASSERT_EQ(host_.settled.size(), 1u);
  EXPECT_EQ(host_.settled[0].reason, EndReason::kExpiredByPerson);
  EXPECT_EQ(scheduler_.in_flight(), 1u);
  EXPECT_EQ(scheduler_.End(order, nullptr), EndAnswer::Kind::kBusy);
  scheduler_.Recorded(EndpointId{1}, 1);
  EXPECT_EQ(scheduler_.in_flight(), 0u);
  EXPECT_EQ(scheduler_.End(order, nullptr), EndAnswer::Kind::kGone);
}

TEST_F(SchedulerSteerTest, ADeletedEndpointsDeliveriesAreNotForAnybodyToEnd) {
  Add(1, "a");
  Accept(1, 1);
  scheduler_.RunDue(now_);
  scheduler_.Delete(EndpointId{1});
  EndOrder order;
  order.delivery.id = {0, EndpointId{1}, 1};
  EXPECT_EQ(scheduler_.End(order, nullptr), EndAnswer::Kind::kGone);
  EXPECT_EQ(scheduler_.Retry(EndpointId{1}, 1, now_).place, LanePosition::Place::kGone);
  EXPECT_FALSE(scheduler_.LearnParked(EndpointId{1}));
  EXPECT_EQ(Why(1, 1).kind, WaitKind::kInFlight);
}

TEST_F(SchedulerSteerTest, ParkedRowsAreReadOnceForAllWhoAsk) {
  LaneState state;
  state.cursor = state.next = 2;
  state.parked = 1;
  scheduler_.Restore(Add(1, "a"), Hold::kSubscriber, state, now_);
  EXPECT_TRUE(scheduler_.LearnParked(EndpointId{1}));
  EXPECT_TRUE(scheduler_.LearnParked(EndpointId{1}));
  EXPECT_THAT(host_.parked_reads, ElementsAre(EndpointId{1}));
  ParkedDelivery row;
  row.sequence = 1;
  row.attempts = 1;
  row.due_ms = now_.wall + 60'000;
  scheduler_.LoadedParked(EndpointId{1}, {row}, now_);
  EXPECT_FALSE(scheduler_.LearnParked(EndpointId{1}));
  EXPECT_EQ(scheduler_.Retry(EndpointId{1}, 1, now_).place, LanePosition::Place::kNext);
}

}  // namespace
}  // namespace hookd
