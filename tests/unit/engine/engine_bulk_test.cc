// Changes of many endpoints at once, and statistics, through the engine.
#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class EngineBulkTest : public EngineTest {
 protected:
  EndpointId EndpointAt(const std::string& url) {
    return CreateEndpoint(DeliveryMode::kOrdered, [&](Endpoint& endpoint) { endpoint.url = url; });
  }
  BulkResult Change(const BulkChange& change) {
    const absl::StatusOr<BulkResult> result = engine_->ChangeEndpoints(change);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.value_or(BulkResult{});
  }
  std::shared_ptr<const Endpoint> Get(EndpointId id) { return engine_->GetEndpoint(id)->endpoint; }
};

TEST_F(EngineBulkTest, ChangesWhatTheFilterTakesAsTheCallForOneDoes) {
  CreateSubscriber();
  const EndpointId one = EndpointAt("http://down.example:81/a");
  const EndpointId two = EndpointAt("http://down.example/b");
  const EndpointId other = EndpointAt("http://up.example/c");
  BulkChange change;
  change.filter.host = "down.example";
  change.action = EndpointAction::kDisable;
  change.note = "it is down";
  change.dry_run = true;
  EXPECT_THAT(Change(change).changed, UnorderedElementsAre(one, two));
  EXPECT_EQ(Get(one)->disabled, DisableReason::kNone);
  change.dry_run = false;
  EXPECT_THAT(Change(change).changed, UnorderedElementsAre(one, two));
  EXPECT_EQ(Get(one)->disabled, DisableReason::kPerson);
  EXPECT_NE(Get(one)->disabled_ms, 0);
  EXPECT_EQ(Get(two)->state_note, "it is down");
  EXPECT_EQ(Get(other)->disabled, DisableReason::kNone);
  EXPECT_THAT(Change(change).changed, IsEmpty());  // they are already

  Publish("waits");
  ASSERT_TRUE(receiver_.WaitForCount(1));  // the other's alone
  change.action = EndpointAction::kEnable;
  change.filter = {};
  change.filter.disabled = DisableReason::kPerson;
  change.filter.disabled_before_ms = Get(one)->disabled_ms;
  EXPECT_THAT(Change(change).changed, IsEmpty());
  change.filter.disabled_before_ms = Get(two)->disabled_ms + 1;
  EXPECT_THAT(Change(change).changed, UnorderedElementsAre(one, two));
  WaitUntilDone();
  EXPECT_THAT(Bodies(), SizeIs(3));
}

TEST_F(EngineBulkTest, EndpointsAreCountedByStateAlsoAfterAStart) {
  CreateSubscriber();
  std::vector<EndpointId> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(EndpointAt("http://host.example/"));
  ASSERT_TRUE(engine_->DisableEndpoint(ids[0], "").ok());
  ASSERT_TRUE(engine_->SetEndpointPaused(ids[0], true, "").ok());
  ASSERT_TRUE(engine_->DisableEndpoint(ids[1], "").ok());
  ASSERT_TRUE(engine_->SetEndpointPaused(ids[2], true, "").ok());
  const auto expect = [this](uint64_t all, uint64_t disabled, uint64_t paused) {
    const EngineStatus status = engine_->Status();
    EXPECT_EQ(status.endpoints, all);
    EXPECT_EQ(status.endpoints_disabled, disabled);
    EXPECT_EQ(status.endpoints_paused, paused);
  };
  expect(5, 2, 1);
  Crash();
  expect(5, 2, 1);
  ASSERT_TRUE(engine_->EnableEndpoint(ids[0], "").ok());  // paused is left
  ASSERT_TRUE(engine_->DeleteEndpoint(ids[1]).ok());
  ASSERT_TRUE(engine_->SetEndpointPaused(ids[2], false, "").ok());
  expect(4, 0, 1);
  Crash();
  expect(4, 0, 1);
}

TEST_F(EngineBulkTest, GoesOnWhereItsLimitStoppedIt) {
  CreateSubscriber();
  std::vector<EndpointId> ids;
  for (int i = 0; i < 300; ++i) ids.push_back(EndpointAt(Concat("http://host", i % 2, ".example/")));
  BulkChange change;
  change.filter.subscriber_id = "acme";
  change.filter.host = "host1.example";
  change.action = EndpointAction::kPause;
  change.limit = 40;
  std::vector<EndpointId> changed;
  int calls = 0;
  for (;;) {
    const BulkResult result = Change(change);
    EXPECT_LE(result.changed.size(), 40u);
    changed.insert(changed.end(), result.changed.begin(), result.changed.end());
    ++calls;
    if (!result.next) break;
    change.after = *result.next;
  }
  EXPECT_GE(calls, 4);
  EXPECT_THAT(changed, SizeIs(150));
  EXPECT_TRUE(std::is_sorted(changed.begin(), changed.end()));
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(Get(ids[i])->paused, i % 2 == 1) << i;
}

