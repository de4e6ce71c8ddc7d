#include "dispatcher/transport/curl_transport.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "tests/unit/transport/transport_fixture.h"

namespace hookd::testing {
namespace {

using Then = ReceiverAnswer::Then;
using CurlTransportTest = TransportFixture;

HttpReceiver::Handler Saying(std::string bytes, Then then = Then::kKeepAlive) {
  return
      [bytes = std::move(bytes), then](const ReceivedRequest&) { return ReceiverAnswer::Raw(bytes, then); };
}

TEST_F(CurlTransportTest, DeliversAndReportsSuccess) {
  HttpReceiver receiver([](const ReceivedRequest&) { return ReceiverAnswer::Status(200, "thanks"); });
  HttpRequest request = Request(receiver.Url("/hook"), Millis(10'000), R"({"a":1})");
  request.headers.emplace_back("webhook-id", "evt_1");
  request.headers.emplace_back("x-empty", "");
  HttpResult result = Post(std::move(request));

  EXPECT_EQ(result.error, ErrorKind::kNone);
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body, "thanks");
  EXPECT_FALSE(result.body_truncated);
  EXPECT_EQ(result.http_version, 11);
  EXPECT_EQ(result.remote_address, "127.0.0.1:" + std::to_string(receiver.port()));
  EXPECT_EQ(result.resends, 0u);
  EXPECT_EQ(result.us.name, 0);
  EXPECT_GT(result.us.connect, 0);
  EXPECT_EQ(result.us.tls, 0);
  EXPECT_GT(result.us.first_byte, 0);
  EXPECT_GE(result.us.total, result.us.connect + result.us.first_byte);

  ASSERT_EQ(receiver.request_count(), 1u);
  ReceivedRequest got = receiver.requests()[0];
  EXPECT_EQ(got.method, "POST");
  EXPECT_EQ(got.target, "/hook?token=hush");
  EXPECT_EQ(got.body, R"({"a":1})");
  EXPECT_EQ(got.Header("host"), "127.0.0.1:" + std::to_string(receiver.port()));
  EXPECT_EQ(got.Header("content-type"), "application/json");
  EXPECT_EQ(got.Header("webhook-id"), "evt_1");
  EXPECT_EQ(got.Header("accept-encoding"), "");
  EXPECT_THAT(got.headers, ::testing::Contains(::testing::Pair("x-empty", "")));
}

// A receiver may sign its query, or look a key up in it.
TEST_F(CurlTransportTest, SendsPathAndQueryByteForByte) {
  HttpReceiver receiver;
  std::string long_query = "/h?";
  while (long_query.size() < 1900) long_query += "%41/";
  const std::vector<std::string> targets = {
      "/?key=a+b%20c%2B%2b&key=&&=&==x",
      "/h?-._~!$&'()*+,;=:@/?%00%7F%c3%28%FF",
      "/h?../../etc/./x//y",
      "/a/../b/./c//d/%2e%2E/?q=/../r",
      "/?",
      long_query,
  };
  for (const std::string& target : targets) {
    HttpRequest request = Request("");
    request.url = receiver.Url(target);
    EXPECT_EQ(Post(std::move(request)).status, 200) << target;
  }
  std::vector<std::string> got;
  for (const ReceivedRequest& request : receiver.requests()) got.push_back(request.target);
  EXPECT_EQ(got, targets);
}

TEST_F(CurlTransportTest, AddsNoContentTypeOfItsOwn) {
  HttpReceiver receiver;
  HttpRequest request = Request(receiver.Url());
  request.headers.clear();
  EXPECT_EQ(Post(std::move(request)).status, 200);
  EXPECT_EQ(receiver.requests()[0].Header("content-type"), "");
}

TEST_F(CurlTransportTest, SendsLargeAndEmptyBodiesWithoutExpect) {
  HttpReceiver receiver;
  std::string large(3 * 1024 * 1024, 'x');
  EXPECT_EQ(Post(Request(receiver.Url(), Millis(10'000), large)).status, 200);
  EXPECT_EQ(Post(Request(receiver.Url(), Millis(10'000), "")).status, 200);
  auto requests = receiver.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].body, large);
  EXPECT_EQ(requests[0].Header("expect"), "");
  EXPECT_EQ(requests[1].body, "");
  EXPECT_EQ(requests[1].Header("content-length"), "0");
}

TEST_F(CurlTransportTest, NoContentIsAnAnswer) {
  HttpReceiver receiver([](const ReceivedRequest&) { return ReceiverAnswer::Status(204); });
  HttpResult result = Post(receiver.Url());
  EXPECT_EQ(result.status, 204);
  EXPECT_EQ(result.error, ErrorKind::kNone);
  EXPECT_EQ(result.body, "");
  EXPECT_FALSE(result.body_truncated);
}

TEST_F(CurlTransportTest, KeepsTheBeginningOfAFailuresBody) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    return ReceiverAnswer::Status(500, std::string(kKeptBodyBytes + 1, 'e'));
  });
  HttpResult result = Post(receiver.Url());
  EXPECT_EQ(result.status, 500);
  EXPECT_EQ(result.error, ErrorKind::kNone);
  EXPECT_EQ(result.body, std::string(kKeptBodyBytes, 'e'));
  EXPECT_TRUE(result.body_truncated);

  receiver.SetHandler(
      [](const ReceivedRequest&) { return ReceiverAnswer::Status(500, std::string(kKeptBodyBytes, 'e')); });
  result = Post(receiver.Url());
  EXPECT_EQ(result.body.size(), kKeptBodyBytes);
  EXPECT_FALSE(result.body_truncated);
}

TEST_F(CurlTransportTest, InterimAnswersAreNotFinal) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    return ReceiverAnswer::Raw(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok",
        Then::kKeepAlive);
  });
  HttpResult result = Post(receiver.Url());
  EXPECT_EQ(result.status, 202);
  EXPECT_EQ(result.body, "ok");
}

TEST_F(CurlTransportTest, RedirectIsNotFollowed) {
  HttpReceiver elsewhere;
  HttpReceiver receiver([&](const ReceivedRequest&) {
    ReceiverAnswer answer = ReceiverAnswer::Status(302);
    answer.headers = {{"Location", elsewhere.Url()}};
    return answer;
  });
  HttpResult result = Post(receiver.Url());
  EXPECT_EQ(result.status, 302);
  EXPECT_EQ(result.error, ErrorKind::kNone);
  EXPECT_EQ(receiver.request_count(), 1u);
  EXPECT_EQ(elsewhere.request_count(), 0u);
}

TEST_F(CurlTransportTest, NothingOfAnAnswerIsKeptForTheNextRequest) {
  HttpReceiver elsewhere;
  HttpReceiver receiver([&](const ReceivedRequest&) {
    ReceiverAnswer answer = ReceiverAnswer::Status(401);
    answer.headers = {
        {"Set-Cookie", "session=1; Path=/"},
        {"Alt-Svc", "http/1.1=\":" + std::to_string(elsewhere.port()) + "\"; ma=3600; persist=1"},
        {"Strict-Transport-Security", "max-age=3600; includeSubDomains"},
        {"WWW-Authenticate", "Basic realm=\"x\""},
        {"Location", elsewhere.Url()},
        {"Refresh", "0; url=" + elsewhere.Url()}};
    return answer;
  });
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(Post("http://localhost:" + std::to_string(receiver.port()) + "/").status, 401);
  for (const ReceivedRequest& request : receiver.requests()) {
    EXPECT_EQ(request.Header("cookie"), "");
    EXPECT_EQ(request.Header("authorization"), "");
    EXPECT_EQ(request.Header("alt-used"), "");
  }
  EXPECT_EQ(elsewhere.connection_count(), 0u);
}

TEST_F(CurlTransportTest, NetrcIsNotRead) {
  const std::string home = ::testing::TempDir() + "/netrc-home";
  mkdir(home.c_str(), 0700);
  std::ofstream(home + "/.netrc") << "default login someone password else\n";
  const char* before = getenv("HOME");
  const std::string kept = before == nullptr ? "" : before;
  setenv("HOME", home.c_str(), 1);
  Make({});
  HttpReceiver receiver;
  EXPECT_EQ(Post(receiver.Url()).status, 200);
  setenv("HOME", kept.c_str(), 1);
  EXPECT_EQ(receiver.requests()[0].Header("authorization"), "");
}

// core/url_rules.h takes none of these; should one come here all the same, it sends no second request line.
TEST_F(CurlTransportTest, AUrlInjectsNothing) {
  HttpReceiver receiver;
  const std::string host = "http://127.0.0.1:" + std::to_string(receiver.port());
  for (const std::string& url :
       {host + "/a\r\nX-Injected: 1\r\n\r\n", host + "/a\nX-Injected: 1", host + "/a b",
        host + "/\xe2\x82\xac", host + "\r\nX-Injected: 1/",
        "http://x\r\nX-Injected: 1@127.0.0.1:" + std::to_string(receiver.port()) + "/"}) {
    (void)Post(url, Millis(2'000));
  }
  for (const ReceivedRequest& request : receiver.requests()) {
    EXPECT_EQ(request.Header("x-injected"), "");
    EXPECT_EQ(request.Header("authorization"), "");
    EXPECT_EQ(request.Header("host"), "127.0.0.1:" + std::to_string(receiver.port()));
  }
}

TEST_F(CurlTransportTest, ProxiesOfTheEnvironmentAreIgnored) {
  HttpReceiver proxy;
  HttpReceiver receiver;
  const char* names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
  for (const char* name : names) setenv(name, proxy.Url("").c_str(), 1);
  Make({});
  EXPECT_EQ(Post(receiver.Url()).status, 200);
  // Plain HTTP to it, so it fails, but not by way of the proxy.
  EXPECT_EQ(Post("https" + receiver.Url().substr(4)).error, ErrorKind::kTls);
  for (const char* name : names) unsetenv(name);
  EXPECT_EQ(receiver.request_count(), 1u);
  EXPECT_EQ(proxy.connection_count(), 0u);
}

TEST_F(CurlTransportTest, RefusedIsConnect) {
  HttpReceiver receiver;
  receiver.Stop();
  HttpResult result = Post(receiver.Url());
  EXPECT_EQ(result.error, ErrorKind::kConnect);
  EXPECT_EQ(result.error_detail, "connection refused");
  EXPECT_EQ(result.remote_address, "");
}

TEST_F(CurlTransportTest, ResetWithinTheHeadersIsProtocol) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    return ReceiverAnswer::Raw("HTTP/1.1 200 OK\r\nContent-Le", Then::kReset);
  });
  EXPECT_EQ(Post(receiver.Url()).error, ErrorKind::kProtocol);
}

// libcurl calls this one a success with status 200.
TEST_F(CurlTransportTest, CloseWithinTheHeadersIsProtocol) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    return ReceiverAnswer::Raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", Then::kClose);
  });
  HttpResult result = Post(receiver.Url());
  EXPECT_EQ(result.error, ErrorKind::kProtocol);
  EXPECT_EQ(result.status, 0);
}

