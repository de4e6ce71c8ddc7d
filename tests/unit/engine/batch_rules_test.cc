// Where batches meet the other promises of lanes: order, memory, age, superseding. In virtual time.
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

Endpoint Batching(DeliveryMode mode) {
  Endpoint endpoint;
  endpoint.subscriber_id = "acme";
  endpoint.url = "http://host/";
  endpoint.policy.mode = mode;
  endpoint.policy.batch.event_types = {"failed"};
  endpoint.policy.rate.per_second = 0;
  endpoint.policy.backoff = LinearBackoff(seconds(15), minutes(15), 0);
  return endpoint;
}

Event OfType(std::string type, std::string key = "") {
  Event event;
  event.type = std::move(type);
  event.ordering_key = std::move(key);
  event.payload = "{}";
  return event;
}

Event Coalescing(std::string type, std::string coalesce_key) {
  Event event = OfType(std::move(type));
  event.coalesce_key = std::move(coalesce_key);
  return event;
}

class BatchRulesTest : public ::testing::Test {
 protected:
  Answer answer_;
  Simulation simulation_{[this](const Endpoint&, const Work&) { return answer_; }};
  EndpointId id_;
};

// what waits behind a failed batch of its key is batched too, and never sent as a plain object.
TEST_F(BatchRulesTest, KeyedWhatWaitsBehindABatchIsBatchedToo) {
  answer_ = kRefuses;
  id_ = simulation_.Put(Batching(DeliveryMode::kKeyed));
  for (int i = 0; i < 3; ++i) simulation_.Publish(OfType("failed"));
  simulation_.RunUntil(seconds(2));
  for (int i = 0; i < 5; ++i) simulation_.Publish(OfType("failed"));
  simulation_.RunUntil(seconds(3));
  answer_ = {};
  simulation_.RunUntil(seconds(20));
  ASSERT_GE(simulation_.sent.size(), 3u);
  EXPECT_THAT(simulation_.sent[1].members, ElementsAre(1, 2, 3));
  EXPECT_THAT(simulation_.sent[2].members, ElementsAre(4, 5, 6, 7, 8));
  for (const auto& sent : simulation_.sent)
    EXPECT_FALSE(sent.members.empty()) << "a plain object, not an array";
}

// one whose not_before is over is still an array.
TEST_F(BatchRulesTest, ParallelAfterNotBeforeIsAnArray) {
  id_ = simulation_.Put(Batching(DeliveryMode::kParallel));
  Event event = OfType("failed");
  event.not_before_ms = simulation_.now.wall + 5'000;
  simulation_.Publish(event);
  simulation_.RunUntil(seconds(10));
  ASSERT_THAT(simulation_.sent, SizeIs(1));
  EXPECT_THAT(simulation_.sent[0].members, ElementsAre(1));
}

// one that is put together goes before what became due before that.
TEST_F(BatchRulesTest, ParallelOverduePassNoBatchThatIsPutTogether) {
  Endpoint endpoint = Batching(DeliveryMode::kParallel);
  endpoint.paused = true;
  endpoint.id = id_ = simulation_.Put(endpoint);
  for (int i = 0; i < 3; ++i) {
    Event event = OfType("failed");
    event.not_before_ms = simulation_.now.wall + 5'000 + i;
    simulation_.Publish(event);
  }
  endpoint.paused = false;
  simulation_.Put(endpoint);
  simulation_.RunUntil(seconds(1));  // they are parked, each for its time
  endpoint.paused = true;
  simulation_.Put(endpoint);
  simulation_.RunUntil(seconds(10));
  endpoint.paused = false;
  simulation_.Put(endpoint);
  simulation_.RunUntil(seconds(11));
  EXPECT_THAT(simulation_.sent, SizeIs(3));
}

// a replay of an older event does not supersede a newer pending one.
TEST_F(BatchRulesTest, AReplayOfAnOlderEventSupersedesNothing) {
  Endpoint endpoint = Batching(DeliveryMode::kOrdered);
  endpoint.policy.batch = {};
  endpoint.policy.coalesce = true;
  id_ = simulation_.Put(endpoint);
  simulation_.Publish(Coalescing("status", "a"));
  simulation_.RunUntil(seconds(1));
  const Delivery first = simulation_.Deliveries(id_)[0];
  ASSERT_EQ(first.state, DeliveryState::kSucceeded);
  endpoint.id = id_;
  endpoint.paused = true;
  simulation_.Put(endpoint);
  simulation_.Publish(Coalescing("status", "a"));  // newer, pending
  simulation_.Change([&](Ledger& ledger) {
    const auto event = *simulation_.store().ReadEvent(first.event);
    EXPECT_TRUE(ledger.Redeliver(event, id_, Origin::kReplay, std::nullopt, DeliveryState::kPending, 0).ok());
  });
  endpoint.paused = false;
  simulation_.Put(endpoint);
  simulation_.RunUntil(seconds(5));
  const auto deliveries = simulation_.Deliveries(id_);
  ASSERT_THAT(deliveries, SizeIs(3));
  EXPECT_EQ(deliveries[1].state, DeliveryState::kSucceeded) << ToString(deliveries[1].reason);
}

