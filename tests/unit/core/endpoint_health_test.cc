#include "dispatcher/core/endpoint_health.h"

#include <chrono>
#include <cstdint>

#include <gtest/gtest.h>

#include "dispatcher/core/delivery_state.h"

namespace hookd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr WallMs kNow = 1'700'000'000'000;
constexpr WallMs kHour = 3'600'000;

TEST(CountsTowardsDisableTest, EveryFailureBut429AndOurOwn) {
  EXPECT_TRUE(CountsTowardsDisable({}, ErrorKind::kStatus, 500));
  EXPECT_TRUE(CountsTowardsDisable({}, ErrorKind::kStatus, 503));
  EXPECT_TRUE(CountsTowardsDisable({}, ErrorKind::kStatus, 410));
  EXPECT_FALSE(CountsTowardsDisable({}, ErrorKind::kStatus, 429));
  for (ErrorKind error : {ErrorKind::kTimeout, ErrorKind::kName, ErrorKind::kConnect, ErrorKind::kTls,
                          ErrorKind::kProtocol, ErrorKind::kResponseTooBig}) {
    EXPECT_TRUE(CountsTowardsDisable({}, error, 0)) << ToString(error);
  }
  EXPECT_TRUE(CountsTowardsDisable({}, ErrorKind::kResponseTooBig, 429));
  EXPECT_FALSE(CountsTowardsDisable({}, ErrorKind::kLocal, 0));
  EXPECT_FALSE(CountsTowardsDisable({}, ErrorKind::kNone, 200));
  EXPECT_FALSE(CountsTowardsDisable({}, ErrorKind::kNone, 429));
  AutoDisable rule;
  rule.count_429 = true;
  EXPECT_TRUE(CountsTowardsDisable(rule, ErrorKind::kStatus, 429));
  EXPECT_FALSE(CountsTowardsDisable(rule, ErrorKind::kNone, 429));
}

