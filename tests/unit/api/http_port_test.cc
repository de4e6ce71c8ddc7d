#include "dispatcher/api/http_port.h"

#include <atomic>
#include <deque>
#include <string>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <gtest/gtest.h>

namespace hookd {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

class HttpPortTest : public ::testing::Test {
 protected:
  HttpPortTest() {
    HttpPortOptions options;
    options.listen = "127.0.0.1:0";
    options.metrics = [] { return std::string("hookd_up 1\n"); };
    options.ready = [this] { return ready_ ? absl::OkStatus() : absl::UnavailableError("starting"); };
    absl::StatusOr<std::unique_ptr<HttpPort>> port = HttpPort::Start(std::move(options));
    EXPECT_TRUE(port.ok()) << port.status();
    port_ = *std::move(port);
  }

  tcp::socket Connect() {
    const std::string address = port_->address();
    tcp::socket socket(io_);
    socket.connect(tcp::endpoint(asio::ip::make_address("127.0.0.1"),
                                 static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)))));
    return socket;
  }

  static http::response<http::string_body> Read(tcp::socket& socket) {
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> response;
    http::read(socket, buffer, response);
    return response;
  }

  http::response<http::string_body> Send(const std::string& text) {
    tcp::socket socket = Connect();
    asio::write(socket, asio::buffer(text));
    return Read(socket);
  }

  static std::string Get(const std::string& path) {
    return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  }

  asio::io_context io_;
  std::atomic<bool> ready_ = false;
  std::unique_ptr<HttpPort> port_;
};

TEST_F(HttpPortTest, ServesMetricsAndHealth) {
  const auto metrics = Send(Get("/metrics"));
  EXPECT_EQ(metrics.result_int(), 200u);
  EXPECT_EQ(metrics.body(), "hookd_up 1\n");
  EXPECT_EQ(metrics[http::field::content_type], "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(Send(Get("/healthz")).result_int(), 200u);
  EXPECT_EQ(Send(Get("/healthz?verbose")).result_int(), 200u);
}

TEST_F(HttpPortTest, ReadySaysWhyNot) {
  const auto starting = Send(Get("/readyz"));
  EXPECT_EQ(starting.result_int(), 503u);
  EXPECT_EQ(starting.body(), "starting\n");
  ready_ = true;
  EXPECT_EQ(Send(Get("/readyz")).result_int(), 200u);
}

TEST_F(HttpPortTest, RefusesOtherPathsMethodsAndLongHeaders) {
  EXPECT_EQ(Send(Get("/")).result_int(), 404u);
  const auto post = Send("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(post.result_int(), 405u);
  EXPECT_EQ(post[http::field::allow], "GET, HEAD");
  EXPECT_FALSE(post.keep_alive());
  EXPECT_EQ(
      Send("GET /metrics HTTP/1.1\r\nX: " + std::string(kMaxHttpHeaderBytes, 'x') + "\r\n\r\n").result_int(),
      431u);
}

TEST_F(HttpPortTest, HeadIsGetWithoutTheBody) {
  for (const auto& [path, length] : {std::pair("/metrics", "11"), {"/healthz", "3"}, {"/readyz", "9"}}) {
    tcp::socket socket = Connect();
    // What comes behind the header must be the next answer, not a body.
    asio::write(socket, asio::buffer("HEAD " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n" +
                                     Get("/healthz")));
    boost::beast::flat_buffer buffer;
    http::response_parser<http::empty_body> head;
    head.skip(true);
    http::read(socket, buffer, head);
    EXPECT_EQ(head.get().result_int(), std::string(path) == "/readyz" ? 503u : 200u);
    EXPECT_EQ(head.get()[http::field::content_length], length);
    EXPECT_TRUE(head.get().keep_alive());
    http::response<http::string_body> next;
    http::read(socket, buffer, next);
    EXPECT_EQ(next.body(), "ok\n");
  }
}

TEST_F(HttpPortTest, KeepsConnectionsAlive) {
  tcp::socket socket = Connect();
  for (int i = 0; i < 3; ++i) {
    asio::write(socket, asio::buffer(Get("/healthz")));
    const auto response = Read(socket);
    EXPECT_EQ(response.result_int(), 200u);
    EXPECT_TRUE(response.keep_alive());
  }
}

TEST_F(HttpPortTest, ConnectionsOverTheBoundWaitUntilOneEnds) {
  std::deque<tcp::socket> taken;
  for (size_t i = 0; i < kMaxHttpConnections; ++i) {
    taken.push_back(Connect());
    asio::write(taken.back(), asio::buffer(Get("/healthz")));
    EXPECT_EQ(Read(taken.back()).result_int(), 200u);
  }
  tcp::socket waiting = Connect();
  asio::write(waiting, asio::buffer(Get("/healthz")));
  // Whatever would answer it has run before this answer.
  asio::write(taken.front(), asio::buffer(Get("/healthz")));
  EXPECT_EQ(Read(taken.front()).result_int(), 200u);
  EXPECT_EQ(waiting.available(), 0u);
  taken.pop_front();
  EXPECT_EQ(Read(waiting).result_int(), 200u);
}

TEST_F(HttpPortTest, AddressInUseIsSaid) {
  HttpPortOptions options;
  options.listen = port_->address();
  EXPECT_EQ(HttpPort::Start(options).status().code(), absl::StatusCode::kUnavailable);
  options.listen = "nonsense";
  EXPECT_EQ(HttpPort::Start(options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(HttpPortTest, StopsWithOpenConnections) {
  std::deque<tcp::socket> open;
  for (size_t i = 0; i < kMaxHttpConnections; ++i) {
    open.push_back(Connect());
    asio::write(open.back(), asio::buffer(Get("/healthz")));
    Read(open.back());
  }
  port_.reset();
  char byte = 0;
  boost::system::error_code error;
  asio::read(open.front(), asio::buffer(&byte, 1), error);
  EXPECT_TRUE(error);
}

}  // namespace
}  // namespace hookd
