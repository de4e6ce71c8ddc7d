#include "dispatcher/api/gateway.h"

#include <deque>
#include <string>
#include <thread>

#include <absl/time/clock.h>
#include <gtest/gtest.h>

#include "dispatcher/api/connect_protocol.h"
#include "dispatcher/api/http_port.h"
#include "tests/unit/api/echo_server.h"
#include "tests/unit/api/http_client.h"

namespace hookd::testing {
namespace {

constexpr char kUnary[] = "/hookd.v1.Echo/Unary";
constexpr char kStream[] = "/hookd.v1.Echo/Stream";
constexpr char kStreamType[] = "application/connect+json";

class GatewayTest : public ::testing::Test {
 protected:
  GatewayTest() { Listen(kRequestTimeout, kAnswerTimeout); }

  void Listen(std::chrono::milliseconds request_timeout, std::chrono::milliseconds answer_timeout) {
    port_.reset();
    HttpPortOptions options;
    options.listen = "127.0.0.1:0";
    options.metrics = [] { return std::string("hookd_up 1\n"); };
    options.ready = [] { return absl::OkStatus(); };
    options.gateway = &gateway_;
    options.request_timeout = request_timeout;
    options.answer_timeout = answer_timeout;
    port_ = HttpPort::Start(std::move(options)).value();
    gateway_.Open(server_.Channel());
  }

  HttpClient Connect(int receive_buffer = 0) { return HttpClient(port_->address(), receive_buffer); }

  HttpResponse Ask(const std::string& request) {
    HttpClient client = Connect();
    client.Send(request);
    return client.Read();
  }

  static std::string Unary(const std::string& name, const std::string& headers = "") {
    return HttpClient::Post(kUnary, R"({"id":"a","name":")" + name + "\"}", "application/json", headers);
  }
  static std::string Stream(const std::string& json, const std::string& headers = "") {
    return HttpClient::Post(kStream, MessageFrame(json), kStreamType, headers);
  }

  // Waits for the calls before to have given back what they held.
  std::shared_ptr<GatewayPlace> AllMemory() {
    const absl::Time end = absl::Now() + absl::Seconds(20);
    while (absl::Now() < end) {
      auto place = gateway_.Admit(false, kMaxGatewayBytes);
      if (place.ok()) return *std::move(place);
      std::this_thread::yield();
    }
    return nullptr;
  }

