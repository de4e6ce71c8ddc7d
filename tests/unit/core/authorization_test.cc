#include "dispatcher/core/authorization.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatcher/core/endpoint_rules.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Endpoint Bare() {
  Endpoint endpoint;
  endpoint.subscriber_id = "acme";
  endpoint.url = "https://example.com/hook";
  endpoint.signing_keys = {{std::string(32, 'k')}};
  return endpoint;
}

std::string CheckBasic(BasicCredentials basic) {
  Endpoint endpoint = Bare();
  endpoint.authorization.basic = std::make_shared<const BasicCredentials>(std::move(basic));
  return CheckEndpoint(endpoint).ToString();
}

OAuth2Credentials Good() {
  return {"https://login.example/token", "client", "sesame", {"a:read", "b"}, "https://api.example", false};
}

std::string CheckOAuth2(const std::function<void(OAuth2Credentials&)>& change, const char* url = nullptr) {
  Endpoint endpoint = Bare();
  if (url != nullptr) endpoint.url = url;
  OAuth2Credentials oauth2 = Good();
  change(oauth2);
  endpoint.authorization.oauth2 = std::make_shared<const OAuth2Credentials>(std::move(oauth2));
  return CheckEndpoint(endpoint).ToString();
}

TEST(AuthorizationTest, TakesWhatHttpTakes) {
  EXPECT_EQ(CheckEndpoint(Bare()).ToString(), "OK");
  EXPECT_EQ(CheckBasic({"hookd", "p: \xc3\xbc"}), "OK");
  EXPECT_EQ(CheckBasic({std::string(256, 'u'), std::string(1024, 'p')}), "OK");
  EXPECT_EQ(CheckOAuth2([](OAuth2Credentials&) {}), "OK");
  EXPECT_EQ(CheckOAuth2([](OAuth2Credentials& o) { o.token_url = "http://login.example/t"; }, "http://h/"),
            "OK");
  EXPECT_EQ(CheckOAuth2([](OAuth2Credentials& o) {
              o.scopes.assign(32, std::string(128, 's'));
              o.audience.clear();
            }),
            "OK");
}

TEST(AuthorizationTest, RefusesTheRestWithoutEchoingIt) {
  using O = OAuth2Credentials;
  const std::pair<std::string, std::string> cases[] = {
      {CheckBasic({"", "sesame"}), "basic.user: is 0 bytes long, use 1 to 256"},
      {CheckBasic({std::string(257, 'u'), "sesame"}), "basic.user: is 257 bytes long"},
      {CheckBasic({"a:sesame", "p"}), "basic.user: holds a colon"},
      {CheckBasic({"a\r\nsesame: 1", "p"}), "basic.user: "},
      {CheckBasic({"a", "sesame\r\nx: 1"}), "basic.password: "},
      {CheckBasic({"a", "sesame\n"}), "basic.password: "},
      {CheckBasic({"a", ""}), "basic.password: is missing: give it"},
      {CheckBasic({"a", std::string(1025, 'p')}), "basic.password: is 1025 bytes long"},
      {CheckOAuth2([](O& o) { o.token_url = "ftp://sesame/"; }), "oauth2.token_url: "},
      {CheckOAuth2([](O& o) { o.token_url = ""; }), "oauth2.token_url: "},
      {CheckOAuth2([](O& o) { o.token_url = "https://u:sesame@h/"; }), "oauth2.token_url: "},
      {CheckOAuth2([](O& o) { o.token_url = "https://h/?key=sesame"; }), "oauth2.token_url: has a query"},
      {CheckOAuth2([](O& o) { o.token_url = "https://h/\r\nsesame"; }), "oauth2.token_url: "},
      {CheckOAuth2([](O& o) { o.token_url = "http://sesame/"; }),
       "oauth2.token_url: is http, and the endpoint's url is https"},
      {CheckOAuth2([](O& o) { o.client_id = ""; }), "oauth2.client_id: is 0 bytes long"},
      {CheckOAuth2([](O& o) { o.client_id = "sesame\r\n"; }), "oauth2.client_id: holds a control"},
      {CheckOAuth2([](O& o) { o.client_secret = ""; }), "oauth2.client_secret: is missing"},
      {CheckOAuth2([](O& o) { o.client_secret = "sesame\n"; }), "oauth2.client_secret: holds a control"},
      {CheckOAuth2([](O& o) {
         o.scopes = {"a", "sesame b"};
       }),
       "oauth2.scopes[1]: is not visible"},
      {CheckOAuth2([](O& o) { o.scopes = {""}; }), "oauth2.scopes[0]: is 0 bytes long"},
      {CheckOAuth2([](O& o) { o.scopes.assign(33, "a"); }), "oauth2.scopes: there are 33, use at most 32"},
      {CheckOAuth2([](O& o) { o.audience = "sesame\r\n"; }), "oauth2.audience: "},
  };
  for (const auto& [message, why] : cases) {
    EXPECT_THAT(message, StartsWith("INVALID_ARGUMENT: authorization." + why));
    EXPECT_THAT(message, Not(HasSubstr("sesame")));
  }
}

TEST(AuthorizationTest, ThereIsOneAuthorizationHeader) {
  Endpoint endpoint = Bare();
  endpoint.headers = {{"X-A", "1", false}, {"authorization", "Bearer sesame", true}};
  EXPECT_TRUE(CheckEndpoint(endpoint).ok());
  endpoint.authorization.basic = std::make_shared<const BasicCredentials>(BasicCredentials{"u", "p"});
  EXPECT_EQ(
      CheckEndpoint(endpoint).ToString(),
      "INVALID_ARGUMENT: authorization: is given, and headers[1] is Authorization too: leave one of them "
      "out");
}

