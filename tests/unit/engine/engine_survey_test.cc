#include <chrono>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

class EngineSurveyTest : public EngineTest {
 protected:
  // Returns once a count that began after this call shows what is expected.
  ::testing::AssertionResult Shows(const std::function<bool(const LaneGauges&)>& expected) {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
    while (RealClock().Steady() < deadline) {
      if (expected(engine_->Survey())) return ::testing::AssertionSuccess();
      std::this_thread::yield();
    }
    const LaneGauges seen = engine_->Survey();
    return ::testing::AssertionFailure()
           << "enabled " << seen.enabled << ", paused " << seen.paused << ", disabled " << seen.disabled
           << ", throttled " << seen.throttled << ", held back " << seen.held_back << ", retries due "
           << seen.retries_due << ", oldest " << seen.oldest_accepted_ms;
  }
};

TEST_F(EngineSurveyTest, NothingIsThereAtFirst) {
  EXPECT_TRUE(Shows([this](const LaneGauges& seen) {
    return engine_->Surveys() >= 1 && seen.enabled == 0 && seen.oldest_accepted_ms == 0;
  }));
}

TEST_F(EngineSurveyTest, CountsWhatWaitsForItsRate) {
  CreateSubscriber();
  CreateEndpoint(DeliveryMode::kParallel, [](Endpoint& endpoint) { endpoint.policy.rate = {1, 1}; });
  const WallMs before = RealClock().Wall();
  Publish("1");
  for (int i = 0; i < 100; ++i) Publish("2");
  EXPECT_TRUE(Shows([before](const LaneGauges& seen) {
    return seen.throttled == 1 && seen.held_back == 0 && seen.enabled == 1 &&
           seen.oldest_accepted_ms >= before && seen.oldest_accepted_ms <= RealClock().Wall();
  }));
}

TEST_F(EngineSurveyTest, CountsByStateAndLeavesOutWhatIsHeld) {
  receiver_.SetHandler([](const SentRequest&) { return 500; });
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& made) {
    made.policy.backoff = LinearBackoff(Millis(3'600'000), Millis(3'600'000), 0);
  });
  Publish("1");
  // Its retry is not due for an hour.
  EXPECT_TRUE(Shows([](const LaneGauges& seen) {
    return seen.enabled == 1 && seen.retries_due == 0 && seen.oldest_accepted_ms != 0;
  }));
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, true, "").ok());
  EXPECT_TRUE(Shows([](const LaneGauges& seen) { return seen.paused == 1 && seen.enabled == 0; }));
  // Paused by a person: its age is nobody's trouble.
  EXPECT_TRUE(Shows([](const LaneGauges& seen) { return seen.oldest_accepted_ms == 0; }));
  ASSERT_TRUE(engine_->DisableEndpoint(endpoint, "").ok());
  EXPECT_TRUE(Shows([](const LaneGauges& seen) { return seen.disabled == 1 && seen.paused == 0; }));
}

TEST_F(EngineSurveyTest, CountsMoreLanesThanOneSlice) {
  receiver_.SetHandler([](const SentRequest&) { return 500; });
  CreateSubscriber();
  constexpr uint64_t kLanes = 600;
  for (uint64_t i = 0; i < kLanes; ++i) {
    CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& made) {
      made.policy.backoff = LinearBackoff(Millis(3'600'000), Millis(3'600'000), 0);
    });
  }
  Publish("1");
  EXPECT_TRUE(Shows([](const LaneGauges& seen) { return seen.enabled == kLanes && seen.retries_due == 0; }));
}

TEST_F(EngineSurveyTest, StandsStillWhileAShardIsStuck) {
  Close();
  options_.shards = 1;
  Open(MakeMemoryStore());
  absl::Notification stuck;
  absl::Notification go_on;
  receiver_.SetHandler([&](const SentRequest&) {
    if (!stuck.HasBeenNotified()) stuck.Notify();
    go_on.WaitForNotification();
    return 200;
  });
  CreateSubscriber();
  CreateEndpoint();
  Publish("1");
  stuck.WaitForNotification();
  const uint64_t before = engine_->Surveys();
  for (int i = 0; i < 10; ++i) engine_->Survey();
  EXPECT_EQ(engine_->Surveys(), before);
  go_on.Notify();
  EXPECT_TRUE(Shows([&](const LaneGauges&) { return engine_->Surveys() >= before + 2; }));
}

}  // namespace
}  // namespace hookd
