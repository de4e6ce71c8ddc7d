#include "dispatcher/engine/job_pace.h"

#include <chrono>

#include <gtest/gtest.h>

namespace hookd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr SteadyTime kStart{std::chrono::hours(1)};

TEST(JobPaceTest, AStepIsAQuarterOfASecondsButBounded) {
  EXPECT_EQ(JobPace(1).Step(), 1u);
  EXPECT_EQ(JobPace(3).Step(), 1u);
  EXPECT_EQ(JobPace(100).Step(), 25u);
  EXPECT_EQ(JobPace(100'000).Step(), kJobStep);
}

TEST(JobPaceTest, KeepsItsRateOverAMinute) {
  JobPace pace(100);
  SteadyTime now = kStart;
  size_t made = 0;
  while (now < kStart + seconds(60)) {
    if (pace.next() <= now) {
      made += pace.Step();
      pace.Made(pace.Step(), now);
    }
    now += milliseconds(7);  // it is looked at when it happens to be
  }
  EXPECT_GE(made, 5'950u);
  EXPECT_LE(made, 6'050u);
}

TEST(JobPaceTest, CatchesUpWithOneStepAtMost) {
  JobPace pace(100);
  pace.Made(25, kStart);
  const SteadyTime late = kStart + seconds(30);
  pace.Made(25, late);
  EXPECT_EQ(pace.next(), late);
  pace.Made(25, late);
  EXPECT_EQ(pace.next(), late + milliseconds(250));
}

TEST(JobPaceTest, WhatIsSkippedCostsNoTime) {
  JobPace pace(1);
  pace.Made(0, kStart);
  EXPECT_LE(pace.next(), kStart);
}

TEST(JobPaceTest, WithoutRoomStepsGetSmallerAndThenLargerAgain) {
  JobPace pace(100'000);
  SteadyTime now = kStart;
  for (size_t expected = 128; expected >= 1; expected /= 2) {
    pace.Refused(now);
    EXPECT_EQ(pace.Step(), expected);
    EXPECT_GT(pace.next(), now);
    now = pace.next();
  }
  pace.Refused(now);
  EXPECT_EQ(pace.Step(), 1u);
  pace.Made(1, now);
  EXPECT_EQ(pace.Step(), 2u);
}

}  // namespace
}  // namespace hookd
