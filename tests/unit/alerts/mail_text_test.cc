#include "dispatcher/alerts/mail_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const MailTemplates& Templates() {
  static const MailTemplates templates = *MailTemplates::Load("config/templates", WantedTemplates());
  return templates;
}

OperationalEvent Failing() {
  OperationalEvent event;
  event.type = operational::kFailing;
  event.at_ms = 1'700'000'000'000;
  event.message = "10 attempts in a row failed, the last: HTTP status 503";
  event.endpoint = EndpointId{1};
  event.subscriber_id = "acme";
  event.host = "shop.example";
  event.description = "the shop";
  event.incident = "ep_0000000000000001.1699999325000";
  event.failures = 10;
  event.failing_since_ms = 1'699'999'325'000;
  event.last_status = 503;
  event.last_error = ErrorKind::kStatus;
  event.mail_subscriber = true;
  return event;
}

OperationalEvent Of(std::string_view type, DisableReason reason = DisableReason::kNone) {
  OperationalEvent event = Failing();
  event.type = type;
  event.disabled = reason;
  return event;
}

EventId Id(uint16_t n) { return EventId::Make(1'700'000'000'000, n, 7, 1); }

TEST(MailTextTest, WhoIsToldOfWhat) {
  EXPECT_THAT(GroupsOf(Failing()), ElementsAre("", "acme"));
  EXPECT_THAT(GroupsOf(Of(operational::kRecovered)), ElementsAre("", "acme"));
  EXPECT_THAT(GroupsOf(Of(operational::kDisabled, DisableReason::kFailures)), ElementsAre("", "acme"));
  EXPECT_THAT(GroupsOf(Of(operational::kDisabled, DisableReason::kGone)), ElementsAre("", "acme"));
  EXPECT_THAT(GroupsOf(Of(operational::kEnabled, DisableReason::kFailures)), ElementsAre(""));
  EXPECT_THAT(GroupsOf(Of(operational::kBacklog)), ElementsAre(""));
  EXPECT_THAT(GroupsOf(Of(operational::kOutage)), ElementsAre(""));
  EXPECT_THAT(GroupsOf(Of(operational::kClock)), ElementsAre(""));
  EXPECT_THAT(GroupsOf(Of(operational::kDisk)), ElementsAre(""));
  // What a person did, and single deliveries.
  EXPECT_THAT(GroupsOf(Of(operational::kDisabled, DisableReason::kPerson)), IsEmpty());
  EXPECT_THAT(GroupsOf(Of(operational::kDisabled, DisableReason::kUrlCleared)), IsEmpty());
  EXPECT_THAT(GroupsOf(Of(operational::kEnabled, DisableReason::kPerson)), IsEmpty());
  EXPECT_THAT(GroupsOf(Of(operational::kEnabled, DisableReason::kUnverified)), IsEmpty());
  EXPECT_THAT(GroupsOf(Of(operational::kExhausted)), IsEmpty());
  EXPECT_THAT(GroupsOf(Of("endpoint.invented")), IsEmpty());
  OperationalEvent quiet = Failing();
  quiet.mail_subscriber = false;
  EXPECT_THAT(GroupsOf(quiet), ElementsAre(""));
}

TEST(MailTextTest, OneEventIsToldInItsOwnWords) {
  MailDigest digest;
  digest.Add(Id(1), Failing());
  const MailText operators = RenderMail(Templates(), kOperatorsGroup, digest);
  EXPECT_EQ(operators.subject, "[hookd] failing: shop.example of acme");
  EXPECT_THAT(operators.body, HasSubstr("2023-11-14 22:13:20 UTC: deliveries to an endpoint fail.\n"
                                        "10 attempts in a row failed, the last: HTTP status 503\n"));
  EXPECT_THAT(operators.body, HasSubstr("Subscriber:    acme\n"));
  EXPECT_THAT(operators.body, HasSubstr("Failures:      10 in a row\nFailing since: 2023-11-14 22:02:05 UTC\n"
                                        "Last result:   HTTP status 503\n"));
  const MailText subscriber = RenderMail(Templates(), "acme", digest);
  EXPECT_EQ(subscriber.subject, "Your webhook at shop.example is failing");
  EXPECT_THAT(subscriber.body, Not(HasSubstr("hookctl")));
  EXPECT_THAT(subscriber.body, HasSubstr("Description:   the shop\n"));
}

