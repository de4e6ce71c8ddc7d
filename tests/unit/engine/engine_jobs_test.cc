// Jobs through the engine: what each makes, what it leaves alone, and that none is skipped or repeated.
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class EngineJobsTest : public EngineTest {
 protected:
  // An endpoint of which a delivery ends EXHAUSTED when its first attempt fails.
  EndpointId CreateHasty(const std::function<void(Endpoint&)>& adjust = [](Endpoint&) {}) {
    return CreateEndpoint(DeliveryMode::kParallel, [&](Endpoint& endpoint) {
      endpoint.policy.max_retries = 0;
      endpoint.policy.disable.failures = 0;
      adjust(endpoint);
    });
  }
  void AnswerAll(int status) {
    receiver_.SetHandler([status](const SentRequest&) { return status; });
  }
  void PublishMany(int count, const std::string& type = "t") {
    std::vector<NewEvent> events;
    for (int i = 0; i < count; ++i) events.push_back(MakeEvent(Concat(type, i), "", type));
    Publish(std::move(events));
  }
  // `count` deliveries of each endpoint end EXHAUSTED; then the receiver is well.
  void Exhaust(int count, const std::string& type = "t") {
    AnswerAll(500);
    PublishMany(count, type);
    WaitUntilDone();
    AnswerAll(200);
    PassAMillisecond();
  }
  // What was made before is older than now.
  void PassAMillisecond() {
    const WallMs then = RealClock().Wall() + 1;
    while (RealClock().Wall() <= then) std::this_thread::yield();
  }
  static Job MakeJob(JobKind kind, EndpointId endpoint = {}) {
    Job job;
    job.kind = kind;
    job.endpoint = endpoint;
    job.rate = 100'000;
    return job;
  }
  Job Start(const Job& job) {
    const absl::StatusOr<Job> started = engine_->StartJob(job, false);
    EXPECT_TRUE(started.ok()) << started.status();
    return started.value_or(Job{});
  }
  Job WaitFor(uint64_t id, const std::function<bool(const Job&)>& condition) {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
    for (;;) {
      const absl::StatusOr<Job> job = engine_->GetJob(id);
      EXPECT_TRUE(job.ok()) << job.status();
      if (!job.ok()) return {};
      if (condition(*job)) return *job;
      if (RealClock().Steady() > deadline) {
        ADD_FAILURE() << "job " << id << " is at " << job->done << " of " << job->matched;
        return *job;
      }
      std::this_thread::yield();
    }
  }
  Job WaitForEnd(uint64_t id) {
    return WaitFor(id, [](const Job& job) { return job.state != JobState::kRunning; });
  }
  Job RunJob(const Job& job) { return WaitForEnd(Start(job).id); }
  std::vector<Delivery> Made(EndpointId endpoint, Origin origin) {
    std::vector<Delivery> made;
    for (Delivery& delivery : Deliveries(endpoint)) {
      if (delivery.origin == origin) made.push_back(std::move(delivery));
    }
    return made;
  }
};

TEST_F(EngineJobsTest, RecoversEachExhaustedDeliveryOnce) {
  CreateSubscriber();
  const EndpointId endpoint = CreateHasty();
  Exhaust(300);
  Publish("succeeds at once");
  WaitUntilDone();
  PassAMillisecond();
  const Job dry = *engine_->StartJob(MakeJob(JobKind::kRecover, endpoint), true);
  EXPECT_EQ(dry.id, 0u);
  EXPECT_EQ(dry.matched, 300u);
  const Job job = RunJob(MakeJob(JobKind::kRecover, endpoint));
  EXPECT_EQ(job.state, JobState::kDone);
  EXPECT_EQ(job.matched, 300u);
  EXPECT_EQ(job.done, 300u);
  EXPECT_EQ(job.skipped, 0u);
  EXPECT_EQ(job.expected, 300u);
  WaitUntilDone();
  std::set<Sequence> replaced;
  for (const Delivery& delivery : Made(endpoint, Origin::kRecover)) {
    EXPECT_EQ(delivery.state, DeliveryState::kSucceeded);
    ASSERT_TRUE(delivery.replaces.has_value());
    EXPECT_TRUE(replaced.insert(delivery.replaces->sequence).second);
    EXPECT_EQ(delivery.event, engine_->GetDelivery(*delivery.replaces)->delivery.event);
  }
  EXPECT_THAT(replaced, SizeIs(300));
  // All have a new delivery: there is nothing left for another.
  EXPECT_EQ(RunJob(MakeJob(JobKind::kRecover, endpoint)).matched, 0u);
  EXPECT_EQ(engine_->StartJob(MakeJob(JobKind::kRecover, endpoint), true)->matched, 0u);
}

