#include "storage/lane_table.h"

#include <map>
#include <memory>
#include <optional>

#include <gtest/gtest.h>

namespace hookd {
namespace {

class LaneTableTest : public testing::Test {
 protected:
  void Make(EndpointId id) {
    auto endpoint = std::make_shared<Endpoint>();
    endpoint->id = id;
    table_.Apply(EndpointChanged{endpoint});
  }
  void Accept(EndpointId id) {
    table_.Apply(Accepted{std::make_shared<const Event>(), {{id, table_.Find(id)->next}}, std::nullopt});
  }
  void End(EndpointId id) {
    DeliveryEnded fact;
    fact.delivery.endpoint = id;
    table_.Apply(fact);
  }
  void Commit() {
    for (const auto& [id, lane] : table_.TakeChanged()) {
      if (lane == nullptr) {
        stored_.erase(id);
      } else {
        stored_[id] = *lane;
      }
    }
    table_.Trim();
  }

  std::map<EndpointId, LaneState> stored_;
  absl::Status failure_;
  int loads_ = 0;
  LaneTable table_{[this](EndpointId id) -> absl::StatusOr<std::optional<LaneState>> {
    ++loads_;
    if (!failure_.ok()) return failure_;
    const auto it = stored_.find(id);
    if (it == stored_.end()) return std::nullopt;
    return it->second;
  }};
};

TEST_F(LaneTableTest, IdleLanesInMemoryAreBoundedAndActiveOnesStay) {
  constexpr uint64_t kIdle = 4 * LaneTable::kMaxIdleLanes;
  const EndpointId pending{1'000'000};
  const EndpointId deleted{1'000'001};
  Make(pending);
  Make(deleted);
  Accept(pending);
  table_.Apply(EndpointDeleted{deleted, "acme"});
  for (uint64_t id = 1; id <= kIdle; ++id) {
    Make(EndpointId{id});
    if (id % 1'000 == 0) Commit();
  }
  Commit();
  EXPECT_EQ(table_.lanes_in_memory(), LaneTable::kMaxIdleLanes + 2);
  const int loads = loads_;
  ASSERT_NE(table_.Find(pending), nullptr);
  EXPECT_EQ(table_.Find(pending)->queued, 1u);
  EXPECT_TRUE(table_.Find(deleted)->deleted);
  EXPECT_EQ(loads_, loads);
  EXPECT_NE(table_.Find(EndpointId{1}), nullptr);  // read again
  EXPECT_EQ(loads_, loads + 1);
  EXPECT_EQ(table_.pending(), 1u);

  End(pending);
  table_.Apply(LaneRemoved{deleted});
  Commit();
  EXPECT_EQ(table_.lanes_in_memory(), LaneTable::kMaxIdleLanes);
  EXPECT_EQ(table_.pending(), 0u);
}

TEST_F(LaneTableTest, AnIdleLaneInUseStaysLongerThanOthers) {
  const EndpointId used{1};
  Make(used);
  Commit();
  const int before = loads_;
  for (uint64_t id = 2; id <= 3 * LaneTable::kMaxIdleLanes; ++id) {
    Make(EndpointId{id});
    table_.Find(used);
    if (id % 100 == 0) Commit();
  }
  EXPECT_EQ(loads_ - before, static_cast<int>(3 * LaneTable::kMaxIdleLanes - 1));  // of the new ones alone
}

TEST_F(LaneTableTest, LanesThatComeAndGoLeaveNothing) {
  for (uint64_t id = 1; id <= 2 * LaneTable::kMaxIdleLanes; ++id) {
    Make(EndpointId{id});
    table_.Apply(EndpointDeleted{EndpointId{id}, "acme"});
    Commit();
    table_.Apply(LaneRemoved{EndpointId{id}});
    Commit();
  }
  EXPECT_EQ(table_.lanes_in_memory(), 0u);
  EXPECT_TRUE(stored_.empty());
}

TEST_F(LaneTableTest, AFailedReadStopsTheTable) {
  const EndpointId known{1};
  Make(known);
  Commit();
  failure_ = absl::InternalError("the disk is gone");
  EXPECT_NE(table_.Find(known), nullptr);
  EXPECT_TRUE(table_.status().ok());
  EXPECT_EQ(table_.Find(EndpointId{2}), nullptr);
  EXPECT_EQ(table_.status(), failure_);
  // What is in memory can still be read; facts do nothing any more, and are no programmer's error.
  failure_ = absl::OkStatus();
  ASSERT_NE(table_.Find(known), nullptr);
  Accept(known);
  table_.Apply(EndpointDeleted{EndpointId{2}, "acme"});
  EXPECT_EQ(table_.Find(known)->queued, 0u);
  EXPECT_EQ(table_.pending(), 0u);
  EXPECT_FALSE(table_.status().ok());
}

TEST_F(LaneTableTest, AFactThatCannotReadItsLaneDoesNothing) {
  failure_ = absl::InternalError("the disk is gone");
  table_.Apply(Accepted{std::make_shared<const Event>(), {{EndpointId{1}, 5}}, std::nullopt});
  EXPECT_EQ(table_.status(), failure_);
  EXPECT_EQ(table_.pending(), 0u);
}

TEST_F(LaneTableTest, WhatIsMadeAnewTakesTheNextSequence) {
  const EndpointId id{1};
  Make(id);
  Accept(id);
  const Redelivered anew{std::make_shared<const Event>(), {id, 2}, nullptr};
  table_.Apply(anew);
  EXPECT_EQ(table_.Find(id)->next, 3u);
  EXPECT_EQ(table_.Find(id)->queued, 2u);
  EXPECT_EQ(table_.pending(), 2u);
  EXPECT_DEATH(table_.Apply(anew), "without gaps");
  table_.Apply(EndpointDeleted{id, ""});
  EXPECT_DEATH(table_.Apply(Redelivered{anew.event, {id, 3}, nullptr}), "without gaps");
}

}  // namespace
}  // namespace hookd