// what is superseded in between does not split a batch.
TEST_F(BatchRulesTest, ASupersededOneDoesNotSplitABatch) {
  Endpoint endpoint = Batching(DeliveryMode::kOrdered);
  endpoint.policy.coalesce = true;
  endpoint.paused = true;
  id_ = simulation_.Put(endpoint);
  simulation_.Publish(OfType("failed"));
  simulation_.Publish(Coalescing("failed", "a"));
  simulation_.Publish(OfType("failed"));
  simulation_.Publish(Coalescing("failed", "a"));
  endpoint.id = id_;
  endpoint.paused = false;
  simulation_.Put(endpoint);
  simulation_.RunUntil(seconds(5));
  ASSERT_FALSE(simulation_.sent.empty());
  EXPECT_THAT(simulation_.sent[0].members, ElementsAre(1, 3, 4));
}

// ORDERED to KEYED: a batch made of two keys still goes before what came later of either.
TEST_F(BatchRulesTest, ABatchOfSeveralKeysHoldsAllOfThemAfterAChangeToKeyed) {
  answer_ = kRefuses;
  Endpoint endpoint = Batching(DeliveryMode::kOrdered);
  id_ = simulation_.Put(endpoint);
  simulation_.Publish(OfType("failed", "a"));
  simulation_.Publish(OfType("failed", "b"));
  simulation_.RunUntil(seconds(2));
  ASSERT_THAT(simulation_.sent, SizeIs(1));
  ASSERT_THAT(simulation_.sent[0].members, ElementsAre(1, 2));
  endpoint.id = id_;
  endpoint.policy.mode = DeliveryMode::kKeyed;
  simulation_.Put(endpoint);
  answer_ = {};
  simulation_.Publish(OfType("failed", "b"));
  simulation_.RunUntil(seconds(20));
  ASSERT_GE(simulation_.sent.size(), 3u);
  EXPECT_THAT(simulation_.sent[1].members, ElementsAre(1, 2)) << "sequence 3 of key b overtook 2";
}

// while other lanes hold the windows' memory, a batch still goes after its linger.
TEST(BatchRules, ALackOfMemoryDoesNotKeepABatchFromGoing) {
  SchedulerLimits limits;
  limits.window_bytes = 100;
  Simulation simulation(
      [](const Endpoint& endpoint, const Work&) {
        Answer answer;
        if (endpoint.url == "http://slow/") answer.took = minutes(30);
        return answer;
      },
      limits);
  Endpoint slow = Batching(DeliveryMode::kOrdered);
  slow.url = "http://slow/";
  slow.policy.batch = {};
  slow.event_types = {"other"};
  simulation.Put(slow);
  Endpoint batching = Batching(DeliveryMode::kOrdered);
  batching.event_types = {"failed"};
  const EndpointId id = simulation.Put(batching);
  for (int i = 0; i < 3; ++i) simulation.Publish(OfType("other"));
  simulation.RunUntil(seconds(1));
  simulation.Publish(OfType("failed"));
  simulation.RunUntil(minutes(10));
  size_t batches = 0;
  for (const auto& sent : simulation.sent) batches += sent.endpoint == id ? 1 : 0;
  EXPECT_EQ(batches, 1u) << "not sent within 10 minutes";
}

// the retention ends a batch as a whole, or its payloads are kept for ever.
TEST_F(BatchRulesTest, TheRetentionEndsAWholeBatch) {
  answer_ = kRefuses;
  Endpoint endpoint = Batching(DeliveryMode::kOrdered);
  id_ = simulation_.Put(endpoint);
  for (int i = 0; i < 3; ++i) simulation_.Publish(OfType("failed"));
  simulation_.RunUntil(seconds(2));
  endpoint.id = id_;
  endpoint.paused = true;
  simulation_.Put(endpoint);
  simulation_.RunUntil(hours(24 * 40));
  Retention retention;
  retention.pending = hours(24 * 30);
  simulation_.Change([&](Ledger& ledger) { ledger.Keep(retention, false); });
  simulation_.RunUntil(hours(24 * 40) + seconds(1));
  for (const Delivery& delivery : simulation_.Deliveries(id_)) {
    EXPECT_EQ(delivery.state, DeliveryState::kExpired) << delivery.id.sequence;
  }
}

}  // namespace
}  // namespace hookd
