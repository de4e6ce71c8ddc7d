// Batches and superseded deliveries, in virtual time.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/simulation.h"

namespace hookd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::Simulation;
using ::testing::SizeIs;
using Answer = Simulation::Answer;

const Answer kRefuses{500, ErrorKind::kNone, "", {}};

Endpoint Batching(DeliveryMode mode = DeliveryMode::kOrdered) {
  Endpoint endpoint;
  endpoint.subscriber_id = "acme";
  endpoint.url = "http://host/";
  endpoint.policy.mode = mode;
  endpoint.policy.batch.event_types = {"failed"};
  endpoint.policy.rate.per_second = 0;
  endpoint.policy.backoff = LinearBackoff(seconds(15), minutes(15), 0);
  return endpoint;
}

Event OfType(std::string type, std::string key = "", std::string payload = "{}") {
  Event event;
  event.type = std::move(type);
  event.ordering_key = std::move(key);
  event.payload = std::move(payload);
  return event;
}

std::vector<Sequence> Range(Sequence first, Sequence last) {
  std::vector<Sequence> all;
  for (Sequence n = first; n <= last; ++n) all.push_back(n);
  return all;
}

class BatchTimeTest : public ::testing::Test {
 protected:
  void Publish(size_t count, const std::string& type = "failed", const std::string& key = "") {
    for (size_t i = 0; i < count; ++i) simulation_.Publish(OfType(type, key));
  }
  std::vector<Delivery> Deliveries() { return simulation_.Deliveries(id_); }

  Answer answer_;
  Simulation simulation_{[this](const Endpoint&, const Work&) { return answer_; }};
  EndpointId id_;
};

