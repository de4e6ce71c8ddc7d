// Purges through the engine: what ends, what goes, what stays, and that a kill in the middle changes nothing.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/forwarding_store.h"
#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class EnginePurgeTest : public EngineTest {
 protected:
  void AnswerAll(int status) {
    receiver_.SetHandler([status](const SentRequest&) { return status; });
  }
  static Job OfSubscriber(const std::string& id = "acme") {
    Job job;
    job.kind = JobKind::kPurge;
    job.subscriber_id = id;
    job.rate = 100'000;
    return job;
  }
  static Job OfEvent(EventId id) {
    Job job;
    job.kind = JobKind::kPurge;
    job.event = id;
    return job;
  }
  uint64_t Start(const Job& job) {
    const absl::StatusOr<Job> started = engine_->StartJob(job, false);
    EXPECT_TRUE(started.ok()) << started.status();
    return started.value_or(Job{}).id;
  }
  Job WaitFor(uint64_t id, const std::function<bool(const Job&)>& condition) {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
    for (;;) {
      const Job job = engine_->GetJob(id).value_or(Job{});
      if (condition(job)) return job;
      if (RealClock().Steady() > deadline) {
        ADD_FAILURE() << "job " << id << " is at " << job.matched << ", phase " << job.phase;
        return job;
      }
      std::this_thread::yield();
    }
  }
  Job WaitForEnd(uint64_t id) {
    return WaitFor(id, [](const Job& job) { return job.state != JobState::kRunning; });
  }
  Job RunJob(const Job& job) { return WaitForEnd(Start(job)); }
  std::vector<EventId> PublishMany(int count, const std::string& type = "t") {
    std::vector<NewEvent> events;
    for (int i = 0; i < count; ++i) events.push_back(MakeEvent(Concat("{\"n\":", i, "}"), "", type));
    std::vector<EventId> ids;
    for (const PublishOutcome& outcome : Publish(std::move(events))) ids.push_back(outcome.event);
    return ids;
  }
  void Pause(EndpointId endpoint) { ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, true, "").ok()); }
  Delivery Read(DeliveryId id) { return engine_->GetDelivery(id).value_or(DeliveryView{}).delivery; }
  void WaitForAttempts(DeliveryId id, uint32_t count) {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
    while (Read(id).attempt_count < count && RealClock().Steady() < deadline) std::this_thread::yield();
    ASSERT_GE(Read(id).attempt_count, count);
  }
  void ExpectNothingKept(const Delivery& delivery) {
    for (const Attempt& attempt : delivery.attempts) {
      EXPECT_EQ(attempt.response_body + attempt.request_headers + attempt.response_headers, "");
    }
  }
};

TEST_F(EnginePurgeTest, ASubscribersPastGoesAndItsFiguresStay) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint(DeliveryMode::kParallel, [](Endpoint& it) {
    it.policy.backoff = LinearBackoff(std::chrono::hours(1), std::chrono::hours(1), 0);
    it.policy.disable.failures = 0;
  });
  AnswerAll(200);
  std::vector<EventId> events = PublishMany(20);
  WaitUntilDone();
  AnswerAll(500);
  for (const EventId& id : PublishMany(20)) events.push_back(id);
  ASSERT_TRUE(receiver_.WaitForCount(40));
  WaitForAttempts(Deliveries(endpoint)[39].id, 1);
  Pause(endpoint);
  for (const EventId& id : PublishMany(300)) events.push_back(id);  // some in memory, some on disk
  EXPECT_FALSE(Read(Deliveries(endpoint)[30].id).attempts.at(0).request_headers.empty());

  const Job dry = *engine_->StartJob(OfSubscriber(), true);
  EXPECT_EQ(dry.matched, 340u + 340u);  // deliveries, then events
  const Job job = RunJob(OfSubscriber());
  EXPECT_EQ(job.state, JobState::kDone) << job.error;
  EXPECT_EQ(job.done, 680u);
  EXPECT_EQ(store_->Stats().pending, 0u);
  const std::vector<Delivery> deliveries = Deliveries(endpoint);
  ASSERT_THAT(deliveries, SizeIs(340));
  for (size_t i = 0; i < deliveries.size(); ++i) {
    const Delivery delivery = Read(deliveries[i].id);
    EXPECT_EQ(delivery.state, i < 20 ? DeliveryState::kSucceeded : DeliveryState::kCanceled);
    EXPECT_EQ(delivery.reason, i < 20 ? EndReason::kDelivered : EndReason::kPurged);
    EXPECT_EQ(delivery.attempt_count, i < 40 ? 1u : 0u);
    EXPECT_THAT(delivery.attempts, SizeIs(delivery.attempt_count));
    ExpectNothingKept(delivery);
  }
  for (const EventId& id : events) EXPECT_TRUE(absl::IsNotFound(engine_->GetEvent(id).status()));
  const absl::Status retried = engine_->RetryDelivery(deliveries[0].id).status();
  EXPECT_TRUE(absl::IsNotFound(retried)) << retried;

  // What comes later is none of its matter.
  AnswerAll(200);
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, false, "").ok());
  const EventId later = PublishMany(1)[0];
  WaitUntilDone();
  EXPECT_TRUE(engine_->GetEvent(later).ok());
  EXPECT_EQ(Deliveries(endpoint).back().state, DeliveryState::kSucceeded);
  EXPECT_EQ(RunJob(OfSubscriber()).state, JobState::kDone);
  EXPECT_TRUE(absl::IsNotFound(engine_->GetEvent(later).status()));
}

