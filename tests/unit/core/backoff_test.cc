#include "dispatcher/core/backoff.h"

#include <cmath>
#include <cstdint>

#include <gtest/gtest.h>

namespace hookd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Millis SumOfDelays(uint32_t count) {
  Millis sum{0};
  for (uint32_t n = 1; n <= count; ++n) sum += RetryDelay(Backoff{}, n, 0);
  return sum;
}

TEST(BackoffTest, GrowsByOneStepPerRetry) {
  EXPECT_EQ(RetryDelay(Backoff{}, 1, 0), seconds(15));
  EXPECT_EQ(RetryDelay(Backoff{}, 2, 0), seconds(30));
  EXPECT_EQ(RetryDelay(Backoff{}, 59, 0), seconds(885));
}

TEST(BackoffTest, StopsGrowingAtTheCap) {
  EXPECT_EQ(RetryDelay(Backoff{}, 60, 0), minutes(15));
  EXPECT_EQ(RetryDelay(Backoff{}, 61, 0), minutes(15));
  EXPECT_EQ(RetryDelay(Backoff{}, UINT32_MAX, 0), minutes(15));
}

TEST(BackoffTest, CapNeedNotBeAMultipleOfTheStep) {
  const Backoff backoff = LinearBackoff(Millis(400), Millis(1000), 0);
  EXPECT_EQ(RetryDelay(backoff, 2, 0), Millis(800));
  EXPECT_EQ(RetryDelay(backoff, 3, 0), Millis(1000));
}

TEST(BackoffTest, DoesNotOverflowAtTheWidestSettings) {
  const Backoff backoff = LinearBackoff(hours(24), Millis(INT64_MAX / 4), 1);
  EXPECT_EQ(RetryDelay(backoff, UINT32_MAX, 0), Millis(int64_t{86'400'000} * UINT32_MAX));
  EXPECT_EQ(RetryDelay(LinearBackoff(Millis(1), Millis(INT64_MAX), 0), UINT32_MAX, 0), Millis(UINT32_MAX));
}

TEST(BackoffTest, JitterAddsItsShareOfTheDelay) {
  EXPECT_EQ(RetryDelay(Backoff{}, 1, 0.5), Millis(15'750));
  const double almost_one = std::nextafter(1.0, 0.0);
  const Millis longest = RetryDelay(Backoff{}, 1, almost_one);
  EXPECT_GE(longest, Millis(16'499));
  EXPECT_LE(longest, Millis(16'500));
  EXPECT_EQ(RetryDelay(LinearBackoff(Millis(15'000), Millis(900'000), 0), 1, almost_one), seconds(15));
  EXPECT_EQ(RetryDelay(LinearBackoff(Millis(15'000), Millis(900'000), 1), 100, 0.5), Millis(1'350'000));
}

// The figures that the design promises for the defaults.
TEST(BackoffTest, DefaultsReachAlertDisableAndEndAfterThePromisedTimes) {
  EXPECT_EQ(SumOfDelays(9), minutes(11) + seconds(15));
  EXPECT_EQ(SumOfDelays(59), hours(7) + minutes(22) + seconds(30));
  EXPECT_EQ(SumOfDelays(100), hours(17) + minutes(37) + seconds(30));
}

TEST(BackoffTest, FixedIsAlwaysTheStep) {
  Backoff backoff;
  backoff.kind = BackoffKind::kFixed;
  backoff.step = hours(1);  // the cap of 15 min is not its
  for (uint32_t n : {1U, 2U, 1000U, UINT32_MAX}) EXPECT_EQ(RetryDelay(backoff, n, 0), hours(1));
  EXPECT_EQ(RetryDelay(backoff, 1, 0.5), minutes(63));
  EXPECT_EQ(LongestBackoff(backoff), hours(1));
}

TEST(BackoffTest, ExponentialGrowsByItsFactorUpToTheCap) {
  Backoff backoff;
  backoff.kind = BackoffKind::kExponential;
  EXPECT_EQ(RetryDelay(backoff, 1, 0), seconds(15));
  EXPECT_EQ(RetryDelay(backoff, 2, 0), seconds(30));
  EXPECT_EQ(RetryDelay(backoff, 6, 0), seconds(480));
  EXPECT_EQ(RetryDelay(backoff, 7, 0), minutes(15));
  EXPECT_EQ(RetryDelay(backoff, UINT32_MAX, 0), minutes(15));
  EXPECT_EQ(LongestBackoff(backoff), minutes(15));
  backoff.factor = 1;
  EXPECT_EQ(RetryDelay(backoff, UINT32_MAX, 0), seconds(15));
  backoff.factor = 1.5;
  EXPECT_EQ(RetryDelay(backoff, 3, 0), Millis(33'750));
}

TEST(BackoffTest, ExactFirstTakesTheJitterOffTheFirstRetryAlone) {
  Backoff backoff;
  backoff.jitter = 1;
  backoff.exact_first = true;
  for (const BackoffKind kind : {BackoffKind::kLinear, BackoffKind::kFixed, BackoffKind::kExponential}) {
    backoff.kind = kind;
    EXPECT_EQ(RetryDelay(backoff, 1, 0.5), seconds(15));
    EXPECT_EQ(RetryDelay(backoff, 2, 0.5), RetryDelay(backoff, 2, 0) * 3 / 2);
  }
  backoff.kind = BackoffKind::kSchedule;
  backoff.schedule = {seconds(5), seconds(10)};
  EXPECT_EQ(RetryDelay(backoff, 1, 0.5), seconds(5));
  EXPECT_EQ(RetryDelay(backoff, 2, 0.5), seconds(15));
}

TEST(BackoffTest, ScheduleRepeatsItsLastEntry) {
  Backoff backoff;
  backoff.kind = BackoffKind::kSchedule;
  backoff.schedule = {seconds(5), hours(10), minutes(1)};
  EXPECT_EQ(RetryDelay(backoff, 1, 0), seconds(5));
  EXPECT_EQ(RetryDelay(backoff, 2, 0), hours(10));
  EXPECT_EQ(RetryDelay(backoff, 3, 0), minutes(1));
  EXPECT_EQ(RetryDelay(backoff, UINT32_MAX, 0), minutes(1));
  EXPECT_EQ(RetryDelay(backoff, 3, 0.5), seconds(63));
  EXPECT_EQ(LongestBackoff(backoff), hours(10));
}

TEST(BackoffDeathTest, RefusesWhatOnlyABugCanPass) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(RetryDelay(Backoff{}, 0, 0), "counted from 1");
  EXPECT_DEATH(RetryDelay(Backoff{}, 1, 1.0), "not in \\[0, 1\\)");
  EXPECT_DEATH(RetryDelay(LinearBackoff(Millis(0), Millis(0), 0), 1, 0), "not checked");
}

}  // namespace
}  // namespace hookd
