#include "dispatcher/transport/curl_errors.h"

#include <cerrno>

#include <gtest/gtest.h>

#include "dispatcher/transport/target.h"

namespace hookd {
namespace {

TEST(CurlErrorsTest, OurOwnTroubleIsLocal) {
  for (int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, ENETUNREACH}) {
    EXPECT_EQ(ExplainTransfer(CURLE_COULDNT_CONNECT, error, "", Progress::kNothing).kind, ErrorKind::kLocal)
        << error;
  }
  EXPECT_EQ(ExplainTransfer(CURLE_SSL_CACERT_BADFILE, 0, "", Progress::kConnected).kind, ErrorKind::kLocal);
}

TEST(CurlErrorsTest, TheReceiversTroubleIsConnect) {
  for (int error : {ECONNREFUSED, EHOSTUNREACH, ECONNRESET, ETIMEDOUT, 0}) {
    TransferError explained = ExplainTransfer(CURLE_COULDNT_CONNECT, error, "", Progress::kNothing);
    EXPECT_EQ(explained.kind, ErrorKind::kConnect) << error;
    EXPECT_FALSE(explained.detail.empty());
  }
  EXPECT_EQ(ExplainTransfer(CURLE_COULDNT_CONNECT, EHOSTUNREACH, "", Progress::kNothing).detail,
            "no route to host");
}

TEST(CurlErrorsTest, TlsDetailIsPlainAndBounded) {
  auto detail = [](std::string_view message) {
    return ExplainTransfer(CURLE_PEER_FAILED_VERIFICATION, 0, message, Progress::kConnected).detail;
  };
  EXPECT_EQ(detail("SSL certificate problem: certificate has expired"), "certificate has expired");
  EXPECT_EQ(detail("error:0A00010B:SSL routines::wrong version number"),
            "TLS handshake failed: wrong version number");
  EXPECT_EQ(detail(""), "TLS handshake failed");
  EXPECT_EQ(detail("SSL: name 'a\nb\x1b' differs"), "name 'a?b?' differs");
  EXPECT_EQ(detail("SSL: " + std::string(1'000, 'x')).size(), kMaxErrorDetail);
}

TEST(CurlErrorsTest, TimeoutSaysHowFarItCame) {
  auto detail = [](Progress progress) {
    return ExplainTransfer(CURLE_OPERATION_TIMEDOUT, 0, "", progress).detail;
  };
  EXPECT_EQ(detail(Progress::kNothing), "no connection within the timeout");
  EXPECT_EQ(detail(Progress::kConnected), "TLS handshake not finished within the timeout");
  EXPECT_EQ(detail(Progress::kSent), "no complete response headers within the timeout");
}

TEST(TargetTest, ReadsSchemeHostAndPort) {
  auto target = ParseTarget("https://hooks.example.com/a?b=c");
  ASSERT_TRUE(target);
  EXPECT_TRUE(target->https);
  EXPECT_EQ(target->host, "hooks.example.com");
  EXPECT_EQ(target->port, 443);
  EXPECT_EQ(target->literal, nullptr);

  target = ParseTarget("http://[2001:db8::1]:8080/");
  ASSERT_TRUE(target);
  EXPECT_FALSE(target->https);
  EXPECT_EQ(target->host, "2001:db8::1");
  EXPECT_EQ(target->port, 8080);
  EXPECT_NE(target->literal, nullptr);

  EXPECT_NE(ParseTarget("http://192.0.2.1/")->literal, nullptr);
  EXPECT_FALSE(ParseTarget("ftp://192.0.2.1/"));
  EXPECT_FALSE(ParseTarget(""));
}

// As libcurl itself reads them when it sends.
TEST(TargetTest, OddNumbersAreTheAddressTheyMean) {
  EXPECT_EQ(ParseTarget("http://0x7f.1/")->host, "127.0.0.1");
  EXPECT_EQ(ParseTarget("http://2130706433/")->host, "127.0.0.1");
}

TEST(TargetTest, BracketsIPv6) {
  EXPECT_EQ(AddressAndPort("192.0.2.1", 80), "192.0.2.1:80");
  EXPECT_EQ(AddressAndPort("::1", 443), "[::1]:443");
}

}  // namespace
}  // namespace hookd