TEST_F(EnginePurgeTest, OneEventGoesAndOthersStay) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  const EndpointId other = CreateEndpoint();
  Pause(endpoint);
  const std::vector<EventId> events = PublishMany(3);
  EXPECT_EQ(engine_->StartJob(OfEvent(events[1]), true)->matched, 1u);
  EXPECT_EQ(RunJob(OfEvent(events[1])).state, JobState::kDone);
  EXPECT_TRUE(absl::IsNotFound(engine_->GetEvent(events[1]).status()));
  EXPECT_TRUE(engine_->GetEvent(events[0]).ok());
  EXPECT_EQ(Deliveries(endpoint)[1].reason, EndReason::kPurged);
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, false, "").ok());
  WaitUntilDone();
  const std::vector<Delivery> deliveries = Deliveries(endpoint);
  EXPECT_EQ(deliveries[0].state, DeliveryState::kSucceeded);
  EXPECT_EQ(deliveries[1].state, DeliveryState::kCanceled);
  EXPECT_EQ(deliveries[2].state, DeliveryState::kSucceeded);
  EXPECT_THAT(Deliveries(other), SizeIs(3));
  const absl::Status again = engine_->StartJob(OfEvent(events[1]), false).status();
  EXPECT_TRUE(absl::IsNotFound(again));
  EXPECT_THAT(std::string(again.message()), HasSubstr("event_id: no event evt_"));
  EXPECT_TRUE(absl::IsInvalidArgument(engine_->StartJob(OfSubscriber(""), false).status()));
  EXPECT_TRUE(absl::IsNotFound(engine_->StartJob(OfSubscriber("nobody"), false).status()));
}

TEST_F(EnginePurgeTest, AnAttemptInFlightEndsFirst) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  receiver_.SetHandler([](const SentRequest&) { return std::nullopt; });
  const EventId event = Publish("1").event;
  ASSERT_TRUE(receiver_.WaitForCount(1));
  const uint64_t id = Start(OfEvent(event));
  const EventId behind = Publish("2").event;  // a commit or two later it still waits
  EXPECT_EQ(engine_->GetJob(id)->state, JobState::kRunning);
  EXPECT_TRUE(engine_->GetEvent(event).ok());
  AnswerAll(200);
  receiver_.ReleaseAll(500);
  EXPECT_EQ(WaitForEnd(id).state, JobState::kDone);
  EXPECT_TRUE(absl::IsNotFound(engine_->GetEvent(event).status()));
  WaitUntilDone();
  const std::vector<Delivery> deliveries = Deliveries(endpoint);
  EXPECT_TRUE(IsTerminal(deliveries[0].state));
  EXPECT_EQ(deliveries[1].state, DeliveryState::kSucceeded);
  EXPECT_TRUE(engine_->GetEvent(behind).ok());
}

