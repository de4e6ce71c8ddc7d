#include "cli/plan.h"

#include <gtest/gtest.h>

namespace hookd::cli {
namespace {

const char* const kFile = R"(
subscribers:
  - id: acme
    name: Acme Ltd
    endpoints:
      - name: shop
        url: https://shop.example/hooks
        event_types: ["message:*"]
        headers:
          - {name: X-Shop, value: one}
          - {name: Authorization, value: hush, secret: true}
        policy: {mode: keyed, timeout: 5s, backoff: "1s:1m", auto_disable: {failures: 30}}
)";

Manifest Parsed(const std::string& text) {
  absl::StatusOr<Manifest> manifest = ParseManifest(text, "f.yaml");
  EXPECT_TRUE(manifest.ok()) << manifest.status();
  return manifest.value_or(Manifest());
}

std::string Fault(const std::string& text) {
  return std::string(ParseManifest(text, "f.yaml").status().message());
}

// As hookd would have it once the manifest was applied.
Current Applied(const Manifest& manifest) {
  Current current;
  uint64_t number = 0;
  for (const WantedSubscriber& wanted : manifest.subscribers) {
    CurrentSubscriber& there = current[wanted.id];
    there.subscriber = wanted.subscriber;
    for (const WantedEndpoint& endpoint : wanted.endpoints) {
      v1::Endpoint& added = there.endpoints.emplace_back(endpoint.endpoint);
      added.set_id("ep_" + std::to_string(++number));
      for (v1::Header& header : *added.mutable_headers()) {
        if (header.secret()) header.clear_value();
      }
    }
  }
  return current;
}

std::string Plan(const Manifest& manifest, const Current& current, const PlanOptions& options = {}) {
  const auto plan = MakePlan(manifest, current, options);
  return plan.ok() ? PlanText(*plan) : std::string(plan.status().message());
}

TEST(PlanTest, CreatesWhatIsNotThere) {
  EXPECT_EQ(Plan(Parsed(kFile), {}),
            "+ subscriber acme\n"
            "    name: Acme Ltd\n"
            "+ endpoint shop of acme\n"
            "    description: shop\n"
            "    url: https://shop.example/hooks\n"
            "    event_types: message:*\n"
            "    headers: X-Shop: one, Authorization: (secret)\n"
            "    policy.mode: keyed\n"
            "    policy.timeout: 5s\n"
            "    policy.backoff: 1s x n, at most 60s, jitter 0.1\n"
            "    policy.auto_disable: 30 failures in a row over 3600s, or status 410\n"
            "2 to create, 0 to change, 0 to delete\n");
}

TEST(PlanTest, NothingDiffersOnceApplied) {
  const Manifest manifest = Parsed(kFile);
  EXPECT_EQ(Plan(manifest, Applied(manifest)), "no difference\n");
  EXPECT_EQ(Plan(manifest, Applied(manifest), {.prune = true}), "no difference\n");
}

TEST(PlanTest, ShowsFieldByFieldWhatChanges) {
  const Manifest manifest = Parsed(kFile);
  Current current = Applied(manifest);
  v1::Endpoint& endpoint = current["acme"].endpoints[0];
  endpoint.mutable_policy()->mutable_timeout()->set_seconds(30);
  endpoint.set_url("https://old.example/");
  endpoint.mutable_policy()->set_max_retries(7);  // the file does not say
  EXPECT_EQ(Plan(manifest, current),
            "~ endpoint ep_1 (shop) of acme\n"
            "    url: https://old.example/ -> https://shop.example/hooks\n"
            "    policy.timeout: 30s -> 5s\n"
            "0 to create, 1 to change, 0 to delete\n");
  const auto plan = MakePlan(manifest, current, {});
  EXPECT_EQ(plan->front().paths, (std::vector<std::string>{"url", "policy.timeout"}));
  EXPECT_EQ(plan->front().endpoint_id, "ep_1");
}

TEST(PlanTest, SecretsAreSentAgainOnRequestAndNeverShown) {
  const Manifest manifest = Parsed(kFile);
  const std::string text = Plan(manifest, Applied(manifest), {.secrets = true});
  EXPECT_NE(text.find("Authorization: (secret), sent again"), std::string::npos) << text;
  EXPECT_EQ(text.find("hush"), std::string::npos) << text;
  const auto plan = MakePlan(manifest, Applied(manifest), {.secrets = true});
  EXPECT_EQ(plan->front().endpoint.headers(1).value(), "hush");
  EXPECT_EQ(PlanJson(*plan).ShortDebugString().find("hush"), std::string::npos);
}

TEST(PlanTest, DeletesOnlyOnRequestAndLast) {
  const Manifest manifest = Parsed(kFile);
  Current current = Applied(manifest);
  v1::Endpoint other = current["acme"].endpoints[0];
  other.set_id("ep_9");
  other.set_description("other");
  current["acme"].endpoints.insert(current["acme"].endpoints.begin(), other);
  current["acme"].subscriber.set_name("Old");
  EXPECT_EQ(Plan(manifest, current),
            "~ subscriber acme\n    name: Old -> Acme Ltd\n0 to create, 1 to change, 0 to delete\n");
  EXPECT_EQ(Plan(manifest, current, {.prune = true}),
            "~ subscriber acme\n    name: Old -> Acme Ltd\n"
            "- endpoint ep_9 (other) of acme\n"
            "0 to create, 1 to change, 1 to delete\n");
  const Manifest silent = Parsed("subscribers: [{id: acme}]");
  EXPECT_EQ(Plan(silent, current, {.prune = true}), "no difference\n") << "it does not list endpoints";
  const Manifest none = Parsed("subscribers: [{id: acme, endpoints: []}]");
  EXPECT_EQ(MakePlan(none, current, {.prune = true})->size(), 2U);
}

TEST(PlanTest, AnEndpointIsFoundByNameThenByUrl) {
  const Manifest manifest = Parsed(kFile);
  Current renamed = Applied(manifest);
  renamed["acme"].endpoints[0].set_description("an old name");
  EXPECT_EQ(Plan(manifest, renamed),
            "~ endpoint ep_1 (an old name) of acme\n    description: an old name -> shop\n"
            "0 to create, 1 to change, 0 to delete\n");
  Current twice = Applied(manifest);
  twice["acme"].endpoints.push_back(twice["acme"].endpoints[0]);
  twice["acme"].endpoints[1].set_id("ep_2");
  EXPECT_EQ(
      Plan(manifest, twice),
      "subscriber acme: ep_1 and ep_2 both have the name shop: give them descriptions of their own first");
  // The name goes first: a URL does not take what another name is for.
  const Manifest swapped = Parsed(R"(
subscribers:
  - id: acme
    endpoints:
      - {name: new, url: "https://h/1"}
      - {name: old, url: "https://h/2"}
)");
  Current one;
  one["acme"].subscriber.set_id("acme");
  v1::Endpoint& there = one["acme"].endpoints.emplace_back();
  there.set_id("ep_1");
  there.set_description("old");
  there.set_url("https://h/1");
  EXPECT_EQ(Plan(swapped, one),
            "+ endpoint new of acme\n    description: new\n    url: https://h/1\n"
            "~ endpoint ep_1 (old) of acme\n    url: https://h/1 -> https://h/2\n"
            "1 to create, 1 to change, 0 to delete\n");
}

TEST(PlanTest, States) {
  const Manifest manifest = Parsed(
      "subscribers: [{id: a, paused: true, endpoints: [{url: 'http://h/', paused: true, disabled: false}]}]");
  EXPECT_EQ(
      Plan(manifest, {}),
      "+ subscriber a\n    paused: yes\n+ endpoint http://h/ of a\n    url: http://h/\n    paused: yes\n"
      "2 to create, 0 to change, 0 to delete\n");
  Current current = Applied(manifest);
  current["a"].subscriber.set_paused(true);
  current["a"].endpoints[0].mutable_disabled();
  EXPECT_EQ(Plan(manifest, current),
            "~ endpoint ep_1 (http://h/) of a\n    paused: no -> yes\n    disabled: yes -> no\n"
            "0 to create, 1 to change, 0 to delete\n");
}

TEST(ManifestTest, JsonIsTakenToo) {
  const Manifest manifest = Parsed(
      R"({"subscribers": [{"id": "a", "endpoints": [{"url": "http://h/", "policy": {"max_retries": 3}}]}]})");
  EXPECT_EQ(manifest.subscribers[0].endpoints[0].endpoint.policy().max_retries(), 3U);
}

TEST(ManifestTest, FaultsNameTheLineAndTheKey) {
  const std::string head = "subscribers:\n  - id: a\n    endpoints:\n      - url: http://h/\n        ";
  EXPECT_EQ(Fault("subscriber: []"),
            "f.yaml:1: subscriber: unknown key: remove it, or use one of subscribers");
  EXPECT_EQ(Fault(""), "f.yaml:1: has no subscribers: give them");
  EXPECT_EQ(Fault(head + "colour: red"),
            "f.yaml:5: subscribers[0].endpoints[0].colour: unknown key: remove it, or use one of name, url, "
            "event_types, channels, headers, tls, authorization, signing_secret_file, profile, settings, "
            "policy, paused, disabled");
  EXPECT_EQ(Fault(head + "policy: {timeout: soon}"),
            "f.yaml:5: subscribers[0].endpoints[0].policy.timeout: is not a duration: write it like 500ms, "
            "30s, 15m or 1h");
  EXPECT_EQ(Fault(head + "policy: {max_retries: -1}"),
            "f.yaml:5: subscribers[0].endpoints[0].policy.max_retries: -1 is not a whole number from 0 to "
            "4294967295");
  EXPECT_EQ(Fault(head + "url: http://i/"),
            "f.yaml:5: subscribers[0].endpoints[0].url: given twice: keep one");
  EXPECT_EQ(Fault(head + "paused: perhaps"),
            "f.yaml:5: subscribers[0].endpoints[0].paused: perhaps is not known: give one of true, false");
  EXPECT_EQ(Fault("subscribers: [{id: a}, {id: a}]"),
            "f.yaml:1: subscribers[1]: another subscriber has its id");
  EXPECT_EQ(Fault("subscribers: [{id: a, endpoints: [{url: x}, {url: x}]}]"),
            "f.yaml:1: subscribers[0].endpoints[1]: another endpoint has its url: give them names");
  EXPECT_EQ(Fault("subscribers: {}"),
            "f.yaml:1: subscribers: has to be a list: write [a, b], or [] for none");
  EXPECT_EQ(Fault("a: [").substr(0, 25), "f.yaml:1: not valid YAML ");
  EXPECT_EQ(Fault("subscribers: []\n---\nsubscribers: []\n"), "f.yaml:2: a second document: keep only one");
  // yaml-cpp finds documents without end in it.
  EXPECT_EQ(Fault(" ,"), "f.yaml:1: a second document: keep only one");
  EXPECT_EQ(Fault(std::string("a: &a [x]\nb: \x10\0\n", 16)).find('\n'), std::string::npos);
  for (const char* policy :
       {"mode: random", "success_codes: [2xx]", "backoff: 15s", "rate_limit: fast", "http_version: 3",
        "kept_bodies: none", "auto_disable: {on_gone: 1}", "speed: 1"}) {
    EXPECT_NE(Fault(head + "policy: {" + policy + "}"), "") << policy;
  }
}

const char* const kProfileFile = R"(
subscribers:
  - id: acme
    profile: chat-api
    plan: paid
    strict: true
    alert_addresses: [a@example.com, b@example.com]
    endpoints:
      - name: shop
        url: https://shop.example/hooks?key=hush
        profile: chat-api
        settings: {parallel_hooks: true}
        policy:
          backoff: "15s:15m:0.1:exact"
          rate_limit: "5:1:member"
          auto_disable: {failures: 60, count_429: true}
          batch: {event_types: ["message:*"], max_members: 10}
          coalesce: true
          mail_subscriber: true
          auto_probe: "5m:1h"
)";

TEST(PlanTest, ProfilesAndTheirFields) {
  const Manifest manifest = Parsed(kProfileFile);
  EXPECT_EQ(Plan(manifest, {}),
            "+ subscriber acme\n"
            "    profile: chat-api\n"
            "    plan: paid\n"
            "    strict: yes\n"
            "    alert_addresses: a@example.com, b@example.com\n"
            "+ endpoint shop of acme\n"
            "    profile: chat-api\n"
            "    description: shop\n"
            "    url: https://shop.example/hooks?key=***\n"
            "    settings: parallel_hooks on\n"
            "    policy.backoff: 15s x n, at most 900s, jitter 0.1 but for the first\n"
            "    policy.rate_limit: 5 members/s, burst 1\n"
            "    policy.auto_disable: 60 failures in a row over 3600s, 429 counted, or status 410\n"
            "    policy.batch: message:*, at most 10, lingers 1s\n"
            "    policy.coalesce: yes\n"
            "    policy.mail_subscriber: yes\n"
            "    policy.auto_probe: after 300s, at most 3600s apart\n"
            "2 to create, 0 to change, 0 to delete\n");
  Current current = Applied(manifest);
  v1::Endpoint& there = current["acme"].endpoints[0];
  (*there.mutable_settings())["guaranteed_hooks"] = true;  // the file does not name it
  EXPECT_EQ(Plan(manifest, current), "no difference\n");
  (*there.mutable_settings())["parallel_hooks"] = false;
  there.set_url("https://shop.example/hooks?key=other");
  EXPECT_EQ(
      Plan(manifest, current),
      "~ endpoint ep_1 (shop) of acme\n"
      "    url: https://shop.example/hooks?key=*** -> https://shop.example/hooks?key=***\n"
      "    settings: guaranteed_hooks on, parallel_hooks off -> guaranteed_hooks on, parallel_hooks on\n"
      "0 to create, 1 to change, 0 to delete\n");
  there.set_profile("");
  EXPECT_EQ(
      Plan(manifest, current),
      "endpoint ep_1 (shop) has no profile, not chat-api: that cannot be changed, make another endpoint");
}

}  // namespace
}  // namespace hookd::cli
