#include "dispatcher/engine/engine.h"

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;

TEST_F(EngineTest, DeliversWhatWasPublishedInOrder) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  std::vector<NewEvent> events;
  for (int i = 0; i < 500; ++i) events.push_back(MakeEvent(std::to_string(i)));
  const std::vector<PublishOutcome> outcomes = Publish(std::move(events));
  ASSERT_EQ(outcomes.size(), 500u);
  for (size_t i = 1; i < outcomes.size(); ++i) EXPECT_LT(outcomes[i - 1].event, outcomes[i].event);
  WaitUntilDone();
  const std::vector<std::string> bodies = Bodies();
  ASSERT_EQ(bodies.size(), 500u);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(bodies[i], std::to_string(i));
  for (const Delivery& delivery : Deliveries(endpoint)) EXPECT_EQ(delivery.state, DeliveryState::kSucceeded);
}

TEST_F(EngineTest, SendsTheDocumentedHeaders) {
  CreateSubscriber();
  CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& endpoint) {
    endpoint.headers = {{"X-Key", "secret", true}};
  });
  NewEvent event = MakeEvent("{}", "", "message:in:new");
  event.event.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const EventId id = Publish({event}).at(0).event;
  ASSERT_TRUE(receiver_.WaitForCount(1));
  const SentRequest request = receiver_.requests().at(0);
  EXPECT_EQ(request.Header("Content-Type"), "application/json");
  EXPECT_EQ(request.Header("webhook-id"), id.ToString());
  EXPECT_EQ(request.Header("hookd-sequence"), "1.1");
  EXPECT_EQ(request.Header("hookd-attempt"), "1");
  EXPECT_EQ(request.Header("hookd-event-type"), "message:in:new");
  EXPECT_EQ(request.Header("traceparent"), event.event.traceparent);
  EXPECT_EQ(request.Header("X-Key"), "secret");
  EXPECT_EQ(request.Header("webhook-signature").substr(0, 3), "v1,");
}

TEST_F(EngineTest, AUrlHasToKeepToTheEgressRulesWhenItIsNew) {
  const auto policy = std::make_shared<EgressPolicy>();
  Close();
  options_.egress = policy;
  Open(MakeMemoryStore());
  CreateSubscriber();
  const auto with_url = [](const std::string& url) {
    return [url](Endpoint& endpoint) {
      endpoint.url = url;
      return absl::OkStatus();
    };
  };
  const EndpointId endpoint =
      CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& made) { made.url = "https://example.com/hook"; });
  EXPECT_EQ(engine_->UpdateEndpoint(endpoint, with_url("http://10.0.0.1/")).status().code(),
            absl::StatusCode::kInvalidArgument);
  Endpoint refused = *engine_->GetEndpoint(endpoint)->endpoint;
  const std::string before = refused.url;
  refused.url = "http://127.0.0.1/";
  EXPECT_EQ(engine_->CreateEndpoint(refused).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine_->GetEndpoint(endpoint)->endpoint->url, before) << "bad input changes nothing";

  EgressOptions denying;
  denying.deny_ports = {443};
  policy->Set(denying);
  EXPECT_TRUE(engine_->UpdateEndpoint(endpoint, with_url(before)).ok()) << "an old URL may stay";
  EXPECT_FALSE(engine_->UpdateEndpoint(endpoint, with_url("https://other.example/")).ok());
}

TEST_F(EngineTest, OrderedKeepsItsOrderOverFailures) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  std::map<std::string, int> tries;
  receiver_.SetHandler(
      [&tries](const SentRequest& request) { return ++tries[request.body] % 3 == 0 ? 200 : 503; });
  for (int i = 0; i < 20; ++i) Publish(std::to_string(i));
  WaitUntilDone();
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) expected.insert(expected.end(), 3, std::to_string(i));
  EXPECT_EQ(Bodies(), expected);
  const absl::StatusOr<DeliveryView> first = engine_->GetDelivery(Deliveries(endpoint).at(0).id);
  ASSERT_TRUE(first.ok());
  const std::vector<Attempt>& attempts = first->delivery.attempts;
  ASSERT_EQ(attempts.size(), 3u);
  EXPECT_EQ(attempts[0].error, ErrorKind::kStatus);
  EXPECT_EQ(attempts[0].status, 503);
  EXPECT_EQ(attempts[2].error, ErrorKind::kNone);
}

