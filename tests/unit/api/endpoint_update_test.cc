#include "dispatcher/api/endpoint_update.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/api/full_endpoint.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;

google::protobuf::FieldMask Mask(const std::vector<std::string>& paths) {
  google::protobuf::FieldMask mask;
  for (const std::string& path : paths) mask.add_paths(path);
  return mask;
}

absl::Status ApplyUpdate(const v1::Endpoint& from, const google::protobuf::FieldMask& mask, Endpoint& to) {
  const absl::StatusOr<EndpointUpdate> update = EndpointUpdate::Make(from, mask);
  const Subscriber owner;
  return update.ok() ? update->Apply(Profiles(), {owner, {}}, to) : update.status();
}

TEST(EndpointUpdateTest, UpdateChangesOnlyWhatTheMaskNames) {
  const Endpoint before = *FromProto(FullEndpoint());
  v1::Endpoint from;
  from.set_url("http://other");
  from.set_description("other");
  from.mutable_policy()->mutable_timeout()->set_seconds(9);
  from.mutable_policy()->set_max_retries(5);
  Endpoint after = before;
  ASSERT_TRUE(ApplyUpdate(from, Mask({"url", "policy.timeout"}), after).ok());
  Endpoint expected = before;
  expected.url = "http://other";
  expected.policy.timeout = Millis(9000);
  EXPECT_EQ(ToProto(ViewOf(after)).DebugString(), ToProto(ViewOf(expected)).DebugString());
}

TEST(EndpointUpdateTest, EveryPolicyPathChangesItsFieldAlone) {
  v1::Endpoint from;
  const DeliveryPolicy before = FromProto(FullEndpoint())->policy;
  const DeliveryPolicy defaults;
  const std::vector<std::pair<std::string, std::function<void(DeliveryPolicy&)>>> paths = {
      {"policy.mode", [&](DeliveryPolicy& p) { p.mode = defaults.mode; }},
      {"policy.max_in_flight", [&](DeliveryPolicy& p) { p.max_in_flight = defaults.max_in_flight; }},
      {"policy.timeout", [&](DeliveryPolicy& p) { p.timeout = defaults.timeout; }},
      {"policy.success_codes", [&](DeliveryPolicy& p) { p.success = defaults.success; }},
      {"policy.max_retries", [&](DeliveryPolicy& p) { p.max_retries = defaults.max_retries; }},
      {"policy.backoff", [&](DeliveryPolicy& p) { p.backoff = defaults.backoff; }},
      {"policy.rate_limit", [&](DeliveryPolicy& p) { p.rate = defaults.rate; }},
      {"policy.retry_after_max", [&](DeliveryPolicy& p) { p.retry_after_max = defaults.retry_after_max; }},
      {"policy.alert_after", [&](DeliveryPolicy& p) { p.alert_after = defaults.alert_after; }},
      {"policy.auto_disable", [&](DeliveryPolicy& p) { p.disable = defaults.disable; }},
      {"policy.backlog", [&](DeliveryPolicy& p) { p.backlog = defaults.backlog; }},
      {"policy.http_version", [&](DeliveryPolicy& p) { p.http_version = defaults.http_version; }},
      {"policy.kept_bodies", [&](DeliveryPolicy& p) { p.keep_all_bodies = defaults.keep_all_bodies; }},
      {"policy.batch", [&](DeliveryPolicy& p) { p.batch = defaults.batch; }},
      {"policy.coalesce", [&](DeliveryPolicy& p) { p.coalesce = defaults.coalesce; }},
      {"policy.mail_subscriber", [&](DeliveryPolicy& p) { p.mail_subscriber = defaults.mail_subscriber; }},
      {"policy.auto_probe", [&](DeliveryPolicy& p) { p.probe = defaults.probe; }},
      {"policy", [&](DeliveryPolicy& p) { p = defaults; }},
  };
  for (const auto& [path, reset] : paths) {
    Endpoint endpoint = *FromProto(FullEndpoint());
    ASSERT_TRUE(ApplyUpdate(from, Mask({path}), endpoint).ok()) << path;
    DeliveryPolicy expected = before;
    reset(expected);
    EXPECT_EQ(endpoint.policy, expected) << path;
    EXPECT_NE(endpoint.policy, before) << path;
  }
}

