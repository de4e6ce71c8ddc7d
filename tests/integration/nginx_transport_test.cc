// The transport against a server that we did not write: early answers, TLS, keep-alive.
#include <gmock/gmock.h>

#include "tests/integration/nginx_fixture.h"
#include "tests/unit/transport/transport_fixture.h"

namespace hookd::testing {
namespace {

#define START(nginx, text)                                     \
  auto nginx##_status = NginxFixture::Start(text);             \
  ASSERT_TRUE(nginx##_status.ok()) << nginx##_status.status(); \
  NginxFixture& nginx = **nginx##_status

class NginxTransportTest : public TransportFixture {
 protected:
  void UseCa(const std::string& file) {
    CurlTransportOptions options;
    options.ca_file = file;
    Make(options);
  }

  static std::string TlsServer(const TestCa& ca, const std::string& name, const std::string& more = "") {
    return "server { listen 127.0.0.1:@PORT@ ssl; ssl_certificate " + ca.certificate(name) +
           "; ssl_certificate_key " + ca.key(name) + "; " + more +
           " location / { add_header X-Protocol $ssl_protocol; return 200 $ssl_protocol; } }";
  }

  // By name, through /etc/hosts.
  static std::string Localhost(const NginxFixture& nginx) {
    return "https://localhost:" + std::to_string(nginx.port()) + "/";
  }
};

// nginx answers before it has read the body, and keeps the connection.
TEST_F(NginxTransportTest, EarlyAnswersOnKeptConnections) {
  START(nginx, R"(
    log_format connection '$connection $status $request_length';
    server { listen 127.0.0.1:@PORT@; access_log @DIR@/access.log connection; location / { return 204; } })");
  for (size_t size : {0, 2, 1'000, 20'000, 500'000, 2'000'000}) {
    for (int i = 0; i < 3; ++i) {
      HttpResult result = Post(Request(nginx.Url(), Millis(10'000), std::string(size, 'x')));
      EXPECT_EQ(result.error, ErrorKind::kNone) << size << ": " << result.error_detail;
      EXPECT_EQ(result.status, 204) << size;
      EXPECT_EQ(result.http_version, 11);
    }
  }
}

TEST_F(NginxTransportTest, ThousandPostsOverFewConnections) {
  START(nginx, "server { listen 127.0.0.1:@PORT@; location / { return 204; } }");
  constexpr int kCount = 1'000;
  int done = 0;
  int sent = 0;
  int made_connections = 0;
  std::function<void()> send = [&] {
    ++sent;
    transport_->Send(Request(nginx.Url(), Millis(20'000), std::string(1'024, 'x')), [&](HttpResult result) {
      EXPECT_EQ(result.status, 204) << result.error_detail;
      EXPECT_EQ(result.resends, 0u);
      made_connections += result.us.connect > 0;
      ++done;
      if (sent < kCount) send();
    });
  };
  for (int i = 0; i < 32; ++i) send();
  RunUntil([&] { return done == kCount; });
  EXPECT_LE(made_connections, 32);
}

class NginxHttp2Test : public NginxTransportTest {
 protected:
  static HttpRequest Http2(const std::string& url, std::string body = "{}") {
    HttpRequest request = Request(url, Millis(10'000), std::move(body));
    request.http_version = HttpVersion::kHttp2;
    return request;
  }
};

// nginx answers before it has read the body, and resets the stream: the verdict has fallen by then.
TEST_F(NginxHttp2Test, EarlyAnswersOverPriorKnowledge) {
  START(nginx,
        "server { listen 127.0.0.1:@PORT@ http2; location / { add_header Retry-After 9; return 204; } }");
  // A body over the receiver's window (64 KiB) fails: libcurl 7.88.1 loses the answer (ADR 0010).
  for (size_t size : {0, 2, 1'000, 20'000}) {
    for (int i = 0; i < 3; ++i) {
      HttpResult result = Post(Http2(nginx.Url(), std::string(size, 'x')));
      EXPECT_EQ(result.error, ErrorKind::kNone) << size << ": " << result.error_detail;
      EXPECT_EQ(result.status, 204) << size;
      EXPECT_EQ(result.http_version, 20);
      EXPECT_EQ(result.retry_after, "9");
    }
  }
}

TEST_F(NginxHttp2Test, ThousandPostsInParallelOverTls) {
  TestCa ca;
  ASSERT_TRUE(ca.ok() && ca.Issue("good", "DNS:localhost", 1));
  START(nginx, "server { listen 127.0.0.1:@PORT@ ssl http2; ssl_certificate " + ca.certificate("good") +
                   "; ssl_certificate_key " + ca.key("good") + "; location / { return 204; } }");
  UseCa(ca.ca_file());
  constexpr int kCount = 1'000;
  int done = 0;
  int sent = 0;
  int made_connections = 0;
  std::function<void()> send = [&] {
    ++sent;
    transport_->Send(Http2(Localhost(nginx), std::string(1'024, 'x')), [&](HttpResult result) {
      EXPECT_EQ(result.status, 204) << result.error_detail;
      EXPECT_EQ(result.http_version, 20);
      made_connections += result.us.connect > 0;
      ++done;
      if (sent < kCount) send();
    });
  };
  for (int i = 0; i < 32; ++i) send();
  RunUntil([&] { return done == kCount; });
  EXPECT_LE(made_connections, 32) << "kept alive";
}

// Of either version: the connection was made while its address was allowed.
TEST_F(NginxHttp2Test, AKeptConnectionToWhatIsRefusedByNowIsNotUsed) {
  TestCa ca;
  ASSERT_TRUE(ca.ok() && ca.Issue("good", "DNS:localhost", 1));
  START(nginx, "server { listen 127.0.0.1:@PORT@ ssl http2; ssl_certificate " + ca.certificate("good") +
                   "; ssl_certificate_key " + ca.key("good") + "; location / { return 204; } }");
  EgressOptions allowed;
  allowed.allow_loopback = true;
  EgressOptions denied = allowed;
  denied.deny_addresses = {ParseCidr("127.0.0.0/8").value()};
  const auto policy = std::make_shared<EgressPolicy>(allowed);
  CurlTransportOptions options;
  options.ca_file = ca.ca_file();
  options.egress = policy;
  Make(options);
  for (const HttpRequest& request : {Request(Localhost(nginx)), Http2(Localhost(nginx))}) {
    const int version = request.http_version == HttpVersion::kHttp2 ? 20 : 11;
    EXPECT_GT(Post(request).us.connect, 0);
    const HttpResult kept = Post(request);
    EXPECT_EQ(kept.status, 204) << kept.error_detail;
    EXPECT_EQ(kept.http_version, version);
    EXPECT_EQ(kept.us.connect, 0) << version << ": it is not kept";
    policy->Set(denied);
    const HttpResult refused = Post(request);
    EXPECT_EQ(ToString(refused.error), "refused_address") << version;
    EXPECT_EQ(refused.remote_address, "");
    policy->Set(allowed);
    EXPECT_EQ(Post(request).status, 204);
  }
}

TEST_F(NginxHttp2Test, ManyPostsInParallelOverPriorKnowledge) {
  START(nginx, "server { listen 127.0.0.1:@PORT@ http2; location / { return 204; } }");
  constexpr int kCount = 300;
  int done = 0;
  for (int i = 0; i < kCount; ++i) {
    transport_->Send(Http2(nginx.Url(), std::string(1'024, 'x')), [&](HttpResult result) {
      EXPECT_EQ(result.status, 204) << result.error_detail;
      EXPECT_EQ(result.http_version, 20);
      ++done;
    });
  }
  RunUntil([&] { return done == kCount; });
}

TEST_F(NginxHttp2Test, OverTlsAndNeverMixedWithHttp11) {
  TestCa ca;
  ASSERT_TRUE(ca.ok() && ca.Issue("good", "DNS:localhost", 1));
  START(nginx, "server { listen 127.0.0.1:@PORT@ ssl http2; ssl_certificate " + ca.certificate("good") +
                   "; ssl_certificate_key " + ca.key("good") +
                   "; location / { return 200 $connection/$server_protocol; } }");
  UseCa(ca.ca_file());
  for (int i = 0; i < 3; ++i) {
    HttpResult two = Post(Http2(Localhost(nginx)));
    EXPECT_EQ(two.http_version, 20) << two.error_detail;
    EXPECT_THAT(two.body, ::testing::EndsWith("/HTTP/2.0"));
    EXPECT_EQ(two.us.tls > 0, i == 0) << "kept alive";
    HttpResult one = Post(Localhost(nginx));
    EXPECT_EQ(one.http_version, 11);
    EXPECT_THAT(one.body, ::testing::EndsWith("/HTTP/1.1"));
    EXPECT_EQ(one.us.tls > 0, i == 0);
  }
}

TEST_F(NginxHttp2Test, LargeBodiesThatAreRead) {
  START(nginx, R"(
    server { listen unix:@DIR@/behind; client_max_body_size 8m; location / { return 204; } }
    server { listen 127.0.0.1:@PORT@ http2; location / { proxy_pass http://unix:@DIR@/behind:/; } })");
  for (size_t size : {100'000, 2'000'000}) {
    HttpResult result = Post(Http2(nginx.Url(), std::string(size, 'x')));
    EXPECT_EQ(result.status, 204) << size << ": " << result.error_detail;
    EXPECT_EQ(result.http_version, 20);
  }
}

TEST_F(NginxHttp2Test, AReceiverWithoutItGetsHttp11OverTls) {
  TestCa ca;
  ASSERT_TRUE(ca.ok() && ca.Issue("good", "DNS:localhost", 1));
  START(nginx, TlsServer(ca, "good"));
  UseCa(ca.ca_file());
  HttpResult result = Post(Http2(Localhost(nginx)));
  EXPECT_EQ(result.status, 200) << result.error_detail;
  EXPECT_EQ(result.http_version, 11);
}

TEST_F(NginxHttp2Test, AReceiverWithoutItRefusesPriorKnowledge) {
  START(nginx, "server { listen 127.0.0.1:@PORT@; location / { return 204; } }");
  EXPECT_EQ(Post(Http2(nginx.Url())).error, ErrorKind::kProtocol);
  EXPECT_EQ(Post(nginx.Url()).status, 204);
}

TEST_F(NginxTransportTest, TooLargeForNginxIsAnAnswer) {
  START(nginx, "server { listen 127.0.0.1:@PORT@; client_max_body_size 1k; root @DIR@; }");
  HttpResult result = Post(Request(nginx.Url(), Millis(10'000), std::string(200'000, 'x')));
  EXPECT_EQ(result.error, ErrorKind::kNone) << result.error_detail;
  EXPECT_EQ(result.status, 413);
}

TEST_F(NginxTransportTest, VerifiedTls) {
  TestCa ca;
  ASSERT_TRUE(ca.ok() && ca.Issue("good", "DNS:localhost,IP:127.0.0.1", 1));
  START(nginx, TlsServer(ca, "good"));
  UseCa(ca.ca_file());
  HttpResult result = Post(Localhost(nginx));
  EXPECT_EQ(result.error, ErrorKind::kNone) << result.error_detail;
  EXPECT_EQ(result.body, "TLSv1.3");
  EXPECT_GT(result.us.tls, 0);
  EXPECT_EQ(Post(Localhost(nginx)).us.tls, 0) << "kept alive";
  EXPECT_EQ(Post(nginx.Url("/", "https")).error, ErrorKind::kNone) << "by address";
}

TEST_F(NginxTransportTest, WrongNameIsTls) {
  TestCa ca;
  ASSERT_TRUE(ca.ok() && ca.Issue("other", "DNS:other.test", 1));
  START(nginx, TlsServer(ca, "other"));
  UseCa(ca.ca_file());
  HttpResult result = Post(Localhost(nginx));
  EXPECT_EQ(result.error, ErrorKind::kTls);
  EXPECT_NE(result.error_detail.find("localhost"), std::string::npos) << result.error_detail;
  EXPECT_EQ(result.remote_address, "127.0.0.1:" + std::to_string(nginx.port()));
}

TEST_F(NginxTransportTest, UnknownCaIsTls) {
  TestCa ca;
  TestCa stranger;
  ASSERT_TRUE(ca.ok() && stranger.ok() && stranger.Issue("good", "DNS:localhost", 1));
  START(nginx, TlsServer(stranger, "good"));
  UseCa(ca.ca_file());
  EXPECT_EQ(Post(Localhost(nginx)).error, ErrorKind::kTls);
  UseCa("");  // the system's bundle does not know it either
  HttpResult result = Post(Localhost(nginx));
  EXPECT_EQ(result.error, ErrorKind::kTls);
  EXPECT_EQ(result.error_detail, "unable to get local issuer certificate");
}

TEST_F(NginxTransportTest, ExpiredIsTls) {
  TestCa ca;
  ASSERT_TRUE(ca.ok() && ca.Issue("old", "DNS:localhost", -1));
  START(nginx, TlsServer(ca, "old"));
  UseCa(ca.ca_file());
  HttpResult result = Post(Localhost(nginx));
  EXPECT_EQ(result.error, ErrorKind::kTls);
  EXPECT_EQ(result.error_detail, "certificate has expired");
}

TEST_F(NginxTransportTest, OldTlsVersionsAreTls) {
  TestCa ca;
  ASSERT_TRUE(ca.ok() && ca.Issue("good", "DNS:localhost", 1));
  START(nginx, TlsServer(ca, "good", "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;"));
  UseCa(ca.ca_file());
  EXPECT_EQ(Post(Localhost(nginx)).error, ErrorKind::kTls);
}

TEST_F(NginxTransportTest, MissingCaFileIsLocal) {
  TestCa ca;
  ASSERT_TRUE(ca.ok() && ca.Issue("good", "DNS:localhost", 1));
  START(nginx, TlsServer(ca, "good"));
  UseCa("/nonexistent/ca.pem");
  EXPECT_EQ(Post(Localhost(nginx)).error, ErrorKind::kLocal);
}

TEST_F(NginxTransportTest, PlainAndTlsMixedUp) {
  TestCa ca;
  ASSERT_TRUE(ca.ok() && ca.Issue("good", "DNS:localhost", 1));
  START(plain, "server { listen 127.0.0.1:@PORT@; location / { return 204; } }");
  START(tls, TlsServer(ca, "good"));
  UseCa(ca.ca_file());
  HttpResult result = Post(Localhost(plain));
  EXPECT_EQ(result.error, ErrorKind::kTls);
  EXPECT_EQ(result.error_detail, "TLS handshake failed: wrong version number");
  EXPECT_EQ(Post(tls.Url()).status, 400);
}

}  // namespace
}  // namespace hookd::testing
