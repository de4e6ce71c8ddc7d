// What the engine writes into the audit log, and when that goes.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/acting.h"
#include "dispatcher/core/audit_chain.h"
#include "dispatcher/core/audit_forms.h"
#include "dispatcher/engine/ledger.h"
#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PlainForms final : public AuditForms {
 public:
  std::string Show(const Subscriber& subscriber) const override {
    return Concat(subscriber.id, subscriber.paused ? " paused" : "");
  }
  std::string Show(const Endpoint& endpoint) const override {
    return Concat(endpoint.paused ? "paused " : "", ToString(endpoint.disabled), " ", endpoint.state_note);
  }
  std::string Show(const AccessToken& token) const override { return Concat(token.subscriber_ids.size()); }
  std::string Show(const Job& job) const override {
    return job.state == JobState::kRunning ? "running" : "ended";
  }
  std::string Show(const Operations& operations) const override { return operations.pause_note; }
};

AuditOrigin By(const std::string& actor, const std::string& call = "a/call") {
  AuditOrigin origin;
  origin.actor = actor;
  origin.call = call;
  return origin;
}

class AuditTest : public EngineTest {
 protected:
  AuditTest() {
    Close();
    options_.audit = &forms_;
    Open(MakeMemoryStore());
    CreateSubscriber();
    id_ = CreateEndpoint();
  }
  // Records from the third on, the oldest first: "actor call before > after".
  std::vector<std::string> Log() {
    AuditQuery query;
    query.oldest_first = true;
    query.position = 2;
    query.limit = 1000;
    std::vector<std::string> lines;
    const AuditPage page = *engine_->ListAudit(query);
    for (const AuditRecord& record : page.records) {
      lines.push_back(Concat(record.origin.actor, " ", record.origin.call, " ", record.change.resource_type,
                             " [", record.change.before, "] [", record.change.after, "]"));
    }
    return lines;
  }
  void WaitForRecords(size_t count) {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
    while (Log().size() < count && RealClock().Steady() < deadline) std::this_thread::yield();
  }

  const PlainForms forms_;
  EndpointId id_;
};

TEST_F(AuditTest, AChangeIsWhoeverTheThreadActsFor) {
  {
    const Acting outer(By("tok_1", "E/Pause"));
    ASSERT_TRUE(engine_->SetEndpointPaused(id_, true, "why").ok());
    {
      const Acting inner(By("tok_2", "O/Pause"));
      ASSERT_TRUE(engine_->SetPaused(true, "all").ok());
    }
    ASSERT_TRUE(engine_->SetEndpointPaused(id_, false, "").ok());
  }
  ASSERT_TRUE(engine_->DeleteEndpoint(id_).ok());
  EXPECT_THAT(Log(), ElementsAre("tok_1 E/Pause endpoint [none ] [paused none why]",
                                 "tok_2 O/Pause operations [] [all]",
                                 "tok_1 E/Pause endpoint [paused none why] [none ]",
                                 "hookd hookd/itself endpoint [none ] []"));
}

TEST_F(AuditTest, WhatIsRefusedLeavesNoRecord) {
  const Acting acting(By("tok_1"));
  EXPECT_FALSE(engine_->DeleteSubscriber("acme").ok());  // it has an endpoint
  EXPECT_FALSE(engine_->RevokeToken(7).ok());
  EXPECT_FALSE(engine_->CancelJob(7).ok());
  EXPECT_FALSE(engine_->SetEndpointPaused(EndpointId{7}, true, "").ok());
  EXPECT_THAT(Log(), IsEmpty());
}

TEST_F(AuditTest, ADisablementByItselfIsHookds) {
  receiver_.SetHandler([](const SentRequest&) { return 410; });
  Publish("1");
  WaitForRecords(1);
  EXPECT_THAT(Log(), ElementsAre("hookd hookd/auto_disable endpoint [none ] [gone ]"));
  EXPECT_EQ(engine_->GetAudit(3)->origin.reason, "it answered 410");
}

TEST_F(AuditTest, ACancellationIsWhoseItWas) {
  ASSERT_TRUE(engine_->SetEndpointPaused(id_, true, "").ok());
  Publish("1");
  const DeliveryId delivery = Deliveries(id_).at(0).id;
  {
    const Acting acting(By("tok_1", "D/Cancel"));
    ASSERT_TRUE(engine_->CancelDelivery(delivery).ok());
    EXPECT_FALSE(engine_->CancelDelivery(delivery).ok());
    ASSERT_TRUE(engine_->RetryDelivery(delivery).ok());
  }
  const std::vector<std::string> log = Log();
  ASSERT_EQ(log.size(), 3u);
  EXPECT_EQ(
      log[1],
      R"(tok_1 D/Cancel delivery [{"state":"PENDING"}] [{"state":"CANCELED","endReason":"by_person"}])");
  EXPECT_EQ(log[2], Concat(R"(tok_1 D/Cancel delivery [] [{"replaces":")", delivery.ToString(), "\"}]"));
  EXPECT_EQ(engine_->GetAudit(4)->change.resource_id, delivery.ToString());
  EXPECT_EQ(engine_->GetAudit(4)->change.subscriber_id, "acme");
}

