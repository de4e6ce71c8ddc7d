#include <gtest/gtest.h>

#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/lane.h"

namespace hookd {
namespace {

using Kind = LaneStep::Kind;
using Place = LanePosition::Place;

constexpr EndpointId kEndpoint{0x0a3f000000000001};
constexpr WallMs kWall = 1'700'000'100'000;

EventId IdOf(Sequence n) {
  return EventId::Make(1'700'000'000'000 + static_cast<WallMs>(n), 0, kEndpoint.partition(), n);
}

std::shared_ptr<Event> MakeEvent(Sequence n, const std::string& key = "") {
  auto event = std::make_shared<Event>();
  event->id = IdOf(n);
  event->type = "t";
  event->subscriber_id = "acme";
  event->ordering_key = key;
  event->payload = "{}";
  return event;
}

EndOrder Order(Sequence n) {
  EndOrder order;
  order.delivery.id = MakeDeliveryId(IdOf(n), nullptr, kEndpoint, n);
  order.delivery.event = IdOf(n);
  order.delivery.event_type = "t";
  order.reason = EndReason::kCanceledByPerson;
  return order;
}

class LaneSteerTest : public ::testing::Test {
 protected:
  LaneSteerTest() {
    endpoint_.id = kEndpoint;
    endpoint_.subscriber_id = "acme";
    endpoint_.policy.rate.per_second = 0;
    Configure();
    lane_.Know(/*proven=*/true, /*failing=*/false);
  }

  void Configure(Hold hold = Hold::kNone) { lane_.Configure(std::make_shared<Endpoint>(endpoint_), hold); }
  void Mode(DeliveryMode mode) {
    endpoint_.policy.mode = mode;
    Configure();
  }
  void Accept(Sequence n, const std::string& key = "") { lane_.Accepted(n, MakeEvent(n, key), now_); }
  void Accept(Sequence first, Sequence last) {
    for (Sequence n = first; n <= last; ++n) Accept(n);
  }
  Sequence ExpectStart() {
    const LaneStep step = lane_.Next(now_);
    EXPECT_EQ(step.kind, Kind::kStart);
    return step.work.sequence;
  }
  void Fail(Sequence n, Duration wait) {
    AfterAttempt after;
    after.parked = true;
    after.attempts = after.failures = 1;
    after.due = now_.steady + wait;
    after.ended_ms = now_.wall;
    lane_.Submit(n, after);
    lane_.Recorded(n);
  }
  Place PlaceOf(Sequence n) { return lane_.Position(n).place; }
  Sequence Behind(Sequence n) {
    const LanePosition position = lane_.Position(n);
    EXPECT_EQ(position.place, Place::kBehind);
    return position.behind ? position.behind->sequence : 0;
  }
  EndAnswer End(Sequence n, const std::shared_ptr<const Event>& row = nullptr) {
    return lane_.End(Order(n), row);
  }

