// The audit log as both stores keep it.
#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/conformance/delivery_store_suite.h"

namespace hookd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class AuditNumbers {
 public:
  explicit AuditNumbers(const DeliveryStore& store) : store_(store) {}
  // Of every page; fails when one is longer than it may be.
  std::vector<uint64_t> All(AuditQuery query) const {
    std::vector<uint64_t> numbers;
    for (int pages = 0; pages < 1'000; ++pages) {
      const absl::StatusOr<AuditPage> page = store_.ListAudit(query);
      EXPECT_TRUE(page.ok()) << page.status();
      EXPECT_LE(page->records.size(), query.limit);
      for (const AuditRecord& record : page->records) {
        EXPECT_EQ(record, MakeAuditRecord(record.number));
        numbers.push_back(record.number);
      }
      if (page->next == 0) return numbers;
      query.position = page->next;
    }
    ADD_FAILURE() << "pages without end";
    return numbers;
  }

 private:
  const DeliveryStore& store_;
};

TEST_P(DeliveryStoreSuite, AuditRecordsSurviveReopening) {
  EXPECT_EQ(Reopen().audit, AuditTail());
  EXPECT_THAT(store().ListAudit({})->records, IsEmpty());
  store().Apply(Audited{MakeAuditRecord(1)});
  EXPECT_EQ(store().ReadAudit(1).status().code(), absl::StatusCode::kNotFound);  // not committed
  store().Apply(Audited{MakeAuditRecord(2)});
  Commit();
  store().Apply(Audited{MakeAuditRecord(3)});  // and the store is gone before its commit
  const DeliveryStore::Recovered recovered = Reopen();
  EXPECT_EQ(recovered.audit,
            (AuditTail{2, MakeAuditRecord(2).at_ms, MakeAuditRecord(2).hash, MakeAuditRecord(2).log_bytes}));
  EXPECT_EQ(recovered.audit_first, 1u);
  EXPECT_EQ(*store().ReadAudit(2), MakeAuditRecord(2));
  EXPECT_EQ(store().ReadAudit(3).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(DeliveryStoreSuite, AuditRecordsAreFoundByWhatTheySay) {
  for (uint64_t number = 1; number <= 60; ++number) store().Apply(Audited{MakeAuditRecord(number)});
  Commit();
  const AuditNumbers list(store());
  AuditQuery query;
  query.limit = 7;
  std::vector<uint64_t> newest = list.All(query);
  ASSERT_EQ(newest.size(), 60u);
  EXPECT_EQ(newest.front(), 60u);
  EXPECT_EQ(newest.back(), 1u);
  query.oldest_first = true;
  std::vector<uint64_t> oldest = list.All(query);
  EXPECT_TRUE(std::equal(oldest.begin(), oldest.end(), newest.rbegin()));

  query.from_ms = kT0 + 2'000;
  query.before_ms = kT0 + 3'000;
  EXPECT_THAT(list.All(query), ElementsAre(20, 21, 22, 23, 24, 25, 26, 27, 28, 29));
  query.oldest_first = false;
  query.actor = "local";
  EXPECT_THAT(list.All(query), ElementsAre(28, 26, 24, 22, 20));
  query.call = "PauseEndpoint";
  EXPECT_THAT(list.All(query), ElementsAre(24));
  query.call = "EndpointService/PauseEndpoint";
  EXPECT_THAT(list.All(query), ElementsAre(24));
  query.call = "Endpoint";
  EXPECT_THAT(list.All(query), IsEmpty());
  query.call.clear();
  query.subscriber_id = "acme";
  EXPECT_THAT(list.All(query), ElementsAre(28, 24, 20));
  query.resource_id = "ep_3";
  EXPECT_THAT(list.All(query), ElementsAre(28));

  AuditQuery out;
  out.from_ms = kT0 + 7'000;
  EXPECT_THAT(list.All(out), IsEmpty());
  out = AuditQuery();
  out.before_ms = kT0;
  EXPECT_THAT(list.All(out), IsEmpty());
}

TEST_P(DeliveryStoreSuite, AuditPagesAreBoundedByBytes) {
  for (uint64_t number = 1; number <= 10; ++number) store().Apply(Audited{MakeAuditRecord(number)});
  Commit();
  AuditQuery query;
  query.max_bytes = 1;
  EXPECT_EQ(store().ListAudit(query)->records.size(), 1u);
  EXPECT_EQ(AuditNumbers(store()).All(query).size(), 10u);
  query.max_bytes = 0;
  for (const uint64_t number : {10, 9, 8}) query.max_bytes += AuditText(MakeAuditRecord(number)).size();
  EXPECT_EQ(store().ListAudit(query)->records.size(), 3u);
  --query.max_bytes;
  EXPECT_EQ(store().ListAudit(query)->records.size(), 2u);
  EXPECT_EQ(AuditNumbers(store()).All(query).size(), 10u);
}

TEST_P(DeliveryStoreSuite, AuditRecordsGoFromTheOldestOn) {
  for (uint64_t number = 1; number <= 60; ++number) store().Apply(Audited{MakeAuditRecord(number)});
  store().Apply(AuditTrimmed{59});
  Commit();
  const DeliveryStore::Recovered recovered = Reopen();
  EXPECT_EQ(recovered.audit.number, 60u);
  EXPECT_EQ(recovered.audit_first, 59u);
  AuditQuery query;
  EXPECT_THAT(AuditNumbers(store()).All(query), ElementsAre(60, 59));
  query.from_ms = kT0;
  query.oldest_first = true;
  EXPECT_THAT(AuditNumbers(store()).All(query), ElementsAre(59, 60));
  query.position = 3;  // of a page whose records are gone
  EXPECT_THAT(AuditNumbers(store()).All(query), ElementsAre(59, 60));
  EXPECT_EQ(store().ReadAudit(58).status().code(), absl::StatusCode::kNotFound);
  store().Apply(Audited{MakeAuditRecord(61)});
  Commit();
  EXPECT_EQ(Reopen().audit.number, 61u);
}

}  // namespace
}  // namespace hookd
