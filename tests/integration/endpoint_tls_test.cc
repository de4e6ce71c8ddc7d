// TLS of an endpoint's own: a private CA, pinned keys, a client certificate; and that nothing of it serves
// another.
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "dispatcher/core/tls_rules.h"
#include "tests/integration/nginx_fixture.h"
#include "tests/unit/transport/transport_fixture.h"

namespace hookd::testing {
namespace {

std::string ReadAll(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

// As `openssl` computes it, which is how people will.
std::string PinOf(const std::string& certificate) {
  const std::string command =
      "openssl x509 -in " + certificate +
      " -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | "
      "openssl base64 -A";
  char buffer[128] = "";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe != nullptr) {
    if (fgets(buffer, sizeof(buffer), pipe) == nullptr) buffer[0] = '\0';
    pclose(pipe);
  }
  return std::string("sha256//") + buffer;
}

class EndpointTlsTest : public TransportFixture {
 protected:
  void SetUp() override {
    ASSERT_TRUE(ours_.ok() && theirs_.ok()) << "openssl is missing";
    ASSERT_TRUE(ours_.Issue("server", "IP:127.0.0.1", 30) && ours_.Issue("client", "DNS:hookd", 30) &&
                ours_.Issue("client2", "DNS:hookd2", 30) && theirs_.Issue("other", "IP:127.0.0.1", 5));
    absl::StatusOr<std::unique_ptr<NginxFixture>> nginx = NginxFixture::Start(
        "server { listen 127.0.0.1:@PORT@ ssl; ssl_certificate " + ours_.certificate("server") +
        "; ssl_certificate_key " + ours_.key("server") + "; ssl_client_certificate " + ours_.ca_file() +
        "; ssl_verify_client optional; ssl_session_cache shared:s:1m;"
        " location / { return 200 \"$connection $ssl_session_reused $ssl_client_serial\"; }"
        " location /strict { if ($ssl_client_verify != SUCCESS) { return 403; } return 204; } }");
    ASSERT_TRUE(nginx.ok()) << nginx.status();
    nginx_ = *std::move(nginx);
    Trust(ours_);
  }

  void Trust(const TestCa& ca, bool skip = false) {
    CurlTransportOptions options;
    options.ca_file = ca.ca_file();
    options.insecure_skip_tls_verification = skip;
    Make(options);
  }

  HttpResult PostWith(const TlsSettings& tls, const std::string& path = "/") {
    EXPECT_TRUE(CheckTls(tls).ok()) << CheckTls(tls);
    HttpRequest request = Request(nginx_->Url(path, "https"));
    request.tls = std::make_shared<const TlsSettings>(tls);
    return Post(std::move(request));
  }

  HttpResult PostPlainly(const std::string& path = "/") { return Post(nginx_->Url(path, "https")); }

  TlsSettings Client(const std::string& name) const {
    TlsSettings tls;
    tls.client_certificate_pem = ReadAll(ours_.certificate(name));
    tls.client_key_pem = ReadAll(ours_.key(name));
    return tls;
  }

  static std::string Connection(const HttpResult& result) {
    return result.body.substr(0, result.body.find(' '));
  }
  static std::string Serial(const HttpResult& result) {
    return result.body.substr(result.body.rfind(' ') + 1);
  }

