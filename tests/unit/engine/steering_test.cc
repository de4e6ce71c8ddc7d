// Retry, cancel and what a delivery waits for, through the whole engine.
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <tuple>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/rocksdb_store.h"
#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class SteeringTest : public EngineTest {
 protected:
  SteeringTest() { CreateSubscriber(); }

  static void Slow(Endpoint& endpoint) {
    endpoint.policy.backoff = LinearBackoff(std::chrono::hours(1), std::chrono::hours(1), 0);
  }
  DeliveryId Id(EndpointId endpoint, Sequence sequence) {
    return Deliveries(endpoint).at(static_cast<size_t>(sequence) - 1).id;
  }
  // Until `condition` holds for the delivery as it is read.
  DeliveryView WaitFor(DeliveryId id, const std::function<bool(const DeliveryView&)>& condition) {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
    while (true) {
      absl::StatusOr<DeliveryView> view = engine_->GetDelivery(id);
      EXPECT_TRUE(view.ok()) << view.status();
      if (!view.ok() || condition(*view) || RealClock().Steady() > deadline) {
        EXPECT_TRUE(view.ok() && condition(*view)) << "it never came to that";
        return view.ok() ? *view : DeliveryView();
      }
      std::this_thread::yield();
    }
  }
  static bool Backs(const DeliveryView& view) {
    return view.waiting && view.waiting->kind == WaitKind::kBackoff;
  }
  WaitKind Why(DeliveryId id) {
    const absl::StatusOr<DeliveryView> view = engine_->GetDelivery(id);
    EXPECT_TRUE(view.ok() && view->waiting) << view.status();
    return view.ok() && view->waiting ? view->waiting->kind : WaitKind::kServer;
  }
};

TEST_F(SteeringTest, AHeadThatWaitsForItsRetryIsDueNow) {
  receiver_.SetHandler([](const SentRequest&) { return 500; });
  const EndpointId endpoint = CreateEndpoint(DeliveryMode::kOrdered, Slow);
  Publish("a");
  Publish("b");
  const DeliveryView first = WaitFor(Id(endpoint, 1), Backs);
  EXPECT_EQ(first.delivery.attempt_count, 1u);
  EXPECT_NEAR(static_cast<double>(first.waiting->until_ms), static_cast<double>(first.delivery.next_due_ms),
              100);
  EXPECT_GT(first.waiting->since_ms, 0);
  const absl::StatusOr<DeliveryView> second = engine_->GetDelivery(Id(endpoint, 2));
  ASSERT_TRUE(second.ok() && second->waiting);
  EXPECT_EQ(second->waiting->kind, WaitKind::kBehind);
  EXPECT_EQ(second->waiting->behind, first.delivery.id);

  const absl::Status behind = engine_->RetryDelivery(Id(endpoint, 2)).status();
  EXPECT_EQ(behind.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(behind.message()), HasSubstr(first.delivery.id.ToString()));

  receiver_.SetHandler([](const SentRequest&) { return 200; });
  const absl::StatusOr<DeliveryView> retried = engine_->RetryDelivery(first.delivery.id);
  ASSERT_TRUE(retried.ok()) << retried.status();
  EXPECT_EQ(retried->delivery.id, first.delivery.id);
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("a", "a", "b"));
}