TEST_F(EngineJobsTest, TwoJobsOverTheSameRangeDoNotBothTakeIt) {
  CreateSubscriber();
  const EndpointId endpoint = CreateHasty();
  Exhaust(400);
  Job other = MakeJob(JobKind::kRecover);
  other.subscriber_id = "acme";
  const uint64_t first = Start(MakeJob(JobKind::kRecover, endpoint)).id;
  const uint64_t second = Start(other).id;
  EXPECT_EQ(WaitForEnd(first).done + WaitForEnd(second).done, 400u);
  WaitUntilDone();
  EXPECT_THAT(Made(endpoint, Origin::kRecover), SizeIs(400));
}

TEST_F(EngineJobsTest, RecoversByHostTypeAndState) {
  CreateSubscriber();
  const EndpointId here = CreateHasty([](Endpoint& it) { it.url = "http://here.example/"; });
  const EndpointId there = CreateHasty([](Endpoint& it) { it.url = "http://there.example:81/"; });
  Exhaust(5, "message:in");
  Exhaust(7, "call:in");
  Job job = MakeJob(JobKind::kRecover);
  job.host = "there.example";
  job.event_type = "message:*";
  EXPECT_EQ(RunJob(job).done, 5u);
  WaitUntilDone();
  EXPECT_THAT(Made(here, Origin::kRecover), IsEmpty());
  EXPECT_THAT(Made(there, Origin::kRecover), SizeIs(5));
  job = MakeJob(JobKind::kRecover, there);
  job.only_state = DeliveryState::kExpired;
  EXPECT_EQ(RunJob(job).done, 0u);
  job.only_state = DeliveryState::kExhausted;
  EXPECT_EQ(RunJob(job).done, 7u);
}

TEST_F(EngineJobsTest, AKillNeitherSkipsNorRepeats) {
  CreateSubscriber();
  const EndpointId endpoint = CreateHasty();
  Exhaust(400);
  Job job = MakeJob(JobKind::kRecover, endpoint);
  job.rate = 200;  // 50 in a step
  const uint64_t id = Start(job).id;
  WaitFor(id, [](const Job& now) { return now.done >= 100; });
  Crash();
  WaitFor(id, [](const Job& now) { return now.done >= 250; });
  Crash();
  const Job ended = WaitForEnd(id);
  EXPECT_EQ(ended.state, JobState::kDone);
  EXPECT_EQ(ended.done, 400u);
  WaitUntilDone();
  std::map<Sequence, int> replaced;
  for (const Delivery& delivery : Made(endpoint, Origin::kRecover)) ++replaced[delivery.replaces->sequence];
  EXPECT_THAT(replaced, SizeIs(400));
  for (const auto& [sequence, count] : replaced) EXPECT_EQ(count, 1) << sequence;
}

TEST_F(EngineJobsTest, ReplaysWhatTheEndpointsFiltersTake) {
  CreateSubscriber();
  const EndpointId first = CreateHasty();
  PublishMany(20, "message:in");
  PublishMany(10, "call:in");
  WaitUntilDone();
  const EndpointId later = CreateHasty([](Endpoint& endpoint) { endpoint.event_types = {"message:*"}; });
  PassAMillisecond();
  Job job = MakeJob(JobKind::kReplay, later);
  job.from_ms = 1;
  EXPECT_EQ(engine_->StartJob(job, true)->matched, 20u);
  EXPECT_EQ(RunJob(job).done, 20u);
  WaitUntilDone();
  const std::vector<Delivery> made = Made(later, Origin::kReplay);
  ASSERT_THAT(made, SizeIs(20));
  for (size_t i = 0; i < made.size(); ++i) {
    EXPECT_EQ(made[i].state, DeliveryState::kSucceeded);
    EXPECT_FALSE(made[i].replaces.has_value());
    EXPECT_EQ(made[i].id.sequence, i + 1);
    if (i > 0) {
      EXPECT_LT(made[i - 1].event, made[i].event);
    }
  }
  // To one that has had them too.
  job.endpoint = first;
  EXPECT_EQ(RunJob(job).done, 30u);
}

