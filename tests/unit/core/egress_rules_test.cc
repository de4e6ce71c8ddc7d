#include "dispatcher/core/egress_rules.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

using testing::HasSubstr;

std::vector<Cidr> Ranges(std::initializer_list<const char*> texts) {
  std::vector<Cidr> ranges;
  for (const char* text : texts) ranges.push_back(ParseCidr(text).value());
  return ranges;
}

TEST(EgressRulesTest, LoopbackIsASettingOfItsOwn) {
  EgressOptions options;
  options.allow_loopback = true;
  const EgressRules rules(options);
  for (const char* ip : {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_EQ(rules.RefuseAddress(*ParseIp(ip)), "") << ip;
  }
  for (const char* ip : {"0.0.0.0", "::", "10.0.0.1", "169.254.169.254", "::127.0.0.1", "fe80::1"}) {
    EXPECT_NE(rules.RefuseAddress(*ParseIp(ip)), "") << ip;
  }
  EXPECT_TRUE(rules.CheckUrl("http://localhost:8080/").ok());
}

TEST(EgressRulesTest, DenyWins) {
  EgressOptions options;
  options.allow_loopback = true;
  options.allow_addresses = Ranges({"10.0.0.0/8", "fd00::/8"});
  options.deny_addresses = Ranges({"10.1.0.0/16", "127.0.0.53", "8.8.8.0/24", "2606:4700::/32"});
  const EgressRules rules(options);
  for (const char* ip : {"10.0.0.1", "10.2.0.0", "fd00::1", "127.0.0.1", "8.8.9.0", "::ffff:10.0.0.1"}) {
    EXPECT_EQ(rules.RefuseAddress(*ParseIp(ip)), "") << ip;
  }
  for (const char* ip : {"10.1.0.0", "10.1.255.255", "127.0.0.53", "8.8.8.8", "2606:4700::1",
                         "::ffff:10.1.2.3", "64:ff9b::8.8.8.8", "2002:808:808::1"}) {
    EXPECT_EQ(rules.RefuseAddress(*ParseIp(ip)), "denied by egress.deny_addresses") << ip;
  }
  EXPECT_EQ(rules.RefuseAddress(*ParseIp("192.168.0.1")), "private");
}

TEST(EgressRulesTest, HostsGoBySuffixOfWholeLabels) {
  EgressOptions options;
  options.deny_hosts = {"evil.example", "Bad.Test"};
  const EgressRules denying(options);
  for (const char* host :
       {"evil.example", "a.evil.example", "EVIL.example", "evil.example.", "x.y.bad.test"}) {
    EXPECT_NE(denying.RefuseTarget(host, 443), "") << host;
  }
  for (const char* host : {"notevil.example", "evil.example.com", "example", "evil", "8.8.8.8"}) {
    EXPECT_EQ(denying.RefuseTarget(host, 443), "") << host;
  }
  options.allow_hosts = {"example", "partner.com"};
  options.allow_addresses = Ranges({"10.0.0.0/24"});
  const EgressRules both(options);
  for (const char* host :
       {"partner.com", "hooks.partner.com", "good.example", "10.0.0.7", "::ffff:10.0.0.7"}) {
    EXPECT_EQ(both.RefuseTarget(host, 443), "") << host;
  }
  for (const char* host : {"evil.example", "partner.com.evil", "other.com", "8.8.8.8", "10.0.1.7", "::1"}) {
    EXPECT_NE(both.RefuseTarget(host, 443), "") << host;
  }
}

TEST(EgressRulesTest, Ports) {
  EgressOptions options;
  options.deny_ports = {25, 6379};
  EXPECT_NE(EgressRules(options).RefuseTarget("example.com", 25), "");
  EXPECT_EQ(EgressRules(options).RefuseTarget("example.com", 8080), "");
  options.allow_ports = {443, 25};
  EXPECT_EQ(EgressRules(options).RefuseTarget("example.com", 443), "");
  EXPECT_NE(EgressRules(options).RefuseTarget("example.com", 80), "");
  EXPECT_NE(EgressRules(options).RefuseTarget("example.com", 25), "") << "deny wins";
}

TEST(EgressRulesTest, AUrlIsRefusedWithItsFieldAndTheRule) {
  EgressOptions options;
  options.allow_ports = {443};
  const EgressRules rules(options);
  const std::pair<const char*, const char*> cases[] = {
      {"https://10.0.0.1/", "(private)"},
      {"https://localhost/", "(loopback)"},
      {"https://example.com:8443/", "egress.allow_ports"},
      {"https://0x7f.1/", "looks like a number"},
  };
  for (const auto& [url, why] : cases) {
    const absl::Status status = rules.CheckUrl(url);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(std::string(status.message()), HasSubstr("url: ")) << url;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why)) << url;
  }
  EXPECT_TRUE(rules.CheckUrl("https://example.com/").ok());
}

TEST(EgressRulesTest, APolicyHandsOutWhatWasSetLast) {
  EgressPolicy policy;
  const uint64_t version = policy.version();
  const std::shared_ptr<const EgressRules> before = policy.Get();
  EXPECT_NE(before->RefuseAddress(*ParseIp("127.0.0.1")), "");
  EgressOptions options;
  options.allow_loopback = true;
  policy.Set(options);
  EXPECT_NE(policy.version(), version);
  EXPECT_EQ(policy.Get()->RefuseAddress(*ParseIp("127.0.0.1")), "");
  EXPECT_NE(before->RefuseAddress(*ParseIp("127.0.0.1")), "") << "rules never change";
}

TEST(EgressRulesTest, OnlyNewUrlsAreLookedAtAndTheTokenServersToo) {
  const EgressPolicy policy;
  const auto with = [](const std::string& url, const std::string& token_url) {
    Endpoint endpoint;
    endpoint.url = url;
    if (!token_url.empty()) {
      OAuth2Credentials oauth2;
      oauth2.token_url = token_url;
      endpoint.authorization.oauth2 = std::make_shared<const OAuth2Credentials>(std::move(oauth2));
    }
    return endpoint;
  };
  const Endpoint good = with("https://a.example/", "https://login.example/");
  const Endpoint bad = with("https://10.0.0.1/", "https://169.254.169.254/token");
  const auto check = [&](const Endpoint& before, const Endpoint& after) {
    return CheckNewUrls(&policy, before, after).ToString();
  };
  EXPECT_EQ(check({}, good), "OK");
  EXPECT_THAT(check({}, bad), HasSubstr("INVALID_ARGUMENT: url: "));
  EXPECT_THAT(check(good, with(good.url, "https://169.254.169.254/token")),
              HasSubstr("INVALID_ARGUMENT: authorization.oauth2.token_url: "));
  EXPECT_THAT(check(good, with(good.url, "https://localhost/")), HasSubstr("oauth2.token_url: "));
  EXPECT_EQ(check(bad, bad), "OK") << "what is there may stay";
  EXPECT_EQ(check(bad, with("", "")), "OK");
  EXPECT_EQ(CheckNewUrls(nullptr, {}, bad).ToString(), "OK");
}

}  // namespace
}  // namespace hookd
