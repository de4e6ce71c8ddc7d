#include "dispatcher/engine/lane.h"

#include <gtest/gtest.h>

#include "dispatcher/core/delivery_state.h"

namespace hookd {
namespace {

using Kind = LaneStep::Kind;

constexpr EndpointId kEndpoint{0x0a3f000000000001};
constexpr WallMs kWall = 1'700'000'100'000;

std::shared_ptr<const Event> MakeEvent(Sequence n, size_t bytes = 2) {
  auto event = std::make_shared<Event>();
  event->id = EventId::Make(1'700'000'000'000 + static_cast<WallMs>(n), 0, kEndpoint.partition(), n);
  event->payload.assign(bytes, '1');
  return event;
}

class LaneTest : public ::testing::Test {
 protected:
  LaneTest() {
    endpoint_.id = kEndpoint;
    endpoint_.policy.rate.per_second = 0;
    Configure();
    lane_.Know(/*proven=*/true, /*failing=*/false);
  }

  void Configure(Hold hold = Hold::kNone) { lane_.Configure(std::make_shared<Endpoint>(endpoint_), hold); }
  void Mode(DeliveryMode mode, uint32_t max_in_flight = 16) {
    endpoint_.policy.mode = mode;
    endpoint_.policy.max_in_flight = max_in_flight;
    Configure();
  }
  void Accept(Sequence first, Sequence last) {
    for (Sequence n = first; n <= last; ++n) lane_.Accepted(n, MakeEvent(n), now_);
  }
  Sequence ExpectStart() {
    const LaneStep step = lane_.Next(now_);
    EXPECT_EQ(step.kind, Kind::kStart);
    return step.work.sequence;
  }
  void ExpectStep(Kind kind) { EXPECT_EQ(lane_.Next(now_).kind, kind); }
  Sequence Succeed(Sequence n) {
    const Sequence cursor = lane_.Submit(n, {});
    lane_.Recorded(n);
    return cursor;
  }
  Sequence Fail(Sequence n, Duration wait, uint32_t attempts = 1) {
    AfterAttempt after;
    after.parked = true;
    after.attempts = after.failures = attempts;
    after.due = now_.steady + wait;
    after.counted = true;
    const Sequence cursor = lane_.Submit(n, after);
    lane_.Recorded(n);
    return cursor;
  }

  void Pass(Duration time) {
    now_.steady += time;
    now_.wall += std::chrono::duration_cast<Millis>(time).count();
  }

