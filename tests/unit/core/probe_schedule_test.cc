#include "dispatcher/core/probe_schedule.h"

#include <chrono>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using ::testing::ElementsAre;

constexpr WallMs kDisabled = 1'700'000'000'000;
constexpr WallMs kMinute = 60'000;

Endpoint Disabled(Millis first, Millis cap, DisableReason reason = DisableReason::kFailures) {
  Endpoint endpoint;
  endpoint.disabled = reason;
  endpoint.disabled_ms = kDisabled;
  endpoint.policy.probe = {first, cap};
  return endpoint;
}

// The first ones, in minutes after the disablement, each as of the one before.
std::vector<int64_t> Probes(const Endpoint& endpoint, size_t count) {
  std::vector<int64_t> minutes_after;
  WallMs now = kDisabled;
  while (minutes_after.size() < count) {
    now = NextProbe(endpoint, now).value();
    EXPECT_EQ((now - kDisabled) % kMinute, 0);
    minutes_after.push_back((now - kDisabled) / kMinute);
  }
  return minutes_after;
}

TEST(ProbeScheduleTest, WaitsDoubleUpToTheCap) {
  EXPECT_THAT(Probes(Disabled(minutes(5), hours(1)), 7), ElementsAre(5, 15, 35, 75, 135, 195, 255));
  EXPECT_THAT(Probes(Disabled(minutes(1), minutes(1)), 4), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(Probes(Disabled(minutes(1), minutes(3)), 4), ElementsAre(1, 3, 6, 9));
}

TEST(ProbeScheduleTest, TheNextOneFollowsFromWhatIsStoredWheneverItIsAsked) {
  const Endpoint endpoint = Disabled(minutes(5), hours(1));
  EXPECT_EQ(NextProbe(endpoint, kDisabled + 15 * kMinute - 1), kDisabled + 15 * kMinute);
  EXPECT_EQ(NextProbe(endpoint, kDisabled + 15 * kMinute), kDisabled + 35 * kMinute);
  // What was due while nobody looked is left out: a year later, the next is on the same grid.
  const WallMs year = kDisabled + 365 * 24 * 60 * kMinute;
  const WallMs next = NextProbe(endpoint, year).value();
  EXPECT_GT(next, year);
  EXPECT_LE(next, year + 60 * kMinute);
  EXPECT_EQ((next - kDisabled) % (60 * kMinute), 15 * kMinute);
}

TEST(ProbeScheduleTest, ADisablementInTheFutureCountsFromNow) {
  const Endpoint endpoint = Disabled(minutes(5), hours(1));
  EXPECT_EQ(NextProbe(endpoint, kDisabled - 1'000'000'000), kDisabled - 1'000'000'000 + 5 * kMinute);
}

TEST(ProbeScheduleTest, OnlyWhatIsDisabledByItselfAndWhoseOwnerWantsIt) {
  for (const DisableReason reason : {DisableReason::kNone, DisableReason::kPerson, DisableReason::kUrlCleared,
                                     DisableReason::kUnverified}) {
    EXPECT_EQ(NextProbe(Disabled(minutes(5), hours(1), reason), kDisabled), std::nullopt) << ToString(reason);
  }
  EXPECT_NE(NextProbe(Disabled(minutes(5), hours(1), DisableReason::kGone), kDisabled), std::nullopt);
  EXPECT_EQ(NextProbe(Disabled(Millis(0), hours(1)), kDisabled), std::nullopt);
}

}  // namespace
}  // namespace hookd
