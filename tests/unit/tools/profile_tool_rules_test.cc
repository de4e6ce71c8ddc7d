#include "dispatcher/tools/profile_tool_rules.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/profiles/profiles.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;

Subscriber OnPlan(const std::string& plan) {
  Subscriber subscriber;
  subscriber.id = "acme";
  subscriber.profile = "small";
  subscriber.plan = plan;
  return subscriber;
}

class ProfileToolRulesTest : public ::testing::Test {
 protected:
  const ProfileToolRules rules_{testing::SmallProfiles()};
};

TEST_F(ProfileToolRulesTest, SimulationIsForThePlansThatHaveIt) {
  EXPECT_TRUE(rules_.MaySimulate("small", OnPlan("paid")).ok());
  const absl::Status refused = rules_.MaySimulate("small", OnPlan("free"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("has the simulation in the plans paid"));
  EXPECT_FALSE(rules_.MaySimulate("small", OnPlan("")).ok());
  EXPECT_TRUE(rules_.MayCapture("small", OnPlan("free")).ok());  // it names no plans
}

TEST_F(ProfileToolRulesTest, ASampleIsTheOneNamedOrTheFirst) {
  EXPECT_EQ(rules_.FindSample("small", "message", "")->name, "text");
  EXPECT_EQ(rules_.FindSample("small", "message", "call")->name, "call");
  EXPECT_THAT(rules_.FindSample("small", "ack", "sent")->payload, HasSubstr("\"status\": \"sent\""));

  const absl::Status type = rules_.FindSample("small", "status", "").status();
  EXPECT_EQ(type.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(type.message()), HasSubstr("it has: message, ack, failed"));
  const absl::Status name = rules_.FindSample("small", "message", "image").status();
  EXPECT_EQ(name.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(name.message()), HasSubstr("has no sample image, it has: text, call"));
}

TEST_F(ProfileToolRulesTest, WithoutAProfileNothingIsSaid) {
  EXPECT_TRUE(rules_.MaySimulate("", OnPlan("free")).ok());
  EXPECT_TRUE(rules_.MayCapture("gone", OnPlan("free")).ok());
  EXPECT_EQ(rules_.FindSample("", "message", "").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(rules_.Ownership(""), VerificationMethod::kNone);
}

TEST(ProfileToolRulesOwnershipTest, IsTheProfiles) {
  for (const auto& [said, method] : {std::pair(Ownership::kNone, VerificationMethod::kNone),
                                     std::pair(Ownership::kHubChallenge, VerificationMethod::kHubChallenge),
                                     std::pair(Ownership::kHmacChallenge, VerificationMethod::kHmacChallenge),
                                     std::pair(Ownership::kCloudEvents, VerificationMethod::kCloudEvents)}) {
    Profile profile = testing::SmallProfile();
    profile.ownership = said;
    const absl::StatusOr<std::shared_ptr<const Profiles>> profiles = Profiles::Make({profile});
    ASSERT_TRUE(profiles.ok()) << profiles.status();
    EXPECT_EQ(ProfileToolRules(*profiles).Ownership("small"), method);
  }
}

}  // namespace
}  // namespace hookd