  Now now_{SteadyTime(std::chrono::hours(1)), kWall};
  Endpoint endpoint_;
  LaneShared shared_{{4, 8, 100}, WindowBudget(4000)};
  Lane lane_{kEndpoint, 1, shared_};
};

TEST_F(LaneTest, OrderedSendsTheNextOnlyAfterTheOutcomeBeforeIsOnDisk) {
  Accept(1, 3);
  EXPECT_EQ(ExpectStart(), 1u);
  ExpectStep(Kind::kIdle);
  lane_.Submit(1, {});
  ExpectStep(Kind::kIdle);  // handed over, not yet on disk
  lane_.Recorded(1);
  EXPECT_EQ(ExpectStart(), 2u);
}

TEST_F(LaneTest, OrderedWaitsForTheRetryOfItsHead) {
  Accept(1, 2);
  EXPECT_EQ(ExpectStart(), 1u);
  Fail(1, std::chrono::seconds(15));
  const LaneStep wait = lane_.Next(now_);
  EXPECT_EQ(wait.kind, Kind::kWait);
  EXPECT_EQ(wait.until, now_.steady + std::chrono::seconds(15));

  Pass(wait.until - now_.steady);
  const LaneStep load = lane_.Next(now_);
  EXPECT_EQ(load.kind, Kind::kLoadEvent);
  EXPECT_EQ(load.sequence, 1u);
  ExpectStep(Kind::kIdle);  // the read is under way
  lane_.LoadedEvent(1, MakeEvent(1));
  const LaneStep retry = lane_.Next(now_);
  ASSERT_EQ(retry.kind, Kind::kStart);
  EXPECT_EQ(retry.work.sequence, 1u);
  EXPECT_EQ(retry.work.attempt, 2u);
  EXPECT_EQ(retry.work.failures, 1u);
  EXPECT_TRUE(retry.work.was_parked);
  Succeed(1);
  EXPECT_EQ(ExpectStart(), 2u);
}

TEST_F(LaneTest, ParallelSendsUpToMaxInFlightAndGoesOnBesideARetry) {
  Mode(DeliveryMode::kParallel, 2);
  Accept(1, 4);
  EXPECT_EQ(ExpectStart(), 1u);
  EXPECT_EQ(ExpectStart(), 2u);
  ExpectStep(Kind::kIdle);
  Fail(1, std::chrono::seconds(15));
  Succeed(2);
  EXPECT_EQ(ExpectStart(), 3u);
}

TEST_F(LaneTest, ParallelSendsWhatIsReadyWhileARetryIsRead) {
  Mode(DeliveryMode::kParallel, 2);
  Accept(1, 2);
  ExpectStart();
  Fail(1, std::chrono::seconds(0));
  ExpectStep(Kind::kLoadEvent);
  EXPECT_EQ(ExpectStart(), 2u);
}

TEST_F(LaneTest, CursorIsTheLowestSequenceStillInTheQueue) {
  Mode(DeliveryMode::kParallel, 3);
  Accept(1, 4);
  ExpectStart();
  ExpectStart();
  ExpectStart();
  EXPECT_EQ(lane_.Submit(2, {}), 1u);  // 1 has no outcome yet
  EXPECT_EQ(lane_.Submit(1, {}), 3u);
  EXPECT_EQ(lane_.Submit(3, {}), 4u);  // 4 waits in memory
  for (Sequence n : {1u, 2u, 3u}) lane_.Recorded(n);
  ExpectStart();
  EXPECT_EQ(Succeed(4), 5u);
}

TEST_F(LaneTest, AtTheParkedBoundNothingNewIsStarted) {
  Mode(DeliveryMode::kParallel, 16);
  shared_.limits.parked_per_lane = 2;
  Accept(1, 3);
  for (Sequence n : {1u, 2u}) {
    EXPECT_EQ(ExpectStart(), n);
    Fail(n, std::chrono::seconds(15));
  }
  const LaneStep wait = lane_.Next(now_);
  EXPECT_EQ(wait.kind, Kind::kWait);
  EXPECT_EQ(wait.until, now_.steady + std::chrono::seconds(15));
}

TEST_F(LaneTest, RateLimitSpacesAttemptsAfterTheBurst) {
  endpoint_.policy.rate = {5, 2};
  Mode(DeliveryMode::kParallel);
  Accept(1, 3);
  ExpectStart();
  ExpectStart();
  const LaneStep wait = lane_.Next(now_);
  EXPECT_EQ(wait.kind, Kind::kWait);
  EXPECT_EQ(wait.until, now_.steady + std::chrono::milliseconds(200));
  Pass(wait.until - now_.steady);
  EXPECT_EQ(ExpectStart(), 3u);
}

TEST_F(LaneTest, AnotherRateActsAtOnce) {
  endpoint_.policy.rate = {1, 1};
  Mode(DeliveryMode::kParallel);
  Accept(1, 2);
  ExpectStart();
  ExpectStep(Kind::kWait);
  endpoint_.policy.rate = {0, 5};
  Configure();
  EXPECT_EQ(ExpectStart(), 2u);
}

TEST_F(LaneTest, PausedStartsNothingAndResumesInOrder) {
  Configure(Hold::kEndpoint);
  Accept(1, 2);
  ExpectStep(Kind::kIdle);
  Configure(Hold::kNone);
  EXPECT_EQ(ExpectStart(), 1u);
}

TEST_F(LaneTest, WhatDoesNotFitTheWindowIsReadFromDiskInItsTurn) {
  Accept(1, 6);  // the window holds 4
  for (Sequence n = 1; n <= 4; ++n) {
    EXPECT_EQ(ExpectStart(), n);
    Succeed(n);
  }
  const LaneStep load = lane_.Next(now_);
  ASSERT_EQ(load.kind, Kind::kLoadQueue);
  EXPECT_EQ(load.sequence, 5u);
  ExpectStep(Kind::kIdle);
  Accept(7, 7);  // accepted while the read is under way: stays on disk
  lane_.LoadedQueue({{5, MakeEvent(5)}, {6, MakeEvent(6)}}, now_);
  EXPECT_EQ(ExpectStart(), 5u);
  Succeed(5);
  EXPECT_EQ(ExpectStart(), 6u);
  Succeed(6);
  EXPECT_EQ(lane_.Next(now_).sequence, 7u);
}

TEST_F(LaneTest, AReadMayBringMoreThanWasTold) {
  Accept(1, 4);
  lane_.Accepted(5, MakeEvent(5), now_);
  for (Sequence n = 1; n <= 4; ++n) {
    ExpectStart();
    Succeed(n);
  }
  ExpectStep(Kind::kLoadQueue);
  lane_.LoadedQueue({{5, MakeEvent(5)}, {6, MakeEvent(6)}}, now_);
  Accept(6, 6);  // its notice comes after its row was read
  EXPECT_EQ(ExpectStart(), 5u);
  Succeed(5);
  EXPECT_EQ(ExpectStart(), 6u);
  EXPECT_EQ(Succeed(6), 7u);
  ExpectStep(Kind::kIdle);
}

TEST_F(LaneTest, PayloadsBeyondTheSharedBudgetStayOnDisk) {
  lane_.Accepted(1, MakeEvent(1, 2000), now_);
  lane_.Accepted(2, MakeEvent(2, 2000), now_);  // 4,000 bytes in all, and each costs more than its payload
  EXPECT_EQ(ExpectStart(), 1u);
  Succeed(1);
  ExpectStep(Kind::kLoadQueue);
  lane_.LoadedQueue({{2, MakeEvent(2, 5000)}}, now_);  // one read may exceed it
  EXPECT_TRUE(shared_.budget.Exceeded());
  EXPECT_EQ(ExpectStart(), 2u);
  EXPECT_FALSE(shared_.budget.Exceeded());
}

TEST_F(LaneTest, ALaneThatHasToWaitGivesBackWhatExceedsTheBudget) {
  Accept(1, 1);
  ExpectStart();
  lane_.Accepted(3, MakeEvent(3), now_);  // 2 was not told yet: from disk
  Fail(1, std::chrono::seconds(15));
  ExpectStep(Kind::kWait);
  Pass(std::chrono::seconds(15));
  ExpectStep(Kind::kLoadEvent);
  lane_.LoadedEvent(1, MakeEvent(1));
  ExpectStart();
  Succeed(1);
  ExpectStep(Kind::kLoadQueue);
  lane_.LoadedQueue({{2, MakeEvent(2, 3000)}, {3, MakeEvent(3, 3000)}}, now_);
  EXPECT_EQ(ExpectStart(), 2u);
  shared_.budget.Take(*MakeEvent(9, 3000));  // others spend the rest
  Fail(2, std::chrono::seconds(15));
  ExpectStep(Kind::kWait);
  EXPECT_FALSE(shared_.budget.Exceeded());
  Pass(std::chrono::seconds(15));
  ExpectStep(Kind::kLoadEvent);
  lane_.LoadedEvent(2, MakeEvent(2));
  EXPECT_EQ(ExpectStart(), 2u);
  Succeed(2);
  const LaneStep again = lane_.Next(now_);
  EXPECT_EQ(again.kind, Kind::kLoadQueue);
  EXPECT_EQ(again.sequence, 3u);
}

TEST_F(LaneTest, AnEmptyReadDoesNotSkipWhatWasAcceptedMeanwhile) {
  Accept(1, 5);  // 5 does not fit
  for (Sequence n = 1; n <= 4; ++n) {
    ExpectStart();
    Succeed(n);
  }
  ExpectStep(Kind::kLoadQueue);
  Accept(6, 6);
  lane_.LoadedQueue({}, now_);
  const LaneStep again = lane_.Next(now_);
  EXPECT_EQ(again.kind, Kind::kLoadQueue);
  EXPECT_EQ(again.sequence, 6u);
}

TEST_F(LaneTest, RestoredLaneReadsItsParkedRowsFirst) {
  Lane lane(kEndpoint, 1, shared_);
  LaneState state;
  state.cursor = 5;
  state.next = 7;
  state.queued = 2;
  state.parked = 1;
  lane.Configure(std::make_shared<Endpoint>(endpoint_), Hold::kNone);
  lane.Restore(state, now_);
  ASSERT_EQ(lane.Next(now_).kind, Kind::kLoadParked);
  EXPECT_EQ(lane.Next(now_).kind, Kind::kIdle);
  lane.LoadedParked({{4, MakeEvent(4)->id, 0, 3, 2, kWall + 30'000}}, now_);
  const LaneStep wait = lane.Next(now_);
  ASSERT_EQ(wait.kind, Kind::kWait);
  EXPECT_EQ(wait.until, now_.steady + std::chrono::seconds(30));
  Pass(std::chrono::seconds(30));
  ASSERT_EQ(lane.Next(now_).kind, Kind::kLoadEvent);
  lane.LoadedEvent(4, MakeEvent(4));
  const LaneStep retry = lane.Next(now_);
  EXPECT_EQ(retry.work.attempt, 4u);
  EXPECT_EQ(retry.work.failures, 2u);
  lane.Submit(4, {});
  lane.Recorded(4);
  const LaneStep load = lane.Next(now_);
  ASSERT_EQ(load.kind, Kind::kLoadQueue);
  EXPECT_EQ(load.sequence, 5u);
}

TEST_F(LaneTest, AClockSetBackBeforeAStartFreezesNothing) {
  endpoint_.policy.rate = {5, 5};
  endpoint_.policy.backoff.jitter = 0;
  constexpr WallMs kTenHours = 36'000'000;
  Lane lane(kEndpoint, 1, shared_);
  lane.Configure(std::make_shared<Endpoint>(endpoint_), Hold::kNone);
  LaneState state;
  state.next = 3;
  state.cursor = 2;
  state.queued = 1;
  state.parked = 1;
  state.rate_tat_ms = kWall + kTenHours;
  lane.Restore(state, now_);
  ASSERT_EQ(lane.Next(now_).kind, Kind::kLoadParked);
  lane.LoadedParked({{1, MakeEvent(1)->id, 0, 1, 1, kWall + kTenHours}}, now_);
  const LaneStep wait = lane.Next(now_);
  ASSERT_EQ(wait.kind, Kind::kWait);
  EXPECT_LE(wait.until, now_.steady + std::chrono::hours(1));
  EXPECT_LE(
      lane.rate_tat_us(),
      1'100'000 +
          std::chrono::duration_cast<std::chrono::microseconds>(now_.steady.time_since_epoch()).count());
}

TEST_F(LaneTest, AnotherModeBeginsOnceNothingIsInFlight) {
  Accept(1, 3);
  EXPECT_EQ(ExpectStart(), 1u);
  Mode(DeliveryMode::kParallel);
  ExpectStep(Kind::kIdle);
  Succeed(1);
  EXPECT_EQ(ExpectStart(), 2u);
  EXPECT_EQ(ExpectStart(), 3u);
}

TEST_F(LaneTest, ToOrderedWhileParkedGoesOnWithTheLowestSequence) {
  Mode(DeliveryMode::kParallel);
  Accept(1, 3);
  ExpectStart();
  ExpectStart();
  Fail(2, std::chrono::seconds(1));
  Mode(DeliveryMode::kOrdered);
  ExpectStep(Kind::kIdle);  // 1 is still in flight
  Fail(1, std::chrono::seconds(20));
  Pass(std::chrono::seconds(10));
  const LaneStep wait = lane_.Next(now_);  // 2 is due, but 1 comes first
  ASSERT_EQ(wait.kind, Kind::kWait);
  EXPECT_EQ(wait.until, now_.steady + std::chrono::seconds(10));
}

TEST_F(LaneTest, DeletedStartsNothingAndIsNeverForgotten) {
  Accept(1, 2);
  ExpectStart();
  lane_.Delete();
  ExpectStep(Kind::kIdle);
  lane_.Submit(1, {});
  lane_.Recorded(1);
  ExpectStep(Kind::kIdle);
  EXPECT_FALSE(lane_.Forgettable(now_));
}

TEST_F(LaneTest, ForgettableOnceNothingIsPendingAndTheRateHasRecovered) {
  endpoint_.policy.rate = {5, 5};
  Configure();
  EXPECT_TRUE(lane_.Forgettable(now_));
  Accept(1, 1);
  EXPECT_FALSE(lane_.Forgettable(now_));
  ExpectStart();
  EXPECT_FALSE(lane_.Forgettable(now_));
  Succeed(1);
  EXPECT_FALSE(lane_.Forgettable(now_));
  Pass(std::chrono::milliseconds(200));
  EXPECT_TRUE(lane_.Forgettable(now_));
}

}  // namespace
}  // namespace hookd
