#include "dispatcher/core/profiles.h"

#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatcher/core/profile_resolve.h"
#include "tests/profiles/profiles.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::SmallProfile;
using testing::SmallProfiles;
using ::testing::StartsWith;

std::string CheckWith(const std::function<void(Profile&)>& change) {
  Profile profile = SmallProfile();
  change(profile);
  return CheckProfile(profile).ToString();
}

TEST(ProfileRulesTest, NamesTheKeyThatIsWrong) {
  EXPECT_EQ(CheckWith([](Profile&) {}), "OK");
  const auto expect = [](const std::string& why, const std::function<void(Profile&)>& change) {
    EXPECT_THAT(CheckWith(change), StartsWith("INVALID_ARGUMENT: " + why));
  };
  expect("name: use 1 to 64 characters", [](Profile& p) { p.name = "a b"; });
  expect("policy.timeout: 99ms is out of range, use 100ms to 120s",
         [](Profile& p) { p.policy.timeout = Millis(99); });
  expect("overridable: there is no field timeouts: use some of mode, max_in_flight",
         [](Profile& p) { p.overridable = {"timeouts"}; });
  expect("overridable: names timeout twice", [](Profile& p) { p.overridable = {"timeout", "timeout"}; });
  expect("longest_timeout: is below policy.timeout", [](Profile& p) { p.longest_timeout = Millis(9'999); });
  expect("longest_timeout: is no timeout", [](Profile& p) { p.longest_timeout = Millis(120'001); });
  expect("url.schemes: is empty", [](Profile& p) { p.schemes.clear(); });
  expect("settings[1]: another setting is called guaranteed too",
         [](Profile& p) { p.settings[1].aliases = {"guaranteed"}; });
  expect("settings[0].when_on: makes policy.max_retries: 1001 is out of range",
         [](Profile& p) { p.settings[0].when_on.max_retries = 1001; });
  expect("settings[2].when_off.mutes[0]: ", [](Profile& p) { p.settings[2].when_off.mutes = {"a*b"}; });
  expect("tools.simulation.plans: holds an empty name", [](Profile& p) { p.simulation_plans = {""}; });
  expect("api_key.header: ", [](Profile& p) { p.api_key->header = "X KEY"; });
  expect("event_types[1].name: another type has it", [](Profile& p) { p.event_types[1].name = "message"; });
  expect("event_types[0].samples: is empty", [](Profile& p) { p.event_types[0].samples.clear(); });
  expect("event_types[0].samples[1].name: another sample has it",
         [](Profile& p) { p.event_types[0].samples[1].name = "text"; });
}

TEST(ProfileRulesTest, HoldsSamplesAgainstTheirSchemas) {
  EXPECT_THAT(CheckWith([](Profile& p) { p.event_types[0].samples[0].payload = "{\n \"id\": 1,\n}"; }),
              AllOf(HasSubstr("event_types[0].samples[0].file: samples/message.text.json is not valid JSON"),
                    HasSubstr("line 3")));
  EXPECT_THAT(
      CheckWith([](Profile& p) { p.event_types[0].samples[0].payload = "{\"id\": 1}"; }),
      HasSubstr("event_types[0].samples[0].file: samples/message.text.json does not fit schemas/message.json "
                "at /id: "));
  EXPECT_THAT(CheckWith([](Profile& p) { p.event_types[0].schema = "{\"type\": 1}"; }),
              HasSubstr("event_types[0].schema: schemas/message.json is no JSON Schema"));
}

TEST(ProfilesTest, FindsByName) {
  const auto profiles = SmallProfiles();
  ASSERT_NE(profiles->Find("small"), nullptr);
  EXPECT_EQ(profiles->Find("Small"), nullptr);
  EXPECT_EQ(profiles->Find(""), nullptr);
  EXPECT_EQ(profiles->Get("smal").status().ToString(),
            "INVALID_ARGUMENT: profile: there is none of that name, use one of small");
  EXPECT_EQ(Profiles().Get("x").status().ToString(),
            "INVALID_ARGUMENT: profile: there is none of that name, and none was loaded");
}

TEST(ProfilesTest, AStrictSubscribersEventIsInTheCatalogueAndFits) {
  const auto profiles = SmallProfiles();
  const LoadedProfile& small = *profiles->Find("small");
  EXPECT_TRUE(small.CheckEvent("message", R"({"id": "x"})").ok());
  EXPECT_TRUE(small.CheckEvent("ack", "17").ok());
  EXPECT_EQ(small.CheckEvent("messages", "{}").ToString(),
            "INVALID_ARGUMENT: type: messages is not in the catalogue of profile small, and the subscriber "
            "is strict: "
            "publish one of its types, or add this one");
  EXPECT_THAT(
      small.CheckEvent("message", R"({"id": "x", "contact": {"phones": ["1", 2]}})").ToString(),
      StartsWith("INVALID_ARGUMENT: payload: does not fit the schema of message in profile small, and the "
                 "subscriber is strict: at /contact/phones/1: "));
}

TEST(ProfilesTest, PlansGateTypesAndTools) {
  const auto profiles = SmallProfiles();
  const LoadedProfile& small = *profiles->Find("small");
  EXPECT_EQ(GatedType(small, "free", "message"), nullptr);
  EXPECT_EQ(GatedType(small, "free", "unknown"), nullptr);
  EXPECT_EQ(GatedType(small, "gold", "ack"), nullptr);
  const ProfileEventType* ack = GatedType(small, "free", "ack");
  ASSERT_NE(ack, nullptr);
  EXPECT_EQ(GateText(small, *ack, "free"),
            "profile small has ack in the plans paid, gold; the subscriber's is \"free\"");
  EXPECT_EQ(GateText(small, *ack, ""),
            "profile small has ack in the plans paid, gold; the subscriber has none");
  EXPECT_TRUE(ToolAllowed(small, "paid", Tool::kSimulation).ok());
  EXPECT_TRUE(ToolAllowed(small, "", Tool::kCapture).ok());
  EXPECT_EQ(ToolAllowed(small, "gold", Tool::kSimulation).ToString(),
            "FAILED_PRECONDITION: profile small has the simulation in the plans paid; the subscriber's is "
            "\"gold\"");
}

TEST(ResolveTest, SettingsGoByNameOrAliasAndAreKeptWhereTheyDiffer) {
  const Profile small = SmallProfile();
  EXPECT_EQ(*NormalSettings(small, {{"guaranteedHooks", true}, {"acks", true}, {"upload", false}}),
            (Settings{{"guaranteed", true}}));
  EXPECT_EQ(*NormalSettings(small, {{"acknowledgements", false}, {"acks", false}}),
            (Settings{{"acks", false}}));
  EXPECT_EQ(NormalSettings(small, {{"acks", true}, {"ackNotificationsOn", false}}).status().ToString(),
            "INVALID_ARGUMENT: settings: acks is said to be both on and off, under two names: say it once");
  EXPECT_EQ(
      NormalSettings(small, {{"ack\n", true}}).status().ToString(),
      "INVALID_ARGUMENT: settings: profile small has no ack\\n, use guaranteed, parallel, acks, upload");
  EXPECT_EQ(
      WholeSettings(small, {{"guaranteed", true}, {"gone", true}}),
      (Settings{
          {"guaranteed", true}, {"parallel", false}, {"acks", true}, {"upload", false}, {"gone", true}}));
}

TEST(ResolveTest, SettingsGoOverThePolicy) {
  const Profile small = SmallProfile();
  DeliveryPolicy expected = small.policy;
  EXPECT_EQ(PolicyOf(small, {}), expected);
  EXPECT_EQ(expected.max_retries, 5u);
  expected.max_retries = 19;
  EXPECT_EQ(PolicyOf(small, {{"guaranteed", true}}), expected);
  expected.mode = DeliveryMode::kParallel;
  expected.max_in_flight = 16;
  EXPECT_EQ(PolicyOf(small, {{"guaranteed", true}, {"parallel", true}}), expected);
  EXPECT_TRUE(MutedTypes(small, {}).empty());
  EXPECT_THAT(MutedTypes(small, {{"acks", false}}), ElementsAre("ack"));
}

TEST(ResolveTest, OverridesAreThoseThatTheProfileLets) {
  const Profile small = SmallProfile();
  const DeliveryPolicy given = PolicyOf(small, {});
  const auto check = [&](const std::function<void(DeliveryPolicy&)>& change) {
    DeliveryPolicy wanted = given;
    change(wanted);
    return CheckOverrides(small, given, wanted).ToString();
  };
  EXPECT_EQ(check([](DeliveryPolicy& p) {
              p.timeout = Millis(30'000);
              p.max_retries = 0;
              p.coalesce = false;
            }),
            "OK");
  EXPECT_EQ(check([](DeliveryPolicy& p) { p.mode = DeliveryMode::kParallel; }),
            "INVALID_ARGUMENT: policy.mode: profile small does not let an endpoint set it, leave it out; it "
            "lets it set "
            "timeout, max_retries, coalesce");
  EXPECT_EQ(check([](DeliveryPolicy& p) { p.timeout = Millis(30'001); }),
            "INVALID_ARGUMENT: policy.timeout: is 30001 ms, and profile small allows at most 30000 ms "
            "(longest_timeout)");
}

TEST(ResolveTest, AChangeOfSettingsKeepsWhatTheEndpointHasSetItself) {
  const Profile small = SmallProfile();
  DeliveryPolicy policy = PolicyOf(small, {});
  policy.timeout = Millis(2'000);
  policy.max_retries = 7;  // its own: the setting does not go over it
  ChangeSettings(small, {}, {{"guaranteed", true}, {"parallel", true}}, policy);
  EXPECT_EQ(policy.timeout, Millis(2'000));
  EXPECT_EQ(policy.max_retries, 7u);
  EXPECT_EQ(policy.mode, DeliveryMode::kParallel);
  ChangeSettings(small, {{"guaranteed", true}, {"parallel", true}}, {}, policy);
  EXPECT_EQ(policy.mode, DeliveryMode::kOrdered);
  EXPECT_EQ(policy.max_in_flight, 8u);
  // What is no longer the profile's, and could not be set, is the profile's again.
  policy.backlog = 7;
  ChangeSettings(small, {}, {}, policy);
  EXPECT_EQ(policy.backlog, 1000u);
}

TEST(ResolveTest, UrlsHaveSchemeAndPort) {
  const Profile small = SmallProfile();
  EXPECT_TRUE(CheckUrlAllowed(small, "https://a.example/x?k=1", false).ok());
  EXPECT_TRUE(CheckUrlAllowed(small, "https://a.example:8443/", false).ok());
  EXPECT_EQ(
      CheckUrlAllowed(small, "https://a.example:444/?key=secret", false).ToString(),
      "INVALID_ARGUMENT: url: its port is 444, and profile small takes port 443, 8443 only (url.ports)");
  EXPECT_EQ(CheckUrlAllowed(small, "http://a.example/?key=secret", false).ToString(),
            "INVALID_ARGUMENT: url: is http, and profile small takes https only (url.schemes); an operator "
            "can admit "
            "http by profiles.allow_http");
  EXPECT_TRUE(CheckUrlAllowed(small, "http://a.example:8080/", true).ok());
  Profile any = small;
  any.schemes = {"http", "https"};
  any.ports.clear();
  EXPECT_TRUE(CheckUrlAllowed(any, "http://a.example:8080/", false).ok());
}

TEST(ResolveTest, HeadersOfItsOwn) {
  const Profile small = SmallProfile();
  Endpoint endpoint;
  EXPECT_TRUE(CheckHeadersAllowed(small, endpoint).ok());
  endpoint.headers = {{"X", "secret", true}};
  EXPECT_EQ(CheckHeadersAllowed(small, endpoint).ToString(),
            "INVALID_ARGUMENT: headers: profile small lets an endpoint have none of its own "
            "(custom_headers): leave "
            "them out");
  endpoint.headers.clear();
  endpoint.authorization.basic = std::make_shared<const BasicCredentials>(BasicCredentials{"u", "p"});
  EXPECT_EQ(CheckHeadersAllowed(small, endpoint).ToString(),
            "INVALID_ARGUMENT: authorization: profile small lets an endpoint have no headers of its own "
            "(custom_headers): leave it out");
}

// An account: endpoints by their channels; the last one is that of another profile.
std::map<EndpointId, std::shared_ptr<const Endpoint>> Account(
    const std::vector<std::vector<std::string>>& channels) {
  std::map<EndpointId, std::shared_ptr<const Endpoint>> account;
  for (size_t i = 0; i <= channels.size(); ++i) {
    auto endpoint = std::make_shared<Endpoint>();
    endpoint->id = EndpointId::Make(1, i + 1);
    endpoint->profile = i < channels.size() ? "small" : "other";
    if (i < channels.size()) endpoint->channels = channels[i];
    account[endpoint->id] = endpoint;
  }
  return account;
}

TEST(ResolveTest, EndpointsOfOneChannel) {
  Profile small = SmallProfile();
  Endpoint endpoint;
  endpoint.profile = "small";
  const auto check = [&](const std::vector<std::string>& channels,
                         const std::vector<std::vector<std::string>>& others) {
    endpoint.channels = channels;
    return std::string(CheckEndpointCount(small, endpoint, Account(others)).ToString());
  };
  EXPECT_EQ(check({}, {}), "OK");
  EXPECT_EQ(check({"a"}, {{"b"}, {"c"}}), "OK");
  EXPECT_THAT(
      check({"a"}, {{"b"}, {"a"}}),
      StartsWith("FAILED_PRECONDITION: channels: profile small has at most 1 endpoint for one channel "
                 "(endpoints_per_channel), and channel a has them"));
  EXPECT_THAT(check({}, {{"b"}}), HasSubstr("and channel b has them"));
  EXPECT_THAT(check({"a"}, {{}}), HasSubstr("and channel a has them"));
  EXPECT_THAT(check({}, {{}}), HasSubstr("and the subscriber has them"));
  EXPECT_THAT(check({"a", "b"}, {}),
              StartsWith("INVALID_ARGUMENT: channels: profile small has endpoints of one"));
  endpoint.id = EndpointId::Make(1, 1);  // itself
  EXPECT_EQ(check({"a"}, {{"a"}}), "OK");
  endpoint.id = {};
  small.endpoints_per_channel = 2;
  EXPECT_EQ(check({"a"}, {{"a"}}), "OK");
  EXPECT_EQ(check({}, {{"a"}, {"b"}}), "OK");
  EXPECT_THAT(check({"a"}, {{"a"}, {}}), StartsWith("FAILED_PRECONDITION"));
  small.endpoints_per_channel = 0;
  EXPECT_EQ(check({"a", "b"}, {{"a"}, {}}), "OK");
}

TEST(ResolveTest, NamedTypesAreInThePlan) {
  const auto profiles = SmallProfiles();
  Endpoint endpoint;
  endpoint.event_types = {"message", "ac*", "*"};
  EXPECT_TRUE(CheckTypesInPlan(*profiles->Find("small"), "free", endpoint).ok());
  endpoint.event_types = {"message", "ack"};
  EXPECT_EQ(CheckTypesInPlan(*profiles->Find("small"), "free", endpoint).ToString(),
            "FAILED_PRECONDITION: event_types[1]: profile small has ack in the plans paid, gold; the "
            "subscriber's is "
            "\"free\"");
  EXPECT_TRUE(CheckTypesInPlan(*profiles->Find("small"), "paid", endpoint).ok());
}

// What comes with hookd.
TEST(ProfilesTest, TheInstalledProfilesAreGood) {
  absl::StatusOr<std::vector<Profile>> loaded = LoadProfiles({"config/profiles"}, CheckProfile);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  std::vector<std::string> names;
  for (const Profile& profile : *loaded) names.push_back(profile.name);
  EXPECT_THAT(names, ElementsAre("cbot", "chat-api", "standard", "wamm", "wassenger", "whizard"));
  EXPECT_TRUE(Profiles::Make(*std::move(loaded)).ok());
}

}  // namespace
}  // namespace hookd