TEST_F(BatchTimeTest, AFullOneGoesAtOnceAndTheRestAfterTheLinger) {
  id_ = simulation_.Put(Batching());
  Publish(26);
  simulation_.RunUntil(milliseconds(999));
  ASSERT_THAT(simulation_.sent, SizeIs(1));
  EXPECT_EQ(simulation_.sent[0].at, seconds(0));
  EXPECT_EQ(simulation_.sent[0].members, Range(1, 25));
  simulation_.RunUntil(milliseconds(1'000));
  ASSERT_THAT(simulation_.sent, SizeIs(2));
  EXPECT_EQ(simulation_.sent[1].at, milliseconds(1'000));
  EXPECT_THAT(simulation_.sent[1].members, ElementsAre(26));
  EXPECT_NE(simulation_.sent[0].batch, simulation_.sent[1].batch);
  for (const Delivery& delivery : Deliveries()) {
    EXPECT_EQ(delivery.state, DeliveryState::kSucceeded);
    EXPECT_EQ(delivery.attempt_count, 1u);
    EXPECT_EQ(delivery.batch, simulation_.sent[delivery.id.sequence <= 25 ? 0 : 1].batch);
  }
}

TEST_F(BatchTimeTest, AnotherKindClosesIt) {
  id_ = simulation_.Put(Batching());
  Publish(3);
  Publish(1, "other");
  Publish(2);
  simulation_.RunUntil(seconds(0));
  ASSERT_THAT(simulation_.sent, SizeIs(2));
  EXPECT_EQ(simulation_.sent[0].members, Range(1, 3));
  EXPECT_EQ(simulation_.sent[1].sequence, 4u);
  EXPECT_THAT(simulation_.sent[1].members, SizeIs(0));
  EXPECT_FALSE(Deliveries()[3].batch.has_value());
  simulation_.RunUntil(seconds(1));
  ASSERT_THAT(simulation_.sent, SizeIs(3));
  EXPECT_EQ(simulation_.sent[2].members, Range(5, 6));
}

TEST_F(BatchTimeTest, RetriesKeepMembersAndIdAndCountOnce) {
  answer_ = kRefuses;
  Endpoint endpoint = Batching();
  endpoint.policy.max_retries = 2;
  id_ = simulation_.Put(endpoint);
  Publish(3);
  simulation_.RunUntil(seconds(1));
  Publish(2);  // come too late for it, and wait behind it
  EXPECT_EQ(simulation_.store().Lane(id_)->consecutive_failures, 1u);
  EXPECT_EQ(simulation_.store().Lane(id_)->parked, 3u);
  simulation_.RunUntil(seconds(1 + 15 + 30));
  ASSERT_THAT(simulation_.sent, SizeIs(4));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(simulation_.sent[i].batch, simulation_.sent[0].batch);
    EXPECT_EQ(simulation_.sent[i].members, Range(1, 3));
    EXPECT_EQ(simulation_.sent[i].attempt, i + 1);
  }
  EXPECT_EQ(simulation_.sent[1].at, seconds(16));
  EXPECT_EQ(simulation_.sent[2].at, seconds(46));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(Deliveries()[i].state, DeliveryState::kExhausted);
    EXPECT_EQ(Deliveries()[i].attempt_count, 3u);
    EXPECT_THAT(simulation_.Read(Deliveries()[i].id).attempts, SizeIs(3));
  }
  EXPECT_EQ(simulation_.sent[3].members, Range(4, 5));
  EXPECT_EQ(simulation_.store().Lane(id_)->consecutive_failures, 4u);
}

TEST_F(BatchTimeTest, PayloadsAreBoundTogetherAndALargeOneGoesAlone) {
  id_ = simulation_.Put(Batching());
  const std::string half(kMaxBatchPayloadBytes / 2, ' ');
  for (int i = 0; i < 3; ++i) simulation_.Publish(OfType("failed", "", half));
  simulation_.RunUntil(seconds(0));
  ASSERT_THAT(simulation_.sent, SizeIs(1));
  EXPECT_EQ(simulation_.sent[0].members, Range(1, 2));
  simulation_.Publish(OfType("failed", "", std::string(kMaxBatchPayloadBytes, ' ')));
  simulation_.RunUntil(seconds(0));
  ASSERT_THAT(simulation_.sent,
              SizeIs(3));  // the third does not fit with the fourth, which is full by itself
  EXPECT_THAT(simulation_.sent[1].members, ElementsAre(3));
  EXPECT_THAT(simulation_.sent[2].members, ElementsAre(4));
}

TEST_F(BatchTimeTest, EachOrderKeyHasItsOwn) {
  id_ = simulation_.Put(Batching(DeliveryMode::kKeyed));
  for (int i = 0; i < 3; ++i) {
    Publish(1, "failed", "a");
    Publish(1, "failed", "b");
  }
  Publish(1, "other", "c");
  simulation_.RunUntil(seconds(0));
  ASSERT_THAT(simulation_.sent, SizeIs(1));  // what forms holds no other key
  EXPECT_EQ(simulation_.sent[0].sequence, 7u);
  simulation_.RunUntil(seconds(1));
  ASSERT_THAT(simulation_.sent, SizeIs(3));
  EXPECT_THAT(simulation_.sent[1].members, ElementsAre(1, 3, 5));
  EXPECT_THAT(simulation_.sent[2].members, ElementsAre(2, 4, 6));
}

TEST_F(BatchTimeTest, InAParallelLaneTheyGoBesideEachOther) {
  answer_.took = seconds(5);
  id_ = simulation_.Put(Batching(DeliveryMode::kParallel));
  Publish(1, "other");
  simulation_.RunUntil(seconds(6));  // it has shown that it works
  Publish(60);
  simulation_.RunUntil(seconds(7));
  ASSERT_THAT(simulation_.sent, SizeIs(4));
  EXPECT_EQ(simulation_.sent[1].members, Range(2, 26));
  EXPECT_EQ(simulation_.sent[2].members, Range(27, 51));
  EXPECT_EQ(simulation_.sent[3].members, Range(52, 61));
  EXPECT_EQ(simulation_.sent[2].at, seconds(6));
  EXPECT_EQ(simulation_.sent[3].at, seconds(7));
}

TEST_F(BatchTimeTest, ItCountsOnceAgainstTheRateOrByItsMembers) {
  Endpoint endpoint = Batching();
  endpoint.policy.rate = {5, 1, RateUnit::kRequest};
  id_ = simulation_.Put(endpoint);
  Publish(75);
  simulation_.RunUntil(seconds(1));
  ASSERT_THAT(simulation_.sent, SizeIs(3));
  EXPECT_EQ(simulation_.sent[2].at, milliseconds(400));

  endpoint.id = id_;
  endpoint.policy.rate.unit = RateUnit::kMember;
  simulation_.Put(endpoint);
  simulation_.sent.clear();
  Publish(75);
  simulation_.RunUntil(seconds(11));
  ASSERT_THAT(simulation_.sent, SizeIs(3));
  EXPECT_EQ(simulation_.sent[1].at - simulation_.sent[0].at, seconds(5));  // 25 members at 5 a second
  EXPECT_EQ(simulation_.sent[2].at - simulation_.sent[1].at, seconds(5));
}

TEST_F(BatchTimeTest, ExpiryIsLookedAtOnlyWhileItForms) {
  answer_ = kRefuses;
  id_ = simulation_.Put(Batching());
  Event brief = OfType("failed");
  brief.expires_ms = simulation_.now.wall + 2'000;
  simulation_.Publish(brief);
  Publish(1);
  simulation_.RunUntil(seconds(1));
  ASSERT_THAT(simulation_.sent, SizeIs(1));
  brief.expires_ms = simulation_.now.wall + 500;
  simulation_.Publish(brief);  // its turn comes after it has expired
  answer_ = {};
  simulation_.RunUntil(seconds(16));
  ASSERT_THAT(simulation_.sent, SizeIs(2));
  EXPECT_EQ(simulation_.sent[1].members, Range(1, 2));
  EXPECT_EQ(Deliveries()[0].state, DeliveryState::kSucceeded);
  EXPECT_EQ(Deliveries()[2].state, DeliveryState::kExpired);
}

TEST_F(BatchTimeTest, AFullBacklogLeavesBatchesWhole) {
  answer_ = kRefuses;
  Endpoint endpoint = Batching();
  endpoint.policy.backlog = 4;
  id_ = simulation_.Put(endpoint);
  Publish(3);
  simulation_.RunUntil(seconds(1));
  Publish(3);
  simulation_.RunUntil(seconds(2));
  const std::vector<Delivery> deliveries = Deliveries();
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(deliveries[i].state, DeliveryState::kPending) << i;
  EXPECT_EQ(deliveries[3].reason, EndReason::kBacklogFull);
  EXPECT_EQ(deliveries[4].reason, EndReason::kBacklogFull);
  EXPECT_EQ(deliveries[5].state, DeliveryState::kPending);
}

TEST_F(BatchTimeTest, APersonCannotEndAMemberAndRetriesTheWhole) {
  answer_ = kRefuses;
  id_ = simulation_.Put(Batching());
  Publish(3);
  simulation_.RunUntil(seconds(1));
  EXPECT_EQ(simulation_.End(Deliveries()[1]), EndAnswer::Kind::kBatched);
  answer_ = {};
  EXPECT_EQ(simulation_.Retry(Deliveries()[2].id).place, LanePosition::Place::kNext);
  simulation_.RunUntil(seconds(1));
  ASSERT_THAT(simulation_.sent, SizeIs(2));
  EXPECT_EQ(simulation_.sent[1].members, Range(1, 3));
}

TEST_F(BatchTimeTest, WhatWasBatchedStaysSoWhenThePolicyChanges) {
  answer_ = kRefuses;
  Endpoint endpoint = Batching();
  id_ = simulation_.Put(endpoint);
  Publish(3);
  simulation_.RunUntil(seconds(1));
  endpoint.id = id_;
  endpoint.policy.batch.event_types.clear();
  endpoint.policy.mode = DeliveryMode::kKeyed;
  simulation_.Put(endpoint);
  answer_ = {};
  Publish(1);
  simulation_.RunUntil(seconds(16));
  ASSERT_THAT(simulation_.sent, SizeIs(3));
  EXPECT_EQ(simulation_.sent[1].members, Range(1, 3));
  EXPECT_EQ(simulation_.sent[1].batch, simulation_.sent[0].batch);
  EXPECT_THAT(simulation_.sent[2].members, SizeIs(0));
}

TEST_F(BatchTimeTest, ANewerEventSupersedesAPendingOlderOne) {
  answer_ = kRefuses;
  Endpoint endpoint = Batching();
  endpoint.policy.batch = {};
  endpoint.policy.coalesce = true;
  id_ = simulation_.Put(endpoint);
  const auto publish = [&](const std::string& key) {
    Event event = OfType("status");
    event.coalesce_key = key;
    simulation_.Publish(event);
  };
  publish("a");
  simulation_.RunUntil(seconds(0));
  publish("b");
  publish("a");
  publish("b");
  publish("");
  answer_ = {};
  simulation_.RunUntil(seconds(15));
  const std::vector<Delivery> deliveries = Deliveries();
  EXPECT_EQ(deliveries[0].state, DeliveryState::kCanceled);
  EXPECT_EQ(deliveries[0].reason, EndReason::kSuperseded);
  EXPECT_EQ(deliveries[0].attempt_count, 1u);
  EXPECT_EQ(deliveries[1].reason, EndReason::kSuperseded);
  for (size_t i = 2; i < 5; ++i) EXPECT_EQ(deliveries[i].state, DeliveryState::kSucceeded) << i;
  ASSERT_THAT(simulation_.sent, SizeIs(4));
  EXPECT_EQ(simulation_.sent[1].sequence, 3u);  // in their order
  EXPECT_EQ(simulation_.sent[2].sequence, 4u);
}

TEST_F(BatchTimeTest, WithoutThePolicyNothingIsSuperseded) {
  Endpoint endpoint = Batching();
  endpoint.policy.batch = {};
  id_ = simulation_.Put(endpoint);
  Event event = OfType("status");
  event.coalesce_key = "a";
  simulation_.Publish(event);
  simulation_.Publish(event);
  simulation_.RunUntil(seconds(0));
  EXPECT_THAT(simulation_.sent, SizeIs(2));
}

}  // namespace
}  // namespace hookd