TEST(EndpointUpdateTest, UpdateReadsOnlyWhatTheMaskNames) {
  v1::Endpoint from;
  from.set_description("other");
  from.set_url("not read");
  from.mutable_policy()->set_mode(static_cast<v1::DeliveryMode>(99));
  from.mutable_policy()->set_max_retries(5);
  from.set_signing_secret("not read");
  Endpoint endpoint = *FromProto(FullEndpoint());
  ASSERT_TRUE(ApplyUpdate(from, Mask({"description", "policy.max_retries"}), endpoint).ok());
  EXPECT_EQ(endpoint.description, "other");
  EXPECT_EQ(endpoint.policy.max_retries, 5u);
  EXPECT_EQ(endpoint.policy.mode, DeliveryMode::kParallel);
}

// What is applied on the committer's thread was judged before, but for the policy, whose unset parts the
// profile gives.
TEST(EndpointUpdateTest, UpdateIsCheckedBeforeItIsApplied) {
  v1::Endpoint from;
  from.set_url("ftp://example.com");
  from.set_description(std::string(257, 'x'));
  from.add_event_types("a*b");
  from.add_channels("");
  from.add_headers()->set_name("Host");
  from.set_signing_secret("short");
  from.mutable_policy()->mutable_backoff()->mutable_linear()->mutable_step()->set_seconds(1'000'000);
  for (const char* path : {"url", "description", "event_types", "channels", "headers", "signing_secret"}) {
    EXPECT_EQ(EndpointUpdate::Make(from, Mask({path})).status().code(), absl::StatusCode::kInvalidArgument)
        << path;
  }
  Endpoint endpoint = *FromProto(FullEndpoint());
  EXPECT_EQ(ApplyUpdate(from, Mask({"policy.backoff"}), endpoint).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(EndpointUpdate::Make(from, Mask({"paused"})).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(EndpointUpdate::Make(from, Mask({"policy.timeout"})).ok());
}

TEST(EndpointUpdateTest, SecretHeaderWithoutAValueKeepsTheOneItHas) {
  Endpoint endpoint = *FromProto(FullEndpoint());
  v1::Endpoint from;
  v1::Header& header = *from.add_headers();
  header.set_name("x-secret");
  header.set_secret(true);
  ASSERT_TRUE(ApplyUpdate(from, Mask({"headers"}), endpoint).ok());
  ASSERT_EQ(endpoint.headers.size(), 1u);
  EXPECT_EQ(endpoint.headers[0].value, "unseen");
  header.set_name("X-Plain");  // had a value, but not a secret one
  EXPECT_FALSE(ApplyUpdate(from, Mask({"headers"}), endpoint).ok());
}

TEST(EndpointUpdateTest, AuthorizationKeepsItsSecretWhereItIsShownToTheSame) {
  const v1::Endpoint full = FullEndpoint();
  v1::Endpoint from = full;
  v1::OAuth2& oauth2 = *from.mutable_authorization()->mutable_oauth2();
  oauth2.clear_client_secret();
  oauth2.clear_scopes();
  Endpoint endpoint = *FromProto(full);
  ASSERT_TRUE(ApplyUpdate(from, Mask({"authorization"}), endpoint).ok());
  EXPECT_EQ(endpoint.authorization.oauth2->client_secret, "unheard");
  EXPECT_TRUE(endpoint.authorization.oauth2->scopes.empty());

  oauth2.set_token_url("https://evil.example/token");
  EXPECT_THAT(ApplyUpdate(from, Mask({"authorization"}), endpoint).ToString(),
              HasSubstr("authorization.oauth2.client_secret: is missing"));
  endpoint = *FromProto(full);
  oauth2.set_token_url(full.authorization().oauth2().token_url());
  oauth2.set_client_id("another");
  EXPECT_FALSE(ApplyUpdate(from, Mask({"authorization"}), endpoint).ok());
  oauth2.set_client_secret("its own");
  EXPECT_TRUE(ApplyUpdate(from, Mask({"authorization"}), endpoint).ok());
  EXPECT_EQ(endpoint.authorization.oauth2->client_secret, "its own");

  from.mutable_authorization()->mutable_basic()->set_user("me");
  EXPECT_THAT(ApplyUpdate(from, Mask({"authorization"}), endpoint).ToString(),
              HasSubstr("authorization.basic.password: is missing"));
  from.mutable_authorization()->mutable_basic()->set_password("hush");
  endpoint = *FromProto(full);
  ASSERT_TRUE(ApplyUpdate(from, Mask({"authorization"}), endpoint).ok());
  EXPECT_EQ(endpoint.authorization.oauth2, nullptr);
  from.mutable_authorization()->mutable_basic()->clear_password();
  ASSERT_TRUE(ApplyUpdate(from, Mask({"authorization"}), endpoint).ok());
  EXPECT_EQ(endpoint.authorization.basic->password, "hush");
  ASSERT_TRUE(ApplyUpdate({}, Mask({"authorization"}), endpoint).ok());
  EXPECT_EQ(endpoint.authorization.basic, nullptr);
}

TEST(EndpointUpdateTest, AMaskedUrlKeepsTheStoredOneOrIsRefused) {
  Endpoint endpoint = *FromProto(FullEndpoint());
  v1::Endpoint from;
  from.set_url("https://example.com/hook?key=***");
  ASSERT_TRUE(ApplyUpdate(from, Mask({"url"}), endpoint).ok());
  EXPECT_EQ(endpoint.url, "https://example.com/hook?key=1");
  for (const char* other : {"https://example.com/other?key=***", "https://example.com/hook?key=***&b=2",
                            "https://example.com/hook?***"}) {
    from.set_url(other);
    Endpoint copy = endpoint;
    EXPECT_EQ(
        ApplyUpdate(from, Mask({"url"}), copy).message(),
        "url: its query holds \"***\", which stands for a value that is not shown: give the value itself");
  }
  v1::Endpoint made = FullEndpoint();
  made.set_url("https://example.com/hook?key=***");
  EXPECT_EQ(NewEndpoint::Make(made).status().code(), absl::StatusCode::kInvalidArgument);
  from.set_url("https://example.com/hook?key=2");
  ASSERT_TRUE(ApplyUpdate(from, Mask({"url"}), endpoint).ok());
  EXPECT_EQ(endpoint.url, "https://example.com/hook?key=2");
}

constexpr char kPin[] = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

TEST(EndpointUpdateTest, TlsIsReplacedWholeAndItsKeyIsWriteOnly) {
  Endpoint endpoint = *FromProto(FullEndpoint());
  v1::Endpoint from;
  from.mutable_tls()->add_pinned_keys(kPin);
  ASSERT_TRUE(ApplyUpdate(from, Mask({"tls"}), endpoint).ok());
  EXPECT_EQ(endpoint.tls->pinned_keys, std::vector<std::string>{kPin});
  // A stored key stays for a certificate that comes without one; whether it fits is then judged.
  endpoint.tls = std::make_shared<const TlsSettings>(TlsSettings{"", {}, "stored", "unseen key"});
  EXPECT_EQ(ToProto(ViewOf(endpoint)).SerializeAsString().find("unseen key"), std::string::npos);
  from.mutable_tls()->set_client_certificate_pem("new");
  EXPECT_EQ(ApplyUpdate(from, Mask({"tls"}), endpoint).message(),
            "tls.client_certificate_pem: is not one or more certificates in PEM");
  EXPECT_EQ(endpoint.tls->client_key_pem, "unseen key");
  from.clear_tls();
  ASSERT_TRUE(ApplyUpdate(from, Mask({"tls"}), endpoint).ok());
  EXPECT_EQ(endpoint.tls, nullptr);
}

TEST(EndpointUpdateTest, TlsIsForHttps) {
  Endpoint endpoint = *FromProto(FullEndpoint());
  v1::Endpoint from;
  from.mutable_tls()->add_pinned_keys(kPin);
  ASSERT_TRUE(ApplyUpdate(from, Mask({"tls"}), endpoint).ok());
  from.set_url("http://example.com/");
  Endpoint copy = endpoint;
  EXPECT_EQ(ApplyUpdate(from, Mask({"url"}), copy).message(),
            "tls: is for https, and the url is not: change one of them");
  from.clear_tls();
  ASSERT_TRUE(ApplyUpdate(from, Mask({"url", "tls"}), copy).ok());
  v1::Endpoint made = FullEndpoint();
  made.mutable_tls()->add_pinned_keys("words");
  EXPECT_EQ(NewEndpoint::Make(made).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(EndpointUpdateTest, UpdateDoesNotTakeAnEmptySigningSecret) {
  Endpoint endpoint;
  EXPECT_EQ(ApplyUpdate({}, Mask({"signing_secret"}), endpoint).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace hookd