  const std::unique_ptr<google::protobuf::DescriptorPool> pool_ = MakeEchoPool();
  EchoServer server_;
  Gateway gateway_{*pool_};
  std::unique_ptr<HttpPort> port_;
};

TEST_F(GatewayTest, AnswersInJsonAndInProtobuf) {
  const HttpResponse json = Ask(Unary("Acme"));
  EXPECT_EQ(json.result_int(), 200u);
  EXPECT_EQ(json[boost::beast::http::field::content_type], "application/json");
  EXPECT_EQ(json.body(), R"({"id":"a","name":"Acme"})");

  v1::Subscriber subscriber;
  subscriber.set_id("b");
  const HttpResponse encoded =
      Ask(HttpClient::Post(kUnary, subscriber.SerializeAsString(), "application/proto"));
  EXPECT_EQ(encoded[boost::beast::http::field::content_type], "application/proto");
  EXPECT_EQ(encoded.body(), subscriber.SerializeAsString());
}

TEST_F(GatewayTest, ErrorsOfACallKeepCodeAndMessage) {
  const HttpResponse failed = Ask(Unary("fail"));
  EXPECT_EQ(failed.result_int(), 404u);
  EXPECT_EQ(failed.body(), R"({"code":"not_found","message":"no such thing"})");
  const HttpResponse bad = Ask(HttpClient::Post(kUnary, R"({"nmae":"x"})"));
  EXPECT_EQ(bad.result_int(), 400u);
  EXPECT_EQ(bad.body(),
            R"({"code":"invalid_argument","message":"nmae: there is no such field, see the .proto files"})");
  EXPECT_EQ(Ask(HttpClient::Post(kUnary, "")).result_int(), 400u);
  EXPECT_EQ(
      Ask("POST /hookd.v1.Echo/Unary HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\r\n")
          .result_int(),
      400u);
  EXPECT_EQ(Ask(HttpClient::Post("/hookd.v1.Echo/Nothing", "{}")).result_int(), 404u);
  EXPECT_EQ(Ask(HttpClient::Post("/hookd.v1.Echo/Up", "{}")).result_int(), 501u);
}

TEST_F(GatewayTest, AuthorizationIsPassedOn) {
  EXPECT_EQ(Ask(Unary("who", "Authorization: Bearer t\r\n")).body(), R"({"id":"a","name":"Bearer t"})");
  EXPECT_EQ(Ask(Unary("who")).body(), R"({"id":"a","name":"nobody"})");
}

TEST_F(GatewayTest, ConnectionsAreKeptAndRequestsMayBePipelined) {
  HttpClient client = Connect();
  client.Send(Unary("1") + Unary("fail") + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + Unary("2"));
  EXPECT_EQ(client.Read().body(), R"({"id":"a","name":"1"})");
  EXPECT_EQ(client.Read().result_int(), 404u);
  EXPECT_EQ(client.Read().body(), "ok\n");
  EXPECT_EQ(client.Read().body(), R"({"id":"a","name":"2"})");
  client.Send(Unary("3", "Connection: close\r\n"));
  EXPECT_FALSE(client.Read().keep_alive());
  EXPECT_TRUE(client.AtEnd());
}

TEST_F(GatewayTest, ChunkedBodiesAndExpectContinue) {
  HttpClient client = Connect();
  client.Send(
      "POST /hookd.v1.Echo/Unary HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n5\r\n:\"c\"}\r\n0\r\n\r\n");
  EXPECT_EQ(client.Read().body(), R"({"id":"c"})");
  client.Send(
      "POST /hookd.v1.Echo/Unary HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadRaw(25), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send(R"({"id":"d"})");
  EXPECT_EQ(client.Read().body(), R"({"id":"d"})");
}

TEST_F(GatewayTest, ADeadlineEndsTheCall) {
  const HttpResponse late = Ask(Unary("wait", "Connect-Timeout-Ms: 50\r\n"));
  EXPECT_EQ(late.result_int(), 504u);
  EXPECT_NE(late.body().find(R"("code":"deadline_exceeded")"), std::string::npos) << late.body();
  EXPECT_TRUE(server_.WaitForCanceled(1));
}

TEST_F(GatewayTest, AClientThatGoesCancelsItsCall) {
  HttpClient unary = Connect();
  unary.Send(Unary("wait"));
  HttpClient stream = Connect();
  stream.Send(Stream(R"({"pageSize":1,"pageToken":"wait"})"));
  ASSERT_TRUE(server_.WaitForWaiting(2));
  unary.Close();
  EXPECT_TRUE(server_.WaitForCanceled(1));
  stream.Close();
  EXPECT_TRUE(server_.WaitForCanceled(2));
  EXPECT_NE(AllMemory(), nullptr);
}

TEST_F(GatewayTest, BodiesAreBounded) {
  const std::string big(kMaxGatewayBodyBytes, ' ');
  EXPECT_EQ(Ask(HttpClient::Post(kUnary, big)).result_int(), 400u);  // as large as may be, and no JSON
  HttpClient client = Connect();
  client.Send(
      "POST /hookd.v1.Echo/Unary HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 7340033\r\n\r\n");
  const HttpResponse refused = client.Read();
  EXPECT_EQ(refused.result_int(), 429u);
  EXPECT_EQ(refused.body(), R"({"code":"resource_exhausted","message":"the body is larger than 7 MiB"})");
  EXPECT_FALSE(refused.keep_alive());
  HttpClient chunked = Connect();
  chunked.Send(
      "POST /hookd.v1.Echo/Unary HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n700001\r\n" +
      big + " ");
  EXPECT_EQ(chunked.Read().result_int(), 429u);
}

TEST_F(GatewayTest, MemoryIsBoundedInAll) {
  auto held = gateway_.Admit(false, kMaxGatewayBytes - kGatewayCallBytes).value();
  EXPECT_EQ(Ask(HttpClient::Post(kUnary, std::string(kGatewayCallBytes + 1, ' '))).result_int(), 429u);
  const std::string chunked =
      "POST /hookd.v1.Echo/Unary HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
      "Content-Type: application/json\r\n\r\n";
  EXPECT_EQ(Ask(chunked + "50000\r\n" + std::string(0x50000, ' ') + "\r\n0\r\n\r\n").result_int(), 429u);
  EXPECT_EQ(Ask(Unary("small")).result_int(), 200u);
  const HttpResponse big = Ask(Unary("big"));
  EXPECT_EQ(big.result_int(), 429u);
  EXPECT_EQ(big.body(), R"({"code":"resource_exhausted","message":"no memory is left for calls over HTTP: )"
                        R"(try again, or ask for less"})");
  held.reset();
  EXPECT_EQ(Ask(Unary("big")).body().size(), (1u << 20) + 20);
  EXPECT_NE(AllMemory(), nullptr);
}

