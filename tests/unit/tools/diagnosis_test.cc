#include "dispatcher/tools/diagnosis.h"

#include <cerrno>

#include <gmock/gmock.h>

namespace hookd {
namespace {

using Kind = DiagnosisKind;
using Phase = ExchangePhase;

struct Case {
  const char* name;
  HttpResult result;
  Kind kind;
  const char* says;
};

HttpResult Answer(int status, std::string headers = "") {
  HttpResult result;
  result.status = status;
  result.headers = std::move(headers);
  result.phase = Phase::kAnswer;
  return result;
}

HttpResult Failure(ErrorKind error, Phase phase, std::string detail = "words", int os_errno = 0) {
  HttpResult result;
  result.error = error;
  result.phase = phase;
  result.error_detail = std::move(detail);
  result.os_errno = os_errno;
  return result;
}

HttpResult Tls(TlsFault fault) {
  HttpResult result = Failure(ErrorKind::kTls, Phase::kTls, "what OpenSSL says");
  auto certificate = std::make_shared<PeerCertificate>();
  certificate->fault = fault;
  certificate->issuer = "CN=some CA";
  certificate->names = {"other.example", "192.0.2.1"};
  certificate->not_before_ms = 1'767'225'600'000;  // 2026-01-01
  certificate->not_after_ms = 1'769'904'000'000;   // 2026-02-01
  result.certificate = certificate;
  return result;
}

TEST(DiagnosisTest, EveryOutcomeHasItsOwnWords) {
  const Case cases[] = {
      {"success", Answer(200), Kind::kSuccess, "answered 200, which counts as success"},
      {"unauthorised", Answer(401), Kind::kWrongStatus,
       "answered 401; success is 200-209, 250: the receiver does not let the request in"},
      {"not found", Answer(404), Kind::kWrongStatus, "nothing at this path"},
      {"method", Answer(405), Kind::kWrongStatus, "takes no POST"},
      {"too large", Answer(413), Kind::kWrongStatus, "a body of this size"},
      {"other 4xx", Answer(422), Kind::kWrongStatus, "did not like the request"},
      {"broken", Answer(503), Kind::kWrongStatus,
       "answered 503; success is 200-209, 250: the receiver failed"},
      {"another 2xx", Answer(226), Kind::kWrongStatus, "change the endpoint's success codes"},
      {"redirect", Answer(301, "HTTP/1.1 301\r\nLocation: https://new.example/x?key=hush#f\r\n"),
       Kind::kRedirect, "answered 301, a redirect to https://new.example/x; redirects are never followed"},
      {"redirect to nowhere", Answer(302, "HTTP/1.1 302\r\n"), Kind::kRedirect, "answered 302, a redirect;"},
      {"headers", Failure(ErrorKind::kResponseTooBig, Phase::kAnswer, "response headers over 65536 bytes"),
       Kind::kHeadersTooLarge, "over 65536 bytes"},
      {"no name", Failure(ErrorKind::kName, Phase::kName, "name does not exist"), Kind::kNameNotFound,
       "does not exist"},
      {"bad name", Failure(ErrorKind::kName, Phase::kName, "name is not valid"), Kind::kNameNotFound,
       "does not exist"},
      {"no address", Failure(ErrorKind::kName, Phase::kName, "name has no address"), Kind::kNoAddress,
       "A or AAAA record"},
      {"silent name servers",
       Failure(ErrorKind::kName, Phase::kName, "the name was not resolved within the timeout"),
       Kind::kTimeoutName, "not resolved within 2500 ms"},
      {"our resolver", Failure(ErrorKind::kLocal, Phase::kName, "the name servers did not answer"),
       Kind::kLocal, "hookd itself could not do it"},
      {"refused", Failure(ErrorKind::kConnect, Phase::kConnect, "connection refused", ECONNREFUSED),
       Kind::kConnectionRefused, "nothing listens at this port"},
      {"no route to the host",
       Failure(ErrorKind::kConnect, Phase::kConnect, "no route to host", EHOSTUNREACH), Kind::kUnreachable,
       "no way to the receiver's address"},
      {"no network", Failure(ErrorKind::kLocal, Phase::kConnect, "network is unreachable", ENETUNREACH),
       Kind::kUnreachable, "no way to the receiver's address"},
      {"our packet filter", Failure(ErrorKind::kLocal, Phase::kConnect, "operation not permitted", EPERM),
       Kind::kAddressRefused, "may not connect"},
      {"expired", Tls(TlsFault::kExpired), Kind::kCertificateExpired, "valid until 2026-02-01 00:00 UTC"},
      {"not yet", Tls(TlsFault::kNotYetValid), Kind::kCertificateNotYetValid, "not valid before 2026-01-01"},
      {"another name", Tls(TlsFault::kName), Kind::kCertificateName,
       "is for other.example, 192.0.2.1, not for hooks.example"},
      {"issuer", Tls(TlsFault::kIssuer), Kind::kCertificateIssuer,
       "issued by CN=some CA, which is not trusted"},
      {"otherwise", Tls(TlsFault::kOther), Kind::kCertificateOther, "what OpenSSL says"},
      {"handshake", Failure(ErrorKind::kTls, Phase::kTls, "wrong version number"), Kind::kTlsHandshake,
       "(wrong version number)"},
      {"connect time", Failure(ErrorKind::kTimeout, Phase::kConnect), Kind::kTimeoutConnect,
       "within 2500 ms"},
      {"TLS time", Failure(ErrorKind::kTimeout, Phase::kTls), Kind::kTimeoutTls,
       "TLS handshake was not finished"},
      {"answer time", Failure(ErrorKind::kTimeout, Phase::kAnswer), Kind::kTimeoutResponse,
       "answer first and work later"},
      {"closed", Failure(ErrorKind::kProtocol, Phase::kAnswer, "connection closed without a response"),
       Kind::kClosedEarly, "(connection closed without a response)"},
      {"reset", Failure(ErrorKind::kProtocol, Phase::kAnswer, "connection reset by peer"), Kind::kClosedEarly,
       "(connection reset by peer)"},
      {"not HTTP", Failure(ErrorKind::kProtocol, Phase::kAnswer, "the response is not valid HTTP"),
       Kind::kNotHttp, "not HTTP as it should be"},
      {"ours", Failure(ErrorKind::kLocal, Phase::kConnect, "too many open files", EMFILE), Kind::kLocal,
       "(too many open files)"},
  };
  DeliveryPolicy policy;
  policy.success = {{200, 209}, {250, 250}};
  policy.timeout = Millis(2500);
  for (const Case& one : cases) {
    const Diagnosis diagnosis = Diagnose(policy, "https://hooks.example/in?key=hush", one.result);
    EXPECT_EQ(diagnosis.kind, one.kind) << one.name << ": " << diagnosis.text;
    EXPECT_THAT(diagnosis.text, ::testing::HasSubstr(one.says)) << one.name;
    EXPECT_THAT(diagnosis.text + diagnosis.location, ::testing::Not(::testing::HasSubstr("hush")))
        << one.name;
  }
}

TEST(DiagnosisTest, TheSuccessCodesAreTheEndpointsOwn) {
  DeliveryPolicy policy;
  policy.success = {{301, 301}};
  EXPECT_EQ(Diagnose(policy, "http://a.example/", Answer(301)).kind, Kind::kSuccess);
  EXPECT_EQ(
      Diagnose(policy, "http://a.example/", Answer(200)).text,
      "answered 200; success is 301: let the receiver answer with one that counts, or change the endpoint's "
      "success codes");
}

TEST(DiagnosisTest, HeaderValuesAreFoundInAnyCase) {
  const std::string lines = "HTTP/1.1 200 OK\r\nX: 1\r\nwebhook-ALLOWED-origin:  a\x01z \r\nX: 2\r\n";
  EXPECT_EQ(HeaderValue(lines, "WebHook-Allowed-Origin"), "a?z");
  EXPECT_EQ(HeaderValue(lines, "x"), "1");
  EXPECT_EQ(HeaderValue(lines, "y"), "");
  EXPECT_EQ(HeaderValue("", "x"), "");
}

TEST(DiagnosisTest, ALongRedirectIsCut) {
  const Diagnosis diagnosis = Diagnose(DeliveryPolicy(), "http://a.example/",
                                       Answer(307, "location: /" + std::string(2000, 'x') + "\r\n"));
  EXPECT_EQ(diagnosis.location.size(), 512u);
}

}  // namespace
}  // namespace hookd