TEST_F(AuditTest, TokensThatEndWithAnotherAreRecordedToo) {
  CreateSubscriber("beta");
  AccessToken shared;
  shared.subscriber_ids = {"acme", "beta"};
  ASSERT_TRUE(engine_->MakeToken(shared, OldTokens::kKeep).ok());
  ASSERT_TRUE(engine_->DeleteEndpoint(id_).ok());
  const Acting acting(By("tok_1", "S/Delete"));
  ASSERT_TRUE(engine_->DeleteSubscriber("acme").ok());
  const std::vector<std::string> log = Log();
  ASSERT_EQ(log.size(), 5u);
  EXPECT_EQ(log[3], "tok_1 S/Delete token [2] [1]");
  EXPECT_EQ(log[4], "tok_1 S/Delete subscriber [acme] []");
}

TEST_F(AuditTest, ACrashLeavesWholeCommitsAndTheChainGoesOn) {
  ASSERT_TRUE(engine_->SetEndpointPaused(id_, true, "").ok());
  Crash();
  ASSERT_TRUE(engine_->SetEndpointPaused(id_, false, "").ok());
  AuditHash before{};
  for (uint64_t number = 1; number <= 4; ++number) {
    const absl::StatusOr<AuditRecord> record = engine_->GetAudit(number);
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_EQ(record->hash, HashOf(*record, before)) << number;
    before = record->hash;
  }
  EXPECT_EQ(engine_->GetAudit(5).status().code(), absl::StatusCode::kNotFound);
}

// The ledger alone, with times of the test's.
class AuditRetentionTest : public ::testing::Test {
 protected:
  AuditRetentionTest() { ledger_.Recovered(*store_->Recover()); }
  void Pause(WallMs at) {
    ledger_.Begin({SteadyTime{}, at});
    Operations operations = ledger_.operations();
    operations.paused = !operations.paused;
    ledger_.SetOperations(operations);
    ASSERT_TRUE(store_->Commit(at).ok());
    ledger_.Committed();
  }
  std::vector<uint64_t> Keep(WallMs at, Millis age, uint64_t bytes) {
    Retention retention;
    retention.audit = age;
    retention.audit_bytes = bytes;
    ledger_.Begin({SteadyTime{}, at});
    ledger_.Keep(retention, false);
    EXPECT_TRUE(store_->Commit(at).ok());
    ledger_.Committed();
    std::vector<uint64_t> left;
    AuditQuery query;
    query.oldest_first = true;
    const AuditPage page = *store_->ListAudit(query);
    for (const AuditRecord& record : page.records) left.push_back(record.number);
    return left;
  }

  // The ledger's changes, in a commit of their own.
  void Change(WallMs at, const std::function<void()>& change) {
    ledger_.Begin({SteadyTime{}, at});
    change();
    ASSERT_TRUE(store_->Commit(at).ok());
    ledger_.Committed();
  }

  static constexpr WallMs kStart = 1'700'000'000'000;
  const PlainForms forms_;
  NullTelemetry telemetry_;
  const std::unique_ptr<DeliveryStore> store_ = MakeMemoryStore();
  Ledger ledger_{*store_, telemetry_, 1, 1, nullptr, nullptr, &forms_};
};

TEST_F(AuditRetentionTest, TheOldGoByAge) {
  for (int i = 0; i < 10; ++i) Pause(kStart + i * 1'000);
  EXPECT_EQ(Keep(kStart + 9'000, Millis(9'000), UINT64_MAX).size(), 10u);  // exactly that old
  EXPECT_THAT(Keep(kStart + 9'000, Millis(2'500), UINT64_MAX), ElementsAre(8, 9, 10));
  EXPECT_THAT(Keep(kStart + 9'000, Millis(2'500), UINT64_MAX), ElementsAre(8, 9, 10));
  EXPECT_THAT(Keep(kStart + 99'000, Millis(1), UINT64_MAX), ElementsAre(10)) << "the newest stays";
  Pause(kStart + 99'000);
  EXPECT_EQ(store_->ReadAudit(11)->hash, HashOf(*store_->ReadAudit(11), store_->ReadAudit(10)->hash));
}

TEST_F(AuditRetentionTest, AKeyThatHasEndedGoesInHookdsName) {
  Endpoint endpoint;
  endpoint.id = EndpointId{7};
  endpoint.subscriber_id = "acme";
  endpoint.signing_keys = {{std::string(32, 'n')}, {std::string(32, 'o'), SigningScheme::kV1, 1, kStart + 5}};
  Change(kStart, [&] {
    Subscriber subscriber;
    subscriber.id = "acme";
    ledger_.PutSubscriber(subscriber);
    ledger_.PutEndpoint(std::make_shared<const Endpoint>(endpoint));
  });
  EXPECT_EQ(Keep(kStart + 4, Millis(1'000'000), UINT64_MAX).size(), 2u);
  EXPECT_EQ(Keep(kStart + 5, Millis(1'000'000), UINT64_MAX).size(), 3u);
  const AuditRecord record = *store_->ReadAudit(3);
  EXPECT_EQ(record.origin.actor, "hookd");
  EXPECT_EQ(record.origin.call, "hookd/secret_ended");
  EXPECT_EQ(record.change.resource_id, endpoint.id.ToString());
  EXPECT_THAT(record.change.secrets_changed, ElementsAre("signing_secret"));
}

TEST_F(AuditRetentionTest, TheOldGoBySize) {
  for (int i = 0; i < 10; ++i) Pause(kStart);
  const uint64_t one = store_->ReadAudit(1)->log_bytes;
  EXPECT_EQ(Keep(kStart, Millis(1'000), 10 * one).size(), 10u);
  EXPECT_THAT(Keep(kStart, Millis(1'000), 3 * one), ElementsAre(8, 9, 10));
  EXPECT_THAT(Keep(kStart, Millis(1'000), 1), ElementsAre(10));
}

}  // namespace
}  // namespace hookd
