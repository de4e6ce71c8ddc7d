#include "dispatcher/core/clock_guard.h"

#include <vector>

#include <gtest/gtest.h>

namespace hookd {
namespace {

constexpr WallMs kNow = 1'700'000'000'000;
constexpr int64_t kHour = 3'600'000;

struct Step {
  int64_t steady_ms;  // since the first observation
  int64_t wall_ms;    // likewise
  bool leapt;
};

void ExpectLeaps(const std::vector<Step>& steps) {
  const SteadyTime start{std::chrono::hours(5)};
  ClockGuard guard;
  EXPECT_FALSE(guard.Observe(kNow, start));
  for (const auto& [steady_ms, wall_ms, leapt] : steps) {
    EXPECT_EQ(guard.Observe(kNow + wall_ms, start + std::chrono::milliseconds(steady_ms)), leapt)
        << "steady " << steady_ms << ", wall " << wall_ms;
  }
}

TEST(ClockGuardTest, TimeThatPassesIsNoLeap) {
  ExpectLeaps({{0, 0, false}, {1, 1, false}, {30 * kHour, 30 * kHour, false}});
}

TEST(ClockGuardTest, MoreThanAnHourAheadIsOne) {
  ExpectLeaps({{1000, 1000 + kHour, false}});
  ExpectLeaps({{1000, 1000 + kHour + 1, true}});
  ExpectLeaps({{2 * kHour, 3 * kHour, false}});
  ExpectLeaps({{2 * kHour, 3 * kHour + 1, true}});
}

TEST(ClockGuardTest, ALeapIsToldOnceAndTheNextOneAgain) {
  ExpectLeaps({{1000, 24 * kHour, true}, {2000, 24 * kHour + 1000, false}, {3000, 48 * kHour, true}});
}

TEST(ClockGuardTest, TheFirstObservationIsNone) {
  ClockGuard guard;
  EXPECT_FALSE(guard.Observe(kNow, SteadyTime()));
}

TEST(ClockGuardTest, DriftNeverAddsUp) {
  std::vector<Step> steps;
  // A minute fast or slow in each hour, for 100 hours.
  for (int64_t hour = 1; hour <= 100; ++hour) steps.push_back({hour * kHour, hour * (kHour + 60'000), false});
  ExpectLeaps(steps);
  steps.clear();
  for (int64_t hour = 1; hour <= 100; ++hour) steps.push_back({hour * kHour, hour * (kHour - 60'000), false});
  ExpectLeaps(steps);
}

TEST(ClockGuardTest, SmallStepsOfSteadyTimeAreNotLost) {
  const SteadyTime start;
  ClockGuard guard;
  guard.Observe(kNow, start);
  // Ten minutes of observations each 0.9 ms, while the wall clock stands an hour back.
  std::chrono::microseconds elapsed{0};
  for (; elapsed < std::chrono::minutes(10); elapsed += std::chrono::microseconds(900)) {
    guard.Observe(kNow - kHour, start + elapsed);
  }
  const int64_t elapsed_ms = elapsed.count() / 1000;
  EXPECT_FALSE(guard.Observe(kNow + elapsed_ms + kHour, start + elapsed));
}

TEST(ClockGuardTest, NeitherALeapBackNorTheReturnIsOne) {
  ExpectLeaps({{1000, -10 * kHour, false},
               {2000, -10 * kHour + 1000, false},
               {3000, 3000, false},  // the true time again
               {4000, 4000 + kHour + 1, true}});
  // Ahead of the true time it is one again.
  ExpectLeaps({{1000, -10 * kHour, false}, {2000, 2000 + kHour, false}});
  ExpectLeaps({{1000, -10 * kHour, false}, {2000, 2001 + kHour, true}});
}

}  // namespace
}  // namespace hookd