TEST(MailTextTest, ADisablementAsksAPersonToAct) {
  MailDigest digest;
  digest.Add(Id(1), Of(operational::kDisabled, DisableReason::kFailures));
  const MailText subscriber = RenderMail(Templates(), "acme", digest);
  EXPECT_EQ(subscriber.subject, "Your webhook at shop.example was disabled: please act");
  EXPECT_THAT(subscriber.body, HasSubstr("was disabled, since too many attempts in a row failed.\n"));
  EXPECT_THAT(subscriber.body, HasSubstr("until a person enables it again"));
  EXPECT_THAT(RenderMail(Templates(), kOperatorsGroup, digest).body,
              HasSubstr("hookctl endpoints enable ep_0000000000000001 --reason"));
}

TEST(MailTextTest, LinesWithoutAValueAreLeftOut) {
  OperationalEvent event;
  event.type = operational::kOutage;
  event.message = "more than half of the active hosts fail to connect";
  MailDigest digest;
  digest.Add(Id(1), event);
  EXPECT_EQ(RenderMail(Templates(), kOperatorsGroup, digest).subject,
            "[hookd] most receivers cannot be reached");
  OperationalEvent timeout = Failing();
  timeout.description.clear();
  timeout.last_status = 0;
  timeout.last_error = ErrorKind::kTimeout;
  MailDigest second;
  second.Add(Id(1), timeout);
  const std::string body = RenderMail(Templates(), kOperatorsGroup, second).body;
  EXPECT_THAT(body, Not(HasSubstr("Description")));
  EXPECT_THAT(body, HasSubstr("Last result:   no answer (timeout)\n"));
}

TEST(MailTextTest, ADigestNamesFiftyAndCountsTheRest) {
  MailDigest digest;
  for (uint16_t n = 1; n <= 300; ++n) {
    OperationalEvent event = n % 3 == 0 ? Of(operational::kDisabled, DisableReason::kGone) : Failing();
    event.endpoint = EndpointId{n};
    digest.Add(Id(n), event);
  }
  const MailText text = RenderMail(Templates(), kOperatorsGroup, digest);
  EXPECT_EQ(text.subject, "[hookd] 300 alerts: 100 disabled, 200 failing");
  EXPECT_THAT(text.body, HasSubstr(Concat("2023-11-14 22:13:20 UTC  failing  ", EndpointId{50}.ToString(),
                                          "  acme  shop.example (the shop): 10 attempts in a row")));
  EXPECT_THAT(text.body, Not(HasSubstr(EndpointId{51}.ToString())));
  EXPECT_THAT(text.body, HasSubstr("... and 250 more"));

  MailDigest two;
  two.Add(Id(1), Failing());
  two.Add(Id(2), Of(operational::kRecovered));
  const MailText subscriber = RenderMail(Templates(), "acme", two);
  EXPECT_EQ(subscriber.subject, "Your webhooks: 1 failing, 1 recovered");
  EXPECT_THAT(subscriber.body, Not(HasSubstr("more")));
  EXPECT_THAT(subscriber.body, Not(HasSubstr("acme")));
}

TEST(MailTextTest, WhatAnEventHoldsStaysInItsLine) {
  OperationalEvent event = Failing();
  event.description = "a\nSubject: forged";
  event.message = "b\r\n.\r\nQUIT";
  event.incident = "x\n@y";
  MailDigest digest;
  digest.Add(Id(1), event);
  EXPECT_THAT(RenderMail(Templates(), "acme", digest).body, HasSubstr("Description:   a Subject: forged\n"));
  EXPECT_THAT(RenderMail(Templates(), "acme", digest).body, HasSubstr("\nb  .  QUIT\n"));
  EXPECT_EQ(IncidentReference(digest, "d"), "x @y@d");
  digest.Add(Id(2), event);
  EXPECT_THAT(RenderMail(Templates(), "acme", digest).body, HasSubstr("(a Subject: forged): b  .  QUIT\n"));
}

TEST(MailTextTest, AMessageHasOneIdHoweverOftenItIsMade) {
  MailDigest digest;
  digest.Add(Id(1), Failing());
  digest.Add(Id(2), Failing());
  const std::string id = MessageId(digest, "acme", "a@b", "example.com");
  EXPECT_EQ(id, MessageId(digest, "acme", "a@b", "example.com"));
  EXPECT_EQ(id.substr(0, 62), Concat(Id(1).ToString(), ".", Id(2).ToString(), "."));
  EXPECT_EQ(id.substr(id.find('@')), "@example.com");
  EXPECT_NE(id, MessageId(digest, "acme", "c@b", "example.com"));
  EXPECT_NE(id, MessageId(digest, "", "a@b", "example.com"));
  EXPECT_EQ(IncidentReference(digest, "example.com"), "");
  MailDigest one;
  one.Add(Id(1), Failing());
  EXPECT_EQ(IncidentReference(one, "example.com"), "ep_0000000000000001.1699999325000@example.com");
}

}  // namespace
}  // namespace hookd
