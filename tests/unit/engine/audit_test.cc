// What the engine writes into the audit log, and when that goes.
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/acting.h"
#include "dispatcher/core/audit_chain.h"
#include "dispatcher/core/audit_forms.h"
#include "dispatcher/core/signing_keys.h"
#include "dispatcher/engine/bulk_change.h"
#include "dispatcher/engine/ledger.h"
#include "storage/memory_store.h"
#include "tests/fakes/forwarding_store.h"
#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

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

TEST_F(AuditTest, OfSeveralWhoCancelItIsWhoeverIsNotRefused) {
  ASSERT_TRUE(engine_->SetEndpointPaused(id_, true, "").ok());
  constexpr size_t kRounds = 100;
  for (size_t i = 0; i < kRounds; ++i) Publish("1");
  std::vector<std::string> actors;
  for (const Delivery& delivery : Deliveries(id_)) {
    std::atomic<int> ready{0};
    bool done[2] = {};
    std::vector<std::thread> callers;
    for (size_t caller = 0; caller < 2; ++caller) {
      callers.emplace_back([&, caller] {
        const Acting acting(By(Concat("tok_", caller)));
        for (++ready; ready < 2;) std::this_thread::yield();
        done[caller] = engine_->CancelDelivery(delivery.id).ok();
      });
    }
    for (std::thread& caller : callers) caller.join();
    EXPECT_NE(done[0], done[1]);
    actors.push_back(done[0] ? "tok_0" : "tok_1");
  }
  const std::vector<std::string> log = Log();
  ASSERT_EQ(log.size(), 1 + kRounds);
  for (size_t i = 0; i < kRounds; ++i) EXPECT_THAT(log[i + 1], StartsWith(actors[i] + " "));
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

// As the first opening after a restore shows it.
class RestoredStore final : public testing::ForwardingStore {
 public:
  absl::StatusOr<Recovered> Recover() override {
    absl::StatusOr<Recovered> recovered = ForwardingStore::Recover();
    recovered->restored_backup = 7;
    recovered->epoch = 3;
    return recovered;
  }
};

TEST_F(AuditTest, ARestoreIsRecorded) {
  Close();
  Open(std::make_unique<RestoredStore>());
  const absl::StatusOr<AuditRecord> record = engine_->GetAudit(1);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->origin.actor, kLocalActor);
  EXPECT_EQ(record->origin.call, "hookd --restore-backup");
  EXPECT_EQ(record->change.resource_type, "backup");
  EXPECT_EQ(record->change.resource_id, "7");
  EXPECT_EQ(record->change.after, R"({"epoch":3})");
  EXPECT_EQ(engine_->GetAudit(2).status().code(), absl::StatusCode::kNotFound);
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

// The ledger alone, while the wall clock leaps.
class AuditClockTest : public ::testing::Test {
 protected:
  AuditClockTest() { Start(); }
  // From what is on disk.
  void Start() {
    ledger_.reset();
    store_ = store_->Reopen();
    ledger_.emplace(*store_, telemetry_, 1, 1, nullptr, nullptr, &forms_);
    ledger_->Recovered(*store_->Recover());
  }
  void Round(int second, WallMs wall, const std::function<void(Ledger&)>& change) {
    ledger_->Begin({SteadyTime(std::chrono::seconds(second)), wall});
    change(*ledger_);
    ASSERT_TRUE(store_->Commit(wall).ok());
    ledger_->Committed();
  }
  // Gives the time of its record, since kStart.
  WallMs Pause(int second, WallMs wall) {
    Round(second, wall, [](Ledger& ledger) {
      Operations operations = ledger.operations();
      operations.paused = !operations.paused;
      ledger.SetOperations(operations);
    });
    return Newest().at_ms - kStart;
  }
  WallMs Confirm(int second, WallMs wall) {
    Round(second, wall, [](Ledger& ledger) {
      Operations operations = ledger.operations();
      operations.clock_suspect = false;
      ledger.SetOperations(operations);
    });
    return Newest().at_ms - kStart;
  }
  AuditRecord Newest() {
    AuditQuery query;
    return store_->ListAudit(query)->records.at(0);
  }

  static constexpr WallMs kStart = 1'700'000'000'000;
  static constexpr WallMs kLeapt = kStart + WallMs{10} * 365 * 24 * 3'600'000;
  const PlainForms forms_;
  NullTelemetry telemetry_;
  std::unique_ptr<MemoryStore> store_ = std::make_unique<MemoryStore>();
  std::optional<Ledger> ledger_;
};

TEST_F(AuditClockTest, ALeapDatesNoRecordAhead) {
  EXPECT_EQ(Pause(1, kStart), 0);
  EXPECT_EQ(Pause(11, kLeapt + 10'000), 10'000);
  EXPECT_EQ(Newest().number, 3u);
  EXPECT_EQ(store_->ReadAudit(2)->origin.call, "hookd/clock_leap");
  EXPECT_EQ(store_->ReadAudit(2)->at_ms, kStart + 10'000);
  EXPECT_EQ(Pause(21, kLeapt + 20'000), 20'000);
  Start();
  EXPECT_EQ(Pause(31, kLeapt + 30'000), 20'000) << "how long it did not run is not known";
  EXPECT_EQ(Pause(41, kLeapt + 40'000), 30'000);
  EXPECT_EQ(Pause(51, kStart + 35'000), 35'000) << "set right, or less";
  EXPECT_EQ(Confirm(61, kStart + 60'000), 50'000) << "it is suspect until then";
  EXPECT_EQ(Pause(71, kStart + 70'000), 70'000);
}

TEST_F(AuditClockTest, ALeapEndsNoSecret) {
  const EndpointId id{0x0a3f000000000001};
  const auto update = [id](Ledger& ledger) {
    const auto nothing = [](Endpoint&, WallMs, bool&) { return absl::OkStatus(); };
    EXPECT_TRUE(ApplyUpdate(ledger, id, nothing).ok());
  };
  const auto keys = [&] { return store_->ReadEndpoint(id)->endpoint->signing_keys.size(); };
  Round(1, kStart, [id](Ledger& ledger) {
    Subscriber subscriber;
    subscriber.id = "acme";
    ledger.PutSubscriber(subscriber);
    auto endpoint = std::make_shared<Endpoint>();
    endpoint->id = id;
    endpoint->subscriber_id = "acme";
    endpoint->signing_keys = {GenerateSigningKey(SigningScheme::kV1), GenerateSigningKey(SigningScheme::kV1)};
    endpoint->signing_keys[1].expires_ms = kStart + 3'600'000;
    ledger.PutEndpoint(endpoint);
  });
  Round(2, kLeapt, update);
  EXPECT_EQ(keys(), 2u);
  Round(3, kStart + 2'000, update);
  EXPECT_EQ(keys(), 2u);
  Confirm(3'700, kStart + 3'700'000);
  Round(3'701, kStart + 3'701'000, update);
  EXPECT_EQ(keys(), 1u);
}

}  // namespace
}  // namespace hookd
