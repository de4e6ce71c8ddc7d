// What the engine does for probes: it tells of disabled endpoints, and enables one whose probe succeeded.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;

class EngineProbeTest : public EngineTest {
 protected:
  EngineProbeTest() {
    Close();
    options_.on_configured = [this](const Endpoint& endpoint) {
      absl::MutexLock lock(&mutex_);
      told_.push_back(endpoint.disabled);
    };
    Open(MakeMemoryStore());
    CreateSubscriber();
    id_ = CreateEndpoint();
  }
  std::vector<DisableReason> told() {
    absl::MutexLock lock(&mutex_);
    return told_;
  }
  Endpoint Current() { return *engine_->GetEndpoint(id_)->endpoint; }
  // Disabled, with three deliveries that wait.
  void Gone() {
    receiver_.SetHandler([](const SentRequest&) { return 410; });
    for (const char* body : {"1", "2", "3"}) Publish(body);
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
    while (Current().disabled == DisableReason::kNone && RealClock().Steady() < deadline) {
      std::this_thread::yield();
    }
    ASSERT_EQ(Current().disabled, DisableReason::kGone);
    receiver_.SetHandler([](const SentRequest&) { return 200; });
  }

  absl::Mutex mutex_;
  std::vector<DisableReason> told_ ABSL_GUARDED_BY(mutex_);
  EndpointId id_;
};

TEST_F(EngineProbeTest, TellsOfWhatItDisabledAndDrainsInOrderOnceAProbeSucceeded) {
  Gone();
  EXPECT_THAT(told(), ElementsAre(DisableReason::kNone, DisableReason::kGone));
  EXPECT_EQ(receiver_.requests().size(), 1u);
  ASSERT_TRUE(engine_->EnableProbed(Current(), "a probe succeeded").ok());
  EXPECT_EQ(Current().state_note, "a probe succeeded");
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("1", "1", "2", "3"));
  EXPECT_EQ(engine_->GetEndpoint(id_)->lane.consecutive_failures, 0u);
  EXPECT_THAT(told(), ElementsAre(DisableReason::kNone, DisableReason::kGone, DisableReason::kNone));
}

TEST_F(EngineProbeTest, WhatSomebodyChangedMeanwhileHolds) {
  Gone();
  const Endpoint probed = Current();
  const auto refused = [&](const Endpoint& endpoint) {
    return absl::IsFailedPrecondition(engine_->EnableProbed(endpoint, "a probe succeeded").status());
  };
  Endpoint earlier = probed;
  --earlier.disabled_ms;
  EXPECT_TRUE(refused(earlier)) << "it was enabled and disabled anew";
  Endpoint elsewhere = probed;
  elsewhere.url += "/other";
  EXPECT_TRUE(refused(elsewhere)) << "its URL is another";
  ASSERT_TRUE(engine_->DisableEndpoint(id_, "wait for us").ok());
  EXPECT_TRUE(refused(probed));
  EXPECT_EQ(Current().disabled, DisableReason::kPerson);
  EXPECT_EQ(Current().state_note, "wait for us");
  ASSERT_TRUE(engine_->EnableEndpoint(id_, "now").ok());
  WaitUntilDone();
  EXPECT_TRUE(refused(probed));
  ASSERT_TRUE(engine_->DeleteEndpoint(id_).ok());
  EXPECT_TRUE(absl::IsNotFound(engine_->EnableProbed(probed, "").status()));
}

}  // namespace
}  // namespace hookd