TEST_F(EngineJobsTest, ExpiresWhatIsPendingButNotInFlight) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  receiver_.SetHandler([](const SentRequest&) { return std::nullopt; });
  PublishMany(1, "message:in");
  ASSERT_TRUE(receiver_.WaitForCount(1));
  PublishMany(300, "message:in");
  PublishMany(3, "call:in");
  PassAMillisecond();
  Job job = MakeJob(JobKind::kExpire, endpoint);
  job.event_type = "message:in";
  const Job ended = RunJob(job);
  EXPECT_EQ(ended.state, JobState::kDone) << ended.error;
  EXPECT_EQ(ended.matched, 301u);
  EXPECT_EQ(ended.done, 300u);
  EXPECT_EQ(ended.skipped, 1u);
  AnswerAll(200);
  receiver_.ReleaseAll(200);
  WaitUntilDone();
  std::map<DeliveryState, int> states;
  for (const Delivery& delivery : Deliveries(endpoint)) {
    ++states[delivery.state];
    if (delivery.state == DeliveryState::kExpired) {
      EXPECT_EQ(delivery.reason, EndReason::kExpiredByPerson);
    }
  }
  EXPECT_EQ(states[DeliveryState::kExpired], 300);
  EXPECT_EQ(states[DeliveryState::kSucceeded], 4);
  // What a person expired can be recovered.
  EXPECT_EQ(RunJob(MakeJob(JobKind::kRecover, endpoint)).done, 300u);
}

TEST_F(EngineJobsTest, ACanceledJobStaysCanceledAndWhatItDidStaysDone) {
  CreateSubscriber();
  const EndpointId endpoint = CreateHasty();
  Exhaust(200);
  Job job = MakeJob(JobKind::kRecover, endpoint);
  job.rate = 40;  // 10 in a step
  const uint64_t id = Start(job).id;
  WaitFor(id, [](const Job& now) { return now.done >= 10; });
  const absl::StatusOr<Job> canceled = engine_->CancelJob(id);
  ASSERT_TRUE(canceled.ok()) << canceled.status();
  EXPECT_EQ(canceled->state, JobState::kCanceled);
  EXPECT_NE(canceled->ended_ms, 0);
  EXPECT_LT(canceled->done, 200u);
  EXPECT_TRUE(engine_->CancelJob(id).ok());  // idempotent
  WaitUntilDone();
  Crash();
  EXPECT_EQ(engine_->GetJob(id)->state, JobState::kCanceled);
  EXPECT_THAT(Made(endpoint, Origin::kRecover), SizeIs(canceled->done));
  // The rest is there for another.
  EXPECT_EQ(RunJob(MakeJob(JobKind::kRecover, endpoint)).done, 200u - canceled->done);
}

TEST_F(EngineJobsTest, WaitsWhileABacklogIsFull) {
  CreateSubscriber();
  const EndpointId endpoint = CreateHasty([](Endpoint& it) { it.policy.backlog = 100; });
  for (int i = 0; i < 3; ++i) Exhaust(50);
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, true, "").ok());
  const uint64_t id = Start(MakeJob(JobKind::kRecover, endpoint)).id;
  // It fills the backlog to the last place, and makes no older one expire for its own.
  const Job full = WaitFor(id, [](const Job& now) { return now.done == 100; });
  EXPECT_EQ(full.state, JobState::kRunning);
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, false, "").ok());
  EXPECT_EQ(WaitForEnd(id).done, 150u);
  WaitUntilDone();
  for (const Delivery& delivery : Made(endpoint, Origin::kRecover)) {
    EXPECT_EQ(delivery.state, DeliveryState::kSucceeded);
  }
}

TEST_F(EngineJobsTest, LeavesAloneWhatHasNoEndpointAnyMore) {
  CreateSubscriber();
  const EndpointId gone = CreateHasty();
  const EndpointId stays = CreateHasty();
  Exhaust(5);
  ASSERT_TRUE(engine_->DeleteEndpoint(gone).ok());
  Job job = MakeJob(JobKind::kRecover);
  job.subscriber_id = "acme";
  const Job ended = RunJob(job);
  EXPECT_EQ(ended.matched, 10u);
  EXPECT_EQ(ended.done, 5u);
  EXPECT_EQ(ended.skipped, 5u);
  EXPECT_THAT(Made(stays, Origin::kRecover), SizeIs(5));
}

