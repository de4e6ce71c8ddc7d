#include "dispatcher/alerts/mail_message.h"

#include <algorithm>

#include <absl/strings/escaping.h>
#include <absl/strings/str_split.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

std::string Decoded(const std::string& words) {
  std::string text;
  for (const std::string& word : std::vector<std::string>(absl::StrSplit(words, "\r\n "))) {
    EXPECT_EQ(word.substr(0, 10), "=?UTF-8?B?");
    EXPECT_LE(word.size(), 75u);
    std::string part;
    EXPECT_TRUE(absl::Base64Unescape(word.substr(10, word.size() - 12), &part));
    text += part;
  }
  return text;
}

TEST(MailMessageTest, IsExactlyThis) {
  Mail mail;
  mail.from = "hookd@example.com";
  mail.to = "ops@example.org";
  mail.subject = "[hookd] failing: shop.example";
  mail.body = "10 attempts in a row failed\n\nfor the shop of Jos\xC3\xA9\n";
  mail.message_id = "evt_1.evt_1.00ff@example.com";
  mail.references = "ep_1.5@example.com";
  mail.date_ms = 1'700'000'000'000;
  EXPECT_EQ(ComposeMail(mail),
            "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
            "From: <hookd@example.com>\r\n"
            "To: <ops@example.org>\r\n"
            "Subject: [hookd] failing: shop.example\r\n"
            "Message-ID: <evt_1.evt_1.00ff@example.com>\r\n"
            "References: <ep_1.5@example.com>\r\n"
            "Auto-Submitted: auto-generated\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n"
            "\r\n"
            "10 attempts in a row failed\r\n"
            "\r\n"
            "for the shop of Jos=C3=A9\r\n");
}

TEST(MailMessageTest, NoTextBecomesAHeader) {
  Mail mail;
  mail.from = "a@b";
  mail.to = "c@d";
  mail.subject = "x\r\nBcc: everybody@example.com\r\n\r\nbody\n\x7f";
  mail.message_id = "1\r\nX-Evil: 1@b";
  mail.references = "2\nX-Evil: 2@b";
  mail.body = "one\r\ntwo\n";
  const std::string text = ComposeMail(mail);
  const std::string headers = text.substr(0, text.find("\r\n\r\n"));
  EXPECT_THAT(headers, HasSubstr("Subject: x  Bcc: everybody@example.com    body  \r\n"));
  EXPECT_THAT(headers, Not(HasSubstr("\nBcc")));
  EXPECT_THAT(headers, Not(HasSubstr("\nX-Evil")));
  EXPECT_THAT(std::vector<std::string>(absl::StrSplit(headers, "\r\n")), SizeIs(10));
  EXPECT_THAT(text, HasSubstr("\r\n\r\none\r\ntwo\r\n"));
}

TEST(MailMessageTest, HeadersAreEncodedWhereTheyHaveToBe) {
  EXPECT_EQ(EncodeHeader("plain: 80 % (a?b=c)"), "plain: 80 % (a?b=c)");
  EXPECT_EQ(EncodeHeader("Jos\xC3\xA9"), "=?UTF-8?B?Sm9zw6k=?=");
  // What would be read as an encoded word is one.
  EXPECT_EQ(Decoded(EncodeHeader("=?UTF-8?Q?x?=")), "=?UTF-8?Q?x?=");
  // Words are cut between characters: every one of them is valid by itself.
  std::string stars;
  for (int i = 0; i < 40; ++i) stars += "\xE2\x98\x85";
  EXPECT_EQ(Decoded(EncodeHeader("a" + stars)), "a" + stars);
  EXPECT_EQ(EncodeHeader("bad \xFF\xFE bytes"), "bad ?? bytes");
}

TEST(MailMessageTest, ALongSubjectIsCutAtACharacter) {
  Mail mail;
  for (int i = 0; i < 100; ++i) mail.subject += "\xE2\x98\x85";
  std::string subject = ComposeMail(mail);
  subject = subject.substr(subject.find("Subject: ") + 9);
  subject = subject.substr(0, subject.find("\r\nMessage-ID"));
  EXPECT_EQ(Decoded(subject).size(), 198u);  // 66 of 3 bytes; the bound is 200
}

TEST(MailMessageTest, QuotedPrintableKeepsItsLinesShort) {
  EXPECT_EQ(QuotedPrintable("a=b\ttab \nend\t"), "a=3Db\ttab=20\r\nend=09\r\n");
  EXPECT_EQ(QuotedPrintable(""), "");
  EXPECT_EQ(QuotedPrintable("\n\r\nx"), "\r\n\r\nx\r\n");
  EXPECT_EQ(QuotedPrintable(std::string(76, 'x')), std::string(76, 'x') + "\r\n");
  EXPECT_EQ(QuotedPrintable(std::string(77, 'x')), std::string(75, 'x') + "=\r\nxx\r\n");
  // A character's three letters stay together.
  EXPECT_EQ(QuotedPrintable(std::string(73, 'x') + "\xC3\xA9"), std::string(73, 'x') + "=\r\n=C3=A9\r\n");
  const std::string encoded = QuotedPrintable(std::string(1000, '\xff') + "\n" + std::string(1000, ' '));
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(encoded, "\r\n"))) {
    EXPECT_LE(line.size(), 76u);
  }
}

}  // namespace
}  // namespace hookd