TEST_F(CurlTransportTest, CloseWithoutAnAnswerIsProtocol) {
  HttpReceiver receiver([](const ReceivedRequest&) { return ReceiverAnswer::Raw("", Then::kClose); });
  HttpResult result = Post(receiver.Url());
  EXPECT_EQ(result.error, ErrorKind::kProtocol);
  EXPECT_EQ(receiver.request_count(), 1u) << "a fresh connection's request is not sent again";
}

TEST_F(CurlTransportTest, WhatIsNotHttpIsProtocol) {
  HttpReceiver receiver([](const ReceivedRequest&) { return ReceiverAnswer::Status(200); });
  for (const char* garbage :
       {"220 mail.example ESMTP\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "\0\1\2\3\4\5\6\7\r\n\r\n",
        "HTTP/1.1 999 Odd\r\n\r\n", "HTTP/1.1 099 Odd\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbytes",
        "HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\n"}) {
    receiver.SetHandler(Saying(garbage, Then::kClose));
    HttpResult result = Post(receiver.Url());
    EXPECT_EQ(result.error, ErrorKind::kProtocol) << garbage;
    EXPECT_EQ(result.status, 0) << garbage;
  }
}

TEST_F(CurlTransportTest, KeepsConnectionsAlive) {
  HttpReceiver receiver([](const ReceivedRequest&) { return ReceiverAnswer::Status(200, "ok"); });
  EXPECT_GT(Post(receiver.Url()).us.connect, 0);
  for (int i = 0; i < 5; ++i) {
    HttpResult result = Post(receiver.Url());
    EXPECT_EQ(result.status, 200);
    EXPECT_EQ(result.us.connect, 0);
    EXPECT_NE(result.remote_address, "");
  }
  EXPECT_EQ(receiver.connection_count(), 1u);
}

