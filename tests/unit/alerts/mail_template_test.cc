#include "dispatcher/alerts/mail_template.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "dispatcher/alerts/mail_text.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;

std::string FaultsOf(std::string_view text) {
  const absl::StatusOr<MailTemplate> parsed = MailTemplate::Parse("t.txt", text, {"host", "count"});
  if (parsed.ok()) return "";
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

TEST(MailTemplateTest, FillsWhatItNames) {
  const absl::StatusOr<MailTemplate> parsed = MailTemplate::Parse(
      "t.txt", "Subject: {{count}} of {{host}}\r\n\nHost: {{host}}, {{count}}\n\nno } {one} here\n{{host}}",
      {"host", "count"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const MailText text = parsed->Fill({{"host", "a.example"}, {"count", "3"}, {"more", "unused"}});
  EXPECT_EQ(text.subject, "3 of a.example");
  EXPECT_EQ(text.body, "Host: a.example, 3\n\nno } {one} here\na.example\n");
}

TEST(MailTemplateTest, ALineWithNothingToSayIsLeftOut) {
  const absl::StatusOr<MailTemplate> parsed = MailTemplate::Parse(
      "t.txt", "Subject: {{host}}!\n\nHost: {{host}}\nBoth: {{host}} {{count}}\nend\n", {"host", "count"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->Fill({}).subject, "!");
  EXPECT_EQ(parsed->Fill({}).body, "end\n");
  EXPECT_EQ(parsed->Fill({{"count", "1"}}).body, "Both:  1\nend\n");
  // A value is no template.
  EXPECT_EQ(parsed->Fill({{"count", "{{host}}"}}).body, "Both:  {{host}}\nend\n");
}

TEST(MailTemplateTest, FaultsAreToldWithTheirLines) {
  EXPECT_EQ(FaultsOf("Subject: a\n\nbody\n"), "");
  EXPECT_EQ(FaultsOf("Subject: {{hots}}\n\n{{host}}\n{{ count}}\n"),
            "t.txt:1: there is no {{hots}} here: use any of host, count\n"
            "t.txt:4: there is no {{ count}} here: use any of host, count");
  EXPECT_EQ(FaultsOf("Subject: a\n\nb {{host\n}}\n"), "t.txt:3: {{ without }} in its line");
  EXPECT_EQ(FaultsOf("a\n\nb\n"), "t.txt:1: has to begin with \"Subject: \" and the subject");
  EXPECT_EQ(FaultsOf("Subject: \n\nb\n"), "t.txt:1: has to begin with \"Subject: \" and the subject");
  EXPECT_EQ(FaultsOf("Subject: a\nb\nc\n"), "t.txt:2: has to be empty, between the subject and the body");
  EXPECT_EQ(FaultsOf("Subject: a\n\n"), "t.txt:3: there is no body");
  EXPECT_THAT(FaultsOf("Subject: a\n\n\xFF\n"), HasSubstr("t.txt:1: is not valid UTF-8"));
  EXPECT_THAT(FaultsOf(""), HasSubstr("t.txt:1: has to begin with"));
}

class MailTemplatesTest : public ::testing::Test {
 protected:
  MailTemplatesTest() : folder_(Concat(::testing::TempDir(), "mail-templates-", getpid())) {
    std::filesystem::create_directory(folder_);
  }
  ~MailTemplatesTest() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(Concat(folder_, "/", name)) << text;
  }

  const std::string folder_;
};

TEST_F(MailTemplatesTest, AllFaultsOfAFolderAreToldAtOnce) {
  Write("a.txt", "Subject: a\n\n{{x}}\n");
  Write("c.txt", std::string(kMaxTemplateBytes + 1, 'x'));
  Write("other.txt", "not looked at");
  const absl::StatusOr<MailTemplates> loaded =
      MailTemplates::Load(folder_, {{"a", {"y"}}, {"b", {}}, {"c", {}}});
  EXPECT_EQ(
      std::string(loaded.status().message()),
      Concat(folder_, "/a.txt:3: there is no {{x}} here: use any of y\n", folder_,
             "/b.txt: cannot be read: it has to be there\n", folder_, "/c.txt: is larger than 65536 bytes"));
}

TEST_F(MailTemplatesTest, ThoseThatComeWithHookdAreGood) {
  const absl::StatusOr<MailTemplates> loaded = MailTemplates::Load("config/templates", WantedTemplates());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator("config/templates")) {
    EXPECT_TRUE(WantedTemplates().contains(file.path().stem().string())) << file.path();
    ++files;
  }
  EXPECT_EQ(files, WantedTemplates().size());
}

}  // namespace
}  // namespace hookd
