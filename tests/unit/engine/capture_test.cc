// Captures in virtual time: what they hold, when they let go, and what goes to a bin.
#include <gmock/gmock.h>

#include "dispatcher/engine/capture_sink.h"
#include "tests/fakes/simulation.h"
#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Simulation;
using ::testing::SizeIs;

class CaptureTest : public ::testing::Test {
 protected:
  static Endpoint Make() {
    Endpoint endpoint;
    endpoint.subscriber_id = "acme";
    endpoint.url = "http://127.0.0.1:1/";
    endpoint.signing_keys = {{std::string(32, 'k')}};
    endpoint.policy.rate.per_second = 0;
    endpoint.policy.backoff = LinearBackoff(Millis(15'000), Millis(900'000), 0);
    return endpoint;
  }
  void Start(EndpointId id, Millis duration, bool delivers = false) {
    Endpoint endpoint = *sim_.Find(id);
    endpoint.capture = Capture{"bin_1", sim_.now.wall + duration.count(), delivers};
    sim_.Put(endpoint);
  }
  void Stop(EndpointId id) {
    Endpoint endpoint = *sim_.Find(id);
    endpoint.capture.reset();
    sim_.Put(endpoint);
  }
  std::vector<Sequence> Sent() const {
    std::vector<Sequence> sequences;
    for (const Simulation::Sent& one : sim_.sent) sequences.push_back(one.sequence);
    return sequences;
  }

  int status_ = 200;
  Simulation sim_{[this](const Endpoint&, const Work&) {
    return Simulation::Answer{status_, ErrorKind::kNone, "", {}};
  }};
};

