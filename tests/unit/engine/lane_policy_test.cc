// What a lane does about ordering keys, holds, not_before, expires_at, the backlog bound and the retention.
#include <gtest/gtest.h>

#include "base/concat.h"
#include "dispatcher/engine/lane.h"

namespace hookd {
namespace {

using Kind = LaneStep::Kind;
using std::chrono::seconds;

constexpr EndpointId kEndpoint{0x0a3f000000000001};
constexpr WallMs kWall = 1'700'000'100'000;

class LanePolicyTest : public ::testing::Test {
 protected:
  LanePolicyTest() {
    endpoint_.id = kEndpoint;
    endpoint_.policy.rate.per_second = 0;
    Mode(DeliveryMode::kKeyed);
    lane_.Know(/*proven=*/true, /*failing=*/false);
  }

  void Mode(DeliveryMode mode) {
    endpoint_.policy.mode = mode;
    Configure();
  }
  void Configure(Hold hold = Hold::kNone) { lane_.Configure(std::make_shared<Endpoint>(endpoint_), hold); }
  static std::shared_ptr<Event> MakeEvent(Sequence n, const std::string& key = "") {
    auto event = std::make_shared<Event>();
    event->id = EventId::Make(kWall - 100'000 + static_cast<WallMs>(n), 0, kEndpoint.partition(), n);
    event->ordering_key = key;
    event->payload = "{}";
    return event;
  }
  // Numbered from 1; each is one letter, the ordering key.
  void AcceptKeys(const std::string& keys) {
    for (const char key : keys) Accept(MakeEvent(next_, std::string(1, key)));
  }
  void Accept(const std::shared_ptr<const Event>& event) {
    events_[next_] = event;
    lane_.Accepted(next_++, event, now_);
  }
  // All that may start now, as "1 3 "; ends are "-n", parkings "+n", both on disk at once; events are loaded.
  std::string Run() {
    std::string text;
    while (true) {
      LaneStep step = lane_.Next(now_);
      switch (step.kind) {
        case Kind::kStart:
          text += Concat(step.work.sequence, " ");
          break;
        case Kind::kEnd:
          reason_ = step.reason;
          text += Concat("-", step.work.sequence, " ");
          cursor_ = step.cursor;
          lane_.Recorded(step.work.sequence);
          break;
        case Kind::kPark:
          text += Concat("+", step.work.sequence, " ");
          cursor_ = step.cursor;
          lane_.Recorded(step.work.sequence);
          break;
        case Kind::kLoadEvent:
          lane_.LoadedEvent(step.sequence, events_.at(step.sequence));
          break;
        case Kind::kWait:
          return text + Concat("until ", (step.until - now_.steady) / seconds(1));
        default:
          return text;
      }
    }
  }
  void Succeed(Sequence n) {
    AfterAttempt after;
    after.success = true;
    cursor_ = lane_.Submit(n, after);
    lane_.Recorded(n);
  }
  void Fail(Sequence n, Duration wait, Duration hold = {}) {
    AfterAttempt after;
    after.parked = after.counted = true;
    after.attempts = after.failures = 1;
    after.due = now_.steady + wait;
    if (hold != Duration{}) after.hold_until = now_.steady + hold;
    cursor_ = lane_.Submit(n, after);
    lane_.Recorded(n);
  }
  void Pass(Duration time) {
    now_.steady += time;
    now_.wall += std::chrono::duration_cast<Millis>(time).count();
  }

  Now now_{SteadyTime(std::chrono::hours(1)), kWall};
  Endpoint endpoint_;
  LaneShared shared_{{8, 6, 100}, WindowBudget(1u << 20)};
  Lane lane_{kEndpoint, 1, shared_};
  Sequence next_ = 1;
  std::map<Sequence, std::shared_ptr<const Event>> events_;
  Sequence cursor_ = 0;
  EndReason reason_ = EndReason::kNone;
};

TEST_F(LanePolicyTest, KeyedSendsOneOfEachKeyInItsOrder) {
  AcceptKeys("aabac");
  EXPECT_EQ(Run(), "1 3 5 ");
  Succeed(1);
  EXPECT_EQ(Run(), "2 ");
  Succeed(2);
  EXPECT_EQ(Run(), "4 ");
}

TEST_F(LanePolicyTest, KeyedNeverMoreThanMaxInFlight) {
  endpoint_.policy.max_in_flight = 2;
  Configure();
  AcceptKeys("abcd");
  EXPECT_EQ(Run(), "1 2 ");
}

TEST_F(LanePolicyTest, KeyedEventsWithoutAKeyShareOne) {
  for (int i = 0; i < 3; ++i) Accept(MakeEvent(next_));
  AcceptKeys("a");
  EXPECT_EQ(Run(), "1 4 ");
}

TEST_F(LanePolicyTest, KeyedAConversationThatWaitsHoldsNoOther) {
  AcceptKeys("aba");
  EXPECT_EQ(Run(), "1 2 ");
  Fail(1, seconds(15));
  EXPECT_EQ(Run(), "+3 until 15");  // it goes out of the way
  EXPECT_EQ(cursor_, 2u);
  Succeed(2);
  EXPECT_EQ(cursor_, 4u);
  AcceptKeys("ba");
  EXPECT_EQ(Run(), "4 +5 until 15");
  Pass(seconds(15));
  EXPECT_EQ(Run(), "1 ");
  Succeed(1);
  EXPECT_EQ(Run(), "3 ");
  Succeed(3);
  EXPECT_EQ(Run(), "5 ");
}

TEST_F(LanePolicyTest, KeyedAtTheParkedBoundTheCursorWaits) {
  AcceptKeys("aaaaaaa");
  EXPECT_EQ(Run(), "1 ");
  Fail(1, seconds(15));
  EXPECT_EQ(Run(), "+2 +3 +4 +5 +6 until 15");  // 6 are parked
  AcceptKeys("b");
  EXPECT_EQ(Run(), "until 15");
  Pass(seconds(15));
  EXPECT_EQ(Run(), "1 ");
  Succeed(1);
  EXPECT_EQ(Run(), "2 +7 ");
}

TEST_F(LanePolicyTest, FromKeyedToOrderedAndBackKeepsTheOrder) {
  AcceptKeys("abab");
  EXPECT_EQ(Run(), "1 2 ");
  Fail(1, seconds(5));
  EXPECT_EQ(Run(), "+3 until 5");
  Mode(DeliveryMode::kOrdered);
  EXPECT_EQ(Run(), "");  // 2 is in flight
  Succeed(2);
  EXPECT_EQ(Run(), "until 5");
  Pass(seconds(5));
  EXPECT_EQ(Run(), "1 ");
  Succeed(1);
  EXPECT_EQ(Run(), "3 ");
  Mode(DeliveryMode::kKeyed);
  EXPECT_EQ(Run(), "");
  Succeed(3);
  EXPECT_EQ(Run(), "4 ");
}

TEST_F(LanePolicyTest, ABatchPutTogetherBeforeTheModeChangedTakesItsTurn) {
  endpoint_.policy.batch = {{"t"}, 2, Millis(0)};
  Mode(DeliveryMode::kParallel);
  AcceptKeys("a");
  EXPECT_EQ(Run(), "1 ");
  Fail(1, seconds(60));
  for (int i = 0; i < 2; ++i) {
    const std::shared_ptr<Event> event = MakeEvent(next_, "a");
    event->type = "t";
    Accept(event);
  }
  const LaneStep formed = lane_.Next(now_);
  ASSERT_EQ(formed.kind, Kind::kForm);
  ASSERT_EQ(formed.work.sequence, 2u);
  Configure(Hold::kEndpoint);
  lane_.Recorded(2);
  Mode(DeliveryMode::kOrdered);
  EXPECT_EQ(Run(), "until 60");  // for 1
  Pass(seconds(60));
  EXPECT_EQ(Run(), "1 ");
  Succeed(1);
  EXPECT_EQ(Run(), "2 ");
}

TEST_F(LanePolicyTest, AHoldStopsEverythingOfTheEndpointAndIsForgottenWithThePolicy) {
  Mode(DeliveryMode::kParallel);
  AcceptKeys("ab");
  EXPECT_EQ(Run(), "1 2 ");
  Fail(1, seconds(15), seconds(60));
  AcceptKeys("c");
  EXPECT_EQ(Run(), "until 15");  // a look when the retry is due
  Succeed(2);                    // what was in flight has ended
  Pass(seconds(30));
  EXPECT_EQ(Run(), "until 30");
  endpoint_.policy.retry_after_max = Millis(0);
  Configure();
  EXPECT_EQ(Run(), "1 3 ");
}

TEST_F(LanePolicyTest, OrderedHeadWithNotBeforeHoldsItsLane) {
  Mode(DeliveryMode::kOrdered);
  auto later = MakeEvent(1);
  later->not_before_ms = now_.wall + 20'000;
  Accept(later);
  AcceptKeys("a");
  EXPECT_EQ(Run(), "until 20");
  Pass(seconds(20));
  EXPECT_EQ(Run(), "1 ");
}

TEST_F(LanePolicyTest, NotBeforeHoldsItsKeyAlone) {
  auto later = MakeEvent(1, "a");
  later->not_before_ms = now_.wall + 20'000;
  Accept(later);
  AcceptKeys("ab");
  EXPECT_EQ(Run(), "+1 +2 3 until 20");
  Pass(seconds(20));
  EXPECT_EQ(Run(), "1 ");
  Succeed(1);
  EXPECT_EQ(Run(), "2 ");
}

TEST_F(LanePolicyTest, WhatHasExpiredIsNotSent) {
  Mode(DeliveryMode::kOrdered);
  auto brief = MakeEvent(1);
  brief->expires_ms = now_.wall + 5'000;
  Accept(brief);
  auto dead = MakeEvent(2);
  dead->expires_ms = now_.wall;
  Accept(dead);
  AcceptKeys("a");
  EXPECT_EQ(Run(), "1 ");
  Fail(1, seconds(5));
  Pass(seconds(5));
  EXPECT_EQ(Run(), "-1 -2 3 ");
  EXPECT_EQ(reason_, EndReason::kExpiresAt);
}

TEST_F(LanePolicyTest, NothingExpiresWhileTheClockIsNotTrusted) {
  shared_.may_expire = false;
  auto dead = MakeEvent(1);
  dead->expires_ms = now_.wall;
  Accept(dead);
  EXPECT_EQ(Run(), "1 ");
}

TEST_F(LanePolicyTest, AFullBacklogEndsItsOldestThatIsNotInFlight) {
  Mode(DeliveryMode::kOrdered);
  AcceptKeys("abcd");
  EXPECT_EQ(Run(), "1 ");
  lane_.OverBacklog(2);
  EXPECT_EQ(Run(), "-2 -3 ");
  EXPECT_EQ(reason_, EndReason::kBacklogFull);
  EXPECT_EQ(cursor_, 1u);  // 1 has no outcome yet
  Fail(1, seconds(15));
  lane_.OverBacklog(1);
  EXPECT_EQ(Run(), "-1 4 ");  // the head of the row was the oldest
}

TEST_F(LanePolicyTest, AFullBacklogIsTrimmedWhilePausedAndOnlyOnce) {
  Configure(Hold::kEndpoint);
  AcceptKeys("abcd");
  lane_.OverBacklog(1);
  LaneStep step = lane_.Next(now_);
  ASSERT_EQ(step.kind, Kind::kEnd);
  EXPECT_EQ(step.work.sequence, 1u);
  lane_.OverBacklog(2);  // of a commit that did not have that end yet
  EXPECT_EQ(Run(), "-2 ");
  lane_.Recorded(1);
  EXPECT_EQ(Run(), "");
}

TEST_F(LanePolicyTest, RetentionEndsTheOldestAlsoWhileDisabled) {
  AcceptKeys("aaa");
  EXPECT_EQ(Run(), "1 ");
  Fail(1, seconds(900));
  EXPECT_EQ(Run(), "+2 +3 until 900");
  Configure(Hold::kEndpoint);
  shared_.expire_accepted_before = events_.at(3)->id.accepted_ms();
  lane_.CheckAge();
  EXPECT_EQ(Run(), "-1 -2 ");
  EXPECT_EQ(reason_, EndReason::kTooOld);
  Configure(Hold::kNone);
  EXPECT_EQ(Run(), "3 ");
}

TEST_F(LanePolicyTest, ItsClassFollowsWhatTheEndpointShowsAndBoundsItsAttempts) {
  lane_.Know(false, false);
  EXPECT_EQ(lane_.lane_class(), LaneClass::kUnproven);
  AcceptKeys("abcdefgh");
  EXPECT_EQ(Run(), "1 ");  // one at a time
  Succeed(1);
  EXPECT_EQ(lane_.lane_class(), LaneClass::kGood);
  endpoint_.policy.max_in_flight = 4;
  Configure();
  EXPECT_EQ(Run(), "2 3 4 5 ");
  Fail(2, seconds(1));
  EXPECT_EQ(lane_.lane_class(), LaneClass::kPoor);
  Succeed(3);
  EXPECT_EQ(lane_.lane_class(), LaneClass::kGood);
  AfterAttempt slow;
  slow.success = true;
  slow.took_us = 20'000'000;
  lane_.Submit(4, slow);
  lane_.Recorded(4);
  EXPECT_EQ(lane_.lane_class(), LaneClass::kPoor);
  EXPECT_EQ(Run(), "");  // a quarter of four: 5 is in flight
}

}  // namespace
}  // namespace hookd