TEST_F(EngineTest, ParallelHasNoMoreThanMaxInFlight) {
  CreateSubscriber();
  const EndpointId endpoint =
      CreateEndpoint(DeliveryMode::kParallel, [](Endpoint& it) { it.policy.max_in_flight = 3; });
  Publish("it works");
  WaitUntilDone();
  receiver_.SetHandler([](const SentRequest&) { return std::nullopt; });
  for (int i = 0; i < 10; ++i) Publish(std::to_string(i));
  ASSERT_TRUE(receiver_.WaitForCount(1 + 3));
  LetShardsRun(endpoint);
  EXPECT_EQ(engine_->Status().attempts_in_flight, 3u);
  EXPECT_EQ(receiver_.requests().size(), 1u + 3u);
  receiver_.SetHandler([](const SentRequest&) { return 200; });
  receiver_.ReleaseAll(200);
  WaitUntilDone();
  EXPECT_EQ(receiver_.requests().size(), 1u + 10u);
}

TEST_F(EngineTest, ExhaustedAfterItsRetriesAndTheLaneGoesOn) {
  CreateSubscriber();
  const EndpointId endpoint =
      CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) { it.policy.max_retries = 2; });
  receiver_.SetHandler([](const SentRequest& request) { return request.body == "1" ? 500 : 200; });
  Publish("1");
  Publish("2");
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("1", "1", "1", "2"));
  const std::vector<Delivery> deliveries = Deliveries(endpoint);
  EXPECT_EQ(deliveries[0].state, DeliveryState::kExhausted);
  EXPECT_EQ(deliveries[0].reason, EndReason::kRetriesUsedUp);
  EXPECT_EQ(deliveries[0].attempt_count, 3u);
  EXPECT_EQ(deliveries[1].state, DeliveryState::kSucceeded);
}

TEST_F(EngineTest, FansOutByTypeAndChannel) {
  CreateSubscriber();
  const EndpointId all = CreateEndpoint();
  const EndpointId messages =
      CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) { it.event_types = {"message:*"}; });
  const EndpointId channel =
      CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) { it.channels = {"42"}; });
  EXPECT_EQ(Publish("1", "", "message:in:new").deliveries, 2u);
  NewEvent event = MakeEvent("2", "", "status");
  event.event.channel = "42";
  EXPECT_EQ(Publish({event}).at(0).deliveries, 2u);
  WaitUntilDone();
  EXPECT_EQ(Deliveries(all).size(), 2u);
  EXPECT_EQ(Deliveries(messages).size(), 1u);
  EXPECT_EQ(Deliveries(channel).size(), 1u);
}

TEST_F(EngineTest, AnEventThatNobodyMatchesIsAcceptedAndSaysSo) {
  CreateSubscriber();
  const PublishOutcome outcome = Publish("1");
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.deliveries, 0u);
  EXPECT_TRUE(store_->ReadEvent(outcome.event).ok());
}

