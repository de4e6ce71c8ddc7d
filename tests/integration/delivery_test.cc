// Engine, RocksDB on disk and libcurl on real sockets together: what leaves, and what is recorded of it.
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/synchronization/notification.h>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "dispatcher/core/signature.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/transport/curl_transport.h"
#include "storage/rocksdb_store.h"
#include "tests/fakes/http_receiver.h"
#include "tests/fakes/null_telemetry.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::testing {
namespace {

using ::testing::HasSubstr;

class DeliveryTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { InitCurl(); }
  ~DeliveryTest() override { Stop(); }

  void Start() {
    RocksDbOptions storage;
    storage.path = dir_.path() / "data";
    absl::StatusOr<std::unique_ptr<DeliveryStore>> store = OpenRocksDbStore(storage, RealClock());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    CurlTransportOptions transport;
    transport.ca_file = ca_file_;
    EgressOptions egress;
    egress.allow_loopback = true;
    transport.egress = std::make_shared<const EgressPolicy>(egress);
    engine_ = std::make_unique<Engine>(
        EngineOptions(), *store_, RealClock(), telemetry_,
        [transport](boost::asio::io_context& io) { return MakeCurlTransport(io, transport, RealClock()); },
        [](const absl::Status& status) { FAIL() << status; });
    ASSERT_TRUE(engine_->Start().ok());
  }
  // Orderly, or cutting attempts off without a record of them.
  void Stop(bool drain = true) {
    if (engine_ == nullptr) return;
    if (drain) engine_->Drain(std::chrono::milliseconds(100));
    engine_->Stop();
    engine_.reset();
    store_.reset();
  }

