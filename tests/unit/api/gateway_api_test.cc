// The gateway before the real services.
#include <deque>
#include <string>

#include <gtest/gtest.h>

#include "dispatcher/api/http_port.h"
#include "tests/unit/api/api_fixture.h"
#include "tests/unit/api/http_client.h"

namespace hookd::testing {
namespace {

class GatewayApiTest : public ApiTest {
 protected:
  GatewayApiTest() {
    HttpPortOptions options;
    options.listen = "127.0.0.1:0";
    options.metrics = [] { return std::string(); };
    options.ready = [] { return absl::OkStatus(); };
    options.gateway = &gateway_;
    port_ = HttpPort::Start(std::move(options)).value();
  }

  HttpResponse Call(const std::string& method, const std::string& json) {
    HttpClient client(port_->address());
    client.Send(HttpClient::Post("/hookd.v1." + method, json));
    return client.Read();
  }

  std::unique_ptr<HttpPort> port_;
};

TEST_F(GatewayApiTest, PublishesAndReads) {
  const HttpResponse created = Call("SubscriberService/CreateSubscriber", R"({"subscriber":{"id":"b"}})");
  EXPECT_EQ(created.result_int(), 200u) << created.body();
  EXPECT_EQ(Call("SubscriberService/CreateSubscriber", R"({"subscriber":{"id":"b"}})").result_int(), 409u);
  const HttpResponse published =
      Call("EventService/PublishEvent", R"({"event":{"subscriberId":"b","type":"t","payload":"e30="}})");
  EXPECT_EQ(published.result_int(), 200u) << published.body();
  EXPECT_EQ(published.body().substr(0, 16), R"({"eventId":"evt_)");
  EXPECT_EQ(Call("EventService/PublishEvent", R"({"event":{"subscriberId":"b","type":"t"}})").result_int(),
            400u);
  EXPECT_EQ(Call("SubscriberService/DeleteSubscriber", R"({"id":"b"})").body(), "{}");
}

TEST_F(GatewayApiTest, APublishThatWaitsForItsCommitIsEndedByAShutdown) {
  store_.SetGate(false);
  HttpClient client(port_->address());
  client.Send(HttpClient::Post("/hookd.v1.EventService/PublishEvent",
                               R"({"event":{"subscriberId":"acme","type":"t","payload":"e30="}})"));
  server_->Shutdown(Duration::zero());
  EXPECT_EQ(client.Read().result_int(), 503u);
  EXPECT_EQ(Call("OperationsService/GetStatus", "{}").result_int(), 503u);
}

TEST_F(GatewayApiTest, AShutdownUnderLoadAnswersEveryCall) {
  std::deque<HttpClient> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(port_->address());
  for (HttpClient& client : clients) {
    client.Send(HttpClient::Post("/hookd.v1.OperationsService/GetStatus", "{}"));
  }
  server_->Shutdown(std::chrono::seconds(10));
  for (HttpClient& client : clients) {
    const HttpResponse answer = client.Read();
    EXPECT_TRUE(answer.result_int() == 200 || answer.result_int() == 503) << answer.body();
  }
}

}  // namespace
}  // namespace hookd::testing
