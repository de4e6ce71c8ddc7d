#include "config/profile_loader.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/document.h"

namespace hookd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr char kFolder[] = "tests/profiles";  // tests run in the repository's root
constexpr char kSmall[] = "tests/profiles/small.yaml";

absl::Status Anything(const Profile&) { return absl::OkStatus(); }

// A folder with the small profile, changed.
class ProfileFileTest : public ::testing::Test {
 protected:
  ProfileFileTest()
      : folder_(std::filesystem::temp_directory_path() / absl::StrCat("hookd_profiles_", getpid())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    std::filesystem::copy(absl::StrCat(kFolder, "/small"), folder_ / "small",
                          std::filesystem::copy_options::recursive);
    yaml_ = *config::ReadFile(kSmall, 1 << 20);
  }
  ~ProfileFileTest() override { std::filesystem::remove_all(folder_); }

  void Replace(const std::string& from, const std::string& to) {
    ASSERT_THAT(yaml_, HasSubstr(from));
    yaml_ = absl::StrReplaceAll(yaml_, {{from, to}});
  }
  // The fault, without the folder's name.
  std::string Fault(const ProfileCheck& check = Anything) {
    std::ofstream(folder_ / "small.yaml") << yaml_;
    const absl::StatusOr<Profile> profile = LoadProfile(folder_ / "small.yaml", check);
    if (profile.ok()) return "";
    EXPECT_EQ(profile.status().code(), absl::StatusCode::kInvalidArgument);
    return absl::StrReplaceAll(std::string(profile.status().message()), {{folder_.string() + "/", ""}});
  }

  const std::filesystem::path folder_;
  std::string yaml_;
};