  EndpointId Create(
      const std::string& url, const std::function<void(Endpoint&)>& adjust = [](Endpoint&) {}) {
    Subscriber subscriber;
    subscriber.id = "acme";
    engine_->CreateSubscriber(subscriber).IgnoreError();
    Endpoint endpoint;
    endpoint.subscriber_id = "acme";
    endpoint.url = url;
    endpoint.signing_keys = {{kKey}};
    endpoint.policy.rate.per_second = 0;
    endpoint.policy.backoff = LinearBackoff(Millis(100), Millis(100), 0);
    endpoint.policy.timeout = Millis(5'000);
    adjust(endpoint);
    const absl::StatusOr<EndpointView> created = engine_->CreateEndpoint(std::move(endpoint));
    EXPECT_TRUE(created.ok()) << created.status();
    return created->endpoint->id;
  }
  void Publish(int first, int last) {
    std::vector<NewEvent> events;
    for (int i = first; i <= last; ++i) {
      NewEvent event;
      event.event.subscriber_id = "acme";
      event.event.type = "message:in:new";
      event.event.payload = Concat("{\"n\": ", i, "}");
      events.push_back(std::move(event));
    }
    absl::Notification done;
    ASSERT_TRUE(engine_
                    ->Publish(std::move(events),
                              [&](std::vector<PublishOutcome> outcomes) {
                                for (const PublishOutcome& outcome : outcomes)
                                  EXPECT_TRUE(outcome.status.ok());
                                done.Notify();
                              })
                    .ok());
    done.WaitForNotification();
  }
  void WaitUntilDone() {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(60);
    while (store_->Stats().pending > 0 && RealClock().Steady() < deadline) std::this_thread::yield();
    ASSERT_EQ(store_->Stats().pending, 0u);
  }
  Delivery First(EndpointId endpoint) {
    DeliveryQuery query;
    query.endpoint = endpoint;
    query.limit = 1;
    const absl::StatusOr<DeliveryPage> page = engine_->ListDeliveries(query);
    EXPECT_TRUE(page.ok() && page->deliveries.size() == 1);
    return engine_->GetDelivery(page->deliveries.at(0).id)->delivery;
  }
  // Blocks until the first delivery has `count` attempts on record.
  Delivery WaitForAttempts(EndpointId endpoint, size_t count) {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(30);
    Delivery delivery = First(endpoint);
    while (delivery.attempts.size() < count && RealClock().Steady() < deadline) {
      std::this_thread::yield();
      delivery = First(endpoint);
    }
    EXPECT_GE(delivery.attempts.size(), count);
    return delivery;
  }

  const std::string kKey = std::string(32, 'k');
  TempDir dir_;
  std::string ca_file_;
  NullTelemetry telemetry_;
  std::unique_ptr<DeliveryStore> store_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(DeliveryTest, SendsTheAcceptedBytesSignedAndInOrder) {
  HttpReceiver receiver;
  Start();
  Create(receiver.Url("/hook?key=1"));
  Publish(1, 50);
  WaitUntilDone();
  const std::vector<ReceivedRequest> requests = receiver.requests();
  ASSERT_EQ(requests.size(), 50u);
  for (int i = 0; i < 50; ++i) {
    const ReceivedRequest& request = requests[i];
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.target, "/hook?key=1");
    EXPECT_EQ(request.body, Concat("{\"n\": ", i + 1, "}"));
    EXPECT_EQ(request.Header("hookd-sequence"), Concat("1.", i + 1));
    EXPECT_EQ(request.Header("webhook-signature"),
              SignV1({kKey}, request.Header("webhook-id"), std::stoll(request.Header("webhook-timestamp")),
                     request.body));
    EXPECT_EQ(request.Header("Expect"), "");
    EXPECT_EQ(request.Header("Accept-Encoding"), "");
  }
  EXPECT_EQ(receiver.connection_count(), 1u);
}

TEST_F(DeliveryTest, EveryAttemptIsSignedForItsOwnTime) {
  int seen = 0;
  HttpReceiver receiver(
      [&seen](const ReceivedRequest&) { return ReceiverAnswer::Status(++seen == 1 ? 503 : 200, "busy"); });
  Start();
  const EndpointId endpoint = Create(
      receiver.Url(), [](Endpoint& it) { it.policy.backoff = LinearBackoff(Millis(1100), Millis(1100), 0); });
  Publish(1, 1);
  WaitUntilDone();
  const std::vector<ReceivedRequest> requests = receiver.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].Header("webhook-id"), requests[1].Header("webhook-id"));
  EXPECT_NE(requests[0].Header("webhook-timestamp"), requests[1].Header("webhook-timestamp"));
  EXPECT_NE(requests[0].Header("webhook-signature"), requests[1].Header("webhook-signature"));
  EXPECT_EQ(requests[1].Header("hookd-attempt"), "2");
  EXPECT_GE(requests[1].arrived - requests[0].arrived, std::chrono::milliseconds(1090));
  const Delivery delivery = First(endpoint);
  ASSERT_EQ(delivery.attempts.size(), 2u);
  EXPECT_EQ(delivery.attempts[0].status, 503);
  EXPECT_EQ(delivery.attempts[0].response_body, "busy");
  EXPECT_EQ(delivery.attempts[1].response_body, "");  // successes keep none
  EXPECT_GT(delivery.attempts[1].us.total, 0);
}

// "[{"n": 1},{"n": 2}]"
std::string ArrayOf(int first, int last) {
  std::string array;
  for (int i = first; i <= last; ++i) array += Concat(i == first ? "[" : ",", "{\"n\": ", i, "}");
  return array + "]";
}
// "1.1,1.2"
std::string SequencesOf(int first, int last) {
  std::string sequences;
  for (int i = first; i <= last; ++i) sequences += Concat(i == first ? "1." : ",1.", i);
  return sequences;
}