// RFC 7617, 2.
TEST(AuthorizationTest, BasicIsTheExampleOfItsRfc) {
  EXPECT_EQ(BasicValue({"Aladdin", "open sesame"}), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(BasicValue({"test", "123\xc2\xa3"}), "Basic dGVzdDoxMjPCow==");
}

TEST(TokenRequestTest, ShowsTheClientByBasicOrInTheForm) {
  OAuth2Credentials oauth2 = Good();
  oauth2.client_id = "a b";
  oauth2.client_secret = "s:&=%+~";
  TokenRequest request = MakeTokenRequest(oauth2);
  EXPECT_EQ(request.form,
            "grant_type=client_credentials&scope=a%3Aread+b&audience=https%3A%2F%2Fapi.example");
  using Headers = std::vector<std::pair<std::string, std::string>>;
  // "a+b:s%3A%26%3D%25%2B%7E"
  EXPECT_EQ(request.headers, (Headers{{"Content-Type", "application/x-www-form-urlencoded"},
                                      {"Accept", "application/json"},
                                      {"Authorization", "Basic YStiOnMlM0ElMjYlM0QlMjUlMkIlN0U="}}));
  oauth2.secret_in_body = true;
  oauth2.scopes.clear();
  oauth2.audience.clear();
  request = MakeTokenRequest(oauth2);
  EXPECT_EQ(request.form, "grant_type=client_credentials&client_id=a+b&client_secret=s%3A%26%3D%25%2B%7E");
  EXPECT_EQ(request.headers.size(), 2U);
}

std::string Answer(int status, std::string_view body, bool truncated = false) {
  const absl::StatusOr<AccessGrant> grant = ReadTokenAnswer(status, body, truncated);
  if (!grant.ok()) return std::string(grant.status().message());
  return grant->token + " for " + std::to_string(grant->lifetime.count() / 1000);
}

TEST(TokenAnswerTest, AGrantIsATokenAndItsLifetime) {
  EXPECT_EQ(Answer(200, R"({"access_token":"t-1","token_type":"Bearer","expires_in":3600})"), "t-1 for 3600");
  EXPECT_EQ(Answer(200, R"({"access_token":"t","token_type":"bearer","expires_in":"60","more":[1]})"),
            "t for 60");
  EXPECT_EQ(Answer(200, R"({"access_token":"t"})"), "t for 300");
  for (const char* odd : {"0", "-5", "\"soon\"", "1.5", "null"}) {
    EXPECT_EQ(Answer(200, std::string(R"({"access_token":"t","expires_in":)") + odd + "}"), "t for 300")
        << odd;
  }
  EXPECT_EQ(Answer(200, R"({"access_token":"t","expires_in":9223372036854775807})"), "t for 86400");
  EXPECT_EQ(Answer(200, R"({"access_token":"t","expires_in":18446744073709551615})"), "t for 86400");
  EXPECT_EQ(Answer(200, R"({"access_token":")" + std::string(8192, 'x') + "\"}").size(), 8192U + 8);
}

TEST(TokenAnswerTest, AnythingElseIsToldWithoutTheServersWords) {
  EXPECT_EQ(Answer(401, R"({"error":"invalid_client","error_description":"secret sesame is wrong"})"),
            "the token server answered 401 (invalid_client)");
  EXPECT_EQ(Answer(400, R"({"error":"sesame"})"), "the token server answered 400");
  EXPECT_EQ(Answer(302, ""), "the token server answered 302");
  EXPECT_EQ(Answer(503, "<html>sesame"), "the token server answered 503");
  EXPECT_EQ(Answer(204, ""), "the token server answered 204");
  EXPECT_EQ(Answer(200, "{}", true),
            "the token server answered 200, but its body is too large, or did not end in time");
  EXPECT_EQ(Answer(200, "sesame"), "the token server answered 200, but not with a JSON object");
  EXPECT_EQ(Answer(200, "[\"access_token\"]"), "the token server answered 200, but not with a JSON object");
  EXPECT_EQ(Answer(200, std::string(10'000, '[')),
            "the token server answered 200, but not with a JSON object");
  EXPECT_EQ(Answer(200, "{}"), "the token server answered 200, but without an access_token");
  EXPECT_EQ(Answer(200, R"({"access_token":7})"),
            "the token server answered 200, but without an access_token");
  EXPECT_EQ(Answer(200, R"({"access_token":"t","token_type":"mac"})"),
            "the token server answered 200, but with a token_type that is not Bearer");
  for (const char* bad : {"a b", "a\\r\\nX-Evil: 1", "a\\u0000", "\\u00e9", "a\\n"}) {
    EXPECT_EQ(Answer(200, std::string(R"({"access_token":")") + bad + "\"}"),
              "the token server answered 200, but with an access_token that is not visible ASCII")
        << bad;
  }
  EXPECT_EQ(Answer(200, R"({"access_token":")" + std::string(8193, 'x') + "\"}"),
            "the token server answered 200, but with an access_token of over 8192 bytes");
}

TEST(TokenAnswerTest, ATokenIsRenewedAMinuteBeforeItEndsOrAfterThreeQuarters) {
  EXPECT_EQ(RenewAfter(Millis(3'600'000)), Millis(3'540'000));
  EXPECT_EQ(RenewAfter(Millis(240'000)), Millis(180'000));
  EXPECT_EQ(RenewAfter(Millis(1'000)), Millis(750));
}

}  // namespace
}  // namespace hookd