TEST(ProfileLoaderTest, ReadsEveryKey) {
  const absl::StatusOr<std::vector<Profile>> profiles = LoadProfiles({kFolder}, Anything);
  ASSERT_TRUE(profiles.ok()) << profiles.status();
  ASSERT_EQ(profiles->size(), 1u);
  const Profile& small = profiles->front();
  EXPECT_EQ(small.name, "small");
  EXPECT_EQ(small.title, "Small");
  EXPECT_EQ(small.description, "A provider of the tests.");
  const DeliveryPolicy& policy = small.policy;
  EXPECT_EQ(policy.mode, DeliveryMode::kOrdered);
  EXPECT_EQ(policy.max_in_flight, 8u);
  EXPECT_EQ(policy.timeout, Millis(10'000));
  EXPECT_THAT(policy.success, ElementsAre(StatusRange{200, 200}, StatusRange{204, 205}));
  EXPECT_EQ(policy.max_retries, 5u);
  Backoff backoff = LinearBackoff(Millis(15'000), Millis(300'000), 0.1);
  backoff.exact_first = true;
  EXPECT_EQ(policy.backoff, backoff);
  EXPECT_EQ(policy.rate, (RateLimit{0, 1, RateUnit::kRequest}));
  EXPECT_EQ(policy.retry_after_max, Millis(0));
  EXPECT_EQ(policy.alert_after, 0u);
  EXPECT_EQ(policy.disable, (AutoDisable{0, Millis(0), false, true}));
  EXPECT_EQ(policy.backlog, 1000u);
  EXPECT_EQ(policy.http_version, HttpVersion::kHttp11);
  EXPECT_FALSE(policy.keep_all_bodies);
  EXPECT_EQ(policy.batch, (BatchPolicy{{"failed"}, 25, Millis(1'000)}));
  EXPECT_TRUE(policy.coalesce);
  EXPECT_FALSE(policy.mail_subscriber);
  EXPECT_EQ(policy.probe, (AutoProbe{Millis(0), Millis(3'600'000)}));
  EXPECT_THAT(small.overridable, ElementsAre("timeout", "max_retries", "coalesce"));
  EXPECT_EQ(small.longest_timeout, Millis(30'000));
  EXPECT_THAT(small.schemes, ElementsAre("https"));
  EXPECT_THAT(small.ports, ElementsAre(443, 8443));
  EXPECT_EQ(small.endpoints_per_channel, 1u);
  EXPECT_FALSE(small.custom_headers);
  ASSERT_EQ(small.settings.size(), 4u);
  EXPECT_EQ(small.settings[0].when_on.max_retries, 19u);
  EXPECT_FALSE(small.settings[0].when_off.max_retries.has_value());
  EXPECT_EQ(small.settings[1].when_on.mode, DeliveryMode::kParallel);
  EXPECT_EQ(small.settings[1].when_on.max_in_flight, 16u);
  EXPECT_TRUE(small.settings[2].on);
  EXPECT_THAT(small.settings[2].aliases, ElementsAre("ackNotificationsOn", "acknowledgements"));
  EXPECT_THAT(small.settings[2].when_off.mutes, ElementsAre("ack"));
  EXPECT_THAT(small.simulation_plans, ElementsAre("paid"));
  EXPECT_THAT(small.capture_plans, IsEmpty());
  EXPECT_EQ(small.ownership, Ownership::kNone);
  ASSERT_TRUE(small.api_key.has_value());
  EXPECT_EQ(small.api_key->header, "X-SMALL-KEY");
  EXPECT_TRUE(small.api_key->clears_endpoints);
  EXPECT_FALSE(small.api_key->echoes_headers);
  ASSERT_EQ(small.event_types.size(), 3u);
  EXPECT_THAT(small.event_types[1].plans, ElementsAre("paid", "gold"));
  EXPECT_TRUE(small.event_types[2].batch);
  EXPECT_THAT(small.event_types[0].schema, HasSubstr("draft-07"));
  ASSERT_EQ(small.event_types[0].samples.size(), 2u);
  EXPECT_EQ(small.event_types[0].samples[1].payload, "{\"id\": \"m2\", \"body\": \"Call-Miss\"}\n");
}

TEST_F(ProfileFileTest, AnUnknownKeyIsAFaultWithItsLine) {
  Replace("custom_headers: false", "custom_header: false");
  EXPECT_THAT(Fault(), AllOf(HasSubstr("small.yaml:28: custom_header: unknown key"),
                             HasSubstr("small.yaml:2: custom_headers: is missing")));
}

TEST_F(ProfileFileTest, EveryFieldOfThePolicyHasToBeGiven) {
  Replace("  retry_after_max: 0s\n", "");
  Replace("burst: 1, ", "");
  EXPECT_THAT(Fault(), AllOf(HasSubstr("small.yaml:6: policy.retry_after_max: is missing"),
                             HasSubstr("small.yaml:13: policy.rate_limit.burst: is missing")));
}

TEST_F(ProfileFileTest, AnEventTypeHasToBeWhole) {
  Replace("    description: It came in, or it was sent.\n", "");
  EXPECT_EQ(
      Fault(),
      "small.yaml:52: event_types[0].description: is missing: give it, a profile states all of its settings");
}

TEST_F(ProfileFileTest, BackoffTakesWhatItsKindUses) {
  Replace("kind: linear, step", "kind: schedule, step");
  EXPECT_THAT(Fault(),
              AllOf(HasSubstr("small.yaml:12: policy.backoff.step: has no meaning for kind schedule"),
                    HasSubstr("policy.backoff.cap: has no meaning"),
                    HasSubstr("policy.backoff.schedule: is missing for kind schedule")));
}

TEST_F(ProfileFileTest, ValuesHaveTheirType) {
  Replace("coalesce: true", "coalesce: yes");
  Replace("jitter: 0.1", "jitter: much");
  Replace("\"204-205\"", "\"2xx\"");
  EXPECT_THAT(Fault(), AllOf(HasSubstr("small.yaml:21: policy.coalesce: \"yes\" is not true or false"),
                             HasSubstr("small.yaml:12: policy.backoff.jitter: \"much\" is not a number")));
  Replace("coalesce: yes", "coalesce: true");
  Replace("jitter: much", "jitter: 0.1");
  EXPECT_THAT(Fault(), StartsWith("small.yaml:10: policy.success_codes: holds what is no status"));
}

TEST_F(ProfileFileTest, WhatTheCheckFindsHasTheLineOfItsKey) {
  const auto check = [](const Profile& profile) {
    return profile.policy.max_in_flight == 8
               ? absl::InvalidArgumentError("policy.max_in_flight: no")
               : absl::InvalidArgumentError("event_types[1].samples[0].payload: no");
  };
  EXPECT_EQ(Fault(check), "small.yaml:8: policy.max_in_flight: no");
  Replace("max_in_flight: 8", "max_in_flight: 9");
  EXPECT_EQ(Fault(check), "small.yaml:66: event_types[1].samples[0].payload: no");
}

TEST_F(ProfileFileTest, ItsPartsLieInItsFolder) {
  Replace("samples/failed.json", "samples/gone.json");
  EXPECT_EQ(
      Fault(),
      "small.yaml:73: event_types[2].samples[0].file: small/samples/gone.json: cannot be opened (No such "
      "file or directory): check the path");
  Replace("samples/gone.json", "../other.json");
  EXPECT_THAT(Fault(), HasSubstr("event_types[2].samples[0].file: leads out of the profile's folder"));
  Replace("../other.json", "/etc/hostname");
  EXPECT_THAT(Fault(), HasSubstr("event_types[2].samples[0].file: leads out of the profile's folder"));
}

TEST_F(ProfileFileTest, ItsNameIsTheFiles) {
  Replace("name: small\n", "name: large\n");
  EXPECT_EQ(Fault(), "small.yaml:2: name: is not the file's: give both the same");
}

TEST_F(ProfileFileTest, FoldersAreReadTogetherAndNamesAreUnique) {
  EXPECT_EQ(Fault(), "");
  const absl::StatusOr<std::vector<Profile>> twice = LoadProfiles({kFolder, folder_}, Anything);
  EXPECT_THAT(std::string(twice.status().message()),
              AllOf(StartsWith(folder_.string()), HasSubstr("there is a profile small already")));
  EXPECT_THAT(std::string(LoadProfiles({"no/such"}, Anything).status().message()),
              StartsWith("no/such: cannot be read (No such file or directory): give a folder of profiles"));
}

TEST_F(ProfileFileTest, AnEmptyFileStatesNothing) {
  yaml_ = "# nothing\n";
  EXPECT_THAT(Fault(), StartsWith("small.yaml: is empty: give name, title"));
  yaml_ = "";
  EXPECT_THAT(Fault(), EndsWith("event_types"));
}

}  // namespace
}  // namespace hookd
