#include "dispatcher/core/audit_chain.h"

#include <memory>
#include <string>
#include <vector>

#include <absl/strings/escaping.h>
#include <gtest/gtest.h>

#include "dispatcher/core/audit_forms.h"

namespace hookd {
namespace {

AuditRecord Some() {
  AuditRecord record;
  record.origin = {"tok_0000000000000007",          "operator", "on call", "192.0.2.1",
                   "EndpointService/PauseEndpoint", "why"};
  record.change = {"endpoint", "ep_000000000000002a", "acme", "{}", R"({"paused":true})", {"url"}};
  return record;
}

std::string Hex(const AuditHash& hash) {
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(hash.data()), hash.size()));
}

TEST(AuditChainTest, NumbersTimesAndSizesNeverFall) {
  AuditTail tail;
  AuditRecord first = Some();
  Chain(first, 1'700'000'000'000, tail);
  AuditRecord second = Some();
  Chain(second, 1'600'000'000'000, tail);  // the clock went back
  EXPECT_EQ(first.number, 1u);
  EXPECT_EQ(second.number, 2u);
  EXPECT_EQ(second.at_ms, 1'700'000'000'000);
  EXPECT_EQ(second.log_bytes, 2 * first.log_bytes);
  EXPECT_EQ(tail, (AuditTail{2, second.at_ms, second.hash, second.log_bytes}));
}

// By another implementation of what audit_service.proto says (Python's struct and hashlib).
TEST(AuditChainTest, TheHashIsWhatTheApiSays) {
  AuditTail tail;
  AuditRecord first = Some();
  Chain(first, 1'700'000'000'000, tail);
  EXPECT_EQ(Hex(first.hash), "02ceb9bb543146276904467d9ac8b4fa4ff2a254f21a68968f4c79b0d8be2cb8");
  AuditRecord second = Some();
  Chain(second, 1'700'000'000'001, tail);
  EXPECT_EQ(Hex(second.hash), "0570bea9e447813beaa98b8c5ae74526d39c1cab3c54a17ae671085dcfd923f9");
}

TEST(AuditChainTest, EveryFieldCounts) {
  AuditRecord record = Some();
  const AuditHash hash = HashOf(record, {});
  const auto differs = [&] { return HashOf(record, {}) != hash; };
  for (std::string* text :
       {&record.origin.actor, &record.origin.role, &record.origin.name, &record.origin.peer,
        &record.origin.call, &record.origin.reason, &record.change.resource_type, &record.change.resource_id,
        &record.change.subscriber_id, &record.change.before, &record.change.after,
        &record.change.secrets_changed[0]}) {
    *text += "x";
    EXPECT_TRUE(differs()) << *text;
    text->pop_back();
  }
  record.number = 1;
  EXPECT_TRUE(differs());
  record.number = 0;
  record.at_ms = 1;
  EXPECT_TRUE(differs());
  record.at_ms = 0;
  record.change.secrets_changed.clear();
  EXPECT_TRUE(differs());
  record = Some();
  EXPECT_FALSE(differs());
  EXPECT_NE(HashOf(record, hash), hash);
  // What one field loses another does not gain.
  record.origin.actor.pop_back();
  record.origin.role = "7operator";
  EXPECT_TRUE(differs());
}

TEST(AuditChainTest, WhatIsTooLargeIsLeftOut) {
  AuditTail tail;
  AuditRecord record = Some();
  record.change.before = std::string(kMaxAuditStateBytes, 'x');
  record.change.after = std::string(kMaxAuditStateBytes + 1, 'x');
  Chain(record, 1, tail);
  EXPECT_EQ(record.change.before.size(), kMaxAuditStateBytes);
  EXPECT_EQ(record.change.after, R"({"bytes":262145})");
}

SigningKey Key(std::string key) {
  SigningKey signing;
  signing.key = std::move(key);
  return signing;
}

TEST(AuditFormsTest, ChangedSecretsAreNamedWithoutTheirValues) {
  Endpoint before;
  before.url = "https://example.com/?key=1";
  before.headers = {{"X-Key", "a", true}, {"X-Plain", "a", false}};
  before.signing_keys = {Key("k")};
  before.authorization.basic = std::make_shared<const BasicCredentials>(BasicCredentials{"user", "one"});
  Endpoint after = before;
  EXPECT_TRUE(SecretsChanged(before, after).empty());
  after.headers[1].value = "b";  // the record shows it
  EXPECT_TRUE(SecretsChanged(before, after).empty());
  after.url = "https://example.com/?key=2";
  after.headers[0].value = "b";
  after.signing_keys = {Key("l"), Key("k")};
  after.authorization.basic = nullptr;
  OAuth2Credentials oauth2;
  oauth2.client_secret = "two";
  after.authorization.oauth2 = std::make_shared<const OAuth2Credentials>(oauth2);
  auto tls = std::make_shared<TlsSettings>();
  tls->client_key_pem = "PEM";
  after.tls = tls;
  EXPECT_EQ(SecretsChanged(before, after),
            (std::vector<std::string>{"url", "headers/X-Key", "signing_secret", "tls.client_key_pem",
                                      "authorization.basic.password", "authorization.oauth2.client_secret"}));
}

}  // namespace
}  // namespace hookd