  Now now_{SteadyTime(std::chrono::hours(1)), kWall};
  Endpoint endpoint_;
  LaneShared shared_{{4, 8, 100}, WindowBudget(4000)};
  Lane lane_{kEndpoint, 1, shared_};
};

TEST_F(LaneSteerTest, AnOrderedLaneRetriesItsHeadAlone) {
  Accept(1, 6);
  EXPECT_EQ(ExpectStart(), 1u);
  EXPECT_EQ(lane_.Retry(1, now_).place, Place::kInFlight);
  EXPECT_EQ(Behind(2), 1u);
  Fail(1, std::chrono::minutes(10));
  EXPECT_EQ(lane_.Retry(2, now_).place, Place::kBehind);
  EXPECT_EQ(Behind(2), 1u);
  EXPECT_EQ(Behind(6), 1u);  // on disk: the window has four
  EXPECT_EQ(PlaceOf(7), Place::kGone);
  EXPECT_EQ(lane_.Next(now_).kind, Kind::kWait);
  EXPECT_EQ(lane_.Retry(1, now_).place, Place::kNext);
  EXPECT_EQ(lane_.Next(now_).kind, Kind::kLoadEvent);
  lane_.LoadedEvent(1, MakeEvent(1));
  EXPECT_EQ(ExpectStart(), 1u);
}

TEST_F(LaneSteerTest, AKeyedLaneRetriesTheFirstOfEachKey) {
  Mode(DeliveryMode::kKeyed);
  Accept(1, "a");
  Accept(2, "b");
  Accept(3, "a");
  EXPECT_EQ(ExpectStart(), 1u);
  EXPECT_EQ(ExpectStart(), 2u);
  Fail(2, std::chrono::minutes(10));
  EXPECT_EQ(Behind(3), 1u);
  Fail(1, std::chrono::minutes(10));
  EXPECT_EQ(Behind(3), 1u);
  EXPECT_EQ(lane_.Next(now_).kind, Kind::kPark);  // 3, behind 1
  EXPECT_EQ(PlaceOf(3), Place::kSettling);
  lane_.Recorded(3);
  EXPECT_EQ(Behind(3), 1u);
  EXPECT_EQ(lane_.Retry(2, now_).place, Place::kNext);
  const LaneStep step = lane_.Next(now_);
  EXPECT_EQ(step.kind, Kind::kLoadEvent);
  EXPECT_EQ(step.sequence, 2u);
}

TEST_F(LaneSteerTest, AParallelLaneRetriesAnyAndNotBeforeStays) {
  Mode(DeliveryMode::kParallel);
  Accept(1, 2);
  EXPECT_EQ(ExpectStart(), 1u);
  EXPECT_EQ(ExpectStart(), 2u);
  Fail(1, std::chrono::minutes(10));
  Fail(2, std::chrono::minutes(20));
  EXPECT_EQ(lane_.Retry(2, now_).place, Place::kNext);
  EXPECT_EQ(lane_.Next(now_).sequence, 2u);
  auto later = MakeEvent(3);
  later->not_before_ms = kWall + 5000;
  lane_.Accepted(3, later, now_);
  EXPECT_EQ(lane_.Retry(3, now_).place, Place::kNotBefore);
  EXPECT_EQ(lane_.WhyNot(3, now_).kind, WaitKind::kNotBefore);
  EXPECT_EQ(lane_.WhyNot(3, now_).until_ms, kWall + 5000);
}

TEST_F(LaneSteerTest, EndsFromTheWindowAndFromParked) {
  Accept(1, 3);
  EXPECT_EQ(ExpectStart(), 1u);
  EXPECT_EQ(End(1).kind, EndAnswer::Kind::kInFlight);
  Fail(1, std::chrono::minutes(10));
  const EndAnswer parked = End(1);
  ASSERT_EQ(parked.kind, EndAnswer::Kind::kEnds);
  EXPECT_TRUE(parked.step.work.was_parked);
  EXPECT_EQ(parked.step.work.attempt, 2u);
  EXPECT_EQ(parked.step.work.event->type, "t");
  EXPECT_EQ(parked.step.state, DeliveryState::kCanceled);
  EXPECT_EQ(parked.step.reason, EndReason::kCanceledByPerson);
  EXPECT_EQ(parked.step.cursor, 2u);
  const EndAnswer windowed = End(3);
  ASSERT_EQ(windowed.kind, EndAnswer::Kind::kEnds);
  EXPECT_FALSE(windowed.step.work.was_parked);
  EXPECT_EQ(windowed.step.cursor, 2u);
  EXPECT_EQ(End(3).kind, EndAnswer::Kind::kBusy);
  EXPECT_EQ(lane_.Next(now_).kind, Kind::kIdle);  // the end of 1 is not on disk yet
  lane_.Recorded(1);
  EXPECT_EQ(ExpectStart(), 2u);  // that of 3 need not be
  lane_.Recorded(3);
  EXPECT_EQ(End(3).kind, EndAnswer::Kind::kGone);
}

TEST_F(LaneSteerTest, EndsOnDiskOnlyWhatARowShowsThatNothingHasMoved) {
  Accept(1, 8);  // 5..8 stay on disk
  EXPECT_EQ(End(7).kind, EndAnswer::Kind::kReadRow);
  EXPECT_EQ(End(7).kind, EndAnswer::Kind::kClaimed);
  const EndAnswer ends = End(7, MakeEvent(7));
  ASSERT_EQ(ends.kind, EndAnswer::Kind::kEnds);
  EXPECT_EQ(ends.step.cursor, 1u);
  for (Sequence n = 1; n <= 4; ++n) {
    EXPECT_EQ(ExpectStart(), n);
    lane_.Submit(n, {});
    lane_.Recorded(n);
  }
  const LaneStep load = lane_.Next(now_);
  ASSERT_EQ(load.kind, Kind::kLoadQueue);
  EXPECT_EQ(load.sequence, 5u);
  EXPECT_EQ(End(6).kind, EndAnswer::Kind::kReadRow);
  lane_.Recorded(7);  // while a read is under way that may still show it
  lane_.LoadedQueue({{5, MakeEvent(5)}, {6, MakeEvent(6)}, {7, MakeEvent(7)}, {8, MakeEvent(8)}}, now_);
  EXPECT_EQ(ExpectStart(), 5u);
  EXPECT_EQ(End(7).kind, EndAnswer::Kind::kGone);
  EXPECT_EQ(End(6, MakeEvent(6)).kind, EndAnswer::Kind::kEnds);  // from the window
  EXPECT_EQ(End(8, MakeEvent(8)).kind, EndAnswer::Kind::kEnds);
}

TEST_F(LaneSteerTest, ARowReadBeforeItsDeliveryCameAndWentEndsNothing) {
  Mode(DeliveryMode::kKeyed);
  Accept(1, "a");
  for (Sequence n = 2; n <= 6; ++n) Accept(n, "b");
  EXPECT_EQ(End(5).kind, EndAnswer::Kind::kReadRow);
  EXPECT_EQ(ExpectStart(), 1u);
  EXPECT_EQ(ExpectStart(), 2u);
  lane_.Submit(1, {});
  lane_.Recorded(1);
  ASSERT_EQ(lane_.Next(now_).kind, Kind::kLoadQueue);
  lane_.LoadedQueue({{5, MakeEvent(5, "c")}, {6, MakeEvent(6, "b")}}, now_);
  EXPECT_EQ(ExpectStart(), 5u);
  lane_.Submit(5, {});
  lane_.Recorded(5);
  EXPECT_EQ(End(5, MakeEvent(5, "c")).kind, EndAnswer::Kind::kGone);
}

TEST_F(LaneSteerTest, AHeldLaneReadsItsParkedRowsWhenAsked) {
  LaneState state;
  state.cursor = 3;
  state.next = 5;
  state.queued = 2;
  state.parked = 1;
  Configure(Hold::kEndpoint);
  lane_.Restore(state, now_);
  EXPECT_EQ(lane_.Next(now_).kind, Kind::kIdle);
  EXPECT_EQ(PlaceOf(1), Place::kUnknown);
  EXPECT_EQ(End(1).kind, EndAnswer::Kind::kBusy);
  EXPECT_TRUE(lane_.LearnParked());
  EXPECT_FALSE(lane_.LearnParked());
  ParkedDelivery row;
  row.sequence = 1;
  row.event = IdOf(1);
  row.attempts = 2;
  row.due_ms = kWall + 1000;
  lane_.LoadedParked({row}, now_);
  EXPECT_EQ(PlaceOf(1), Place::kNext);
  EXPECT_EQ(Behind(3), 1u);
  EXPECT_EQ(End(1).step.work.attempt, 3u);
  EXPECT_EQ(End(4).kind, EndAnswer::Kind::kReadRow);
}

TEST_F(LaneSteerTest, SaysWhatItWaitsFor) {
  endpoint_.policy.rate = {1, 1};
  Configure();
  Accept(1, 2);
  EXPECT_EQ(lane_.WhyNot(1, now_).kind, WaitKind::kSlot);
  EXPECT_EQ(ExpectStart(), 1u);
  EXPECT_EQ(lane_.InFlightSince(1), kWall);
  Fail(1, std::chrono::seconds(15));
  Waiting waiting = lane_.WhyNot(1, now_);
  EXPECT_EQ(waiting.kind, WaitKind::kBackoff);
  EXPECT_EQ(waiting.since_ms, kWall);
  EXPECT_EQ(waiting.until_ms, kWall + 15'000);
  lane_.Retry(1, now_);
  waiting = lane_.WhyNot(1, now_);
  EXPECT_EQ(waiting.kind, WaitKind::kRate);
  EXPECT_EQ(waiting.until_ms, kWall + 1000);
  now_.steady += std::chrono::seconds(1);
  now_.wall += 1000;
  ASSERT_EQ(lane_.Next(now_).kind, Kind::kLoadEvent);
  lane_.LoadedEvent(1, MakeEvent(1));
  EXPECT_EQ(ExpectStart(), 1u);
  AfterAttempt after;
  after.parked = true;
  after.attempts = 2;
  after.due = after.hold_until = now_.steady + std::chrono::seconds(60);
  lane_.Submit(1, after);
  lane_.Recorded(1);
  waiting = lane_.WhyNot(1, now_);
  EXPECT_EQ(waiting.kind, WaitKind::kRetryAfter);
  EXPECT_EQ(waiting.until_ms, now_.wall + 60'000);
}

TEST_F(LaneSteerTest, AnOrderCountsAsWhatTheBacklogAskedFor) {
  Accept(1, 4);
  lane_.OverBacklog(2);
  ASSERT_EQ(End(3).kind, EndAnswer::Kind::kEnds);
  const LaneStep first = lane_.Next(now_);
  EXPECT_EQ(first.kind, Kind::kEnd);
  EXPECT_EQ(first.work.sequence, 1u);
  EXPECT_EQ(first.reason, EndReason::kBacklogFull);
  lane_.OverBacklog(2);  // as of a commit that holds neither
  EXPECT_EQ(lane_.Next(now_).kind, Kind::kIdle);
  lane_.Recorded(1);
  lane_.Recorded(3);
  EXPECT_EQ(ExpectStart(), 2u);
}

}  // namespace
}  // namespace hookd