TEST_F(CurlTransportTest, AConnectionClosedWhileIdleIsReplaced) {
  HttpReceiver receiver;
  EXPECT_EQ(Post(receiver.Url()).status, 200);
  receiver.CloseConnections();
  EXPECT_EQ(Post(receiver.Url()).status, 200);
  EXPECT_EQ(receiver.connection_count(), 2u);
}

// The sockets of idle connections stay watched: what comes on them must neither spin nor break the next use.
TEST_F(CurlTransportTest, IdleConnectionsThatGetEventsAreLeftAlone) {
  HttpReceiver closed;
  HttpReceiver chatty([](const ReceivedRequest&) {
    return ReceiverAnswer::Raw("HTTP/1.1 204 No Content\r\n\r\nmore than was asked for", Then::kKeepAlive);
  });
  EXPECT_EQ(Post(closed.Url()).status, 200);
  EXPECT_EQ(Post(chatty.Url()).status, 204);
  closed.CloseConnections();
  io_.restart();
  // A few turns to notice; a descriptor that stays readable would make thousands.
  EXPECT_LT(io_.run_for(std::chrono::milliseconds(200)), 20u);
  EXPECT_EQ(Post(closed.Url()).status, 200);
  EXPECT_EQ(Post(chatty.Url()).status, 204);
  EXPECT_EQ(closed.connection_count(), 2u);
}