TEST_F(SteeringTest, ATerminalOneBecomesANewDeliveryAtTheTail) {
  const EndpointId endpoint =
      CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) { it.policy.max_retries = 0; });
  receiver_.SetHandler([](const SentRequest& request) { return request.body == "a" ? 500 : 200; });
  Publish("a");
  Publish("b");
  WaitUntilDone();
  const Delivery old = Deliveries(endpoint).at(0);
  EXPECT_EQ(old.state, DeliveryState::kExhausted);
  receiver_.SetHandler([](const SentRequest&) { return 200; });
  const absl::StatusOr<DeliveryView> made = engine_->RetryDelivery(old.id);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->delivery.id.sequence, 3u);
  EXPECT_EQ(made->delivery.event, old.event);
  EXPECT_EQ(made->delivery.origin, Origin::kRetry);
  EXPECT_EQ(made->delivery.replaces, old.id);
  EXPECT_GE(made->delivery.accepted_ms, old.accepted_ms);
  WaitUntilDone();
  const std::vector<SentRequest> requests = receiver_.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[2].body, "a");
  EXPECT_EQ(requests[2].Header("webhook-id"), requests[0].Header("webhook-id"));
  EXPECT_EQ(requests[2].Header("hookd-sequence"), "1.3");
  const absl::StatusOr<DeliveryView> replaced = engine_->GetDelivery(old.id);
  ASSERT_TRUE(replaced.ok());
  EXPECT_EQ(replaced->delivery.state, DeliveryState::kExhausted);
  EXPECT_EQ(replaced->delivery.replaced_by, made->delivery.id);

  ASSERT_TRUE(engine_->DeleteEndpoint(endpoint).ok());
  const absl::Status gone = engine_->RetryDelivery(old.id).status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kNotFound) << gone;
}

TEST_F(SteeringTest, ANewDeliveryKeepsWhatItIsOverACrashAndAFailure) {
  const EndpointId endpoint = CreateEndpoint(DeliveryMode::kOrdered, Slow);
  Publish("a");
  WaitUntilDone();
  receiver_.SetHandler([](const SentRequest&) { return 500; });
  const absl::StatusOr<DeliveryView> made = engine_->RetryDelivery(Id(endpoint, 1));
  ASSERT_TRUE(made.ok());
  WaitFor(made->delivery.id, Backs);
  Crash();
  const DeliveryView again = WaitFor(made->delivery.id, Backs);
  EXPECT_EQ(again.delivery.origin, Origin::kRetry);
  EXPECT_EQ(again.delivery.replaces, Id(endpoint, 1));
  const absl::StatusOr<DeliveryView> canceled = engine_->CancelDelivery(made->delivery.id);
  ASSERT_TRUE(canceled.ok()) << canceled.status();
  EXPECT_EQ(canceled->delivery.state, DeliveryState::kCanceled);
  EXPECT_EQ(canceled->delivery.origin, Origin::kRetry);
}

TEST_F(SteeringTest, CancelsWhatIsParkedInMemoryOrOnDisk) {
  Close();
  options_.window_items = 4;
  Open(MakeMemoryStore());
  CreateSubscriber();
  const EndpointId endpoint = CreateEndpoint(DeliveryMode::kOrdered, Slow);
  receiver_.SetHandler([](const SentRequest&) { return 500; });
  Publish("1");
  WaitFor(Id(endpoint, 1), Backs);
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, true, "a look").ok());
  for (int i = 2; i <= 10; ++i) Publish(std::to_string(i));
  for (const Sequence sequence : {1u, 3u, 8u, 10u}) {
    const DeliveryId id = Id(endpoint, sequence);
    EXPECT_EQ(Why(id), WaitKind::kPaused);
    const absl::StatusOr<DeliveryView> canceled = engine_->CancelDelivery(id);
    ASSERT_TRUE(canceled.ok()) << sequence << canceled.status();
    EXPECT_EQ(canceled->delivery.state, DeliveryState::kCanceled);
    EXPECT_EQ(canceled->delivery.reason, EndReason::kCanceledByPerson);
    EXPECT_FALSE(canceled->waiting);
    const absl::Status twice = engine_->CancelDelivery(id).status();
    EXPECT_EQ(twice.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(twice.message()), HasSubstr("CANCELED"));
  }
  receiver_.SetHandler([](const SentRequest&) { return 200; });
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, false, "").ok());
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("1", "2", "4", "5", "6", "7", "9"));
}

