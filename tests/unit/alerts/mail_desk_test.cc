#include "dispatcher/alerts/mail_desk.h"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "dispatcher/core/operational_event.h"
#include "storage/memory_store.h"
#include "tests/fakes/fake_transport.h"
#include "tests/fakes/null_telemetry.h"

namespace hookd {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class ManualClock : public Clock {
 public:
  WallMs Wall() const override { return wall_.load(); }
  SteadyTime Steady() const override { return SteadyTime(Millis(wall_.load())); }
  void Pass(Millis time) { wall_ += time.count(); }

 private:
  std::atomic<WallMs> wall_{1'700'000'000'000};
};

class FakeSender : public MailSender {
 public:
  MailAnswer Send(const Mail& mail) override {
    MailAnswer answer = handler ? handler(mail) : MailAnswer{};
    if (answer.kind == MailAnswer::Kind::kSent) sent.push_back(mail);
    ++tries;
    return answer;
  }
  void Abort() override {}

  std::function<MailAnswer(const Mail&)> handler;
  std::vector<Mail> sent;
  int tries = 0;
};

const MailAnswer kDown{MailAnswer::Kind::kTrouble, "connection refused"};
const MailAnswer kUnknownUser{MailAnswer::Kind::kRefused, "RCPT: 550 no such user"};
const MailAnswer kGreylisted{MailAnswer::Kind::kPostponed, "RCPT: 450 try later"};

class MailDeskTest : public ::testing::Test {
 protected:
  MailDeskTest() {
    OpenEngine(MakeMemoryStore());
    Subscriber operations;
    operations.id = std::string(kOperationsSubscriber);
    EXPECT_TRUE(engine_->CreateSubscriber(operations).ok());
    PutSubscriber("acme", {"dev@acme.example", "night@acme.example"});
    PutSubscriber("other", {"dev@other.example"});
    OpenDesk();
  }
  ~MailDeskTest() override { CloseEngine(); }

  void OpenEngine(std::unique_ptr<DeliveryStore> store) {
    store_ = std::move(store);
    EngineOptions options;
    options.shards = 1;
    engine_ = std::make_unique<Engine>(
        options, *store_, clock_, telemetry_,
        [this](boost::asio::io_context& io) {
          return std::make_unique<testing::FakeTransport>(io, receiver_);
        },
        [](const absl::Status&) {});
    ASSERT_TRUE(engine_->Start().ok());
  }
  void CloseEngine() {
    desk_.reset();
    engine_->Drain(Millis(0));
    engine_->Stop();
    engine_.reset();
  }
  void OpenDesk() {
    MailOptions options;
    options.from = "hookd@example.com";
    options.operators = {"ops@example.com"};
    options.operators.insert(options.operators.end(), more_operators_.begin(), more_operators_.end());
    desk_ = std::make_unique<MailDesk>(options, *MailTemplates::Load("config/templates", WantedTemplates()),
                                       *engine_, sender_, clock_, telemetry_, 1);
  }
  // As a kill at this moment would: only what was committed is left.
  void Crash() {
    std::unique_ptr<DeliveryStore> left = static_cast<MemoryStore&>(*store_).Reopen();
    CloseEngine();
    OpenEngine(std::move(left));
    OpenDesk();
  }

  void PutSubscriber(const std::string& id, std::vector<std::string> addresses) {
    Subscriber subscriber;
    subscriber.id = id;
    subscriber.alert_addresses = std::move(addresses);
    EXPECT_TRUE(engine_->CreateSubscriber(subscriber).ok());
  }

  static OperationalEvent Event(std::string_view type, const std::string& subscriber = "acme",
                                uint64_t endpoint = 1) {
    OperationalEvent event;
    event.type = type;
    event.at_ms = 1'700'000'000'000;
    event.message = Concat("message of ", subscriber);
    event.endpoint = EndpointId{endpoint};
    event.subscriber_id = subscriber;
    event.host = Concat(subscriber, ".example");
    event.incident = Concat(event.endpoint.ToString(), ".5");
    if (type == operational::kDisabled || type == operational::kEnabled)
      event.disabled = DisableReason::kFailures;
    event.mail_subscriber = true;
    return event;
  }
  void Publish(std::vector<NewEvent> events) {
    absl::Notification done;
    ASSERT_TRUE(engine_
                    ->Publish(std::move(events),
                              [&done](const std::vector<PublishOutcome>& outcomes) {
                                for (const PublishOutcome& outcome : outcomes)
                                  EXPECT_TRUE(outcome.status.ok());
                                done.Notify();
                              })
                    .ok());
    done.WaitForNotification();
  }
  void Tell(const OperationalEvent& event) { Publish({{MakeOperationalEvent(event), std::nullopt}}); }
  void Traffic(size_t events) {
    std::vector<NewEvent> traffic(events);
    for (NewEvent& one : traffic) {
      one.event.subscriber_id = "acme";
      one.event.type = "t";
      one.event.payload = "{}";
    }
    Publish(std::move(traffic));
  }

