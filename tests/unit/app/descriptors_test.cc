#include "dispatcher/app/descriptors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

TEST(ShardCountTest, OnePerCoreAndNeverMoreThanAttempts) {
  EXPECT_EQ(ShardCount(0, 8, 512), 8u);
  EXPECT_EQ(ShardCount(0, 8, 3), 3u);
  EXPECT_EQ(ShardCount(0, 0, 512), 1u) << "the number of cores is not known";
  EXPECT_EQ(ShardCount(0, 128, 512), 64u);
  EXPECT_EQ(ShardCount(5, 8, 512), 5u);
  EXPECT_EQ(ShardCount(5, 8, 2), 2u);
}

// 512 attempts, 2 shards, 20 multis: 2 * 6 + 20 * 2 for the machinery.
constexpr DescriptorNeeds kDefault{512, 2, 20};

TEST(ConnectionsPerMultiTest, DividesWhatIsLeft) {
  // 20,000 - 2,500 (an eighth) - 256 - 52 - 512 = 16,680: more than 20 * 500.
  EXPECT_EQ(*ConnectionsPerMulti(20'000, kDefault), kMaxConnectionsPerMulti);
  // 4,096 - 1,024 - 256 - 52 - 512 = 2,252: 112 for each of 20.
  EXPECT_EQ(*ConnectionsPerMulti(4'096, kDefault), 112u);
  // 1,024 + 256 + 52 + 512 + 20: just enough.
  EXPECT_EQ(*ConnectionsPerMulti(1'864, kDefault), 1u);
}

TEST(ConnectionsPerMultiTest, RefusesWithTheSum) {
  const auto refused = ConnectionsPerMulti(1'863, kDefault);
  ASSERT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(
      refused.status().message(),
      "delivery.max_in_flight: 1864 descriptors are needed and the limit is 1863: 1024 for the database, 256 "
      "for inbound connections, 52 for 2 shards and 20 multi handles, 512 for attempts in flight, 20 for "
      "kept "
      "connections. Lower it, or raise the hard limit (LimitNOFILE, ulimit -Hn)");
  EXPECT_FALSE(ConnectionsPerMulti(100'000, {100'000, 2, 20}).ok());
}

TEST(RaiseDescriptorLimitTest, ToTheHardOne) {
  const auto limit = RaiseDescriptorLimit();
  ASSERT_TRUE(limit.ok());
  EXPECT_GT(*limit, 0u);
}

}  // namespace
}  // namespace hookd
