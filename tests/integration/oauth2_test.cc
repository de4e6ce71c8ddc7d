// Credentials on real sockets: a token server, receivers, and the engine between them.
#include <atomic>
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
#include "dispatcher/engine/engine.h"
#include "dispatcher/transport/authorizing_transport.h"
#include "dispatcher/transport/curl_transport.h"
#include "storage/rocksdb_store.h"
#include "tests/fakes/http_receiver.h"
#include "tests/fakes/null_telemetry.h"
#include "tests/fakes/scripted_receiver.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ReceiverAnswer Granted(int number) {
  return ReceiverAnswer::Status(
      200, Concat(R"({"access_token":"token-)", number, R"(","token_type":"Bearer","expires_in":3600})"));
}

class OAuth2Test : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { InitCurl(); }
  ~OAuth2Test() override { Stop(); }

  void Start(std::vector<uint16_t> deny_ports = {}) {
    RocksDbOptions storage;
    storage.path = dir_.path() / "data";
    absl::StatusOr<std::unique_ptr<DeliveryStore>> store = OpenRocksDbStore(storage, RealClock());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    CurlTransportOptions transport;
    EgressOptions egress;
    egress.allow_loopback = true;
    egress.deny_ports = std::move(deny_ports);
    transport.egress = std::make_shared<const EgressPolicy>(egress);
    engine_ = std::make_unique<Engine>(
        EngineOptions(), *store_, RealClock(), telemetry_,
        [transport](boost::asio::io_context& io) {
          return std::make_unique<AuthorizingTransport>(MakeCurlTransport(io, transport, RealClock()),
                                                        RealClock());
        },
        [](const absl::Status& status) { FAIL() << status; });
    ASSERT_TRUE(engine_->Start().ok());
  }
  void Stop() {
    if (engine_ == nullptr) return;
    engine_->Drain(std::chrono::milliseconds(100));
    engine_->Stop();
    engine_.reset();
    store_.reset();
  }

  EndpointId Create(
      const std::string& subscriber, const std::string& url,
      const std::function<void(Endpoint&)>& adjust = [](Endpoint&) {}) {
    Subscriber owner;
    owner.id = subscriber;
    engine_->CreateSubscriber(owner).IgnoreError();
    Endpoint endpoint;
    endpoint.subscriber_id = subscriber;
    endpoint.url = url;
    endpoint.signing_keys = {{std::string(32, 'k')}};
    endpoint.policy.rate.per_second = 0;
    endpoint.policy.backoff = LinearBackoff(Millis(100), Millis(100), 0);
    adjust(endpoint);
    const absl::StatusOr<EndpointView> created = engine_->CreateEndpoint(std::move(endpoint));
    EXPECT_TRUE(created.ok()) << created.status();
    return created->endpoint->id;
  }
  EndpointId CreateWithToken(
      const std::string& url, const std::string& token_url,
      const std::function<void(Endpoint&)>& adjust = [](Endpoint&) {}) {
    return Create("acme", url, [&](Endpoint& endpoint) {
      endpoint.authorization.oauth2 = std::make_shared<const OAuth2Credentials>(
          OAuth2Credentials{token_url, "client", "open-sesame", {"hooks"}, "", false});
      adjust(endpoint);
    });
  }
  void Publish(const std::string& subscriber, int count) {
    std::vector<NewEvent> events(count);
    for (NewEvent& event : events) {
      event.event.subscriber_id = subscriber;
      event.event.type = "message:in:new";
      event.event.payload = "{}";
    }
    absl::Notification done;
    ASSERT_TRUE(
        engine_->Publish(std::move(events), [&](const std::vector<PublishOutcome>&) { done.Notify(); }).ok());
    done.WaitForNotification();
  }
  Delivery Newest(EndpointId endpoint) {
    DeliveryQuery query;
    query.endpoint = endpoint;
    query.newest_first = true;
    query.limit = 1;
    const absl::StatusOr<DeliveryPage> page = engine_->ListDeliveries(query);
    EXPECT_TRUE(page.ok() && page->deliveries.size() == 1);
    return engine_->GetDelivery(page->deliveries.at(0).id)->delivery;
  }
  Delivery WaitForAttempts(EndpointId endpoint, size_t count) {
    Delivery delivery = Newest(endpoint);
    WaitUntil([&] {
      delivery = Newest(endpoint);
      return delivery.attempts.size() >= count;
    });
    for (const Attempt& attempt : delivery.attempts) {
      for (const std::string& text :
           {attempt.error_detail, attempt.request_headers, attempt.response_headers}) {
        EXPECT_THAT(text, Not(HasSubstr("sesame")));
        EXPECT_THAT(text, Not(HasSubstr("token-")));
      }
    }
    return delivery;
  }
  static void WaitUntil(const std::function<bool()>& condition) {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(60);
    while (!condition() && RealClock().Steady() < deadline) std::this_thread::yield();
    ASSERT_TRUE(condition());
  }
  void WaitUntilDone() {
    WaitUntil([this] { return store_->Stats().pending == 0; });
  }

  TempDir dir_;
  NullTelemetry telemetry_;
  std::unique_ptr<DeliveryStore> store_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(OAuth2Test, OneTokenGoesWithAllDeliveries) {
  HttpReceiver tokens([](const ReceivedRequest&) { return Granted(1); });
  HttpReceiver receiver;
  Start();
  CreateWithToken(receiver.Url("/hook"), tokens.Url("/token"), [](Endpoint& endpoint) {
    endpoint.policy.mode = DeliveryMode::kParallel;
    endpoint.headers = {{"X-Own", "1", false}};
  });
  Publish("acme", 50);
  WaitUntilDone();
  ASSERT_EQ(receiver.requests().size(), 50U);
  for (const ReceivedRequest& request : receiver.requests()) {
    EXPECT_EQ(request.Header("Authorization"), "Bearer token-1");
    EXPECT_EQ(request.Header("X-Own"), "1");
    EXPECT_THAT(request.Header("webhook-signature"), HasSubstr("v1,"));
  }
  ASSERT_EQ(tokens.requests().size(), 1U);
  const ReceivedRequest asked = tokens.requests()[0];
  EXPECT_EQ(asked.method, "POST");
  EXPECT_EQ(asked.target, "/token");
  EXPECT_EQ(asked.body, "grant_type=client_credentials&scope=hooks");
  EXPECT_EQ(asked.Header("Content-Type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(asked.Header("Accept"), "application/json");
  EXPECT_EQ(asked.Header("Authorization"), "Basic Y2xpZW50Om9wZW4tc2VzYW1l");
  EXPECT_EQ(asked.Header("webhook-signature"), "");
}

TEST_F(OAuth2Test, ARevokedTokenIsTriedAgainAtOnceWithANewOne) {
  std::atomic<int> valid = 1;
  HttpReceiver tokens([&](const ReceivedRequest&) { return Granted(valid); });
  HttpReceiver receiver([&](const ReceivedRequest& request) {
    return ReceiverAnswer::Status(
        request.Header("Authorization") == Concat("Bearer token-", valid.load()) ? 200 : 401);
  });
  Start();
  // Were the backoff waited for, the test would not end in time.
  const EndpointId endpoint = CreateWithToken(receiver.Url(), tokens.Url(), [](Endpoint& it) {
    it.policy.backoff = LinearBackoff(Millis(600'000), Millis(600'000), 0);
  });
  Publish("acme", 1);
  WaitUntilDone();
  valid = 2;
  Publish("acme", 1);
  WaitUntilDone();
  const Delivery delivery = Newest(endpoint);
  ASSERT_EQ(delivery.attempts.size(), 2U);
  EXPECT_EQ(delivery.attempts[0].status, 401);
  EXPECT_EQ(delivery.attempts[0].error, ErrorKind::kStatus);
  EXPECT_EQ(delivery.attempts[0].decision, AttemptDecision::kNewToken);
  EXPECT_THAT(delivery.attempts[0].request_headers, HasSubstr("\nAuthorization\n"));
  EXPECT_EQ(delivery.attempts[1].status, 200);
  EXPECT_EQ(tokens.requests().size(), 2U);
}

TEST_F(OAuth2Test, AReceiverThatRefusesWhatTheTokenServerGrantsIsRetriedByTheBackoff) {
  std::atomic<int> granted = 0;
  HttpReceiver tokens([&](const ReceivedRequest&) { return Granted(++granted); });
  HttpReceiver receiver([](const ReceivedRequest&) { return ReceiverAnswer::Status(401); });
  Start();
  const EndpointId endpoint =
      CreateWithToken(receiver.Url(), tokens.Url(), [](Endpoint& it) { it.policy.max_retries = 2; });
  Publish("acme", 1);
  WaitUntilDone();
  const Delivery delivery = Newest(endpoint);
  EXPECT_EQ(delivery.state, DeliveryState::kExhausted);
  ASSERT_EQ(delivery.attempts.size(), 3U);
  EXPECT_EQ(delivery.attempts[0].decision, AttemptDecision::kBackoff);
  EXPECT_EQ(receiver.requests()[2].Header("Authorization"), "Bearer token-3") << "a new one for each";
}

TEST_F(OAuth2Test, ATokenServerThatHangsHarmsItsOwnEndpointAlone) {
  ScriptedReceiver hangs([](ScriptedPeer& peer) { peer.Idle(); });
  HttpReceiver receiver;
  Start();
  const EndpointId waits = CreateWithToken(receiver.Url("/waits"), hangs.Url() + "token",
                                           [](Endpoint& it) { it.policy.mode = DeliveryMode::kParallel; });
  Create("other", receiver.Url("/well"));
  Publish("acme", 200);
  WaitUntil([&] { return hangs.connection_count() > 0; });
  Publish("other", 200);
  WaitUntil([&] { return receiver.request_count() == 200; });
  EXPECT_EQ(hangs.connection_count(), 1U) << "one request, however many wait";
  for (const ReceivedRequest& request : receiver.requests()) EXPECT_EQ(request.target, "/well");
  EXPECT_TRUE(Newest(waits).attempts.empty());
  Stop();
}

TEST_F(OAuth2Test, WithoutATokenNothingIsSentAndTheRecordSaysWhy) {
  std::atomic<int> asked = 0;
  HttpReceiver tokens([&](const ReceivedRequest&) {
    return ++asked < 3 ? ReceiverAnswer::Status(
                             401, R"({"error":"invalid_client","error_description":"open-sesame"})")
                       : Granted(1);
  });
  HttpReceiver receiver;
  Start();
  const EndpointId endpoint = CreateWithToken(receiver.Url(), tokens.Url());
  Publish("acme", 1);
  WaitUntilDone();
  EXPECT_EQ(receiver.requests().size(), 1U);
  const Delivery delivery = WaitForAttempts(endpoint, 3);
  EXPECT_EQ(delivery.state, DeliveryState::kSucceeded);
  for (int i : {0, 1}) {
    EXPECT_EQ(delivery.attempts[i].error, ErrorKind::kToken);
    EXPECT_EQ(delivery.attempts[i].error_detail, "the token server answered 401 (invalid_client)");
    EXPECT_EQ(delivery.attempts[i].status, 0);
    EXPECT_EQ(delivery.attempts[i].decision, AttemptDecision::kBackoff);
  }
}

TEST_F(OAuth2Test, TokenServersAreHeldToTheRulesForReceivers) {
  HttpReceiver elsewhere([](const ReceivedRequest&) { return Granted(9); });
  HttpReceiver redirects([&](const ReceivedRequest&) {
    ReceiverAnswer answer = ReceiverAnswer::Status(302);
    answer.headers = {{"Location", elsewhere.Url()}};
    return answer;
  });
  HttpReceiver endless([](const ReceivedRequest&) {
    ReceiverAnswer answer;
    answer.raw = "HTTP/1.1 200 OK\r\n\r\n{";
    answer.endless = std::string(1000, ' ');
    return answer;
  });
  HttpReceiver injects([](const ReceivedRequest&) {
    return ReceiverAnswer::Status(200, R"({"access_token":"token-1\r\nX-Evil: 1"})");
  });
  HttpReceiver refused([](const ReceivedRequest&) { return Granted(1); });
  HttpReceiver receiver;
  Start({refused.port()});
  const std::pair<const HttpReceiver*, std::string> cases[] = {
      {&redirects, "the token server answered 302"},
      {&endless, "the token server answered 200, but its body is too large, or did not end in time"},
      {&injects, "the token server answered 200, but with an access_token that is not visible ASCII"},
      {&refused, "no answer of the token server: the host or port may not be sent to"},
  };
  std::vector<EndpointId> endpoints;
  for (const auto& [server, why] : cases) endpoints.push_back(CreateWithToken(receiver.Url(), server->Url()));
  Publish("acme", 1);
  for (size_t i = 0; i < endpoints.size(); ++i) {
    const Delivery delivery = WaitForAttempts(endpoints[i], 1);
    EXPECT_EQ(delivery.attempts[0].error, ErrorKind::kToken);
    EXPECT_EQ(delivery.attempts[0].error_detail, cases[i].second);
  }
  EXPECT_EQ(elsewhere.request_count(), 0U);
  EXPECT_EQ(refused.request_count(), 0U);
  EXPECT_EQ(receiver.request_count(), 0U);
}

TEST_F(OAuth2Test, BasicGoesAlongAndIsNotInTheRecord) {
  HttpReceiver receiver([](const ReceivedRequest&) { return ReceiverAnswer::Status(500); });
  Start();
  const EndpointId endpoint = Create("acme", receiver.Url(), [](Endpoint& it) {
    it.authorization.basic =
        std::make_shared<const BasicCredentials>(BasicCredentials{"Aladdin", "open sesame"});
  });
  Publish("acme", 1);
  const Delivery delivery = WaitForAttempts(endpoint, 1);
  EXPECT_EQ(receiver.requests()[0].Header("Authorization"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_THAT(delivery.attempts[0].request_headers, HasSubstr("\nAuthorization\n"));
  EXPECT_THAT(delivery.attempts[0].request_headers, Not(HasSubstr("QWxh")));
}

}  // namespace
}  // namespace hookd::testing
