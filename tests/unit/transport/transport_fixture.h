// A transport on the test's own io_context, and posts that are waited for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "dispatcher/transport/curl_transport.h"
#include "tests/fakes/dns_responder.h"
#include "tests/fakes/http_receiver.h"

namespace hookd::testing {

class TransportFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { InitCurl(); }

  void SetUp() override { Make({}); }

  void Make(CurlTransportOptions options) {
    transport_.reset();
    options.multis = 2;
    if (options.egress == nullptr) {
      EgressOptions egress;
      egress.allow_loopback = true;
      options.egress = std::make_shared<const EgressPolicy>(egress);
    }
    // No test asks the machine's own name servers.
    if (options.dns_servers.empty()) options.dns_servers = {no_names_.address()};
    transport_ = MakeCurlTransport(io_, options, RealClock());
  }

  // The query stands for a receiver's secret: no error may show it.
  static HttpRequest Request(const std::string& url, Millis timeout = Millis(10'000),
                             std::string body = "{}") {
    auto event = std::make_shared<Event>();
    event->payload = std::move(body);
    HttpRequest request;
    request.url = url + "?token=hush";
    request.headers = {{"Content-Type", "application/json"}};
    request.body_owner = event;
    request.body = event->payload;
    request.timeout = timeout;
    return request;
  }

  HttpResult Post(HttpRequest request) {
    std::optional<HttpResult> result;
    transport_->Send(std::move(request), [&](HttpResult r) { result = std::move(r); });
    EXPECT_FALSE(result) << "a callback ran inside Send";
    RunUntil([&] { return result.has_value(); });
    if (!result) return HttpResult{};
    EXPECT_EQ(result->error_detail.find("hush"), std::string::npos) << result->error_detail;
    EXPECT_EQ(result->error == ErrorKind::kNone, result->error_detail.empty()) << result->error_detail;
    EXPECT_EQ(result->error == ErrorKind::kNone, result->status != 0);
    return *result;
  }

  HttpResult Post(const std::string& url, Millis timeout = Millis(10'000)) {
    return Post(Request(url, timeout));
  }

  static DnsAnswer Silent() {
    DnsAnswer answer;
    answer.silent = true;
    return answer;
  }

  template <typename Condition>
  void RunUntil(Condition condition) {
    auto deadline = RealClock().Steady() + std::chrono::seconds(30);
    while (!condition() && RealClock().Steady() < deadline) {
      io_.restart();
      io_.run_one_until(deadline);
    }
    EXPECT_TRUE(condition());
  }

  // Knows no name, and never answers about silent.test.
  DnsResponder no_names_{{{"silent.test", Silent()}}};
  boost::asio::io_context io_{1};
  std::unique_ptr<HttpTransport> transport_;
};

}  // namespace hookd::testing