TEST_F(GatewayTest, CallsAndStreamsAreBounded) {
  std::deque<std::shared_ptr<GatewayPlace>> places;
  for (size_t i = 0; i < kMaxGatewayStreams; ++i) places.push_back(gateway_.Admit(true, 0).value());
  const HttpResponse stream = Ask(Stream("{}"));
  EXPECT_EQ(stream.result_int(), 200u);
  EXPECT_EQ(
      stream.body(),
      EndFrame(absl::ResourceExhaustedError("too many streams and polls at once over HTTP: try again")));
  EXPECT_EQ(Ask(Unary("x")).result_int(), 200u);
  while (places.size() < kMaxGatewayCalls) {
    auto place = gateway_.Admit(false, 0);  // the call before may still hold its own
    if (place.ok()) places.push_back(*std::move(place));
  }
  EXPECT_EQ(Ask(Unary("x")).result_int(), 429u);
  places.clear();
  EXPECT_EQ(Ask(Unary("x")).result_int(), 200u);
}

TEST_F(GatewayTest, StreamsOfTheServer) {
  HttpClient client = Connect();
  client.Send(Stream(R"({"pageSize":3})"));
  const HttpResponse three = client.Read();
  EXPECT_EQ(three.result_int(), 200u);
  EXPECT_EQ(three[boost::beast::http::field::content_type], kStreamType);
  EXPECT_EQ(three.body(), MessageFrame(R"({"id":"1"})") + MessageFrame(R"({"id":"2"})") +
                              MessageFrame(R"({"id":"3"})") + EndFrame(absl::OkStatus()));
  client.Send(Stream(R"({"pageSize":1,"pageToken":"fail"})"));  // the connection goes on
  EXPECT_EQ(client.Read().body(),
            MessageFrame(R"({"id":"1"})") + EndFrame(absl::NotFoundError("no such thing")));
  client.Send(Stream(R"({"nothing":1})"));
  EXPECT_EQ(client.Read().body(),
            EndFrame(absl::InvalidArgumentError("nothing: there is no such field, see the .proto files")));
  client.Send(Stream(R"({"pageSize":1,"pageToken":"wait"})", "Connect-Timeout-Ms: 50\r\n"));
  const HttpResponse late = client.Read();
  EXPECT_NE(late.body().find(R"("code":"deadline_exceeded")"), std::string::npos) << late.body();
  EXPECT_EQ(
      Ask(HttpClient::Post(kStream, "{}", kStreamType)).body(),
      EndFrame(absl::InvalidArgumentError("the body must be one enveloped message: flags, length, message")));
  EXPECT_EQ(Ask(HttpClient::Post(kStream, "{}")).result_int(), 415u);
}

TEST_F(GatewayTest, ASlowSenderIsCut) {
  Listen(std::chrono::milliseconds(100), kAnswerTimeout);
  HttpClient client = Connect();
  client.Send(
      "POST /hookd.v1.Echo/Unary HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 10\r\n\r\n{\"id\"");
  EXPECT_TRUE(client.AtEnd());
  EXPECT_NE(AllMemory(), nullptr);
}

TEST_F(GatewayTest, ACallMayTakeLongerThanItsRequest) {
  Listen(std::chrono::milliseconds(100), kAnswerTimeout);
  EXPECT_EQ(Ask(Unary("wait", "Connect-Timeout-Ms: 400\r\n")).result_int(), 504u);
}

TEST_F(GatewayTest, ASlowReaderIsCut) {
  Listen(kRequestTimeout, std::chrono::milliseconds(200));
  HttpClient stream = Connect(4096);
  stream.Send(Stream(R"({"pageSize":1000,"pageToken":"big"})"));  // 1 GiB, if it were read
  EXPECT_TRUE(server_.WaitForCanceled(1));
  EXPECT_NE(AllMemory(), nullptr);
}

TEST_F(GatewayTest, CloseEndsWhatIsInFlight) {
  HttpClient unary = Connect();
  unary.Send(Unary("wait"));
  HttpClient stream = Connect();
  stream.Send(Stream(R"({"pageToken":"wait"})"));
  ASSERT_TRUE(server_.WaitForWaiting(2));
  gateway_.Close();
  const HttpResponse ended = unary.Read();
  EXPECT_EQ(ended.result_int(), 503u);
  EXPECT_EQ(ended.body(), R"({"code":"unavailable","message":"hookd is shutting down: try again"})");
  EXPECT_EQ(stream.Read().body(), EndFrame(absl::UnavailableError("hookd is shutting down: try again")));
  EXPECT_EQ(Ask(Unary("x")).result_int(), 503u);
  EXPECT_EQ(Ask("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").result_int(), 200u);
  gateway_.Open(server_.Channel());
  EXPECT_EQ(Ask(Unary("x")).result_int(), 200u);
}

TEST_F(GatewayTest, ThePortStopsWithCallsInFlight) {
  std::deque<HttpClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(port_->address());
    clients.back().Send(i % 2 == 0 ? Unary("wait") : Stream(R"({"pageSize":1,"pageToken":"wait"})"));
  }
  ASSERT_TRUE(server_.WaitForWaiting(20));
  port_.reset();
  EXPECT_TRUE(server_.WaitForCanceled(20));
}

}  // namespace
}  // namespace hookd::testing