TEST_F(EngineTest, UnknownSubscriberIsRefusedAndKeepsNothing) {
  CreateSubscriber();
  NewEvent stranger = MakeEvent("1");
  stranger.event.subscriber_id = "nobody";
  const std::vector<PublishOutcome> outcomes = Publish({stranger, MakeEvent("2")});
  EXPECT_EQ(outcomes[0].status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(outcomes[1].status.ok());
}

TEST_F(EngineTest, IdempotencyKeyGivesTheFirstEventInTheSameBatchAndLater) {
  CreateSubscriber();
  CreateEndpoint();
  const std::vector<PublishOutcome> outcomes = Publish({MakeEvent("1", "k"), MakeEvent("1", "k")});
  EXPECT_FALSE(outcomes[0].duplicate);
  EXPECT_TRUE(outcomes[1].duplicate);
  EXPECT_EQ(outcomes[0].event, outcomes[1].event);
  Crash();
  const PublishOutcome later = Publish("1", "k");
  EXPECT_TRUE(later.duplicate);
  EXPECT_EQ(later.event, outcomes[0].event);
  EXPECT_EQ(Publish("other", "k").status.code(), absl::StatusCode::kAlreadyExists);
  WaitUntilDone();
}

TEST_F(EngineTest, ARestartResumesEverything) {
  CreateSubscriber();
  const EndpointId ordered = CreateEndpoint();
  const EndpointId parallel = CreateEndpoint(DeliveryMode::kParallel);
  receiver_.SetHandler([](const SentRequest& request) {
    return request.body.size() > 1 ? std::optional<int>(500) : std::nullopt;
  });
  for (int i = 0; i < 30; ++i) Publish(std::to_string(i));
  ASSERT_TRUE(receiver_.WaitForCount(2));
  receiver_.SetHandler([](const SentRequest&) { return 200; });
  Crash();
  WaitUntilDone();
  for (const EndpointId endpoint : {ordered, parallel}) {
    const std::vector<Delivery> deliveries = Deliveries(endpoint);
    ASSERT_EQ(deliveries.size(), 30u);
    for (const Delivery& delivery : deliveries) EXPECT_EQ(delivery.state, DeliveryState::kSucceeded);
  }
}

TEST_F(EngineTest, PauseHoldsAndResumeDrainsInOrder) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  const auto pause = [&](bool paused) {
    return engine_->UpdateEndpoint(endpoint, [paused](Endpoint& it) {
      it.paused = paused;
      return absl::OkStatus();
    });
  };
  ASSERT_TRUE(pause(true).ok());
  for (int i = 0; i < 5; ++i) Publish(std::to_string(i));
  EXPECT_TRUE(receiver_.requests().empty());
  EXPECT_EQ(engine_->GetEndpoint(endpoint)->lane.queued, 5u);
  Crash();
  EXPECT_TRUE(receiver_.requests().empty());
  ASSERT_TRUE(pause(false).ok());
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("0", "1", "2", "3", "4"));
}

TEST_F(EngineTest, PausingASubscriberPausesItsEndpoints) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  const auto pause = [&](bool paused) {
    return engine_->UpdateSubscriber("acme", [paused](Subscriber& it) {
      it.paused = paused;
      return absl::OkStatus();
    });
  };
  ASSERT_TRUE(pause(true).ok());
  Publish("1");
  EXPECT_EQ(engine_->GetEndpoint(endpoint)->lane.queued, 1u);
  LetShardsRun(endpoint);
  EXPECT_TRUE(receiver_.requests().empty());
  ASSERT_TRUE(pause(false).ok());
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("1"));
}

// The timer of a shard is disarmed and armed again for the same moment.
TEST_F(EngineTest, APauseDuringABackoffDoesNotForgetTheRetry) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) {
    it.policy.backoff = LinearBackoff(Millis(300), Millis(300), 0);
  });
  receiver_.SetHandler(
      [](const SentRequest& request) { return request.Header("hookd-attempt") == "1" ? 503 : 200; });
  Publish("1");
  ASSERT_TRUE(receiver_.WaitForCount(1));
  const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
  while (engine_->GetEndpoint(endpoint)->lane.parked == 0 && RealClock().Steady() < deadline)
    std::this_thread::yield();
  for (const bool paused : {true, false}) {
    ASSERT_TRUE(engine_
                    ->UpdateEndpoint(endpoint,
                                     [paused](Endpoint& it) {
                                       it.paused = paused;
                                       return absl::OkStatus();
                                     })
                    .ok());
  }
  WaitUntilDone();
}

TEST_F(EngineTest, AStoreThatCannotBeReadFailsTheStartAndNothingHangs) {
  Close();
  auto store = std::make_unique<FailingStore>();
  store->fail_recover = true;
  store_ = std::move(store);
  Engine engine(
      options_, *store_, RealClock(), telemetry_,
      [this](boost::asio::io_context& io) { return std::make_unique<FakeTransport>(io, receiver_); },
      [](const absl::Status&) {});
  EXPECT_EQ(engine.Start().code(), absl::StatusCode::kDataLoss);
  engine.Drain(std::chrono::seconds(30));
  engine.Stop();
}

