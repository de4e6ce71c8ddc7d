// An engine on the store in memory, with a receiver that is a function of the test's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/synchronization/notification.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "dispatcher/core/event_rules.h"
#include "dispatcher/engine/engine.h"
#include "storage/memory_store.h"
#include "tests/fakes/failing_store.h"
#include "tests/fakes/fake_transport.h"
#include "tests/fakes/null_telemetry.h"

namespace hookd {

using testing::FailingStore;
using testing::FakeReceiver;
using testing::FakeTransport;
using testing::SentRequest;

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() { Open(MakeMemoryStore()); }
  ~EngineTest() override { Close(); }

  void Open(std::unique_ptr<DeliveryStore> store) {
    store_ = std::move(store);
    EngineOptions options = options_;
    engine_ = std::make_unique<Engine>(
        options, *store_, RealClock(), telemetry_,
        [this](boost::asio::io_context& io) { return std::make_unique<FakeTransport>(io, receiver_); },
        [this](const absl::Status&) { fatal_.Notify(); });
    ASSERT_TRUE(engine_->Start().ok());
  }
  void Close() {
    if (engine_ == nullptr) return;
    receiver_.SetHandler([](const SentRequest&) { return 200; });
    engine_->Drain(std::chrono::milliseconds(0));
    engine_->Stop();
    engine_.reset();
  }
  // As a kill would: the next engine sees what was committed before this moment, and nothing after.
  void Crash() {
    std::unique_ptr<DeliveryStore> left = static_cast<MemoryStore&>(*store_).Reopen();
    engine_->Stop();
    engine_.reset();
    Open(std::move(left));
  }

  void CreateSubscriber(const std::string& id = "acme") {
    Subscriber subscriber;
    subscriber.id = id;
    ASSERT_TRUE(engine_->CreateSubscriber(subscriber).ok());
  }
  EndpointId CreateEndpoint(
      DeliveryMode mode = DeliveryMode::kOrdered,
      const std::function<void(Endpoint&)>& adjust = [](Endpoint&) {}) {
    Endpoint endpoint;
    endpoint.subscriber_id = "acme";
    endpoint.url = "http://127.0.0.1:1/hook";
    endpoint.signing_keys = {{std::string(32, 'k')}};
    endpoint.policy.mode = mode;
    endpoint.policy.rate.per_second = 0;
    endpoint.policy.backoff = LinearBackoff(Millis(1), Millis(1), 0);
    adjust(endpoint);
    const absl::StatusOr<EndpointView> created = engine_->CreateEndpoint(endpoint);
    EXPECT_TRUE(created.ok()) << created.status();
    return created->endpoint->id;
  }

  static NewEvent MakeEvent(const std::string& payload, const std::string& key = "",
                            const std::string& type = "t") {
    NewEvent event;
    event.event.subscriber_id = "acme";
    event.event.type = type;
    event.event.payload = payload;
    event.event.idempotency_key = key;
    if (!key.empty()) event.idempotency = MakeIdempotencyKey(event.event);
    return event;
  }
  std::vector<PublishOutcome> Publish(std::vector<NewEvent> events) {
    std::vector<PublishOutcome> outcomes;
    absl::Notification done;
    const absl::Status taken = engine_->Publish(std::move(events), [&](std::vector<PublishOutcome> result) {
      outcomes = std::move(result);
      done.Notify();
    });
    EXPECT_TRUE(taken.ok()) << taken;
    if (taken.ok()) done.WaitForNotification();
    return outcomes;
  }
  PublishOutcome Publish(const std::string& payload, const std::string& key = "",
                         const std::string& type = "t") {
    return Publish({MakeEvent(payload, key, type)}).at(0);
  }
  // Returns once the endpoint's shard has done what it was told before.
  void LetShardsRun(EndpointId endpoint) {
    ASSERT_TRUE(engine_->UpdateEndpoint(endpoint, [](Endpoint&) { return absl::OkStatus(); }).ok());
  }
  // Waits until nothing is pending.
  void WaitUntilDone() {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
    while (store_->Stats().pending > 0 && RealClock().Steady() < deadline) std::this_thread::yield();
    ASSERT_EQ(store_->Stats().pending, 0u);
  }
  std::vector<Delivery> Deliveries(EndpointId endpoint) {
    DeliveryQuery query;
    query.endpoint = endpoint;
    query.limit = 1000;
    absl::StatusOr<DeliveryPage> page = engine_->ListDeliveries(query);
    EXPECT_TRUE(page.ok()) << page.status();
    return page->deliveries;
  }
  std::vector<std::string> Bodies() {
    std::vector<std::string> bodies;
    for (const SentRequest& request : receiver_.requests()) bodies.push_back(request.body);
    return bodies;
  }

  EngineOptions options_;
  NullTelemetry telemetry_;
  FakeReceiver receiver_;
  absl::Notification fatal_;
  std::unique_ptr<DeliveryStore> store_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace hookd
