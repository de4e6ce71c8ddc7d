// Samples over real sockets: every way in which a receiver can be wrong, and what is said about it.
#include "dispatcher/tools/sample_run.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <netinet/in.h>

#include "base/check.h"
#include "dispatcher/core/signature.h"
#include "dispatcher/transport/curl_transport.h"
#include "tests/fakes/dns_responder.h"
#include "tests/fakes/http_receiver.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::testing {
namespace {

using Kind = DiagnosisKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class SampleRunTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { InitCurl(); }

  SampleRunTest() { Trust(""); }

  void Trust(const std::string& ca_file) {
    CurlTransportOptions options;
    options.ca_file = ca_file;
    options.multis = options.http2_multis = 1;
    options.dns_servers = {names_.address()};
    EgressOptions egress;
    egress.allow_loopback = true;
    options.egress = std::make_shared<const EgressPolicy>(egress);
    runner_ = std::make_unique<OneShotRunner>(
        [options](boost::asio::io_context& io) { return MakeCurlTransport(io, options, RealClock()); });
  }

  static Endpoint To(const std::string& url) {
    Endpoint endpoint;
    endpoint.subscriber_id = "acme";
    endpoint.url = url;
    endpoint.signing_keys = {{std::string(32, 'k')}};
    endpoint.policy.timeout = Millis(5'000);
    return endpoint;
  }

  absl::StatusOr<std::vector<SampleResult>> Run(const Endpoint& endpoint,
                                                const std::vector<SampleToSend>& samples) {
    absl::StatusOr<std::shared_ptr<SampleRun>> run =
        SampleRun::Make({*runner_, RealClock(), "hookd/test"}, endpoint, samples, std::nullopt);
    if (!run.ok()) return run.status();
    absl::StatusOr<std::vector<SampleResult>> results = absl::UnknownError("");
    absl::Notification done;
    (*run)->Start(
        [&](absl::StatusOr<std::vector<SampleResult>> got) {
          results = std::move(got);
          done.Notify();
        },
        [] { return false; });
    done.WaitForNotification();
    return results;
  }

  ToolExchange One(const Endpoint& endpoint) {
    absl::StatusOr<std::vector<SampleResult>> results =
        Run(endpoint, {{"message:in:new", {"text", "{\"a\":1}"}}});
    EXPECT_TRUE(results.ok()) << results.status();
    return results->at(0).exchange;
  }
  ToolExchange One(const std::string& url) { return One(To(url)); }

  static DnsAnswer Silent() {
    DnsAnswer answer;
    answer.silent = true;
    return answer;
  }

  DnsResponder names_{{{"empty.test", {}}, {"silent.test", Silent()}}};
  std::unique_ptr<OneShotRunner> runner_;
};

TEST_F(SampleRunTest, ASampleLooksLikeTheRealThing) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    ReceiverAnswer answer = ReceiverAnswer::Status(200, "fine");
    answer.headers = {{"X-Seen", "1"}, {"Set-Cookie", "hush=1"}};
    return answer;
  });
  Endpoint endpoint = To(receiver.Url("/in?key=hush"));
  endpoint.headers = {{"Authorization", "Basic hush", true}, {"X-Mine", "yes", false}};
  absl::StatusOr<std::vector<SampleResult>> results =
      Run(endpoint, {{"message:in:new", {"text", "{\"a\": 1}"}}, {"message:out:ack", {"", "{\"b\": 2}"}}});
  ASSERT_TRUE(results.ok()) << results.status();
  const std::vector<ReceivedRequest> got = receiver.requests();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].method, "POST");
  EXPECT_EQ(got[0].target, "/in?key=hush");
  EXPECT_EQ(got[0].body, "{\"a\": 1}");
  EXPECT_EQ(got[0].Header("content-type"), "application/json");
  EXPECT_EQ(got[0].Header("authorization"), "Basic hush");
  EXPECT_EQ(got[0].Header("user-agent"), "hookd/test");
  EXPECT_EQ(got[0].Header("hookd-event-type"), "message:in:new");
  EXPECT_EQ(got[0].Header("hookd-attempt"), "1");
  EXPECT_EQ(got[0].Header("hookd-sequence"), "") << "tests have none";
  const std::string id = got[0].Header("webhook-id");
  EXPECT_EQ(id, results->at(0).event->id.ToString());
  EXPECT_NE(id, got[1].Header("webhook-id"));
  EXPECT_EQ(
      got[0].Header("webhook-signature"),
      SignV1(endpoint.signing_keys[0].key, id, std::stoll(got[0].Header("webhook-timestamp")), "{\"a\": 1}"));

  const ToolExchange& exchange = results->at(0).exchange;
  EXPECT_EQ(exchange.diagnosis.kind, Kind::kSuccess);
  EXPECT_EQ(exchange.attempt.error, ErrorKind::kNone);
  EXPECT_EQ(exchange.attempt.status, 200);
  EXPECT_EQ(exchange.attempt.response_body, "fine");
  EXPECT_EQ(exchange.attempt.remote_address, "127.0.0.1:" + std::to_string(receiver.port()));
  EXPECT_GT(exchange.attempt.us.connect, 0);
  EXPECT_GT(exchange.attempt.us.first_byte, 0);
  EXPECT_EQ(exchange.attempt.us.tls, 0);
  EXPECT_EQ(exchange.certificate, nullptr);
  EXPECT_THAT(exchange.attempt.request_headers, HasSubstr("\nAuthorization\nX-Mine: yes\n"));
  EXPECT_THAT(exchange.attempt.request_headers, HasSubstr("\nwebhook-signature\n"));
  EXPECT_THAT(exchange.attempt.response_headers, HasSubstr("X-Seen: 1\n"));
  EXPECT_THAT(exchange.attempt.response_headers + exchange.attempt.request_headers, Not(HasSubstr("hush")));
  EXPECT_EQ(receiver.connection_count(), 2u) << "each has a connection of its own";
}