TEST_F(EngineJobsTest, LeavesAloneWhatWouldOnlyExpire) {
  CreateSubscriber();
  const EndpointId endpoint = CreateHasty();
  AnswerAll(500);
  NewEvent event = MakeEvent("soon over");
  event.event.expires_ms = RealClock().Wall() + 200;
  Publish({event, MakeEvent("never over")});
  WaitUntilDone();
  while (RealClock().Wall() <= event.event.expires_ms) std::this_thread::yield();
  AnswerAll(200);
  const Job job = RunJob(MakeJob(JobKind::kRecover, endpoint));
  EXPECT_EQ(job.matched, 2u);
  EXPECT_EQ(job.done, 1u);
  EXPECT_EQ(job.skipped, 1u);
}

TEST_F(EngineJobsTest, AReplayFailsWhenItsEndpointGoes) {
  CreateSubscriber();
  const EndpointId endpoint = CreateHasty();
  PublishMany(100);
  WaitUntilDone();
  PassAMillisecond();
  Job job = MakeJob(JobKind::kReplay, endpoint);
  job.from_ms = 1;
  job.rate = 40;
  const uint64_t id = Start(job).id;
  WaitFor(id, [](const Job& now) { return now.done >= 10; });
  ASSERT_TRUE(engine_->DeleteEndpoint(endpoint).ok());
  const Job ended = WaitForEnd(id);
  EXPECT_EQ(ended.state, JobState::kFailed);
  EXPECT_EQ(ended.error, Concat("endpoint ", endpoint.ToString(), " is gone"));
  EXPECT_TRUE(absl::IsFailedPrecondition(engine_->CancelJob(id).status()));
}

TEST_F(EngineJobsTest, RefusesWhatItCannotDo) {
  CreateSubscriber();
  const auto start = [&](const Job& job) { return engine_->StartJob(job, false).status(); };
  EXPECT_TRUE(absl::IsInvalidArgument(start(MakeJob(JobKind::kExpire))));
  EXPECT_TRUE(absl::IsInvalidArgument(start(MakeJob(JobKind::kRecover))));
  EXPECT_TRUE(absl::IsInvalidArgument(start(MakeJob(JobKind::kReplay))));
  EXPECT_TRUE(absl::IsNotFound(start(MakeJob(JobKind::kRecover, EndpointId{77}))));
  Job job = MakeJob(JobKind::kExpire);
  job.subscriber_id = "nobody";
  EXPECT_TRUE(absl::IsNotFound(start(job)));
  EXPECT_TRUE(absl::IsNotFound(engine_->GetJob(1).status()));
  EXPECT_TRUE(absl::IsNotFound(engine_->CancelJob(1).status()));
  job.subscriber_id = "acme";
  const Job ended = RunJob(job);
  EXPECT_EQ(ended.state, JobState::kDone);
  EXPECT_TRUE(absl::IsFailedPrecondition(engine_->CancelJob(ended.id).status()));
  EXPECT_THAT(*engine_->ListJobs(0, 10, false), SizeIs(1));
  EXPECT_THAT(*engine_->ListJobs(0, 10, true), IsEmpty());
}

TEST_F(EngineJobsTest, ADrainEndsWithAJobHalfWayAndARestartGoesOn) {
  CreateSubscriber();
  const EndpointId endpoint = CreateHasty();
  Exhaust(100);
  Job job = MakeJob(JobKind::kRecover, endpoint);
  job.rate = 40;
  const uint64_t id = Start(job).id;
  WaitFor(id, [](const Job& now) { return now.done >= 10; });
  engine_->Drain(std::chrono::seconds(5));
  EXPECT_TRUE(absl::IsUnavailable(engine_->StartJob(job, false).status()));
  EXPECT_EQ(engine_->GetJob(id)->state, JobState::kRunning);
  Crash();
  EXPECT_EQ(WaitForEnd(id).done, 100u);
  WaitUntilDone();
  EXPECT_THAT(Made(endpoint, Origin::kRecover), SizeIs(100));
}

}  // namespace
}  // namespace hookd
