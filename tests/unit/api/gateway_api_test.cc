// The gateway before the real services.
#include <deque>
#include <string>

#include <google/protobuf/stubs/logging.h>
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

TEST_F(GatewayApiTest, JsonWithHalfAPairIsTheCallersFault) {
  const HttpResponse answer = Call("SubscriberService/GetSubscriber", R"({"id":"\ud83d"})");
  EXPECT_EQ(answer.result_int(), 400u) << answer.body();
  const HttpResponse published =
      Call("EventService/PublishEvent", R"({"event":{"subscriberId":"\udc00","type":"t","payload":"e30="}})");
  EXPECT_EQ(published.result_int(), 400u) << published.body();
}

// Of gRPC's three ways to serve a call.
TEST_F(GatewayApiTest, ProtobufThatIsNoneIsTheCallersFault) {
  const auto call = [this](const std::string& method, const std::string& body, const std::string& type) {
    HttpClient client(port_->address());
    client.Send(HttpClient::Post("/hookd.v1." + method, body, type));
    return client.Read();
  };
  for (const char* method : {"SubscriberService/GetSubscriber", "EventService/PublishEvent"}) {
    for (const std::string body : {"\xff\xff\xff", "\x0a\x02\xff\xff", "\x0a\x7f"}) {
      const HttpResponse answer = call(method, body, "application/proto");
      EXPECT_EQ(answer.result_int(), 400u) << method << ": " << answer.body();
      EXPECT_NE(answer.body().find("the body is not the message"), std::string::npos) << answer.body();
    }
  }
  const std::string frame("\0\0\0\0\3\xff\xff\xff", 8);
  EXPECT_NE(call("DeliveryService/WatchDeliveries", frame, "application/connect+proto")
                .body()
                .find("invalid_argument"),
            std::string::npos);
}

// Protobuf would write a line for each such field.
TEST_F(GatewayApiTest, CallersDoNotFillTheLog) {
  EXPECT_EQ(google::protobuf::SetLogHandler(nullptr), nullptr);
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