TEST_F(SampleRunTest, ABatchedTypeGoesAsAnArray) {
  HttpReceiver receiver;
  Endpoint endpoint = To(receiver.Url());
  endpoint.policy.batch.event_types = {"message:out:*"};
  ASSERT_TRUE(
      Run(endpoint, {{"message:out:failed", {"", "{\"a\": 1}"}}, {"message:in:new", {"", "{}"}}}).ok());
  EXPECT_EQ(receiver.requests().at(0).body, "[{\"a\": 1}]");
  EXPECT_EQ(receiver.requests().at(1).body, "{}");
}

TEST_F(SampleRunTest, WhatIsNoEventIsRefused) {
  const Endpoint endpoint = To("http://127.0.0.1:1/");
  EXPECT_THAT(Run(endpoint, {{"t", {"", "{}"}}, {"t", {"", "{"}}}).status().message(),
              HasSubstr("samples[1]: payload"));
  EXPECT_THAT(Run(endpoint, {{"no type", {"", "{}"}}}).status().message(), HasSubstr("samples[0]: type"));
  EXPECT_EQ(Run(endpoint, {}).status().message(), "samples: there are 0, give 1 to 16");
  const std::string large = "\"" + std::string(600'000, 'x') + "\"";
  EXPECT_EQ(Run(endpoint, {{"t", {"", large}}, {"t", {"", large}}}).status().message(),
            "samples: have 1200004 bytes of payload, use at most 1048576");
}

TEST_F(SampleRunTest, AfterOneWithoutAnswerTheRestIsNotSent) {
  HttpReceiver receiver([](const ReceivedRequest& got) {
    if (got.number == 1) return ReceiverAnswer::Status(500);
    return ReceiverAnswer::Raw("", ReceiverAnswer::Then::kClose);
  });
  absl::StatusOr<std::vector<SampleResult>> results =
      Run(To(receiver.Url()), {{"t", {"", "1"}}, {"t", {"", "2"}}, {"t", {"", "3"}}});
  ASSERT_TRUE(results.ok());
  EXPECT_EQ(results->at(0).exchange.diagnosis.kind, Kind::kWrongStatus);
  EXPECT_EQ(results->at(1).exchange.diagnosis.kind, Kind::kClosedEarly);
  EXPECT_EQ(results->at(2).exchange.diagnosis.kind, Kind::kNotSent);
  EXPECT_EQ(results->at(2).exchange.attempt.number, 0u);
  EXPECT_EQ(receiver.request_count(), 2u);
}

TEST_F(SampleRunTest, Names) {
  EXPECT_EQ(One("http://nobody.test/").diagnosis.kind, Kind::kNameNotFound);
  EXPECT_EQ(One("http://empty.test/").diagnosis.kind, Kind::kNoAddress);
  Endpoint silent = To("http://silent.test/");
  silent.policy.timeout = Millis(100);
  // Nothing has been heard of these name servers, so they may be our own trouble.
  EXPECT_THAT(One(silent).diagnosis.kind, ::testing::AnyOf(Kind::kTimeoutName, Kind::kLocal));
}

TEST_F(SampleRunTest, Connections) {
  HttpReceiver receiver;
  const std::string gone = receiver.Url();
  receiver.Stop();
  EXPECT_EQ(One(gone).diagnosis.kind, Kind::kConnectionRefused);
}

// A socket that listens, whose connections nobody takes: bytes go nowhere.
class Deaf {
 public:
  Deaf() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    HOOKD_CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(fd_, 8) == 0 &&
                    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
                "no loopback port");
    port_ = ntohs(address.sin_port);
  }
  ~Deaf() { close(fd_); }
  std::string Url(const std::string& scheme) const {
    return scheme + "://127.0.0.1:" + std::to_string(port_) + "/";
  }

 private:
  int fd_;
  uint16_t port_ = 0;
};