TEST_F(CaptureTest, HoldsToTheMillisecondAndGoesOnInOrder) {
  const EndpointId id = sim_.Put(Make());
  sim_.Publish();
  sim_.RunUntil(seconds(1));
  Start(id, Millis(600'000));
  for (int i = 0; i < 3; ++i) sim_.Publish();
  sim_.RunUntil(seconds(601) - milliseconds(1));
  EXPECT_THAT(Sent(), ElementsAre(1));
  sim_.RunUntil(seconds(601));
  EXPECT_THAT(Sent(), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(sim_.sent.back().at, seconds(601));
}

TEST_F(CaptureTest, ARetryThatComesDueMeanwhileWaitsToo) {
  const EndpointId id = sim_.Put(Make());
  status_ = 500;
  sim_.Publish();
  sim_.Publish();
  sim_.RunUntil(seconds(1));
  EXPECT_THAT(Sent(), ElementsAre(1));
  status_ = 200;
  Start(id, Millis(60'000));
  sim_.RunUntil(seconds(60));
  EXPECT_THAT(Sent(), ElementsAre(1));
  sim_.RunUntil(seconds(61));
  EXPECT_THAT(Sent(), ElementsAre(1, 1, 2));
}

TEST_F(CaptureTest, StoppedEarlyItGoesOnAtOnce) {
  const EndpointId id = sim_.Put(Make());
  Start(id, Millis(600'000));
  sim_.Publish();
  sim_.RunUntil(seconds(5));
  EXPECT_THAT(Sent(), SizeIs(0));
  Stop(id);
  sim_.RunUntil(seconds(5));
  EXPECT_THAT(Sent(), ElementsAre(1));
}

TEST_F(CaptureTest, APauseOutlastsIt) {
  Endpoint endpoint = Make();
  endpoint.paused = true;
  const EndpointId id = sim_.Put(endpoint);
  Start(id, Millis(1'000));
  sim_.Publish();
  sim_.RunUntil(seconds(10));
  EXPECT_THAT(Sent(), SizeIs(0));
  endpoint = *sim_.Find(id);
  endpoint.paused = false;
  sim_.Put(endpoint);
  sim_.RunUntil(seconds(10));
  EXPECT_THAT(Sent(), ElementsAre(1));
}

TEST_F(CaptureTest, OneThatDeliversHoldsNothing) {
  const EndpointId id = sim_.Put(Make());
  Start(id, Millis(60'000), true);
  sim_.Publish();
  sim_.RunUntil(seconds(1));
  EXPECT_THAT(Sent(), ElementsAre(1));
}

TEST_F(CaptureTest, OneThatDeliversGoesFourAtATime) {
  Endpoint endpoint = Make();
  endpoint.policy.mode = DeliveryMode::kParallel;
  endpoint.policy.max_in_flight = 16;
  const EndpointId id = sim_.Put(endpoint);
  sim_.Publish();
  sim_.RunUntil(seconds(1));
  sim_.took = milliseconds(500);  // not slow
  Start(id, Millis(10'000), true);
  for (int i = 0; i < 20; ++i) sim_.Publish();
  sim_.RunUntil(seconds(1));
  EXPECT_THAT(Sent(), SizeIs(5));
  sim_.RunUntil(seconds(1) + milliseconds(499));
  EXPECT_THAT(Sent(), SizeIs(5));
  Stop(id);
  sim_.RunUntil(seconds(1) + milliseconds(499));
  EXPECT_THAT(Sent(), SizeIs(17)) << "sixteen again, with the four";
}

TEST_F(CaptureTest, ALeapOfTheWallClockMovesNoEnd) {
  const EndpointId id = sim_.Put(Make());
  Start(id, Millis(600'000));
  sim_.Publish();
  sim_.RunUntil(seconds(1));
  sim_.now.wall -= Millis(hours(24)).count();
  sim_.RunUntil(seconds(600) - milliseconds(1));
  EXPECT_THAT(Sent(), SizeIs(0));
  sim_.RunUntil(seconds(600));
  EXPECT_THAT(Sent(), ElementsAre(1));
}

TEST_F(CaptureTest, TheToolsHearOfItOnceNothingIsInFlight) {
  const EndpointId id = sim_.Put(Make());
  sim_.Publish();
  sim_.Publish();
  sim_.took = seconds(10);
  sim_.RunUntil(seconds(1));
  Start(id, Millis(60'000));
  sim_.RunUntil(seconds(9));
  EXPECT_EQ(sim_.captured, 0);
  sim_.RunUntil(seconds(11));
  EXPECT_EQ(sim_.captured, 1) << "the second one waits";
  sim_.Publish();
  sim_.RunUntil(seconds(12));
  EXPECT_EQ(sim_.captured, 2);
  EXPECT_THAT(Sent(), ElementsAre(1));
}

class Sink final : public CaptureSink {
 public:
  std::string BinUrl(const Endpoint& endpoint) override {
    return "http://127.0.0.1:7071/bin/" + endpoint.capture->bin;
  }
  void Pending(const std::shared_ptr<const Endpoint>& endpoint) override {
    absl::MutexLock lock(&mutex_);
    pending_.push_back(endpoint->id);
  }
  bool WaitForPending(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto holds = [&] {
      mutex_.AssertHeld();
      return pending_.size() >= count;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&holds), absl::Seconds(20));
  }

 private:
  absl::Mutex mutex_;
  std::vector<EndpointId> pending_ ABSL_GUARDED_BY(mutex_);
};

class EngineCaptureTest : public EngineTest {
 protected:
  EngineCaptureTest() {
    Close();
    options_.captures = &sink_;
    Open(MakeMemoryStore());
    CreateSubscriber();
  }
  ~EngineCaptureTest() override { Close(); }  // before sink_ goes

  void Start(EndpointId id, bool delivers, Millis duration = Millis(3'600'000)) {
    ASSERT_TRUE(
        engine_
            ->UpdateEndpoint(
                id,
                [&](Endpoint& endpoint) {
                  endpoint.capture = Capture{"bin_1", RealClock().Wall() + duration.count(), delivers};
                  return absl::OkStatus();
                })
            .ok());
  }

  Sink sink_;
};

TEST_F(EngineCaptureTest, OneThatDeliversSendsToTheBinAndSaysSo) {
  const EndpointId id = CreateEndpoint(
      DeliveryMode::kOrdered, [](Endpoint& endpoint) { endpoint.policy.http_version = HttpVersion::kHttp2; });
  Start(id, true);
  Publish("1");
  WaitUntilDone();
  ASSERT_THAT(receiver_.requests(), SizeIs(1));
  EXPECT_EQ(receiver_.requests()[0].url, "http://127.0.0.1:7071/bin/bin_1");
  EXPECT_EQ(receiver_.requests()[0].Header("hookd-sequence"), "1.1");
  const Delivery delivery = engine_->GetDelivery(Deliveries(id).at(0).id)->delivery;
  EXPECT_EQ(delivery.state, DeliveryState::kSucceeded);
  EXPECT_EQ(delivery.attempts.at(0).error_detail, "sent to bin_1 (a capture)");
}

TEST_F(EngineCaptureTest, OneThatHoldsOutlastsARestart) {
  const EndpointId id = CreateEndpoint();
  Start(id, false);
  Publish("1");
  ASSERT_TRUE(sink_.WaitForPending(1));
  const DeliveryId delivery = Deliveries(id).at(0).id;
  const absl::StatusOr<DeliveryView> view = engine_->GetDelivery(delivery);
  ASSERT_TRUE(view.ok() && view->waiting);
  EXPECT_EQ(view->waiting->kind, WaitKind::kPaused);
  EXPECT_EQ(view->waiting->detail, "a capture holds its endpoint (bin_1)");
  EXPECT_GT(view->waiting->until_ms, RealClock().Wall());
  Crash();
  ASSERT_TRUE(sink_.WaitForPending(2)) << "told again after the restart";
  EXPECT_THAT(receiver_.requests(), SizeIs(0));
  ASSERT_TRUE(engine_
                  ->UpdateEndpoint(id,
                                   [](Endpoint& endpoint) {
                                     endpoint.capture.reset();
                                     return absl::OkStatus();
                                   })
                  .ok());
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("1"));
}

TEST_F(EngineCaptureTest, OneThatIsOverIsNotShown) {
  const EndpointId id = CreateEndpoint();
  Start(id, false, Millis(-1));
  EXPECT_FALSE(engine_->GetEndpoint(id)->endpoint->capture);
  EXPECT_FALSE(engine_->ListEndpoints("", EndpointId{}, 10)->at(0).endpoint->capture);
  Start(id, false, Millis(60'000));
  EXPECT_TRUE(engine_->GetEndpoint(id)->endpoint->capture);
}

TEST_F(EngineCaptureTest, AnUnverifiedEndpointIsEnabledByItsProofAlone) {
  const EndpointId id = CreateEndpoint(
      DeliveryMode::kOrdered, [](Endpoint& endpoint) { endpoint.disabled = DisableReason::kUnverified; });
  EXPECT_GT(engine_->GetEndpoint(id)->endpoint->disabled_ms, 0);
  Publish("1");
  const absl::Status enabled = engine_->EnableEndpoint(id, "").status();
  EXPECT_EQ(enabled.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(enabled.message()), HasSubstr("VerifyEndpoint"));
  EXPECT_TRUE(engine_->DisableEndpoint(id, "why").ok());
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->disabled, DisableReason::kUnverified);
  EXPECT_EQ(engine_->EnableEndpoint(id, "").status().code(), absl::StatusCode::kFailedPrecondition);
  BulkChange change;
  change.filter.subscriber_id = "acme";
  change.action = EndpointAction::kEnable;
  EXPECT_THAT(engine_->ChangeEndpoints(change)->changed, SizeIs(0));
  EXPECT_THAT(receiver_.requests(), SizeIs(0));
}

}  // namespace
}  // namespace hookd