  TestCa ours_;
  TestCa theirs_;
  std::unique_ptr<NginxFixture> nginx_;
};

TEST_F(EndpointTlsTest, APrivateCaIsTrustedAlone) {
  Trust(theirs_);
  TlsSettings tls;
  tls.ca_pem = ReadAll(ours_.ca_file());
  EXPECT_EQ(ToString(PostPlainly().error), "tls") << "the configuration's CA did not issue it";
  EXPECT_EQ(PostWith(tls).status, 200);
  EXPECT_EQ(ToString(PostPlainly().error), "tls") << "what one endpoint trusts, the next does not";
  Trust(ours_);
  tls.ca_pem = ReadAll(theirs_.ca_file());
  EXPECT_EQ(PostPlainly().status, 200);
  EXPECT_EQ(ToString(PostWith(tls).error), "tls") << "the configuration's CA does not count";
  tls.ca_pem += ReadAll(ours_.ca_file());
  EXPECT_EQ(PostWith(tls).status, 200) << "one of several";
}

TEST_F(EndpointTlsTest, PinnedKeys) {
  TlsSettings tls;
  tls.pinned_keys = {PinOf(theirs_.certificate("other"))};
  HttpResult result = PostWith(tls);
  EXPECT_EQ(ToString(result.error), "tls");
  EXPECT_EQ(result.error_detail, "the receiver's public key is none of the endpoint's pinned ones");
  tls.pinned_keys.push_back(PinOf(ours_.certificate("server")));
  EXPECT_EQ(PostWith(tls).status, 200);
  EXPECT_EQ(PostPlainly().status, 200);
  Trust(theirs_);
  EXPECT_EQ(ToString(PostWith(tls).error), "tls") << "a pin does not stand for the chain";
}

TEST_F(EndpointTlsTest, AClientCertificateIsItsEndpointsAlone) {
  EXPECT_EQ(PostPlainly("/strict").status, 403);
  EXPECT_EQ(PostWith(Client("client"), "/strict").status, 204);
  EXPECT_EQ(PostPlainly("/strict").status, 403);
  const std::string first = Serial(PostWith(Client("client")));
  const std::string second = Serial(PostWith(Client("client2")));
  EXPECT_NE(first, "");
  EXPECT_NE(second, "");
  EXPECT_NE(first, second);
}

// Endpoints of one receiver with TLS of different kinds, turn by turn: no connection and no session serves
// two of them.
TEST_F(EndpointTlsTest, NothingIsShared) {
  TlsSettings pinned;
  pinned.pinned_keys = {PinOf(ours_.certificate("server"))};
  TlsSettings ca;
  ca.ca_pem = ReadAll(ours_.ca_file());
  const std::vector<TlsSettings> kinds = {Client("client"), Client("client2"), pinned, ca};
  std::set<std::string> plain;
  std::set<std::string> own;
  for (int round = 0; round < 5; ++round) {
    plain.insert(Connection(PostPlainly()));
    for (const TlsSettings& tls : kinds) {
      const HttpResult result = PostWith(tls);
      ASSERT_EQ(result.status, 200) << result.error_detail;
      EXPECT_TRUE(own.insert(Connection(result)).second) << "a connection came twice";
      EXPECT_NE(result.body.find(" . "), std::string::npos) << "a session came twice: " << result.body;
      EXPECT_EQ(Serial(result).empty(), tls.client_certificate_pem.empty()) << result.body;
    }
    const HttpResult result = PostPlainly();
    plain.insert(Connection(result));
    EXPECT_EQ(Serial(result), "") << "another endpoint's identity";
  }
  EXPECT_EQ(plain.size(), 1u) << "those without TLS of their own go on over one connection";
  for (const std::string& connection : plain) EXPECT_FALSE(own.contains(connection));
}

TEST_F(EndpointTlsTest, TheEndOfTheCertificateIsSeen) {
  const HttpResult first = PostPlainly();
  const WallMs now = RealClock().Wall();
  constexpr WallMs kDay = 24 * 3'600'000;
  EXPECT_GT(first.certificate_ends_ms, now + 29 * kDay);
  EXPECT_LT(first.certificate_ends_ms, now + 31 * kDay);
  EXPECT_EQ(PostPlainly().certificate_ends_ms, 0) << "no handshake";
  EXPECT_EQ(PostWith(Client("client")).certificate_ends_ms, first.certificate_ends_ms);
  Trust(theirs_);
  const HttpResult refused = PostPlainly();
  EXPECT_EQ(ToString(refused.error), "tls");
  EXPECT_EQ(refused.certificate_ends_ms, first.certificate_ends_ms) << "also of one that is refused";
}

TEST_F(EndpointTlsTest, SkippingVerificationIsForAllAndPinsStillCount) {
  Trust(theirs_, /*skip=*/true);
  EXPECT_EQ(PostPlainly().status, 200);
  TlsSettings tls;
  tls.pinned_keys = {PinOf(theirs_.certificate("other"))};
  EXPECT_EQ(ToString(PostWith(tls).error), "tls");
}

TEST_F(EndpointTlsTest, WhatIsNoTlsIsRefusedWithItsField) {
  const std::string certificate = ReadAll(ours_.certificate("client"));
  const std::string key = ReadAll(ours_.key("client"));
  const std::string pin = PinOf(ours_.certificate("server"));
  const std::pair<TlsSettings, std::string> bad[] = {
      {{"words", {}, "", ""}, "tls.ca_pem: is not one or more certificates in PEM"},
      {{certificate + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", {}, "", ""},
       "tls.ca_pem: is not"},
      {{certificate + key, {}, "", ""}, "tls.ca_pem: holds a private key"},
      {{std::string(kMaxTlsPemBytes + 1, 'a'), {}, "", ""},
       "tls.ca_pem: is 32769 bytes long, use at most 32768"},
      {{"", {pin, "sha256//"}, "", ""}, "tls.pinned_keys[1]: is not"},
      {{"", {pin + ";" + pin}, "", ""}, "tls.pinned_keys[0]: is not"},
      {{"", {pin.substr(8)}, "", ""}, "tls.pinned_keys[0]: is not"},
      {{"", {"sha256//AAAA"}, "", ""}, "tls.pinned_keys[0]: is not"},
      {{"", {"/etc/passwd"}, "", ""}, "tls.pinned_keys[0]: is not"},
      {{"", std::vector<std::string>(9, pin), "", ""}, "tls.pinned_keys: there are 9, use at most 8"},
      {{"", {}, certificate, ""}, "tls.client_key_pem: is empty"},
      {{"", {}, "", key}, "tls.client_certificate_pem: is empty"},
      {{"", {}, "words", key}, "tls.client_certificate_pem: is not"},
      {{"", {}, certificate, "words"}, "tls.client_key_pem: is not a key"},
      {{"", {}, certificate, ReadAll(ours_.key("client2"))}, "tls.client_key_pem: does not belong"},
  };
  for (const auto& [tls, error] : bad) {
    const absl::Status status = CheckTls(tls);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << error;
    EXPECT_EQ(status.message().find(error), 0u) << status;
    EXPECT_EQ(status.message().find("BEGIN"), std::string::npos);
  }
  EXPECT_TRUE(CheckTls({certificate + certificate, std::vector<std::string>(8, pin), certificate, key}).ok());
}

}  // namespace
}  // namespace hookd::testing