TEST_F(SampleRunTest, TimeoutsSayWhere) {
  Deaf deaf;
  Endpoint endpoint = To(deaf.Url("https"));
  endpoint.policy.timeout = Millis(150);
  EXPECT_EQ(One(endpoint).diagnosis.kind, Kind::kTimeoutTls);
  endpoint.url = deaf.Url("http");
  const ToolExchange answer = One(endpoint);
  EXPECT_EQ(answer.diagnosis.kind, Kind::kTimeoutResponse);
  EXPECT_THAT(answer.diagnosis.text, HasSubstr("within 150 ms"));
  EXPECT_EQ(answer.attempt.error, ErrorKind::kTimeout);
}

TEST_F(SampleRunTest, WhatIsNoAnswer) {
  HttpReceiver receiver;
  receiver.SetHandler(
      [](const ReceivedRequest&) { return ReceiverAnswer::Raw("", ReceiverAnswer::Then::kReset); });
  EXPECT_EQ(One(receiver.Url()).diagnosis.kind, Kind::kClosedEarly);
  receiver.SetHandler([](const ReceivedRequest&) {
    return ReceiverAnswer::Raw("HTTP/1.1 200 OK\r\nX-A: ", ReceiverAnswer::Then::kClose);
  });
  EXPECT_EQ(One(receiver.Url()).diagnosis.kind, Kind::kClosedEarly);
  receiver.SetHandler([](const ReceivedRequest&) {
    return ReceiverAnswer::Raw("SSH-2.0-x\r\n", ReceiverAnswer::Then::kClose);
  });
  EXPECT_EQ(One(receiver.Url()).diagnosis.kind, Kind::kNotHttp);
  receiver.SetHandler([](const ReceivedRequest&) {
    ReceiverAnswer answer = ReceiverAnswer::Status(200);
    for (int i = 0; i < 100; ++i) answer.headers.emplace_back("X-Large", std::string(1'000, 'x'));
    return answer;
  });
  EXPECT_EQ(One(receiver.Url()).diagnosis.kind, Kind::kHeadersTooLarge);
}

TEST_F(SampleRunTest, NginxRedirects) {
  auto nginx = NginxFixture::Start(
      "server { listen 127.0.0.1:@PORT@; location / { return 308 https://moved.example$request_uri; } "
      "location /here/ { return 204; } }");
  ASSERT_TRUE(nginx.ok()) << nginx.status();
  const ToolExchange exchange = One((*nginx)->Url("/in?key=hush"));
  EXPECT_EQ(exchange.diagnosis.kind, Kind::kRedirect);
  EXPECT_EQ(exchange.diagnosis.location, "https://moved.example/in");
  EXPECT_EQ(exchange.attempt.status, 308);
  EXPECT_EQ(One((*nginx)->Url("/here/")).diagnosis.kind, Kind::kSuccess);
}

class CertificateTest : public SampleRunTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(ca_.ok());
    Trust(ca_.ca_file());
  }

  void Serve(const TestCa& ca, const std::string& name, const std::string& more = "") {
    auto nginx = NginxFixture::Start("server { listen 127.0.0.1:@PORT@ ssl; ssl_certificate " +
                                     ca.certificate(name) + "; ssl_certificate_key " + ca.key(name) + "; " +
                                     more + " location / { return 200; } }");
    ASSERT_TRUE(nginx.ok()) << nginx.status();
    nginx_ = *std::move(nginx);
  }
  std::string Localhost() const { return "https://localhost:" + std::to_string(nginx_->port()) + "/"; }

  TestCa ca_;
  std::unique_ptr<NginxFixture> nginx_;
};