  // Everything that needs no time. Returns how long there is nothing to do.
  Millis Settle() {
    for (int steps = 0; steps < 100'000; ++steps) {
      const Duration wait = desk_->Step();
      if (wait > Duration::zero()) return std::chrono::ceil<Millis>(wait);
    }
    ADD_FAILURE() << "it never comes to rest";
    return Millis(0);
  }
  // Lets time go on, doing what is due on the way.
  void Pass(Millis time) {
    for (Millis wait = Settle(); time > Millis(0); wait = Settle()) {
      wait = std::min(wait, time);
      clock_.Pass(wait);
      time -= wait;
    }
  }
  std::vector<std::string> Recipients() const {
    std::vector<std::string> recipients;
    for (const Mail& mail : sender_.sent) recipients.push_back(mail.to);
    return recipients;
  }
  std::vector<Mail> To(const std::string& address) const {
    std::vector<Mail> mails;
    for (const Mail& mail : sender_.sent) {
      if (mail.to == address) mails.push_back(mail);
    }
    return mails;
  }

  ManualClock clock_;
  NullTelemetry telemetry_;
  testing::FakeReceiver receiver_;
  FakeSender sender_;
  std::vector<std::string> more_operators_;
  std::unique_ptr<DeliveryStore> store_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<MailDesk> desk_;
};

TEST_F(MailDeskTest, AnIncidentIsMailedOnceToOperatorsAndTheSubscriber) {
  Pass(seconds(60));
  Tell(Event(operational::kFailing));
  Pass(Millis(29'999));
  EXPECT_THAT(sender_.sent, IsEmpty());
  EXPECT_EQ(desk_->backlog(), 2u);
  Pass(Millis(1));
  EXPECT_THAT(Recipients(), ElementsAre("ops@example.com", "dev@acme.example", "night@acme.example"));
  EXPECT_EQ(sender_.sent[0].subject, "[hookd] failing: acme.example of acme");
  EXPECT_EQ(sender_.sent[1].subject, "Your webhook at acme.example is failing");
  EXPECT_EQ(sender_.sent[1].from, "hookd@example.com");
  EXPECT_EQ(sender_.sent[1].references, "ep_0000000000000001.5@example.com");
  EXPECT_EQ(sender_.sent[1].date_ms, 1'700'000'090'000);
  EXPECT_EQ(desk_->backlog(), 0u);
  Pass(std::chrono::hours(24));
  EXPECT_THAT(sender_.sent, SizeIs(3));
  EXPECT_EQ(telemetry_.mails(MailResult::kSent), 3u);
}

TEST_F(MailDeskTest, EachStepOfAnIncidentIsOneMessage) {
  for (const std::string_view step : {operational::kFailing, operational::kDisabled, operational::kEnabled,
                                      operational::kFailing, operational::kRecovered}) {
    Tell(Event(step));
    Pass(seconds(31));
  }
  std::vector<std::string> subjects;
  for (const Mail& mail : To("ops@example.com")) subjects.push_back(mail.subject);
  EXPECT_THAT(subjects,
              ElementsAre("[hookd] failing: acme.example of acme", "[hookd] disabled: acme.example of acme",
                          "[hookd] enabled: acme.example of acme", "[hookd] failing: acme.example of acme",
                          "[hookd] recovered: acme.example of acme"));
  subjects.clear();
  for (const Mail& mail : To("dev@acme.example")) subjects.push_back(mail.subject);
  EXPECT_THAT(subjects, ElementsAre("Your webhook at acme.example is failing",
                                    "Your webhook at acme.example was disabled: please act",
                                    "Your webhook at acme.example is failing",
                                    "Your webhook at acme.example works again"));
}

TEST_F(MailDeskTest, WhatAffectsHookdGoesToOperatorsAlone) {
  for (const std::string_view type :
       {operational::kBacklog, operational::kOutage, operational::kClock, operational::kDisk}) {
    Tell(Event(type));
    Pass(seconds(31));
  }
  EXPECT_THAT(Recipients(),
              ElementsAre("ops@example.com", "ops@example.com", "ops@example.com", "ops@example.com"));
  OperationalEvent by_person = Event(operational::kDisabled);
  by_person.disabled = DisableReason::kPerson;
  Tell(by_person);
  Tell(Event(operational::kExhausted));
  Pass(seconds(61));
  EXPECT_THAT(sender_.sent, SizeIs(4));
}

TEST_F(MailDeskTest, WithoutAddressesOnlyTheEventGoesOut) {
  PutSubscriber("silent", {});
  OperationalEvent not_asked = Event(operational::kFailing);
  not_asked.mail_subscriber = false;
  Tell(not_asked);
  Tell(Event(operational::kFailing, "silent", 2));
  Tell(Event(operational::kFailing, "gone", 3));
  Pass(seconds(31));
  EXPECT_THAT(Recipients(), ElementsAre("ops@example.com"));
}

TEST_F(MailDeskTest, AddressesAreThoseOfTheMomentOfSending) {
  Tell(Event(operational::kFailing));
  Pass(seconds(20));
  ASSERT_TRUE(engine_
                  ->UpdateSubscriber("acme",
                                     [](Subscriber& subscriber) {
                                       subscriber.alert_addresses = {"new@acme.example", "new@acme.example"};
                                       return absl::OkStatus();
                                     })
                  .ok());
  Pass(seconds(11));
  EXPECT_THAT(Recipients(), ElementsAre("ops@example.com", "new@acme.example"));
}

TEST_F(MailDeskTest, SubscribersSeeTheirOwnAlone) {
  Tell(Event(operational::kFailing, "acme", 1));
  Tell(Event(operational::kFailing, "other", 2));
  Tell(Event(operational::kFailing, "acme", 3));
  Pass(seconds(31));
  ASSERT_THAT(To("dev@acme.example"), SizeIs(1));
  EXPECT_EQ(To("dev@acme.example")[0].subject, "Your webhooks: 2 failing");
  EXPECT_THAT(To("dev@acme.example")[0].body, Not(HasSubstr("other")));
  ASSERT_THAT(To("dev@other.example"), SizeIs(1));
  EXPECT_EQ(To("dev@other.example")[0].subject, "Your webhook at other.example is failing");
  EXPECT_THAT(To("dev@other.example")[0].body, Not(HasSubstr("acme")));
  EXPECT_EQ(To("ops@example.com")[0].subject, "[hookd] 3 alerts: 3 failing");
}

TEST_F(MailDeskTest, HundredsAtOnceAreOneMessage) {
  for (uint64_t endpoint = 1; endpoint <= 300; ++endpoint) {
    Tell(Event(operational::kFailing, endpoint % 2 == 0 ? "acme" : "other", endpoint));
    if (endpoint % 10 == 0) clock_.Pass(Millis(900));  // 27 s in all
  }
  Traffic(1000);  // of others, between them
  Tell(Event(operational::kOutage));
  Pass(seconds(60));
  EXPECT_THAT(Recipients(),
              ElementsAre("ops@example.com", "dev@acme.example", "night@acme.example", "dev@other.example"));
  EXPECT_EQ(sender_.sent[0].subject, "[hookd] 301 alerts: 300 failing, 1 outage");
  EXPECT_THAT(sender_.sent[0].body, HasSubstr("... and 251 more"));
}

TEST_F(MailDeskTest, AFullWindowDoesNotWait) {
  Settle();
  std::vector<NewEvent> events;
  for (uint64_t endpoint = 1; endpoint <= kMaxWindowEvents + 10; ++endpoint) {
    events.push_back({MakeOperationalEvent(Event(operational::kFailing, "acme", endpoint)), std::nullopt});
    if (events.size() == 1000 || endpoint == kMaxWindowEvents + 10) Publish(std::exchange(events, {}));
  }
  Settle();
  ASSERT_THAT(To("ops@example.com"), SizeIs(1));
  EXPECT_EQ(To("ops@example.com")[0].subject, "[hookd] 4096 alerts: 4096 failing");
  Pass(seconds(31));
  ASSERT_THAT(To("ops@example.com"), SizeIs(2));
  EXPECT_EQ(To("ops@example.com")[1].subject, "[hookd] 10 alerts: 10 failing");
}

TEST_F(MailDeskTest, WhileTheServerIsDownOneMessageIsTriedAndNothingIsLost) {
  sender_.handler = [](const Mail&) { return kDown; };
  Tell(Event(operational::kFailing));
  Pass(seconds(30));
  EXPECT_EQ(sender_.tries, 1);
  Pass(Millis(4'999));
  EXPECT_EQ(sender_.tries, 1);
  Pass(Millis(501));  // 5 s, and up to a tenth of them
  EXPECT_EQ(sender_.tries, 2);
  Tell(Event(operational::kRecovered));
  for (uint64_t endpoint = 2; endpoint <= 101; ++endpoint)
    Tell(Event(operational::kFailing, "other", endpoint));
  const int tries = sender_.tries;
  Pass(std::chrono::hours(1));
  // 10, 20, 40, 80, 160 s, and then every 5 min.
  EXPECT_GE(sender_.tries - tries, 14);
  EXPECT_LE(sender_.tries - tries, 16);
  EXPECT_EQ(telemetry_.mails(MailResult::kRetried), static_cast<uint64_t>(sender_.tries));
  EXPECT_THAT(sender_.sent, IsEmpty());
  EXPECT_EQ(desk_->backlog(), 2u);

  sender_.handler = nullptr;
  Pass(seconds(331));
  EXPECT_THAT(Recipients(),
              ElementsAre("ops@example.com", "dev@acme.example", "night@acme.example", "ops@example.com",
                          "dev@acme.example", "night@acme.example", "dev@other.example"));
  EXPECT_EQ(sender_.sent[0].subject, "[hookd] failing: acme.example of acme");
  EXPECT_EQ(sender_.sent[3].subject, "[hookd] 101 alerts: 100 failing, 1 recovered");
  EXPECT_EQ(sender_.sent[6].subject, "Your webhooks: 100 failing");
}

TEST_F(MailDeskTest, ARefusedRecipientIsGivenUpAndHoldsUpNobody) {
  sender_.handler = [](const Mail& mail) {
    return mail.to == "dev@acme.example" ? kUnknownUser : MailAnswer{};
  };
  Tell(Event(operational::kFailing));
  Pass(seconds(31));
  EXPECT_THAT(Recipients(), ElementsAre("ops@example.com", "night@acme.example"));
  EXPECT_EQ(desk_->backlog(), 1u);
  Tell(Event(operational::kFailing, "other", 2));
  Pass(seconds(31));
  EXPECT_THAT(Recipients(),
              ElementsAre("ops@example.com", "night@acme.example", "ops@example.com", "dev@other.example"));
  EXPECT_EQ(telemetry_.mails(MailResult::kRefused), 0u);
  Pass(std::chrono::hours(2));
  EXPECT_EQ(sender_.tries - 4, static_cast<int>(kMaxRefusedTries));
  EXPECT_EQ(telemetry_.mails(MailResult::kRetried), kMaxRefusedTries - 1);
  EXPECT_EQ(telemetry_.mails(MailResult::kRefused), 1u);
  EXPECT_EQ(desk_->backlog(), 0u);
}

TEST_F(MailDeskTest, APostponedMessageIsTheSameWhenItIsTakenAtLast) {
  int refusals = 7;
  std::vector<std::string> ids;
  sender_.handler = [&](const Mail& mail) {
    if (mail.to != "dev@acme.example") return MailAnswer{};
    ids.push_back(mail.message_id);
    return refusals-- > 0 ? kGreylisted : MailAnswer{};
  };
  Tell(Event(operational::kFailing));
  Tell(Event(operational::kFailing, "other", 2));
  Tell(Event(operational::kRecovered));
  Pass(seconds(31));
  Crash();
  Pass(std::chrono::hours(3));
  ASSERT_THAT(To("dev@acme.example"), SizeIs(1));
  EXPECT_EQ(To("dev@acme.example")[0].subject, "Your webhooks: 1 failing, 1 recovered");
  EXPECT_THAT(ids, SizeIs(8));
  EXPECT_THAT(ids, ::testing::Each(ids[0]));
  EXPECT_THAT(sender_.sent, SizeIs(4));
}

TEST_F(MailDeskTest, NoMoreRecipientsWaitThanTheBound) {
  for (int i = 0; i < 70; ++i) more_operators_.push_back(Concat("ops", i, "@example.com"));
  OpenDesk();
  sender_.handler = [](const Mail&) { return kUnknownUser; };
  Tell(Event(operational::kOutage));
  Pass(seconds(31));
  EXPECT_EQ(desk_->backlog(), kMaxDeferredMails);
  EXPECT_EQ(telemetry_.mails(MailResult::kRefused), 71 - kMaxDeferredMails);
}

TEST_F(MailDeskTest, ARestartRepeatsNothingAndLosesNothing) {
  Tell(Event(operational::kFailing));
  Pass(seconds(31));
  ASSERT_THAT(sender_.sent, SizeIs(3));
  Crash();
  Pass(seconds(60));
  EXPECT_THAT(sender_.sent, SizeIs(3));

  // Before the window closes.
  Tell(Event(operational::kRecovered));
  Pass(seconds(10));
  Crash();
  Pass(seconds(19));
  EXPECT_THAT(sender_.sent, SizeIs(3));
  Pass(seconds(2));
  EXPECT_THAT(sender_.sent, SizeIs(6));

  // Between two recipients.
  Tell(Event(operational::kFailing));
  sender_.handler = [](const Mail& mail) { return mail.to == "night@acme.example" ? kDown : MailAnswer{}; };
  Pass(seconds(31));
  EXPECT_THAT(sender_.sent, SizeIs(8));
  Tell(Event(operational::kRecovered));
  Crash();
  sender_.handler = nullptr;
  Pass(seconds(31));
  std::vector<std::string> subjects;
  for (const Mail& mail : To("night@acme.example")) subjects.push_back(mail.subject);
  EXPECT_THAT(
      subjects,
      ElementsAre("Your webhook at acme.example is failing", "Your webhook at acme.example works again",
                  "Your webhook at acme.example is failing", "Your webhook at acme.example works again"));
  EXPECT_THAT(To("ops@example.com"), SizeIs(4));
}

TEST_F(MailDeskTest, AKillBetweenTheAnswerAndItsCommitRepeatsOneMessageWithItsId) {
  Tell(Event(operational::kFailing));
  Tell(Event(operational::kFailing, "acme", 2));
  std::unique_ptr<DeliveryStore> left;
  sender_.handler = [&](const Mail& mail) {
    if (mail.to == "dev@acme.example") left = static_cast<MemoryStore&>(*store_).Reopen();
    return MailAnswer{};
  };
  Pass(seconds(31));
  ASSERT_NE(left, nullptr);
  sender_.handler = nullptr;
  const std::vector<Mail> before = std::exchange(sender_.sent, {});
  ASSERT_THAT(before, SizeIs(3));
  CloseEngine();
  OpenEngine(std::move(left));
  Tell(Event(operational::kFailing, "acme", 3));  // what comes later makes no difference to it
  OpenDesk();
  Settle();
  EXPECT_THAT(Recipients(), ElementsAre("dev@acme.example", "night@acme.example"));
  EXPECT_EQ(sender_.sent[0].message_id, before[1].message_id);
  EXPECT_EQ(sender_.sent[0].subject, before[1].subject);
  EXPECT_EQ(sender_.sent[0].body, before[1].body);
  EXPECT_EQ(sender_.sent[1].message_id, before[2].message_id);
  Pass(seconds(31));
  EXPECT_THAT(sender_.sent, SizeIs(5));
}

TEST_F(MailDeskTest, WhatCameBeforeMailsWereTurnedOnIsNotMailed) {
  desk_.reset();
  ASSERT_TRUE(engine_->SaveMailCursor("").ok());
  Tell(Event(operational::kFailing));
  clock_.Pass(Millis(1));
  OpenDesk();
  Tell(Event(operational::kRecovered));
  Pass(seconds(31));
  ASSERT_THAT(To("ops@example.com"), SizeIs(1));
  EXPECT_EQ(To("ops@example.com")[0].subject, "[hookd] recovered: acme.example of acme");
}

TEST_F(MailDeskTest, TheCursorFollowsTheTrafficOnceAMinute) {
  Settle();
  const std::string before = engine_->MailCursor();
  Traffic(10);
  Pass(seconds(59));
  EXPECT_EQ(engine_->MailCursor(), before);
  Pass(seconds(2));
  const MailCursor cursor = *ParseMailCursor(engine_->MailCursor());
  EXPECT_EQ(cursor.after, engine_->newest_events().any);
  const uint64_t commits = engine_->last_commit();
  Pass(std::chrono::hours(1));
  EXPECT_EQ(engine_->last_commit(), commits);  // nothing is written when nothing happens
}

TEST_F(MailDeskTest, ADamagedCursorIsReplaced) {
  desk_.reset();
  ASSERT_TRUE(engine_->SaveMailCursor("what is this").ok());
  OpenDesk();
  Settle();
  EXPECT_TRUE(ParseMailCursor(engine_->MailCursor()).ok());
  Tell(Event(operational::kFailing));
  Pass(seconds(31));
  EXPECT_THAT(sender_.sent, SizeIs(3));
}

}  // namespace
}  // namespace hookd
