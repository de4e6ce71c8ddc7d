#include "dispatcher/engine/statistics.h"

#include <chrono>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::UnorderedElementsAre;

constexpr EndpointId kOne{1};
constexpr EndpointId kTwo{2};
constexpr EndpointId kThree{3};
constexpr WallMs kStartWall = 1'700'000'000'000;

Now At(Duration elapsed) {
  return {SteadyTime(hours(1000)) + elapsed,
          kStartWall + std::chrono::duration_cast<Millis>(elapsed).count()};
}

Attempt Took(int64_t us, int status = 200) {
  Attempt attempt;
  attempt.us.total = us;
  attempt.status = status;
  if (status / 100 != 2) attempt.error = status == 0 ? ErrorKind::kTimeout : ErrorKind::kStatus;
  return attempt;
}

Statistics Read(const StatisticsTable& table, EndpointId id, StatWindow window, Now now) {
  Figures figures;
  table.AddTo(id, window, now, figures);
  return figures.ToStatistics();
}

TEST(StatisticsTest, CountsByClass) {
  StatisticsTable table(10, kStartWall);
  for (const int status : {200, 204, 301, 404, 429, 500, 0}) {
    table.Attempted(kOne, Took(1000, status), At(seconds(1)));
  }
  Attempt refused = Took(1000, 0);
  refused.error = ErrorKind::kConnect;
  table.Attempted(kOne, refused, At(seconds(1)));
  const Statistics all = Read(table, kOne, StatWindow::kMinute, At(seconds(1)));
  EXPECT_EQ(all.attempts, 8u);
  EXPECT_EQ(all.succeeded, 2u);
  EXPECT_EQ(all.by_class[0], 2u);
  EXPECT_EQ(all.by_class[2], 2u);
  EXPECT_EQ(all.by_class[3], 1u);
  EXPECT_EQ(all.by_class[4], 2u);
  EXPECT_EQ(all.by_class[5], 1u);
  EXPECT_EQ(all.timeouts, 1u);
}

TEST(StatisticsTest, EachWindowForgetsInItsTime) {
  StatisticsTable table(10, kStartWall);
  for (int i = 0; i < 24 * 60; ++i) table.Attempted(kOne, Took(1000), At(minutes(i)));
  const Now now = At(minutes(24 * 60 - 1));
  EXPECT_EQ(Read(table, kOne, StatWindow::kMinute, now).attempts, 1u);
  // The slot that is open belongs to the window, so the window is up to a slot short.
  EXPECT_THAT(Read(table, kOne, StatWindow::kHour, now).attempts,
              ::testing::AllOf(::testing::Ge(55u), ::testing::Le(60u)));
  EXPECT_EQ(Read(table, kOne, StatWindow::kDay, now).attempts, 24u * 60);
  EXPECT_EQ(Read(table, kOne, StatWindow::kDay, At(hours(36))).attempts, 11u * 60);
  EXPECT_EQ(Read(table, kOne, StatWindow::kDay, At(hours(72))).attempts, 0u);
  EXPECT_EQ(Read(table, kOne, StatWindow::kDay, At(hours(72))).since_ms, At(hours(48)).wall);
}

TEST(StatisticsTest, PercentilesAreWithinAThird) {
  for (const int64_t us : {60, 150, 1'000, 12'345, 99'999, 1'500'000, 30'000'000, 300'000'000}) {
    StatisticsTable table(10, kStartWall);
    for (int i = 0; i < 100; ++i) table.Attempted(kOne, Took(us), At(seconds(1)));
    const Statistics all = Read(table, kOne, StatWindow::kHour, At(seconds(1)));
    EXPECT_LT(std::abs(static_cast<double>(all.p50_us - us)), 0.34 * static_cast<double>(us)) << us;
    EXPECT_EQ(all.p50_us, all.p99_us);
  }
}

TEST(StatisticsTest, PercentilesTellTheSlowFromTheRest) {
  StatisticsTable table(10, kStartWall);
  for (int i = 0; i < 100; ++i)
    table.Attempted(kOne, Took(i < 80 ? 1'000 : i < 95 ? 50'000 : 5'000'000), At(seconds(1)));
  const Statistics all = Read(table, kOne, StatWindow::kDay, At(seconds(1)));
  EXPECT_LT(all.p50_us, 1'400);
  EXPECT_NEAR(static_cast<double>(all.p90_us), 50'000, 17'000);
  EXPECT_GT(all.p99_us, 3'300'000);
}

TEST(StatisticsTest, WithoutAttemptsThereIsNothingButSince) {
  StatisticsTable table(10, kStartWall);
  const Statistics none = Read(table, kOne, StatWindow::kHour, At(minutes(10)));
  EXPECT_EQ(none.attempts, 0u);
  EXPECT_EQ(none.p99_us, 0);
  EXPECT_EQ(none.since_ms, kStartWall);
}

TEST(StatisticsTest, WhenFullTheOneNotUsedForLongestIsForgotten) {
  StatisticsTable table(2, kStartWall);
  table.Attempted(kOne, Took(1000), At(seconds(1)));
  table.Attempted(kTwo, Took(1000), At(seconds(2)));
  table.Attempted(kOne, Took(1000), At(seconds(3)));
  table.Seen(kThree, At(seconds(4)));
  EXPECT_THAT(table.Endpoints(), UnorderedElementsAre(kOne, kThree));
  EXPECT_EQ(Read(table, kOne, StatWindow::kHour, At(seconds(5))).attempts, 2u);
  // What it says of the forgotten one is true: nothing since its last attempt.
  const Statistics forgotten = Read(table, kTwo, StatWindow::kHour, At(seconds(5)));
  EXPECT_EQ(forgotten.attempts, 0u);
  EXPECT_EQ(forgotten.since_ms, At(seconds(2)).wall);
}

TEST(StatisticsTest, FiguresOfSeveralEndpointsAddUp) {
  StatisticsTable table(10, kStartWall);
  for (int i = 0; i < 30; ++i) table.Attempted(kOne, Took(1'000), At(seconds(1)));
  for (int i = 0; i < 70; ++i) table.Attempted(kTwo, Took(100'000, 500), At(seconds(1)));
  Figures figures;
  table.AddTo(kOne, StatWindow::kMinute, At(seconds(2)), figures);
  table.AddTo(kTwo, StatWindow::kMinute, At(seconds(2)), figures);
  const Statistics sum = figures.ToStatistics();
  EXPECT_EQ(sum.attempts, 100u);
  EXPECT_EQ(sum.succeeded, 30u);
  EXPECT_NEAR(static_cast<double>(sum.p50_us), 100'000, 33'000);
}

}  // namespace
}  // namespace hookd