TEST_F(DeliveryTest, SendsBatchesInOrderAndARetryIsTheSameBatch) {
  int seen = 0;
  HttpReceiver receiver(
      [&seen](const ReceivedRequest&) { return ReceiverAnswer::Status(++seen == 2 ? 503 : 200); });
  Start();
  const EndpointId endpoint = Create(receiver.Url("/hook"), [](Endpoint& it) {
    it.policy.batch.event_types = {"message:in:*"};
    it.policy.batch.linger = Millis(200);
  });
  Publish(1, 60);
  WaitUntilDone();
  const std::vector<ReceivedRequest> requests = receiver.requests();
  ASSERT_EQ(requests.size(), 4u);
  const std::vector<std::pair<int, int>> members = {{1, 25}, {26, 50}, {26, 50}, {51, 60}};
  for (size_t i = 0; i < 4; ++i) {
    const ReceivedRequest& request = requests[i];
    const auto [first, last] = members[i];
    EXPECT_EQ(request.body, ArrayOf(first, last));
    EXPECT_EQ(request.Header("content-type"), "application/json");
    EXPECT_EQ(request.Header("hookd-sequence"), SequencesOf(first, last));
    EXPECT_EQ(request.Header("hookd-event-type"), "message:in:new");
    EXPECT_EQ(request.Header("hookd-attempt"), i == 2 ? "2" : "1");
    EXPECT_EQ(request.Header("webhook-signature"),
              SignV1({kKey}, request.Header("webhook-id"), std::stoll(request.Header("webhook-timestamp")),
                     request.body));
  }
  EXPECT_EQ(requests[1].Header("webhook-id"), requests[2].Header("webhook-id"));
  EXPECT_NE(requests[0].Header("webhook-id"), requests[1].Header("webhook-id"));
  EXPECT_NE(requests[2].Header("webhook-id"), requests[3].Header("webhook-id"));
  EXPECT_EQ(telemetry_.batches(), 3u);
  EXPECT_EQ(telemetry_.batched(), 60u);

  DeliveryQuery query;
  query.endpoint = endpoint;
  query.limit = 100;
  const absl::StatusOr<DeliveryPage> page = engine_->ListDeliveries(query);
  ASSERT_TRUE(page.ok() && page->deliveries.size() == 60);
  for (const Delivery& listed : page->deliveries) {
    const Delivery delivery = engine_->GetDelivery(listed.id)->delivery;
    const size_t at = delivery.id.sequence <= 25 ? 0 : delivery.id.sequence <= 50 ? 1 : 3;
    EXPECT_EQ(delivery.state, DeliveryState::kSucceeded);
    EXPECT_EQ(delivery.batch->ToString(), requests[at].Header("webhook-id"));
    ASSERT_EQ(delivery.attempts.size(), at == 1 ? 2u : 1u);
    EXPECT_EQ(delivery.attempts[0].status, at == 1 ? 503 : 200);
  }
}

TEST_F(DeliveryTest, OnlyTheSuccessRangesCount) {
  std::vector<int> statuses = {302, 404, 210, 209};
  size_t next = 0;
  HttpReceiver receiver([&](const ReceivedRequest&) {
    ReceiverAnswer answer = ReceiverAnswer::Status(statuses.at(next++));
    if (answer.status == 302) answer.headers = {{"Location", "/elsewhere"}};
    return answer;
  });
  Start();
  const EndpointId endpoint = Create(receiver.Url("/hook"));
  Publish(1, 1);
  WaitUntilDone();
  const Delivery delivery = First(endpoint);
  ASSERT_EQ(delivery.attempts.size(), 4u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(delivery.attempts[i].error, ErrorKind::kStatus);
  EXPECT_EQ(delivery.attempts[3].status, 209);
  for (const ReceivedRequest& request : receiver.requests()) EXPECT_EQ(request.target, "/hook");
}

TEST_F(DeliveryTest, RecordsWhyAnAttemptFailed) {
  HttpReceiver receiver;
  const std::string gone = receiver.Url();
  receiver.Stop();
  HttpReceiver silent(
      [](const ReceivedRequest&) { return ReceiverAnswer::Raw("", ReceiverAnswer::Then::kHang); });
  HttpReceiver garbage([](const ReceivedRequest&) {
    return ReceiverAnswer::Raw("not http\r\n\r\n", ReceiverAnswer::Then::kClose);
  });
  Start();
  const auto brief = [](Endpoint& it) { it.policy.timeout = Millis(300); };
  const EndpointId refused = Create(gone);
  const EndpointId stalled = Create(silent.Url(), brief);
  const EndpointId nonsense = Create(garbage.Url());
  Publish(1, 1);
  EXPECT_EQ(WaitForAttempts(refused, 1).attempts[0].error, ErrorKind::kConnect);
  EXPECT_EQ(WaitForAttempts(stalled, 1).attempts[0].error, ErrorKind::kTimeout);
  EXPECT_EQ(WaitForAttempts(nonsense, 1).attempts[0].error, ErrorKind::kProtocol);
}

TEST_F(DeliveryTest, ABodyWithoutEndDoesNotChangeTheVerdict) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    ReceiverAnswer answer = ReceiverAnswer::Raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                                ReceiverAnswer::Then::kHang);
    answer.endless = "1000\r\n" + std::string(0x1000, 'x') + "\r\n";
    return answer;
  });
  Start();
  const EndpointId endpoint = Create(receiver.Url());
  Publish(1, 1);
  WaitUntilDone();
  EXPECT_EQ(First(endpoint).state, DeliveryState::kSucceeded);
  EXPECT_EQ(receiver.request_count(), 1u);
}

