#include "dispatcher/core/endpoint_rules.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatcher/core/filter.h"
#include "dispatcher/core/policy_rules.h"

namespace hookd {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string CheckPolicyWith(const std::function<void(DeliveryPolicy&)>& change) {
  DeliveryPolicy policy;
  change(policy);
  return CheckPolicy(policy).ToString();
}

TEST(PolicyRulesTest, TakesDefaultsAndBothEndsOfEveryRange) {
  EXPECT_EQ(CheckPolicyWith([](DeliveryPolicy&) {}), "OK");
  EXPECT_EQ(CheckPolicyWith([](DeliveryPolicy& p) {
              p.mode = DeliveryMode::kParallel;
              p.max_in_flight = 1;
              p.timeout = Millis(100);
              p.success = {{100, 100}};
              p.max_retries = 0;
              p.backoff = LinearBackoff(Millis(100), Millis(100), 0);
              p.rate = {0, 1};
              p.retry_after_max = Millis(0);
              p.alert_after = 0;
              p.disable = {0, Millis(0), false};
              p.backlog = 0;
              p.batch = {{"message:*"}, 1, Millis(0)};
              p.probe = {Millis(60'000), Millis(60'000)};
            }),
            "OK");
  EXPECT_EQ(CheckPolicyWith([](DeliveryPolicy& p) {
              p.mode = DeliveryMode::kKeyed;
              p.max_in_flight = 1000;
              p.timeout = Millis(120'000);
              p.success = std::vector<StatusRange>(16, {100, 599});
              p.max_retries = 1000;
              p.backoff = LinearBackoff(Millis(86'400'000), Millis(86'400'000), 1);
              p.rate = {10'000, 10'000};
              p.retry_after_max = std::chrono::hours(24);
              p.alert_after = 100'000;
              p.disable = {100'000, std::chrono::hours(30 * 24), true};
              p.backlog = 1'000'000'000;
              p.http_version = HttpVersion::kHttp2;
              p.rate.unit = RateUnit::kMember;
              p.batch = {std::vector<std::string>(64, "message:*"), 25, Millis(60'000)};
              p.probe = {std::chrono::hours(24), std::chrono::hours(24)};
            }),
            "OK");
}

TEST(PolicyRulesTest, BoundsBatchesAndProbes) {
  const std::string cap = CheckPolicyWith([](DeliveryPolicy& p) {
    p.probe = {Millis(120'000), Millis(60'000)};
  });
  EXPECT_THAT(cap, HasSubstr("policy.auto_probe.cap: 1m is out of range, use 120s to 24h"));
  EXPECT_THAT(CheckPolicyWith([](DeliveryPolicy& p) { p.probe.first = Millis(59'999); }),
              HasSubstr("policy.auto_probe.first: 59999ms is out of range, use 1m to 24h"));
  // What never happens may say anything.
  EXPECT_EQ(CheckPolicyWith([](DeliveryPolicy& p) { p.probe = {Millis(0), Millis(-1)}; }), "OK");
  EXPECT_THAT(CheckPolicyWith([](DeliveryPolicy& p) { p.batch.max_members = 26; }),
              HasSubstr("policy.batch.max_members: 26 is out of range, use 1 to 25"));
  EXPECT_THAT(CheckPolicyWith([](DeliveryPolicy& p) { p.batch.max_members = 0; }), HasSubstr("use 1 to 25"));
  EXPECT_THAT(CheckPolicyWith([](DeliveryPolicy& p) { p.batch.linger = Millis(60'001); }),
              HasSubstr("policy.batch.linger: 60001ms is out of range, use 0ms to 1m"));
  EXPECT_THAT(CheckPolicyWith([](DeliveryPolicy& p) {
                p.batch.event_types = {"a", "b*c"};
              }),
              HasSubstr("policy.batch.event_types[1]: '*' may stand at the end only"));
  EXPECT_THAT(CheckPolicyWith([](DeliveryPolicy& p) { p.batch.event_types.assign(65, "a"); }),
              HasSubstr("policy.batch.event_types: there are 65, use at most 64"));
  EXPECT_THAT(CheckPolicyWith([](DeliveryPolicy& p) { p.rate.unit = static_cast<RateUnit>(3); }),
              HasSubstr("policy.rate_limit.unit: is unknown"));
}

TEST(PolicyRulesTest, NamesTheFieldAndItsRange) {
  using P = DeliveryPolicy;
  const std::pair<std::function<void(P&)>, std::string> cases[] = {
      {[](P& p) { p.mode = static_cast<DeliveryMode>(0); },
       "mode: is unknown, use ORDERED, KEYED or PARALLEL"},
      {[](P& p) { p.max_in_flight = 0; }, "max_in_flight: 0 is out of range, use 1 to 1000"},
      {[](P& p) { p.max_in_flight = 1001; }, "max_in_flight: 1001 is out of range, use 1 to 1000"},
      {[](P& p) { p.timeout = Millis(50); }, "timeout: 50ms is out of range, use 100ms to 120s"},
      {[](P& p) { p.timeout = Millis(0); }, "timeout: 0ms is out of range, use 100ms to 120s"},
      {[](P& p) { p.timeout = Millis(-1000); }, "timeout: -1s is out of range, use 100ms to 120s"},
      {[](P& p) { p.timeout = Millis(120'001); }, "timeout: 120001ms is out of range, use 100ms to 120s"},
      {[](P& p) { p.success.clear(); }, "success_codes: there are 0 ranges, use 1 to 16"},
      {[](P& p) {
         p.success.assign(17, {200, 299});
       },
       "success_codes: there are 17 ranges, use 1 to 16"},
      {[](P& p) {
         p.success = {{200, 200}, {99, 200}};
       },
       "success_codes[1]: 99 to 200 is not a range, use 100 to 599 with first not above last"},
      {[](P& p) {
         p.success = {{200, 600}};
       },
       "success_codes[0]: 200 to 600 is not a range, use 100 to 599 with first not above last"},
      {[](P& p) {
         p.success = {{300, 299}};
       },
       "success_codes[0]: 300 to 299 is not a range, use 100 to 599 with first not above last"},
      {[](P& p) { p.max_retries = 1001; }, "max_retries: 1001 is out of range, use 0 to 1000"},
      {[](P& p) { p.backoff.step = Millis(99); }, "backoff.step: 99ms is out of range, use 100ms to 24h"},
      {[](P& p) { p.backoff.step = std::chrono::hours(25); },
       "backoff.step: 25h is out of range, use 100ms to 24h"},
      {[](P& p) { p.backoff.cap = Millis(14'999); }, "backoff.cap: 14999ms is out of range, use 15s to 24h"},
      {[](P& p) { p.backoff.cap = Millis(86'400'001); },
       "backoff.cap: 86400001ms is out of range, use 15s to 24h"},
      {[](P& p) { p.backoff.jitter = -0.01; }, "backoff.jitter: -0.01 is out of range, use 0 to 1"},
      {[](P& p) { p.backoff.jitter = 1.01; }, "backoff.jitter: 1.01 is out of range, use 0 to 1"},
      {[](P& p) { p.backoff.jitter = std::nan(""); }, "backoff.jitter: nan is out of range, use 0 to 1"},
      {[](P& p) { p.rate.per_second = 10'001; },
       "rate_limit.per_second: 10001 is out of range, use 0 to 10000"},
      {[](P& p) { p.retry_after_max = Millis(-1); }, "retry_after_max: -1ms is out of range, use 0ms to 24h"},
      {[](P& p) { p.retry_after_max = Millis(86'400'001); },
       "retry_after_max: 86400001ms is out of range, use 0ms to 24h"},
      {[](P& p) { p.alert_after = 100'001; }, "alert_after: 100001 is out of range, use 0 to 100000"},
      {[](P& p) { p.disable.failures = 100'001; },
       "auto_disable.failures: 100001 is out of range, use 0 to 100000"},
      {[](P& p) { p.disable.span = Millis(-1); }, "auto_disable.span: -1ms is out of range, use 0ms to 720h"},
      {[](P& p) { p.disable.span = std::chrono::hours(721); },
       "auto_disable.span: 721h is out of range, use 0ms to 720h"},
      {[](P& p) { p.backlog = 1'000'000'001; }, "backlog: 1000000001 is out of range, use 0 to 1000000000"},
      {[](P& p) { p.http_version = static_cast<HttpVersion>(0); }, "http_version: is unknown, use 1.1 or 2"},
      {[](P& p) { p.rate.burst = 0; }, "rate_limit.burst: 0 is out of range, use 1 to 10000"},
      {[](P& p) { p.rate.burst = 10'001; }, "rate_limit.burst: 10001 is out of range, use 1 to 10000"},
  };
  for (const auto& [change, why] : cases) {
    EXPECT_EQ(CheckPolicyWith(change), "INVALID_ARGUMENT: policy." + why);
  }
}

std::string CheckBackoffWith(const std::function<void(Backoff&)>& change) {
  return CheckPolicyWith([&change](DeliveryPolicy& policy) { change(policy.backoff); });
}

// Each kind takes both ends of what it uses, and anything in what it does not use.
TEST(PolicyRulesTest, TakesEveryKindOfBackoff) {
  for (const Millis step : {Millis(100), Millis(86'400'000)}) {
    EXPECT_EQ(CheckBackoffWith(
                  [step](Backoff& b) { b = {BackoffKind::kFixed, step, Millis(-1), 0, {Millis(1)}, 1}; }),
              "OK");
    EXPECT_EQ(CheckBackoffWith([step](Backoff& b) {
                b = {BackoffKind::kExponential, step, Millis(86'400'000), 1, {Millis(1)}, 0};
              }),
              "OK");
    EXPECT_EQ(
        CheckBackoffWith([step](Backoff& b) { b = {BackoffKind::kExponential, step, step, 10, {}, 0}; }),
        "OK");
    EXPECT_EQ(CheckBackoffWith(
                  [step](Backoff& b) { b = {BackoffKind::kSchedule, Millis(-1), Millis(-1), 0, {step}, 0}; }),
              "OK");
    EXPECT_EQ(CheckBackoffWith([step](Backoff& b) {
                b = {BackoffKind::kSchedule, Millis(0), Millis(0), 0, std::vector<Millis>(64, step), 0};
              }),
              "OK");
  }
}

TEST(PolicyRulesTest, NamesWhatIsWrongOfABackoff) {
  using B = Backoff;
  const std::pair<std::function<void(B&)>, std::string> cases[] = {
      {[](B& b) { b.kind = static_cast<BackoffKind>(0); },
       "kind: is unknown, use LINEAR, FIXED, EXPONENTIAL or SCHEDULE"},
      {[](B& b) { b = {BackoffKind::kFixed, Millis(99), Millis(0), 2, {}, 0}; },
       "step: 99ms is out of range, use 100ms to 24h"},
      {[](B& b) { b = {BackoffKind::kFixed, Millis(86'400'001), Millis(0), 2, {}, 0}; },
       "step: 86400001ms is out of range, use 100ms to 24h"},
      {[](B& b) { b = {BackoffKind::kFixed, Millis(1000), Millis(0), 2, {}, 1.5}; },
       "jitter: 1.5 is out of range, use 0 to 1"},
      {[](B& b) { b = {BackoffKind::kExponential, Millis(99), Millis(1000), 2, {}, 0}; },
       "step: 99ms is out of range, use 100ms to 24h"},
      {[](B& b) { b = {BackoffKind::kExponential, Millis(1000), Millis(999), 2, {}, 0}; },
       "cap: 999ms is out of range, use 1s to 24h"},
      {[](B& b) { b = {BackoffKind::kExponential, Millis(1000), Millis(1000), 0.99, {}, 0}; },
       "factor: 0.99 is out of range, use 1 to 10"},
      {[](B& b) { b = {BackoffKind::kExponential, Millis(1000), Millis(1000), 10.5, {}, 0}; },
       "factor: 10.5 is out of range, use 1 to 10"},
      {[](B& b) { b = {BackoffKind::kExponential, Millis(1000), Millis(1000), std::nan(""), {}, 0}; },
       "factor: nan is out of range, use 1 to 10"},
      {[](B& b) { b = {BackoffKind::kSchedule, Millis(1000), Millis(1000), 2, {}, 0}; },
       "schedule: there are 0 entries, use 1 to 64"},
      {[](B& b) {
         b = {BackoffKind::kSchedule, Millis(0), Millis(0), 2, std::vector<Millis>(65, Millis(1000)), 0};
       },
       "schedule: there are 65 entries, use 1 to 64"},
      {[](B& b) {
         b = {BackoffKind::kSchedule, Millis(0), Millis(0), 2, std::vector<Millis>(4, Millis(1000)), 0};
         b.schedule[3] = Millis(99);
       },
       "schedule[3]: 99ms is out of range, use 100ms to 24h"},
      {[](B& b) { b = {BackoffKind::kSchedule, Millis(0), Millis(0), 2, {Millis(86'400'001)}, 0}; },
       "schedule[0]: 86400001ms is out of range, use 100ms to 24h"},
  };
  for (const auto& [change, why] : cases) {
    EXPECT_EQ(CheckBackoffWith(change), "INVALID_ARGUMENT: policy.backoff." + why);
  }
}

TEST(FilterRulesTest, TakesExactTypesAndPrefixes) {
  EXPECT_EQ(CheckFilters({}, {}).ToString(), "OK");
  EXPECT_EQ(CheckFilters({"message:in:new", "message:*", "m*", "*", std::string(128, 'a') + "*"},
                         {"n1", std::string(128, 'c')})
                .ToString(),
            "OK");
}

TEST(FilterRulesTest, RefusesOtherPatterns) {
  for (const std::string& bad : {std::string(), std::string("a b"), std::string(129, 'a'),
                                 std::string(129, 'a') + "*", std::string("a?"), std::string("a\n*")}) {
    EXPECT_THAT(CheckFilters({"ok", bad}, {}).ToString(),
                StartsWith("INVALID_ARGUMENT: event_types[1]: use 1 to 128 characters"));
  }
  for (const char* bad : {"*:new", "a*b", "**", "a**", "*a*"}) {
    EXPECT_EQ(CheckFilters({bad}, {}).ToString(),
              "INVALID_ARGUMENT: event_types[0]: '*' may stand at the end only, and once");
  }
  EXPECT_EQ(CheckFilters({}, {"a", ""}).ToString(), "INVALID_ARGUMENT: channels[1]: must not be empty");
  EXPECT_EQ(CheckFilters({}, {std::string(129, 'c')}).ToString(),
            "INVALID_ARGUMENT: channels[0]: is 129 bytes long, use at most 128");
}

TEST(FilterRulesTest, BoundsCounts) {
  EXPECT_EQ(CheckFilters(std::vector<std::string>(64, "t"), std::vector<std::string>(1000, "c")).ToString(),
            "OK");
  EXPECT_EQ(CheckFilters(std::vector<std::string>(65, "t"), {}).ToString(),
            "INVALID_ARGUMENT: event_types: there are 65, use at most 64");
  EXPECT_EQ(CheckFilters({}, std::vector<std::string>(1001, "c")).ToString(),
            "INVALID_ARGUMENT: channels: there are 1001, use at most 1000");
}

TEST(FilterTest, EmptyFiltersMatchEverything) {
  EXPECT_TRUE(Matches({}, "message:in:new", "n1"));
  EXPECT_TRUE(Matches({}, "message:in:new", ""));
}

TEST(FilterTest, TypesMatchExactlyOrByPrefix) {
  Endpoint endpoint;
  endpoint.event_types = {"status", "message:in:*"};
  EXPECT_TRUE(Matches(endpoint, "status", ""));
  EXPECT_TRUE(Matches(endpoint, "message:in:new", ""));
  EXPECT_TRUE(Matches(endpoint, "message:in:", ""));
  EXPECT_FALSE(Matches(endpoint, "message:in", ""));
  EXPECT_FALSE(Matches(endpoint, "status2", ""));
  EXPECT_FALSE(Matches(endpoint, "Status", ""));
  endpoint.event_types = {"*"};
  EXPECT_TRUE(Matches(endpoint, "anything", ""));
}

TEST(FilterTest, ChannelsMatchExactlyAndNeverAnEventWithoutOne) {
  Endpoint endpoint;
  endpoint.channels = {"n1", "n2"};
  EXPECT_TRUE(Matches(endpoint, "t", "n2"));
  EXPECT_FALSE(Matches(endpoint, "t", "n3"));
  EXPECT_FALSE(Matches(endpoint, "t", "n"));
  EXPECT_FALSE(Matches(endpoint, "t", ""));
}

TEST(FilterTest, MutedTypesAreNeverTaken) {
  Endpoint endpoint;
  endpoint.muted_event_types = {"ack", "status:*"};
  EXPECT_TRUE(Matches(endpoint, "message", ""));
  EXPECT_TRUE(Matches(endpoint, "acknowledged", ""));
  EXPECT_FALSE(Matches(endpoint, "ack", ""));
  EXPECT_FALSE(Matches(endpoint, "status:update", ""));
  endpoint.event_types = {"ack"};
  EXPECT_FALSE(Matches(endpoint, "ack", ""));
}

TEST(FilterTest, BothFiltersMustMatch) {
  Endpoint endpoint;
  endpoint.event_types = {"a"};
  endpoint.channels = {"n1"};
  EXPECT_TRUE(Matches(endpoint, "a", "n1"));
  EXPECT_FALSE(Matches(endpoint, "b", "n1"));
  EXPECT_FALSE(Matches(endpoint, "a", "n2"));
}

Endpoint GoodEndpoint() {
  Endpoint endpoint;
  endpoint.subscriber_id = "acct_1";
  endpoint.description = "first h\u00f6ok";
  endpoint.url = "https://example.com/hook?token=sesame";
  endpoint.headers = {{"Authorization", "Bearer sesame", true}};
  endpoint.signing_keys = {{std::string(32, 'k')}};
  return endpoint;
}

std::string CheckEndpointWith(const std::function<void(Endpoint&)>& change) {
  Endpoint endpoint = GoodEndpoint();
  change(endpoint);
  return CheckEndpoint(endpoint).ToString();
}

TEST(EndpointRulesTest, TakesAGoodEndpoint) {
  EXPECT_EQ(CheckEndpointWith([](Endpoint&) {}), "OK");
  EXPECT_EQ(CheckEndpointWith([](Endpoint& e) {
              e.description = std::string(256, 'd');
              e.signing_keys = std::vector<SigningKey>(10, {std::string(64, 'k')});
            }),
            "OK");
}

TEST(EndpointRulesTest, ChecksEveryFieldAndNeverEchoesSecrets) {
  using E = Endpoint;
  const std::pair<std::function<void(E&)>, std::string> cases[] = {
      {[](E& e) { e.subscriber_id = ""; }, "subscriber_id: "},
      {[](E& e) { e.description = std::string(257, 'd'); }, "description: is 257 bytes long"},
      {[](E& e) { e.description = "\xc3"; }, "description: is not valid UTF-8"},
      {[](E& e) { e.url = "https://u@example.com/?token=sesame"; }, "url: "},
      {[](E& e) { e.event_types = {"a*b"}; }, "event_types[0]: "},
      {[](E& e) { e.channels = {""}; }, "channels[0]: "},
      {[](E& e) {
         e.headers = {{"Host", "sesame", true}};
       },
       "headers[0].name: "},
      {[](E& e) {
         e.headers = {{"X-A", "sesame\n", true}};
       },
       "headers[0].value: "},
      {[](E& e) { e.policy.timeout = Millis(1); }, "policy.timeout: "},
      {[](E& e) { e.signing_keys.clear(); }, "signing_secret: there are 0, use 1 to 10"},
      {[](E& e) { e.signing_keys = std::vector<SigningKey>(11, {std::string(32, 'k')}); },
       "signing_secret: there are 11, use 1 to 10"},
      {[](E& e) { e.signing_keys = {{"sesame"}}; }, "signing_secret: holds a key of 6 bytes, use 24 to 64"},
  };
  for (const auto& [change, why] : cases) {
    const std::string message = CheckEndpointWith(change);
    EXPECT_THAT(message, StartsWith("INVALID_ARGUMENT: " + why));
    EXPECT_THAT(message, Not(HasSubstr("sesame")));
  }
}

TEST(EndpointRulesTest, BoundsTheStateNote) {
  EXPECT_EQ(CheckStateNote("").ToString(), "OK");
  EXPECT_EQ(CheckStateNote("moved to the new h\u00f6st").ToString(), "OK");
  EXPECT_EQ(CheckStateNote(std::string(256, 'n')).ToString(), "OK");
  EXPECT_EQ(CheckStateNote(std::string(257, 'n')).ToString(),
            "INVALID_ARGUMENT: reason: is 257 bytes long, use at most 256");
  EXPECT_EQ(CheckStateNote("two\nlines").ToString(),
            "INVALID_ARGUMENT: reason: holds a control character, remove it");
  EXPECT_EQ(CheckStateNote("\xc3").ToString(), "INVALID_ARGUMENT: reason: is not valid UTF-8");
}

}  // namespace
}  // namespace hookd