TEST_F(EngineTest, AFailedCommitIsAnsweredAsUnknownAndEndsTheIntake) {
  Close();
  auto failing = std::make_unique<FailingStore>();
  FailingStore& store = *failing;
  Open(std::move(failing));
  CreateSubscriber();
  CreateEndpoint();
  receiver_.SetHandler([](const SentRequest&) { return std::nullopt; });
  Publish("1");
  ASSERT_TRUE(receiver_.WaitForCount(1));
  store.fail_commit = true;
  EXPECT_EQ(Publish("2").status.code(), absl::StatusCode::kUnavailable);
  fatal_.WaitForNotification();
  EXPECT_EQ(engine_->Publish({MakeEvent("3")}, [](std::vector<PublishOutcome>) { FAIL(); }).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(engine_->CreateSubscriber({"late", "", false, 0, 0}).status().code(),
            absl::StatusCode::kUnavailable);
  receiver_.ReleaseAll(200);  // an outcome that cannot be recorded any more
  EXPECT_EQ(receiver_.requests().size(), 1u);
}

TEST_F(EngineTest, DeletingAnEndpointCancelsWhatIsPendingAndRecordsWhatIsInFlight) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  receiver_.SetHandler([](const SentRequest&) { return std::nullopt; });
  for (int i = 0; i < 600; ++i) Publish(std::to_string(i));
  ASSERT_TRUE(receiver_.WaitForCount(1));
  ASSERT_TRUE(engine_->DeleteEndpoint(endpoint).ok());
  EXPECT_EQ(engine_->GetEndpoint(endpoint).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Publish("late").deliveries, 0u);
  receiver_.ReleaseAll(200);
  WaitUntilDone();
  EXPECT_EQ(receiver_.requests().size(), 1u);
  const std::vector<Delivery> deliveries = Deliveries(endpoint);
  ASSERT_EQ(deliveries.size(), 600u);
  EXPECT_EQ(deliveries[0].state, DeliveryState::kSucceeded);
  EXPECT_EQ(deliveries[1].state, DeliveryState::kCanceled);
  EXPECT_EQ(deliveries[599].reason, EndReason::kEndpointDeleted);
}

TEST_F(EngineTest, ADeletionSurvivesACrashInTheMiddle) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  receiver_.SetHandler([](const SentRequest&) { return std::nullopt; });
  for (int i = 0; i < 5; ++i) Publish(std::to_string(i));
  ASSERT_TRUE(receiver_.WaitForCount(1));
  ASSERT_TRUE(engine_->DeleteEndpoint(endpoint).ok());  // its attempt in flight never ends
  Crash();
  WaitUntilDone();
  EXPECT_EQ(receiver_.requests().size(), 1u);
  for (const Delivery& delivery : Deliveries(endpoint)) EXPECT_EQ(delivery.state, DeliveryState::kCanceled);
}

TEST_F(EngineTest, UpdateActsOnTheNextAttempt) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  Publish("1");
  WaitUntilDone();
  ASSERT_TRUE(engine_
                  ->UpdateEndpoint(endpoint,
                                   [](Endpoint& it) {
                                     it.url = "http://127.0.0.1:2/new";
                                     return absl::OkStatus();
                                   })
                  .ok());
  Publish("2");
  WaitUntilDone();
  EXPECT_EQ(receiver_.requests().at(1).url, "http://127.0.0.1:2/new");
}

TEST_F(EngineTest, ARefusedUpdateChangesNothing) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  const absl::StatusOr<EndpointView> refused = engine_->UpdateEndpoint(endpoint, [](Endpoint& it) {
    it.url = "http://bad/";
    return absl::InvalidArgumentError("url: no");
  });
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine_->GetEndpoint(endpoint)->endpoint->url, "http://127.0.0.1:1/hook");
}

TEST_F(EngineTest, ASubscriberWithEndpointsCannotBeDeleted) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  EXPECT_EQ(engine_->DeleteSubscriber("acme").code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(engine_->DeleteEndpoint(endpoint).ok());
  EXPECT_TRUE(engine_->DeleteSubscriber("acme").ok());
  EXPECT_EQ(engine_->DeleteSubscriber("acme").code(), absl::StatusCode::kNotFound);
}