TEST_F(EnginePurgeTest, ABatchEndsWithAllOfItsMembers) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) {
    it.policy.batch.event_types = {"t"};
    it.policy.batch.max_members = 3;
    it.policy.backoff = LinearBackoff(std::chrono::hours(1), std::chrono::hours(1), 0);
  });
  AnswerAll(500);
  const std::vector<EventId> events = PublishMany(3);
  ASSERT_TRUE(receiver_.WaitForCount(1));
  WaitForAttempts(Deliveries(endpoint)[0].id, 1);
  Pause(endpoint);
  const std::vector<EventId> behind = PublishMany(1, "other");
  EXPECT_EQ(RunJob(OfEvent(events[1])).state, JobState::kDone);
  const std::vector<Delivery> deliveries = Deliveries(endpoint);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(deliveries[i].state, DeliveryState::kCanceled) << i;
    EXPECT_EQ(deliveries[i].reason, EndReason::kPurged) << i;
    EXPECT_EQ(deliveries[i].batch, deliveries[0].batch);
  }
  EXPECT_EQ(deliveries[3].state, DeliveryState::kPending);
  EXPECT_TRUE(engine_->GetEvent(events[0]).ok());
  EXPECT_TRUE(absl::IsNotFound(engine_->GetEvent(events[1]).status()));
  // The others were made anew, in the same commit, and go as a batch of their own.
  ASSERT_EQ(deliveries.size(), 6u);
  for (const size_t i : {0, 2}) {
    const Delivery& anew = deliveries[i == 0 ? 4 : 5];
    EXPECT_EQ(anew.event, events[i]);
    EXPECT_EQ(anew.replaces, deliveries[i].id);
    EXPECT_EQ(anew.origin, Origin::kRecover);
    EXPECT_EQ(anew.state, DeliveryState::kPending);
  }
  AnswerAll(200);
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, false, "").ok());
  WaitUntilDone();
  const std::vector<Delivery> sent = Deliveries(endpoint);
  EXPECT_EQ(sent[4].state, DeliveryState::kSucceeded);
  EXPECT_EQ(sent[5].state, DeliveryState::kSucceeded);
  EXPECT_EQ(sent[4].batch, sent[5].batch);
  EXPECT_NE(sent[4].batch, sent[0].batch);
}

TEST_F(EnginePurgeTest, AKillInTheMiddleIsGoneOnFrom) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  Pause(endpoint);
  const std::vector<EventId> events = PublishMany(400);
  Job job = OfSubscriber();
  job.rate = 200;  // 50 in a step
  const uint64_t id = Start(job);
  WaitFor(id, [](const Job& now) { return now.matched >= 50; });
  Crash();
  WaitFor(id, [](const Job& now) { return now.phase == 1; });
  Crash();
  EXPECT_EQ(WaitForEnd(id).state, JobState::kDone);
  EXPECT_EQ(engine_->GetJob(id)->done, 800u);
  EXPECT_EQ(store_->Stats().pending, 0u);
  for (const EventId& event : events) EXPECT_TRUE(absl::IsNotFound(engine_->GetEvent(event).status()));
}

// A store with a backup that runs.
class BackedUpStore final : public testing::ForwardingStore {
 public:
  absl::Status Scour(Scoured, std::atomic<bool>&) override {
    ++asked;
    return running ? absl::UnavailableError("a backup runs") : absl::OkStatus();
  }
  std::atomic<int> asked{0};
  std::atomic<bool> running{true};
};

TEST_F(EnginePurgeTest, OtherJobsDoNotWaitForABackup) {
  Close();
  auto owned = std::make_unique<BackedUpStore>();
  BackedUpStore& store = *owned;
  Open(std::move(owned));
  CreateSubscriber();
  CreateSubscriber("other");
  CreateEndpoint();
  PublishMany(3);
  WaitUntilDone();
  const uint64_t waits = Start(OfSubscriber());
  WaitFor(waits, [&store](const Job&) { return store.asked > 0; });
  Job other;
  other.kind = JobKind::kExpire;
  other.subscriber_id = "other";
  other.rate = 100'000;
  EXPECT_EQ(RunJob(other).state, JobState::kDone);
  EXPECT_EQ(engine_->GetJob(waits)->state, JobState::kRunning);
  store.running = false;
  EXPECT_EQ(WaitForEnd(waits).state, JobState::kDone);
}

}  // namespace
}  // namespace hookd
