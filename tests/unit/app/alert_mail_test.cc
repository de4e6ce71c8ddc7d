#include "dispatcher/app/alert_mail.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "config/config_loader.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

config::v1::Config Config() {
  config::v1::Config config = DefaultConfig();
  config::v1::AlertMail& mail = *config.mutable_alerts()->mutable_mail();
  mail.set_server("mail.example.com:587");
  mail.set_from("hookd@example.com");
  mail.set_templates_dir("config/templates");  // tests run in the repository's root
  return config;
}

TEST(AlertMailTest, WithoutAServerThereIsNone) {
  const auto mail = ReadAlertMail(DefaultConfig());
  ASSERT_TRUE(mail.ok()) << mail.status();
  EXPECT_FALSE(mail->has_value());
}

TEST(AlertMailTest, IsWhatTheConfigurationSays) {
  const std::string file = Concat(::testing::TempDir(), "mail-password-", getpid());
  std::ofstream(file) << " s3cret \nsecond line\n";
  config::v1::Config config = Config();
  config::v1::AlertMail& section = *config.mutable_alerts()->mutable_mail();
  section.set_user("hookd");
  section.set_password_file(file);
  section.add_to("a@example.com");
  section.add_to("b@example.com");
  const auto mail = ReadAlertMail(config);
  std::filesystem::remove(file);
  ASSERT_TRUE(mail.ok()) << mail.status();
  EXPECT_EQ((*mail)->smtp.server, "mail.example.com:587");
  EXPECT_EQ((*mail)->smtp.tls, MailTls::kStartTls);
  EXPECT_EQ((*mail)->smtp.ca_file, "/etc/ssl/certs/ca-certificates.crt");
  EXPECT_EQ((*mail)->smtp.user, "hookd");
  EXPECT_EQ((*mail)->smtp.password, " s3cret ");
  EXPECT_EQ((*mail)->smtp.timeout, Millis(30'000));
  EXPECT_EQ((*mail)->mail.digest_after, Millis(30'000));
  EXPECT_EQ((*mail)->mail.from, "hookd@example.com");
  EXPECT_THAT((*mail)->mail.operators, ElementsAre("a@example.com", "b@example.com"));
}

TEST(AlertMailTest, AServerIsAHostAndAPort) {
  config::v1::Config config = Config();
  config::v1::AlertMail& section = *config.mutable_alerts()->mutable_mail();
  for (const char* good : {"localhost:25", "127.0.0.1:2525", "[::1]:25"}) {
    section.set_server(good);
    EXPECT_TRUE(ReadAlertMail(config).ok()) << good;
  }
  for (const char* bad : {"mail.example.com", "[::1]", ":25", "mail:", "mail:70000", "mail:25/x", "a@mail:25",
                          "smtp://mail:25", "mail :25", "mail:25\r\nQUIT"}) {
    section.set_server(bad);
    EXPECT_THAT(std::string(ReadAlertMail(config).status().message()), HasSubstr("alerts.mail.server: "))
        << bad;
  }
}

TEST(AlertMailTest, ThePasswordIsInNoError) {
  const std::string file = Concat(::testing::TempDir(), "mail-password-", getpid());
  std::ofstream(file) << std::string(kMaxPasswordBytes + 1, 'p');
  config::v1::Config config = Config();
  config.mutable_alerts()->mutable_mail()->set_user("hookd");
  config.mutable_alerts()->mutable_mail()->set_password_file(file);
  EXPECT_EQ(std::string(ReadAlertMail(config).status().message()),
            "alerts.mail.password_file: the first line has more than 1024 bytes");
  std::filesystem::remove(file);
  EXPECT_EQ(std::string(ReadAlertMail(config).status().message()),
            Concat("alerts.mail.password_file: ", file, " cannot be read, or is empty"));
}

}  // namespace
}  // namespace hookd
