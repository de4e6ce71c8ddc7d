#include "dispatcher/core/rate_limit.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

constexpr int64_t kSecond = 1'000'000;

// The start times of `count` attempts that all want to go from `begin` on.
std::vector<int64_t> Starts(const RateLimit& rate, int64_t begin, int count) {
  std::vector<int64_t> starts;
  int64_t tat = 0;
  int64_t now = begin;
  for (int i = 0; i < count; ++i) {
    now = std::max(now, GcraEarliestUs(rate, tat));
    tat = GcraAdvanceUs(rate, tat, now);
    starts.push_back(now - begin);
  }
  return starts;
}

TEST(RateLimitTest, BurstGoesAtOnceThenTheRateHolds) {
  EXPECT_THAT(Starts({5, 5}, 100 * kSecond, 8),
              testing::ElementsAre(0, 0, 0, 0, 0, 200'000, 400'000, 600'000));
}

TEST(RateLimitTest, BurstOfOneSpacesEveryAttempt) {
  EXPECT_THAT(Starts({5, 1}, 100 * kSecond, 4), testing::ElementsAre(0, 200'000, 400'000, 600'000));
}

TEST(RateLimitTest, WorksFromTheBeginningOfTheClock) {
  EXPECT_THAT(Starts({5, 2}, 0, 4), testing::ElementsAre(0, 0, 200'000, 400'000));
}

TEST(RateLimitTest, EarliestIsExactToTheMicrosecond) {
  const RateLimit rate{5, 1};
  const int64_t tat = GcraAdvanceUs(rate, 0, 10 * kSecond);
  EXPECT_EQ(GcraEarliestUs(rate, tat), 10 * kSecond + 200'000);
}

TEST(RateLimitTest, SilenceRestoresTheBurstButNoMore) {
  const RateLimit rate{5, 5};
  int64_t tat = 0;
  for (int i = 0; i < 5; ++i) tat = GcraAdvanceUs(rate, tat, 100 * kSecond);
  const int64_t later = 200 * kSecond;
  for (int i = 0; i < 5; ++i) {
    EXPECT_LE(GcraEarliestUs(rate, tat), later);
    tat = GcraAdvanceUs(rate, tat, later);
  }
  EXPECT_EQ(GcraEarliestUs(rate, tat), later + 200'000);
}

TEST(RateLimitTest, HalfASecondOfSilenceRestoresTwoOfFive) {
  const RateLimit rate{5, 5};
  int64_t tat = 0;
  for (int i = 0; i < 5; ++i) tat = GcraAdvanceUs(rate, tat, 100 * kSecond);
  const int64_t later = 100 * kSecond + 500'000;
  tat = GcraAdvanceUs(rate, tat, later);
  EXPECT_LE(GcraEarliestUs(rate, tat), later);
  tat = GcraAdvanceUs(rate, tat, later);
  EXPECT_GT(GcraEarliestUs(rate, tat), later);
}

TEST(RateLimitTest, NeverExceedsTheRateInTheLongRun) {
  for (uint32_t per_second : {1U, 3U, 7U, 999U, 7001U, 10'000U}) {
    const std::vector<int64_t> starts = Starts({per_second, 1}, kSecond, 20'001);
    const double seconds = static_cast<double>(starts.back()) / kSecond;
    EXPECT_LE(20'000 / seconds, per_second * 1.000001) << per_second;
    EXPECT_GE(20'000 / seconds, per_second * 0.99) << per_second;
  }
}

TEST(RateLimitTest, WidestLimitsFit) {
  EXPECT_EQ(Starts({10'000, 10'000}, kSecond, 10'002).back(), 200);
  EXPECT_EQ(Starts({1, 10'000}, kSecond, 10'002).back(), 2 * kSecond);
}

TEST(RateLimitTest, ZeroPerSecondIsNoLimit) {
  EXPECT_EQ(GcraEarliestUs({0, 1}, 999 * kSecond), 0);
  EXPECT_EQ(GcraAdvanceUs({0, 1}, 999 * kSecond, 5), 999 * kSecond);
  EXPECT_EQ(Starts({0, 1}, kSecond, 1000).back(), 0);
}

TEST(RateLimitTest, WhatCostsMoreGoesWhenOneCouldAndPaysAfterwards) {
  const RateLimit rate{5, 5, RateUnit::kMember};
  const int64_t now = 100 * kSecond;
  // 25 at 5 a second are 5 s; the burst of 5 lets the next go 0.8 s earlier.
  int64_t tat = GcraAdvanceUs(rate, 0, now, 25);
  EXPECT_EQ(tat, now + 5 * kSecond);
  EXPECT_EQ(GcraEarliestUs(rate, tat), now + 4'200'000);
  tat = GcraAdvanceUs(rate, tat, now + 4'200'000, 1);
  EXPECT_EQ(GcraEarliestUs(rate, tat), now + 4'400'000);
  EXPECT_EQ(GcraAdvanceUs(rate, 0, now, 1), GcraAdvanceUs(rate, 0, now));
  EXPECT_EQ(GcraAdvanceUs({0, 1}, 7, now, 25), 7) << "no limit";
}

}  // namespace
}  // namespace hookd