TEST_F(EngineBulkTest, NeedsAFilter) {
  const absl::Status refused = engine_->ChangeEndpoints({}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
}

TEST_F(EngineBulkTest, StatisticsOfAnEndpointAndItsSubscriber) {
  CreateSubscriber();
  const EndpointId good = EndpointAt("http://good.example/");
  const EndpointId bad = CreateEndpoint(DeliveryMode::kParallel, [](Endpoint& endpoint) {
    endpoint.url = "http://bad.example/";
    endpoint.policy.max_retries = 1;
  });
  receiver_.SetHandler(
      [](const SentRequest& request) { return request.url.find("bad") == std::string::npos ? 200 : 503; });
  for (int i = 0; i < 5; ++i) Publish("x");
  WaitUntilDone();
  EXPECT_EQ(engine_->EndpointStatistics(good, StatWindow::kHour)->succeeded, 5u);
  const Statistics of_bad = *engine_->EndpointStatistics(bad, StatWindow::kHour);
  EXPECT_EQ(of_bad.attempts, 10u);
  EXPECT_EQ(of_bad.by_class[5], 10u);
  EXPECT_EQ(of_bad.pending, 0u);
  EXPECT_EQ(of_bad.oldest_pending_ms, 0);
  const Statistics all = *engine_->SubscriberStatistics("acme", StatWindow::kDay);
  EXPECT_EQ(all.attempts, 15u);
  EXPECT_EQ(all.succeeded, 5u);

  const auto top = *engine_->TopEndpoints(TopBy::kFailures, StatWindow::kHour, 10, "");
  ASSERT_THAT(top, SizeIs(1));  // the other has no failures
  EXPECT_EQ(top[0].endpoint->id, bad);
  EXPECT_EQ(top[0].statistics.attempts, 10u);
  const auto busiest = *engine_->TopEndpoints(TopBy::kAttempts, StatWindow::kHour, 1, "acme");
  ASSERT_THAT(busiest, SizeIs(1));
  EXPECT_EQ(busiest[0].endpoint->id, bad);
  EXPECT_TRUE(absl::IsNotFound(engine_->SubscriberStatistics("nobody", StatWindow::kDay).status()));
  EXPECT_TRUE(absl::IsNotFound(engine_->EndpointStatistics(EndpointId{7}, StatWindow::kDay).status()));
}

TEST_F(EngineBulkTest, PendingIsWhatTheStoreSays) {
  CreateSubscriber();
  const auto paused = [](Endpoint& endpoint) { endpoint.paused = true; };
  const EndpointId few = CreateEndpoint(DeliveryMode::kOrdered, paused);
  Publish("1");
  const EndpointId many =
      CreateEndpoint(DeliveryMode::kOrdered, [&](Endpoint& endpoint) { paused(endpoint); });
  Publish("2");
  const WallMs oldest = Deliveries(many).at(0).accepted_ms;
  for (int i = 0; i < 3; ++i) Publish("more");
  ASSERT_TRUE(engine_
                  ->UpdateEndpoint(few,
                                   [](Endpoint& it) {
                                     it.paused = false;
                                     return absl::OkStatus();
                                   })
                  .ok());
  ASSERT_TRUE(receiver_.WaitForCount(5));
  const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
  while (store_->Stats().pending > 4 && RealClock().Steady() < deadline) std::this_thread::yield();
  Crash();  // what is pending is known after a start too
  const Statistics statistics = *engine_->EndpointStatistics(many, StatWindow::kMinute);
  EXPECT_EQ(statistics.pending, 4u);
  EXPECT_EQ(statistics.oldest_pending_ms, oldest);
  const auto top = *engine_->TopEndpoints(TopBy::kPending, StatWindow::kMinute, 10, "");
  ASSERT_THAT(top, SizeIs(1));
  EXPECT_EQ(top[0].endpoint->id, many);
  EXPECT_EQ(top[0].statistics.pending, 4u);
}

}  // namespace
}  // namespace hookd