TEST_F(EngineTest, DrainLetsAttemptsEndAndRefusesNewEvents) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  receiver_.SetHandler([](const SentRequest&) { return std::nullopt; });
  for (int i = 0; i < 200; ++i) Publish(std::to_string(i));
  ASSERT_TRUE(receiver_.WaitForCount(1));
  std::thread drain([this] { engine_->Drain(std::chrono::seconds(30)); });
  while (engine_->Publish({MakeEvent("late")}, [](std::vector<PublishOutcome>) {}).code() !=
         absl::StatusCode::kUnavailable) {
    std::this_thread::yield();
  }
  // The lane may go on until its shard hears of the drain: those attempts end, too.
  receiver_.SetHandler([](const SentRequest&) { return 200; });
  receiver_.ReleaseAll(200);
  drain.join();
  size_t succeeded = 0;
  for (const Delivery& delivery : Deliveries(endpoint)) {
    if (delivery.state == DeliveryState::kSucceeded) {
      ++succeeded;
    } else {
      EXPECT_EQ(delivery.state, DeliveryState::kPending);
      EXPECT_EQ(delivery.attempt_count, 0u);
    }
  }
  EXPECT_GE(succeeded, 1u);
  EXPECT_EQ(receiver_.requests().size(), succeeded);
}

TEST_F(EngineTest, DrainRecordsWhatItCutsOffAsLocal) {
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  receiver_.SetHandler([](const SentRequest&) { return std::nullopt; });
  Publish("1");
  ASSERT_TRUE(receiver_.WaitForCount(1));
  engine_->Drain(std::chrono::milliseconds(1));
  const absl::StatusOr<DeliveryView> view = engine_->GetDelivery(Deliveries(endpoint).at(0).id);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->delivery.state, DeliveryState::kPending);
  ASSERT_EQ(view->delivery.attempts.size(), 1u);
  EXPECT_EQ(view->delivery.attempts[0].error, ErrorKind::kLocal);
}

TEST_F(EngineTest, AFullIntakeRefusesAndSaysWhenThereIsRoom) {
  Close();
  options_.intake_bytes = 1000;
  Open(MakeMemoryStore());
  CreateSubscriber();
  // Nothing is taken from the intake while the committer waits here.
  absl::Notification entered;
  absl::Notification leave;
  std::thread holder([&] {
    EXPECT_FALSE(engine_
                     ->UpdateSubscriber("acme",
                                        [&](Subscriber&) {
                                          entered.Notify();
                                          leave.WaitForNotification();
                                          return absl::CancelledError("");
                                        })
                     .ok());
  });
  entered.WaitForNotification();
  std::atomic<int> done{0};
  absl::Status status;
  int taken = 0;
  while ((status = engine_->Publish({MakeEvent(std::string(300, '1'))}, [&](std::vector<PublishOutcome>) {
           ++done;
         })).ok()) {
    ++taken;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(taken, 3);
  leave.Notify();
  absl::Notification room;
  engine_->WhenRoom({300, 1, {}}, [&room] { room.Notify(); });
  room.WaitForNotification();
  EXPECT_TRUE(Publish("1").status.ok());
  EXPECT_EQ(done, 3);
  holder.join();
}

TEST_F(EngineTest, ALargeBacklogGoesThroughASmallWindow) {
  Close();
  options_.window_items = 8;
  options_.window_bytes = 2048;
  Open(MakeMemoryStore());
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint();
  ASSERT_TRUE(engine_
                  ->UpdateEndpoint(endpoint,
                                   [](Endpoint& it) {
                                     it.paused = true;
                                     return absl::OkStatus();
                                   })
                  .ok());
  std::vector<NewEvent> events;
  for (int i = 0; i < 1000; ++i) events.push_back(MakeEvent(Concat("\"", i, std::string(100, 'x'), "\"")));
  Publish(std::move(events));
  ASSERT_TRUE(engine_
                  ->UpdateEndpoint(endpoint,
                                   [](Endpoint& it) {
                                     it.paused = false;
                                     return absl::OkStatus();
                                   })
                  .ok());
  WaitUntilDone();
  const std::vector<std::string> bodies = Bodies();
  ASSERT_EQ(bodies.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(bodies[i], Concat("\"", i, std::string(100, 'x'), "\""));
}

}  // namespace
}  // namespace hookd