TEST_F(SteeringTest, CancelsAfterAStartWhatAPausedLaneHasNotRead) {
  const EndpointId endpoint = CreateEndpoint(DeliveryMode::kKeyed, Slow);
  receiver_.SetHandler([](const SentRequest&) { return 500; });
  Publish("1");
  WaitFor(Id(endpoint, 1), Backs);
  ASSERT_TRUE(engine_->SetPaused(true, "the night").ok());
  Publish("2");
  Publish("3");
  Crash();
  EXPECT_EQ(Why(Id(endpoint, 1)), WaitKind::kPaused);
  ASSERT_TRUE(engine_->CancelDelivery(Id(endpoint, 1)).ok());
  ASSERT_TRUE(engine_->CancelDelivery(Id(endpoint, 3)).ok());
  receiver_.SetHandler([](const SentRequest&) { return 200; });
  ASSERT_TRUE(engine_->SetPaused(false, "").ok());
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("1", "2"));
}

TEST_F(SteeringTest, WhatIsInFlightOrEndedIsNotCanceled) {
  receiver_.SetHandler([](const SentRequest&) { return std::nullopt; });
  const EndpointId endpoint = CreateEndpoint();
  Publish("a");
  ASSERT_TRUE(receiver_.WaitForCount(1));
  const DeliveryId id = Id(endpoint, 1);
  EXPECT_EQ(Why(id), WaitKind::kInFlight);
  EXPECT_EQ(engine_->CancelDelivery(id).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(engine_->RetryDelivery(id).status().code(), absl::StatusCode::kFailedPrecondition);
  receiver_.ReleaseAll(200);
  WaitUntilDone();
  EXPECT_EQ(engine_->CancelDelivery(id).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(engine_->CancelDelivery({id.bucket, id.endpoint, 77}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(SteeringTest, SaysWhoHoldsADelivery) {
  const EndpointId endpoint = CreateEndpoint();
  ASSERT_TRUE(engine_->DisableEndpoint(endpoint, "it is spam").ok());
  Publish("a");
  const DeliveryId id = Id(endpoint, 1);
  absl::StatusOr<DeliveryView> view = engine_->GetDelivery(id);
  ASSERT_TRUE(view.ok() && view->waiting);
  EXPECT_EQ(view->waiting->kind, WaitKind::kDisabled);
  EXPECT_GT(view->waiting->since_ms, 0);
  EXPECT_THAT(view->waiting->detail, HasSubstr("it is spam"));
  ASSERT_TRUE(engine_->SetPaused(true, "the night").ok());
  view = engine_->GetDelivery(id);
  ASSERT_TRUE(view.ok() && view->waiting);
  EXPECT_EQ(view->waiting->kind, WaitKind::kPaused);
  EXPECT_THAT(view->waiting->detail, HasSubstr("the night"));
}

TEST_F(SteeringTest, AnAttemptRecordsWhatWasSentAndDecidedAndNoSecrets) {
  const EndpointId endpoint = CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) {
    Slow(it);
    it.headers = {{"X-Key", "hush", true}, {"X-Team", "blue", false}};
  });
  receiver_.SetHandler([](const SentRequest&) { return 500; });
  NewEvent event = MakeEvent("{}");
  event.event.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  event.event.tracestate = "a=1,b=2";
  Publish({event});
  const DeliveryView view = WaitFor(Id(endpoint, 1), Backs);
  ASSERT_EQ(view.delivery.attempts.size(), 1u);
  const Attempt& attempt = view.delivery.attempts[0];
  EXPECT_EQ(attempt.decision, AttemptDecision::kBackoff);
  EXPECT_THAT(attempt.request_headers, HasSubstr("X-Team: blue\n"));
  EXPECT_THAT(attempt.request_headers, HasSubstr("X-Key\n"));
  EXPECT_THAT(attempt.request_headers, HasSubstr("webhook-signature\n"));
  EXPECT_THAT(attempt.request_headers, HasSubstr("tracestate: a=1,b=2\n"));
  EXPECT_THAT(attempt.request_headers, Not(HasSubstr("hush")));
  EXPECT_THAT(attempt.request_headers, Not(HasSubstr("v1,")));
  EXPECT_EQ(receiver_.requests().at(0).Header("tracestate"), "a=1,b=2");
  receiver_.SetHandler([](const SentRequest&) { return 200; });
  ASSERT_TRUE(engine_->RetryDelivery(view.delivery.id).ok());
  WaitUntilDone();
  const absl::StatusOr<DeliveryView> done = engine_->GetDelivery(view.delivery.id);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->delivery.attempts.at(1).decision, AttemptDecision::kDelivered);
  EXPECT_EQ(done->delivery.attempts.at(1).request_headers, "");
}

// The store checks that what ends is pending: nothing may end twice, whoever ends it.
class CancelRaceTest : public SteeringTest,
                       public ::testing::WithParamInterface<std::tuple<DeliveryMode, bool>> {
 protected:
  CancelRaceTest() {
    std::string folder = ::testing::TempDir() + "steering_XXXXXX";
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  ~CancelRaceTest() override {
    Close();
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void OpenTiny(bool on_disk) {
    Close();
    options_.window_items = 8;
    options_.window_bytes = 4'000;
    if (!on_disk) {
      Open(MakeMemoryStore());
      return;
    }
    RocksDbOptions options;
    options.path = folder_ / "data";
    absl::StatusOr<std::unique_ptr<DeliveryStore>> store = OpenRocksDbStore(options, RealClock());
    ASSERT_TRUE(store.ok()) << store.status();
    Open(*std::move(store));
  }
  std::vector<Delivery> All(EndpointId endpoint) {
    std::vector<Delivery> all;
    DeliveryQuery query;
    query.endpoint = endpoint;
    query.limit = 1000;
    do {
      const absl::StatusOr<DeliveryPage> page = engine_->ListDeliveries(query);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      all.insert(all.end(), page->deliveries.begin(), page->deliveries.end());
      query.position = page->next_position;
    } while (!query.position.empty());
    return all;
  }

  std::filesystem::path folder_;
};

TEST_P(CancelRaceTest, ManyCancelWhileTheLaneDelivers) {
  constexpr int kEvents = 600;
  const auto [mode, on_disk] = GetParam();
  OpenTiny(on_disk);
  CreateSubscriber();
  std::atomic<int> tries{0};
  receiver_.SetHandler([&](const SentRequest&) { return ++tries % 5 == 0 ? 500 : 200; });
  const EndpointId endpoint = CreateEndpoint(mode);
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, true, "").ok());
  std::vector<NewEvent> events;
  for (int i = 0; i < kEvents; ++i) {
    events.push_back(MakeEvent(std::to_string(i)));
    events.back().event.ordering_key = std::to_string(i % 7);
  }
  Publish(std::move(events));
  const std::vector<Delivery> all = All(endpoint);
  ASSERT_EQ(all.size(), static_cast<size_t>(kEvents));
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, false, "").ok());
  std::atomic<int> canceled{0};
  std::vector<std::thread> people;
  for (int person = 0; person < 3; ++person) {
    people.emplace_back([&, person] {
      for (int i = person % 2; i < kEvents; i += 2) {  // two of them ask for the same
        const absl::StatusOr<DeliveryView> view = engine_->CancelDelivery(all[(i * 7) % kEvents].id);
        if (view.ok()) {
          ++canceled;
          EXPECT_EQ(view->delivery.state, DeliveryState::kCanceled);
        } else {
          EXPECT_EQ(view.status().code(), absl::StatusCode::kFailedPrecondition) << view.status();
        }
      }
    });
  }
  for (std::thread& person : people) person.join();
  WaitUntilDone();
  int ended_canceled = 0;
  for (const Delivery& delivery : All(endpoint)) {
    EXPECT_TRUE(IsTerminal(delivery.state));
    ended_canceled += delivery.state == DeliveryState::kCanceled ? 1 : 0;
  }
  EXPECT_EQ(ended_canceled, canceled);
  EXPECT_GT(canceled, 0);
}

INSTANTIATE_TEST_SUITE_P(Modes, CancelRaceTest,
                         ::testing::Combine(::testing::Values(DeliveryMode::kOrdered, DeliveryMode::kKeyed,
                                                              DeliveryMode::kParallel),
                                            ::testing::Bool()));

}  // namespace
}  // namespace hookd
