#include "dispatcher/core/outage.h"

#include <chrono>

#include <gtest/gtest.h>

namespace hookd {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr SteadyTime kStart{std::chrono::hours(1)};

// Hosts from..to-1 were all tried at `now`.
void RecordAll(OutageDetector* detector, uint64_t from, uint64_t to, bool connected, SteadyTime now) {
  for (uint64_t host = from; host < to; ++host) detector->Record(host, connected, now);
}

TEST(ConnectedTest, TellsWhatReachedTheHost) {
  struct Case {
    ErrorKind error;
    int status;
    bool connected;
  };
  const Case cases[] = {
      {ErrorKind::kNone, 200, true},
      {ErrorKind::kStatus, 500, true},
      {ErrorKind::kTls, 0, true},
      {ErrorKind::kProtocol, 0, true},
      {ErrorKind::kTimeout, 0, false},
      {ErrorKind::kTimeout, 200, true},
      {ErrorKind::kConnect, 0, false},
      {ErrorKind::kName, 0, false},
      {ErrorKind::kLocal, 0, false},
      {ErrorKind::kToken, 0, false},
      {ErrorKind::kResponseTooBig, 200, true},
      {ErrorKind::kResponseTooBig, 0, true},
  };
  for (const auto& [error, status, connected] : cases) {
    EXPECT_EQ(Connected(error, status), connected) << ToString(error) << " " << status;
  }
}

TEST(OutageTest, MoreThanHalfOfTheActiveHosts) {
  struct Case {
    uint64_t dead, alive;
    bool suspended;
  };
  const Case cases[] = {
      {0, 0, false}, {0, 10, false}, {1, 1, false},       {4, 0, false},  // too few
      {5, 0, true},  {3, 2, true},   {2, 3, false},       {3, 3, false},      {4, 3, true},
      {5, 5, false}, {6, 5, true},   {2048, 2048, false}, {2049, 2047, true},
  };
  for (const auto& [dead, alive, suspended] : cases) {
    OutageDetector detector;
    RecordAll(&detector, 0, dead, false, kStart);
    RecordAll(&detector, dead, dead + alive, true, kStart);
    EXPECT_EQ(detector.Suspended(kStart), suspended) << dead << " dead, " << alive << " alive";
  }
}

TEST(OutageTest, TheLastTryOfAHostCounts) {
  OutageDetector detector;
  RecordAll(&detector, 0, 6, false, kStart);
  RecordAll(&detector, 0, 6, false, kStart);
  EXPECT_TRUE(detector.Suspended(kStart));
  RecordAll(&detector, 0, 2, true, kStart + seconds(1));
  EXPECT_TRUE(detector.Suspended(kStart + seconds(1)));
  RecordAll(&detector, 2, 3, true, kStart + seconds(1));
  EXPECT_FALSE(detector.Suspended(kStart + seconds(1)));
  RecordAll(&detector, 0, 1, false, kStart + seconds(2));
  EXPECT_TRUE(detector.Suspended(kStart + seconds(2)));
}

TEST(OutageTest, OneBusyDeadHostIsOneHost) {
  OutageDetector detector;
  RecordAll(&detector, 1, 10, true, kStart);
  for (int i = 0; i < 1000; ++i) detector.Record(0, false, kStart);
  EXPECT_FALSE(detector.Suspended(kStart));
}

TEST(OutageTest, HostsLeaveTheWindowWhetherOrNotSomethingIsRecorded) {
  const SteadyTime last = kStart + OutageDetector::kActiveWindow;
  OutageDetector detector;
  RecordAll(&detector, 0, 6, false, kStart);
  RecordAll(&detector, 6, 11, true, kStart + minutes(1));
  EXPECT_TRUE(detector.Suspended(last));
  EXPECT_FALSE(detector.Suspended(last + milliseconds(1)));
  detector.Record(11, false, last + milliseconds(1));
  EXPECT_FALSE(detector.Suspended(last + milliseconds(1)));
  // The healthy ones leave, and four dead ones join the one.
  RecordAll(&detector, 12, 16, false, last + milliseconds(2));
  EXPECT_FALSE(detector.Suspended(last + minutes(1)));
  EXPECT_TRUE(detector.Suspended(last + minutes(1) + milliseconds(1)));
  EXPECT_FALSE(detector.Suspended(last + minutes(20)));
}

TEST(OutageTest, ATryKeepsAHostActive) {
  OutageDetector detector;
  RecordAll(&detector, 0, 5, false, kStart);
  RecordAll(&detector, 0, 5, false, kStart + minutes(9));
  EXPECT_TRUE(detector.Suspended(kStart + minutes(19)));
  EXPECT_FALSE(detector.Suspended(kStart + minutes(19) + milliseconds(1)));
}

TEST(OutageTest, WhenFullTheHostNotTriedForLongestIsForgotten) {
  constexpr uint64_t kHalf = OutageDetector::kMaxHosts / 2;
  OutageDetector detector;
  RecordAll(&detector, 0, kHalf, true, kStart);
  RecordAll(&detector, kHalf, 2 * kHalf, false, kStart);
  EXPECT_FALSE(detector.Suspended(kStart));
  detector.Record(0, true, kStart);           // now host 1 is the oldest
  detector.Record(2 * kHalf, false, kStart);  // in its place
  EXPECT_TRUE(detector.Suspended(kStart));
  detector.Record(1, true, kStart);  // in the place of host 2
  EXPECT_TRUE(detector.Suspended(kStart));
  // A million other hosts leave nothing of them.
  RecordAll(&detector, 1'000'000, 2'000'000, true, kStart);
  EXPECT_FALSE(detector.Suspended(kStart));
  RecordAll(&detector, 0, kHalf, false, kStart);
  EXPECT_FALSE(detector.Suspended(kStart));
  detector.Record(kHalf, false, kStart);
  EXPECT_TRUE(detector.Suspended(kStart));
}

}  // namespace
}  // namespace hookd