TEST_F(CurlTransportTest, DescriptorNumbersComeAgain) {
  for (int i = 0; i < 20; ++i) {
    HttpReceiver receiver([&](const ReceivedRequest&) {
      return i % 2 == 0 ? ReceiverAnswer::Status(200)
                        : ReceiverAnswer::Raw("HTTP/1.1 200 OK\r\n\r\n", Then::kReset);
    });
    EXPECT_EQ(Post(Request(receiver.Url(), Millis(5'000), std::string(i * 100'000, 'x'))).status, 200) << i;
    EXPECT_EQ(Post(receiver.Url(), Millis(5'000)).status, 200) << i;
  }
}

TEST_F(CurlTransportTest, ReadsRetryAfter) {
  HttpReceiver receiver([](const ReceivedRequest&) { return ReceiverAnswer::Status(200); });
  const std::string end = "Content-Length: 0\r\n\r\n";
  for (const auto& [headers, value] : std::vector<std::pair<std::string, std::string>>{
           {"Retry-After: 120\r\n", "120"},
           {"rETRY-aFTER:\t Fri, 31 Dec 1999 23:59:59 GMT \r\n", "Fri, 31 Dec 1999 23:59:59 GMT"},
           {"Retry-After: " + std::string(64, '1') + "\r\n", std::string(64, '1')},
           {"Retry-After: " + std::string(65, '1') + "\r\n", ""},
           {"Retry-After: 1\r\nRetry-After: 2\r\n", "1"},
           {"Retry-After:\r\n", ""},
           {"Retry-After-Not: 5\r\nX-Retry-After: 5\r\n", ""},
       }) {
    receiver.SetHandler(Saying("HTTP/1.1 503 Busy\r\n" + headers + end));
    HttpResult result = Post(receiver.Url());
    EXPECT_EQ(result.status, 503);
    EXPECT_EQ(result.retry_after, value) << headers;
  }
}

TEST_F(CurlTransportTest, RetryAfterOfInterimAnswersAndTrailersDoesNotCount) {
  HttpReceiver receiver([](const ReceivedRequest&) { return ReceiverAnswer::Status(200); });
  receiver.SetHandler(Saying(
      "HTTP/1.1 103 Early Hints\r\nRetry-After: 7\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(Post(receiver.Url()).retry_after, "");
  receiver.SetHandler(Saying(
      "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nTrailer: Retry-After\r\n\r\n0\r\nRetry-After: "
      "7\r\n\r\n"));
  EXPECT_EQ(Post(receiver.Url()).retry_after, "");
  receiver.SetHandler(Saying("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(Post(receiver.Url()).retry_after, "7");
  receiver.SetHandler(Saying("HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(Post(receiver.Url()).retry_after, "") << "of the exchange before";
}

TEST_F(CurlTransportTest, GivesTheFinalAnswersHeadersUnlessUnwanted) {
  HttpReceiver receiver(
      Saying("HTTP/1.1 103 Early Hints\r\nA: early\r\n\r\nHTTP/1.1 404 Not Found\r\nB: b\r\nContent-Length: "
             "0\r\n\r\n"));
  EXPECT_EQ(Post(receiver.Url()).headers, "HTTP/1.1 404 Not Found\r\nB: b\r\nContent-Length: 0\r\n");
  HttpRequest request = Request(receiver.Url());
  request.headers_unwanted = StatusRange{200, 209};
  EXPECT_NE(Post(request).headers, "");
  receiver.SetHandler(Saying("HTTP/1.1 204 Fine\r\nB: b\r\n\r\n"));
  EXPECT_EQ(Post(request).headers, "");
  EXPECT_EQ(Post(receiver.Url()).headers, "HTTP/1.1 204 Fine\r\nB: b\r\n");
  const std::string line = "A: " + std::string(995, 'x') + "\r\n";  // 1,000 bytes
  std::string bytes = "HTTP/1.1 500 Oops\r\n";
  for (int i = 0; i < 12; ++i) bytes += line;
  bytes += "Content-Length: 0\r\n\r\n";
  receiver.SetHandler(Saying(bytes));
  EXPECT_EQ(Post(receiver.Url()).headers.size(), 19u + 8'000u) << "whole lines, the last before the bound";
}

TEST_F(CurlTransportTest, CountsResendsAfterAKeptConnectionDied) {
  HttpReceiver receiver([](const ReceivedRequest& request) {
    return request.number == 2 ? ReceiverAnswer::Raw("", Then::kClose) : ReceiverAnswer::Status(200);
  });
  EXPECT_EQ(Post(receiver.Url()).resends, 0u);
  HttpResult second = Post(receiver.Url());
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.resends, 1u);
  EXPECT_EQ(receiver.request_count(), 3u);
  EXPECT_EQ(Post(receiver.Url()).resends, 0u);
}

TEST_F(CurlTransportTest, ManyAtOnce) {
  HttpReceiver receiver(
      [](const ReceivedRequest& request) { return ReceiverAnswer::Status(200, request.body); });
  constexpr size_t kCount = 200;
  std::vector<std::string> bodies(kCount);
  size_t done = 0;
  for (size_t i = 0; i < kCount; ++i) {
    transport_->Send(Request(receiver.Url(), Millis(20'000), std::to_string(i)), [&, i](HttpResult result) {
      ++done;
      bodies[i] = result.body;
    });
  }
  RunUntil([&] { return done == kCount; });
  for (size_t i = 0; i < kCount; ++i) EXPECT_EQ(bodies[i], std::to_string(i));
  EXPECT_EQ(receiver.request_count(), kCount);
}

TEST_F(CurlTransportTest, CallbacksMaySend) {
  HttpReceiver receiver;
  HttpReceiver refused;
  refused.Stop();
  int left = 50;
  std::function<void(HttpResult)> next = [&](HttpResult) {
    if (--left > 0) transport_->Send(Request(left % 2 == 0 ? receiver.Url() : refused.Url()), next);
  };
  transport_->Send(Request(receiver.Url()), next);
  RunUntil([&] { return left == 0; });
  EXPECT_EQ(receiver.request_count(), 25u);
}

TEST_F(CurlTransportTest, OutOfDescriptorsIsLocal) {
  HttpReceiver receiver;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  HttpResult result = Post(receiver.Url());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(result.error, ErrorKind::kLocal);
  EXPECT_EQ(result.error_detail, "too many open files");
  EXPECT_EQ(Post(receiver.Url()).status, 200);
}

TEST_F(CurlTransportTest, CancelAllEndsEverythingBeforeItReturns) {
  HttpReceiver receiver(
      [](const ReceivedRequest&) { return ReceiverAnswer::Raw("HTTP/1.1 200", Then::kHang); });
  HttpReceiver draining([](const ReceivedRequest&) {
    return ReceiverAnswer::Raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", Then::kHang);
  });
  std::vector<HttpResult> results;
  auto keep = [&](HttpResult result) { results.push_back(std::move(result)); };
  transport_->Send(Request(draining.Url()), keep);
  for (int i = 0; i < 3; ++i) transport_->Send(Request(receiver.Url()), keep);
  RunUntil([&] { return receiver.request_count() == 3 && draining.request_count() == 1; });
  // The drained one's verdict needs one more turn of the loop after its bytes came.
  io_.run_for(std::chrono::milliseconds(50));
  transport_->Send(Request("http://silent.test/"), keep);
  ASSERT_EQ(results.size(), 0u);
  transport_->CancelAll();
  ASSERT_EQ(results.size(), 5u);
  int shut_down = 0;
  for (const HttpResult& result : results) {
    if (result.status == 200) continue;
    EXPECT_EQ(result.error, ErrorKind::kLocal);
    EXPECT_EQ(result.error_detail, "shutting down");
    ++shut_down;
  }
  EXPECT_EQ(shut_down, 4) << "a verdict that has fallen stands";
  transport_->CancelAll();
  io_.restart();
  io_.poll();
  EXPECT_EQ(results.size(), 5u);
}

TEST_F(CurlTransportTest, DestructionRunsNoCallback) {
  HttpReceiver receiver(
      [](const ReceivedRequest&) { return ReceiverAnswer::Raw("HTTP/1.1 200", Then::kHang); });
  bool called = false;
  transport_->Send(Request(receiver.Url()), [&](HttpResult) { called = true; });
  transport_->Send(Request("http://silent.test/"), [&](HttpResult) { called = true; });
  RunUntil([&] { return receiver.request_count() == 1; });
  transport_->Send(Request("not a url"), [&](HttpResult) { called = true; });
  transport_.reset();
  io_.restart();
  io_.poll();
  EXPECT_FALSE(called);
}

TEST_F(CurlTransportTest, IPv6) {
  std::unique_ptr<HttpReceiver> receiver;
  try {
    HttpReceiver::Options options;
    options.ipv6 = true;
    receiver = std::make_unique<HttpReceiver>(nullptr, options);
  } catch (const std::exception&) {
    GTEST_SKIP() << "no IPv6 loopback here";
  }
  HttpResult result = Post(receiver->Url());
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.remote_address, "[::1]:" + std::to_string(receiver->port()));
}

TEST(CheckCaFileTest, WantsAReadableFileWithACertificate) {
  const std::string file = ::testing::TempDir() + "hookd-ca-" + std::to_string(getpid());
  const auto check = [&](const std::string& text) {
    std::ofstream(file) << text;
    return CheckCaFile(file);
  };
  const std::string begin = "-----BEGIN CERTIFICATE-----\n";
  const std::string end = "-----END CERTIFICATE-----\n";
  EXPECT_TRUE(check("# a comment\n" + begin + "MIIB\n" + end).ok());
  for (const std::string& text : {std::string(), std::string("not PEM"), begin, end, end + begin}) {
    const absl::Status refused = check(text);
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refused.message()),
                ::testing::StartsWith("transport.ca_file: " + file + " holds no PEM certificate"));
  }
  std::remove(file.c_str());
  for (const std::string& path : {file, ::testing::TempDir()}) {
    EXPECT_THAT(std::string(CheckCaFile(path).message()), ::testing::HasSubstr(path + " cannot be read"));
  }
}

}  // namespace
}  // namespace hookd::testing
