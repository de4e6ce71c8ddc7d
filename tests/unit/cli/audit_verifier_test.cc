#include "cli/audit_verifier.h"

#include <gtest/gtest.h>

namespace hookd::cli {
namespace {

// The records of tests/unit/core/audit_chain_test.cc, whose hashes another implementation has made.
v1::AuditRecord Record(uint64_t number) {
  v1::AuditRecord record;
  record.set_number(number);
  record.mutable_time()->set_seconds(1'700'000'000);
  record.mutable_time()->set_nanos(number == 1 ? 0 : 1'000'000);
  record.set_actor("tok_0000000000000007");
  record.set_actor_role("operator");
  record.set_actor_name("on call");
  record.set_peer("192.0.2.1");
  record.set_call("EndpointService/PauseEndpoint");
  record.set_reason("why");
  record.set_resource_type("endpoint");
  record.set_resource_id("ep_000000000000002a");
  record.set_subscriber_id("acme");
  record.set_before("{}");
  record.set_after(R"({"paused":true})");
  record.add_secrets_changed("url");
  record.set_hash(number == 1 ? "02ceb9bb543146276904467d9ac8b4fa4ff2a254f21a68968f4c79b0d8be2cb8"
                              : "0570bea9e447813beaa98b8c5ae74526d39c1cab3c54a17ae671085dcfd923f9");
  return record;
}

TEST(AuditVerifierTest, TakesWhatWasWritten) {
  AuditVerifier verifier;
  EXPECT_EQ(verifier.Take(Record(1)), std::nullopt);
  EXPECT_EQ(verifier.Take(Record(2)), std::nullopt);
  EXPECT_EQ(verifier.taken(), 2u);
  EXPECT_EQ(verifier.number(), 2u);
  EXPECT_EQ(verifier.hash(), Record(2).hash());
}

TEST(AuditVerifierTest, NamesWhatWasChanged) {
  AuditVerifier changed;
  v1::AuditRecord record = Record(1);
  record.set_reason("because");
  EXPECT_EQ(changed.Take(record), "record 1 is not as it was written, or the one before it is not");
  AuditVerifier later;
  EXPECT_EQ(later.Take(Record(1)), std::nullopt);
  record = Record(2);
  record.set_after("{}");
  EXPECT_EQ(later.Take(record), "record 2 is not as it was written, or the one before it is not");
}

TEST(AuditVerifierTest, NamesWhatIsMissing) {
  AuditVerifier verifier;
  EXPECT_EQ(verifier.Take(Record(1)), std::nullopt);
  v1::AuditRecord third = Record(2);
  third.set_number(3);
  EXPECT_EQ(verifier.Take(third), "record 2 is missing: 3 follows 1");
  v1::AuditRecord bare = Record(2);
  bare.set_hash("00");
  EXPECT_EQ(verifier.Take(bare), "record 2 has no hash");
}

// What is older is gone by age: the first one's own link is not known.
TEST(AuditVerifierTest, BeginsWhereTheLogBegins) {
  AuditVerifier verifier;
  EXPECT_EQ(verifier.Take(Record(2)), std::nullopt);
  v1::AuditRecord third = Record(2);
  third.set_number(3);
  EXPECT_EQ(verifier.Take(third), "record 3 is not as it was written, or the one before it is not");
}

}  // namespace
}  // namespace hookd::cli
