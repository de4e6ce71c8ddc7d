// An endpoint that goes, is probed over real sockets by the tools' own transport, and comes back.
#include "dispatcher/tools/prober.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatcher/core/signature.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/transport/curl_transport.h"
#include "storage/memory_store.h"
#include "tests/fakes/http_receiver.h"
#include "tests/fakes/null_telemetry.h"

namespace hookd::testing {
namespace {

const std::string kKey(32, 'k');

class ProberSocketTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { InitCurl(); }

  ProberSocketTest() {
    EngineOptions options;
    options.on_configured = [this](const Endpoint& endpoint) { prober_.Configured(endpoint); };
    engine_ = std::make_unique<Engine>(options, *store_, RealClock(), telemetry_, Transport,
                                       [](const absl::Status& status) { FAIL() << status; });
    EXPECT_TRUE(engine_->Start().ok());
    Prober::Hooks hooks;
    hooks.enable = [this](const Endpoint& probed) {
      probed_ = probed.disabled;
      return engine_->EnableProbed(probed, "a probe succeeded").status();
    };
    hooks.may_send = [] { return true; };
    hooks.done = [](ErrorKind) {};
    prober_.Start(std::move(hooks), false);
    prober_.Run();
  }
  ~ProberSocketTest() override {
    prober_.Stop();
    runner_.Stop();
    engine_->Drain(std::chrono::milliseconds(100));
    engine_->Stop();
  }

  static std::unique_ptr<HttpTransport> Transport(boost::asio::io_context& io) {
    CurlTransportOptions options;
    EgressOptions egress;
    egress.allow_loopback = true;
    options.egress = std::make_shared<const EgressPolicy>(egress);
    return MakeCurlTransport(io, options, RealClock());
  }

  void Publish(const std::vector<std::string>& payloads) {
    std::vector<NewEvent> events;
    for (const std::string& payload : payloads) {
      NewEvent event;
      event.event.subscriber_id = "acme";
      event.event.type = "t";
      event.event.payload = payload;
      events.push_back(std::move(event));
    }
    absl::Notification done;
    ASSERT_TRUE(
        engine_->Publish(std::move(events), [&](const std::vector<PublishOutcome>&) { done.Notify(); }).ok());
    done.WaitForNotification();
  }

  std::unique_ptr<DeliveryStore> store_ = MakeMemoryStore();
  NullTelemetry telemetry_;
  std::atomic<DisableReason> probed_{DisableReason::kNone};
  OneShotRunner runner_{Transport};
  Prober prober_{runner_, *store_, RealClock(), "hookd/test"};
  std::unique_ptr<Engine> engine_;
};

TEST_F(ProberSocketTest, WhatIsGoneIsProbedUntilItIsBackAndItsBacklogGoesOutInOrder) {
  // Gone for the delivery that disables it, and for the first probe.
  HttpReceiver receiver(
      [](const ReceivedRequest& request) { return ReceiverAnswer::Status(request.number > 2 ? 204 : 410); });
  Subscriber subscriber;
  subscriber.id = "acme";
  ASSERT_TRUE(engine_->CreateSubscriber(subscriber).ok());
  Endpoint endpoint;
  endpoint.subscriber_id = "acme";
  endpoint.url = receiver.Url("/hook?key=1");
  endpoint.signing_keys = {{kKey}};
  endpoint.headers = {{"X-Mine", "yes", false}};
  endpoint.policy.backoff = LinearBackoff(Millis(1), Millis(1), 0);
  endpoint.policy.probe = {Millis(1'000), Millis(1'000)};  // shorter than the API lets it be
  const absl::StatusOr<EndpointView> created = engine_->CreateEndpoint(endpoint);
  ASSERT_TRUE(created.ok()) << created.status();
  Publish({"1", "2", "3"});

  const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(30);
  while (store_->Stats().pending > 0 && RealClock().Steady() < deadline) std::this_thread::yield();

  const EndpointView view = *engine_->GetEndpoint(created->endpoint->id);
  EXPECT_EQ(probed_, DisableReason::kGone);
  EXPECT_EQ(view.endpoint->disabled, DisableReason::kNone);
  EXPECT_EQ(view.endpoint->state_note, "a probe succeeded");
  EXPECT_EQ(view.lane.pending(), 0u);
  EXPECT_EQ(view.lane.consecutive_failures, 0u);
  std::vector<std::string> delivered;
  size_t probes = 0;
  for (const ReceivedRequest& request : receiver.requests()) {
    EXPECT_EQ(request.target, "/hook?key=1");
    EXPECT_EQ(request.Header("x-mine"), "yes");
    EXPECT_EQ(request.Header("webhook-signature"),
              SignV1({kKey}, request.Header("webhook-id"), std::stoll(request.Header("webhook-timestamp")),
                     request.body));
    if (request.Header("hookd-event-type") == kProbeEventType) {
      ++probes;
      EXPECT_EQ(request.Header("hookd-sequence"), "");
    } else {
      delivered.push_back(request.body);
    }
  }
  EXPECT_EQ(probes, 2u);
  EXPECT_THAT(delivered, ::testing::ElementsAre("1", "1", "2", "3"));
}

}  // namespace
}  // namespace hookd::testing