TEST_F(DeliveryTest, AReopenedStoreGoesOnWhereItStopped) {
  std::atomic<bool> open{false};
  HttpReceiver receiver([&open](const ReceivedRequest&) { return ReceiverAnswer::Status(open ? 200 : 503); });
  Start();
  const EndpointId ordered = Create(receiver.Url("/ordered"));
  const EndpointId parallel =
      Create(receiver.Url("/parallel"), [](Endpoint& it) { it.policy.mode = DeliveryMode::kParallel; });
  Publish(1, 100);
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(receiver.WaitForRequests(receiver.request_count() + 20));
    Stop(false);
    Start();
  }
  open = true;
  WaitUntilDone();
  for (const EndpointId endpoint : {ordered, parallel}) {
    DeliveryQuery query;
    query.endpoint = endpoint;
    query.state = DeliveryState::kSucceeded;
    query.limit = 1000;
    EXPECT_EQ(engine_->ListDeliveries(query)->deliveries.size(), 100u);
  }
  int next = 0;  // first successes of the ordered endpoint are 1, 2, 3, ...
  for (const ReceivedRequest& request : receiver.requests()) {
    if (request.target != "/ordered") continue;
    const int sequence = std::stoi(request.Header("hookd-sequence").substr(2));
    EXPECT_LE(sequence, next + 1);
    next = std::max(next, sequence);
  }
  EXPECT_EQ(next, 100);
}

TEST_F(DeliveryTest, NginxTakesHttpAndVerifiedTls) {
  TestCa ca;
  ASSERT_TRUE(ca.ok() && ca.Issue("good", "DNS:localhost,IP:127.0.0.1", 1) &&
              ca.Issue("other", "DNS:example.com", 1));
  ca_file_ = ca.ca_file();
  const auto tls = [&ca](const std::string& name) {
    return NginxFixture::Start("server { listen 127.0.0.1:@PORT@ ssl; ssl_certificate " +
                               ca.certificate(name) + "; ssl_certificate_key " + ca.key(name) +
                               "; location / { return 204; } }");
  };
  const auto plain = NginxFixture::Start("server { listen 127.0.0.1:@PORT@; location / { return 204; } }");
  const auto good = tls("good");
  const auto wrong = tls("other");
  ASSERT_TRUE(plain.ok() && good.ok() && wrong.ok());
  Start();
  const EndpointId http = Create((*plain)->Url("/"));
  const EndpointId https = Create((*good)->Url("/", "https"));
  const EndpointId refused = Create((*wrong)->Url("/", "https"));
  Publish(1, 20);
  const Delivery failed = WaitForAttempts(refused, 1);
  EXPECT_EQ(failed.attempts[0].error, ErrorKind::kTls) << failed.attempts[0].error_detail;
  EXPECT_EQ(failed.state, DeliveryState::kPending);
  ASSERT_TRUE(engine_->DeleteEndpoint(refused).ok());
  WaitUntilDone();
  EXPECT_EQ(First(http).state, DeliveryState::kSucceeded);
  const Delivery secure = First(https);
  EXPECT_EQ(secure.state, DeliveryState::kSucceeded);
  EXPECT_GT(secure.attempts[0].us.tls, 0);
}

}  // namespace
}  // namespace hookd::testing
