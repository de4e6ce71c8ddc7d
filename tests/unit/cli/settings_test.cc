#include "cli/settings.h"

#include <gtest/gtest.h>

namespace hookd::cli {
namespace {

std::string Fault(const std::string& text) {
  return std::string(ParseSettings(text, "f.yaml").status().message());
}

TEST(SettingsTest, Profiles) {
  const auto file = ParseSettings(
      "profile: prod\n"
      "profiles:\n"
      "  prod: {server: 10.0.0.1:7070, deadline: 10s, output: json}\n"
      "  local: {deadline: 5}\n",
      "f.yaml");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->default_profile, "prod");
  EXPECT_EQ(file->profiles.at("prod").server, "10.0.0.1:7070");
  EXPECT_EQ(file->profiles.at("prod").deadline_seconds, 10);
  EXPECT_EQ(file->profiles.at("prod").output, "json");
  EXPECT_EQ(file->profiles.at("local").deadline_seconds, 5);
  EXPECT_FALSE(file->profiles.at("local").server);
  EXPECT_TRUE(ParseSettings("", "f.yaml")->profiles.empty());
}

TEST(SettingsTest, FaultsNameTheLineAndTheKey) {
  EXPECT_EQ(Fault("profile: prod"), "f.yaml:1: profile: prod is none of its profiles");
  EXPECT_EQ(Fault("profiles:\n  a: {output: xml}"),
            "f.yaml:2: profiles.a.output: xml is not known: give one of table, json");
  EXPECT_EQ(Fault("profiles:\n  a: {deadline: 0}"),
            "f.yaml:2: profiles.a.deadline: is not a time of a second or more: write it like 30s");
  EXPECT_EQ(Fault("profiles:\n  a: {token: x}"),
            "f.yaml:2: profiles.a.token: unknown key: remove it, or use one of server, deadline, output, "
            "token_file, ca_file, "
            "cert_file, key_file");
}

}  // namespace
}  // namespace hookd::cli