TEST(ShouldDisableTest, ARowLongEnoughInNumberAndInTime) {
  struct Case {
    uint32_t rule_failures;
    WallMs span;
    uint32_t failures;
    WallMs since;  // before the attempt's end
    DisableReason reason;
  };
  const Case cases[] = {
      {60, kHour, 60, kHour, DisableReason::kFailures},
      {60, kHour, 59, kHour, DisableReason::kNone},
      {60, kHour, 60, kHour - 1, DisableReason::kNone},
      {60, kHour, 100'000, kHour - 1, DisableReason::kNone},
      {60, kHour, 61, 30 * 24 * kHour, DisableReason::kFailures},
      {60, 0, 60, 0, DisableReason::kFailures},
      {1, 0, 1, 0, DisableReason::kFailures},
      {0, 0, 100'000, 30 * 24 * kHour, DisableReason::kNone},  // never
      {60, kHour, 60, -kHour, DisableReason::kNone},           // the clock was set back
      {60, 0, 60, -1, DisableReason::kNone},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(testing::Message() << test.rule_failures << " over " << test.span << ": " << test.failures
                                    << " over " << test.since);
    const AutoDisable rule{test.rule_failures, Millis(test.span), true};
    EXPECT_EQ(ShouldDisable(rule, test.failures, kNow - test.since, ErrorKind::kTimeout, 0, kNow),
              test.reason);
  }
}

TEST(ShouldDisableTest, OnlyACountedFailureDisables) {
  const AutoDisable rule{1, Millis(0), true};
  EXPECT_EQ(ShouldDisable(rule, 60, 0, ErrorKind::kNone, 200, kNow), DisableReason::kNone);
  EXPECT_EQ(ShouldDisable(rule, 60, 0, ErrorKind::kLocal, 0, kNow), DisableReason::kNone);
  EXPECT_EQ(ShouldDisable(rule, 60, 0, ErrorKind::kStatus, 429, kNow), DisableReason::kNone);
  EXPECT_EQ(ShouldDisable(rule, 60, 0, ErrorKind::kStatus, 500, kNow), DisableReason::kFailures);
}

TEST(ShouldDisableTest, GoneDisablesAtOnce) {
  AutoDisable rule;
  EXPECT_EQ(ShouldDisable(rule, 1, kNow, ErrorKind::kStatus, 410, kNow), DisableReason::kGone);
  EXPECT_EQ(ShouldDisable(rule, 60, 0, ErrorKind::kStatus, 410, kNow), DisableReason::kGone);
  EXPECT_EQ(ShouldDisable(rule, 1, kNow, ErrorKind::kStatus, 404, kNow), DisableReason::kNone);
  // A policy may take 410 for a success.
  EXPECT_EQ(ShouldDisable(rule, 0, 0, ErrorKind::kNone, 410, kNow), DisableReason::kNone);
  rule.failures = 0;
  EXPECT_EQ(ShouldDisable(rule, 1, kNow, ErrorKind::kStatus, 410, kNow), DisableReason::kGone);
  rule = {60, Millis(kHour), false};
  EXPECT_EQ(ShouldDisable(rule, 1, kNow, ErrorKind::kStatus, 410, kNow), DisableReason::kNone);
  EXPECT_EQ(ShouldDisable(rule, 60, 0, ErrorKind::kStatus, 410, kNow), DisableReason::kFailures);
}

TEST(AlertForTest, OnceAsTheRowGrowsAndOnceAsItEnds) {
  struct Case {
    uint32_t alert_after, before, after;
    HealthAlert alert;
  };
  const Case cases[] = {
      {10, 0, 1, HealthAlert::kNone},        {10, 8, 9, HealthAlert::kNone},
      {10, 9, 10, HealthAlert::kFailing},    {10, 10, 11, HealthAlert::kNone},
      {10, 9, 0, HealthAlert::kNone},        {10, 10, 0, HealthAlert::kRecovered},
      {10, 500, 0, HealthAlert::kRecovered}, {10, 0, 0, HealthAlert::kNone},
      {10, 10, 10, HealthAlert::kNone},      {10, 9, 9, HealthAlert::kNone},  // our own trouble
      {1, 0, 1, HealthAlert::kFailing},      {1, 1, 0, HealthAlert::kRecovered},
      {0, 0, 1, HealthAlert::kNone},         {0, 5, 0, HealthAlert::kNone},
  };
  for (const auto& [alert_after, before, after, alert] : cases) {
    EXPECT_EQ(AlertFor(alert_after, before, after), alert)
        << alert_after << ": " << before << " to " << after;
  }
}

TEST(BacklogNearlyFullTest, AsItReachesFourFifths) {
  struct Case {
    uint64_t backlog, before, after;
    bool nearly_full;
  };
  const Case cases[] = {
      {1'000'000, 799'998, 799'999, false},
      {1'000'000, 799'999, 800'000, true},
      {1'000'000, 0, 1'000'000, true},
      {1'000'000, 800'000, 800'001, false},  // told already
      {1'000'000, 800'000, 799'999, false},
      {1'000'000, 800'000, 800'000, false},
      {1, 0, 1, true},
      {4, 2, 3, false},
      {4, 3, 4, true},
      {0, 0, UINT64_MAX, false},
      {UINT64_MAX, 0, UINT64_MAX, true},
  };
  for (const auto& [backlog, before, after, nearly_full] : cases) {
    EXPECT_EQ(BacklogNearlyFull(backlog, before, after), nearly_full)
        << backlog << ": " << before << " to " << after;
  }
}

// A receiver that always answers 500, attempts that take no time, no jitter, whose row nobody resets:
// the times that the design promises.
TEST(EndpointLifeTest, AlertDisableAndEndOfTheDefaultPolicyComeAtThePromisedTimes) {
  const DeliveryPolicy policy;
  WallMs now = kNow;
  WallMs alerted = 0;
  WallMs disabled = 0;
  AttemptEnd end;
  end.error = ErrorKind::kStatus;
  end.status = 500;
  Decision decision;
  while (true) {
    decision = Decide(policy, end, now, 0);
    const uint32_t row = end.attempt;
    if (AlertFor(policy.alert_after, row - 1, row) == HealthAlert::kFailing) {
      EXPECT_EQ(alerted, 0) << "a second alert";
      alerted = now;
    }
    const DisableReason reason = ShouldDisable(policy.disable, row, kNow, end.error, end.status, now);
    if (reason == DisableReason::kFailures && disabled == 0) {
      EXPECT_EQ(row, 60U);
      disabled = now;
    }
    if (IsTerminal(decision.state)) break;
    end.failures = decision.failures;
    ++end.attempt;
    now = decision.next_due_ms;
  }
  EXPECT_EQ(Millis(alerted - kNow), minutes(11) + seconds(15));
  EXPECT_EQ(Millis(disabled - kNow), hours(7) + minutes(22) + seconds(30));
  EXPECT_EQ(Millis(now - kNow), hours(17) + minutes(37) + seconds(30));
  EXPECT_EQ(end.attempt, 101U);
  EXPECT_EQ(decision.state, DeliveryState::kExhausted);
}

}  // namespace
}  // namespace hookd
