#include "storage/bucket_table.h"

#include <memory>
#include <optional>

#include <gtest/gtest.h>

namespace hookd {
namespace {

using Kind = BucketTable::Kind;

void ExpectGap(const BucketTable& table, Bucket bucket, Kind kind, Bucket first, Bucket end) {
  const std::optional<BucketTable::Gap> gap = table.GapAround(bucket, kind);
  ASSERT_TRUE(gap.has_value()) << bucket;
  EXPECT_EQ(gap->first, first) << bucket;
  EXPECT_EQ(gap->end, end) << bucket;
}

// Whole tables are deleted in these ranges: none may hold what is still stored.
TEST(BucketTableTest, GapsEndAtWhatIsStored) {
  BucketTable table;
  table.Load({10, 0, 0, 1, 5, false});
  table.Load({12, 0, 0, 1, 0, true});
  table.Load({13, 0, 0, 1, 0, true});
  table.Load({20, 3, 0, 1, 5, false});
  table.Load({22, 0, 0, 1, 0, true});
  ExpectGap(table, 12, Kind::kPayloads, 11, 20);
  ExpectGap(table, 13, Kind::kPayloads, 11, 20);
  ExpectGap(table, 5, Kind::kPayloads, 0, 10);
  ExpectGap(table, 22, Kind::kPayloads, 21, 23);
  ExpectGap(table, 21, Kind::kPayloads, 21, 23);
  EXPECT_EQ(table.GapAround(10, Kind::kPayloads), std::nullopt);
  EXPECT_EQ(table.GapAround(20, Kind::kPayloads), std::nullopt);

  EXPECT_EQ(table.GapAround(12, Kind::kHistory), std::nullopt);
  ExpectGap(table, 11, Kind::kHistory, 11, 12);
  ExpectGap(table, 15, Kind::kHistory, 14, 20);
  ExpectGap(table, 30, Kind::kHistory, 23, 31);
}

TEST(BucketTableTest, ABucketInUseAgainIsNoGap) {
  BucketTable table;
  auto event = std::make_shared<Event>();
  event->id = EventId::Make(7 * kBucketMs, 0, 1, 1);
  table.Load({7, 0, 0, 1, 5, false});
  table.Apply(BucketDropped{7, true});
  ExpectGap(table, 7, Kind::kPayloads, 0, 8);
  table.Apply(Accepted{event, {}, std::nullopt});
  EXPECT_EQ(table.GapAround(7, Kind::kPayloads), std::nullopt);
  EXPECT_EQ(table.GapAround(7, Kind::kHistory), std::nullopt);
}

TEST(BucketTableTest, WhatIsMadeLaterPinsTheBucketOfItsEvent) {
  BucketTable table;
  auto event = std::make_shared<Event>();
  event->id = EventId::Make(7 * kBucketMs, 0, 1, 1);
  table.Load({7, 0, 0, 1, 5, false});
  const auto remade = std::make_shared<Remade>(Remade{9 * kBucketMs, Origin::kRetry, std::nullopt});
  table.Apply(Redelivered{event, {EndpointId{1}, 2}, remade});
  EXPECT_EQ(table.Find(7)->pins, 1u);
  EXPECT_EQ(table.Find(7)->pending, 0u);
  EXPECT_EQ(table.Find(9)->pending, 1u);
  EXPECT_EQ(table.Find(9)->pins, 0u);
  EXPECT_DEATH(table.Apply(BucketDropped{7, false}), "pending");
  EXPECT_EQ(table.TakeChanged().size(), 2u);

  DeliveryEnded end;
  end.delivery = {9, EndpointId{1}, 2};
  end.event = event->id;
  end.remade = remade;
  end.at_ms = 77;
  table.Apply(end);
  EXPECT_EQ(table.Find(7)->pins, 0u);
  EXPECT_EQ(table.Find(7)->last_ended_ms, 1);  // of those made in it
  EXPECT_EQ(table.Find(9)->pending, 0u);
  EXPECT_EQ(table.Find(9)->last_ended_ms, 77);
  EXPECT_EQ(table.TakeChanged().size(), 2u);
  EXPECT_DEATH(table.Apply(end), "pending");
  table.Apply(BucketDropped{7, false});
  EXPECT_DEATH(table.Apply(Redelivered{event, {EndpointId{1}, 3}, remade}), "needs its payload");
}

}  // namespace
}  // namespace hookd