TEST_F(CertificateTest, AGoodOneIsShown) {
  ASSERT_TRUE(ca_.Issue("good", "DNS:localhost,DNS:hooks.example,IP:127.0.0.1", 1));
  Serve(ca_, "good");
  for (int i = 0; i < 2; ++i) {
    const ToolExchange exchange = One(Localhost());
    EXPECT_EQ(exchange.diagnosis.kind, Kind::kSuccess) << exchange.diagnosis.text;
    EXPECT_GT(exchange.attempt.us.tls, 0);
    ASSERT_NE(exchange.certificate, nullptr) << "no session is resumed";
    EXPECT_THAT(exchange.certificate->names, ElementsAre("localhost", "hooks.example", "127.0.0.1"));
    EXPECT_EQ(exchange.certificate->subject, "CN=receiver");
    EXPECT_EQ(exchange.certificate->issuer, "CN=hookd test CA");
    EXPECT_EQ(exchange.certificate->not_after_ms - exchange.certificate->not_before_ms, 86'400'000);
    EXPECT_LE(exchange.certificate->not_before_ms, RealClock().Wall());
  }
}

TEST_F(CertificateTest, Expired) {
  ASSERT_TRUE(ca_.Issue("old", "DNS:localhost", -1));
  Serve(ca_, "old");
  const ToolExchange exchange = One(Localhost());
  EXPECT_EQ(exchange.diagnosis.kind, Kind::kCertificateExpired) << exchange.diagnosis.text;
  ASSERT_NE(exchange.certificate, nullptr);
  EXPECT_LT(exchange.certificate->not_after_ms, RealClock().Wall());
  EXPECT_THAT(exchange.certificate->names, ElementsAre("localhost"));
}

TEST_F(CertificateTest, NotYetValid) {
  ASSERT_TRUE(ca_.IssueFor("early", "DNS:localhost", "20990101000000Z", "20990201000000Z"));
  Serve(ca_, "early");
  const ToolExchange exchange = One(Localhost());
  EXPECT_EQ(exchange.diagnosis.kind, Kind::kCertificateNotYetValid) << exchange.diagnosis.text;
  EXPECT_THAT(exchange.diagnosis.text, HasSubstr("not valid before 2099-01-01 00:00 UTC"));
}

TEST_F(CertificateTest, ForAnotherName) {
  ASSERT_TRUE(ca_.Issue("other", "DNS:other.example", 1));
  Serve(ca_, "other");
  const ToolExchange exchange = One(Localhost());
  EXPECT_EQ(exchange.diagnosis.kind, Kind::kCertificateName) << exchange.diagnosis.text;
  EXPECT_EQ(exchange.diagnosis.text, "the receiver's certificate is for other.example, not for localhost");
}

TEST_F(CertificateTest, UnknownIssuer) {
  TestCa stranger;
  ASSERT_TRUE(stranger.ok() && stranger.Issue("good", "DNS:localhost", 1));
  Serve(stranger, "good");
  const ToolExchange exchange = One(Localhost());
  EXPECT_EQ(exchange.diagnosis.kind, Kind::kCertificateIssuer) << exchange.diagnosis.text;
  EXPECT_THAT(exchange.diagnosis.text, HasSubstr("issued by CN=hookd test CA"));
}

TEST_F(CertificateTest, NoCommonProtocol) {
  ASSERT_TRUE(ca_.Issue("good", "DNS:localhost", 1));
  Serve(ca_, "good", "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;");
  EXPECT_EQ(One(Localhost()).diagnosis.kind, Kind::kTlsHandshake);
}

TEST_F(CertificateTest, NoTlsAtAll) {
  HttpReceiver plain;
  EXPECT_EQ(One("https://127.0.0.1:" + std::to_string(plain.port()) + "/").diagnosis.kind,
            Kind::kTlsHandshake);
}

}  // namespace
}  // namespace hookd::testing
