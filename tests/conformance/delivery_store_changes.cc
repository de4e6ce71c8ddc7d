// The log of state changes.
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/conformance/delivery_store_suite.h"
#include "tests/conformance/describe.h"

namespace hookd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr WallMs kKept = kChangesKept.count();

StateChange ChangeOf(const DeliveryRef& delivery, DeliveryState state, uint32_t attempts, WallMs at_ms) {
  StateChange change;
  change.delivery = delivery.id;
  change.event = delivery.event;
  change.subscriber_id = "acme";
  change.event_type = kEventType;
  change.state = state;
  change.attempt_count = attempts;
  change.at_ms = at_ms;
  return change;
}

std::vector<std::string> Lines(const absl::StatusOr<ChangePage>& page) {
  if (!page.ok()) return {page.status().ToString()};
  std::vector<std::string> lines;
  for (const StateChange& change : page->changes) lines.push_back(Describe(change));
  return lines;
}

TEST_P(DeliveryStoreSuite, ChangesTellEveryStateOfADelivery) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef a = Accept(endpoint, kT0 + 7);
  const DeliveryRef b = Accept(endpoint, kT0 + 8);
  const DeliveryRef c = Accept(endpoint, kT0 + 9);
  EXPECT_THAT(Lines(store().ReadChanges(0, 10)), IsEmpty());  // not committed
  Commit(kT0 + 9);
  Attempt(a, 1, ErrorKind::kStatus, kT0 + 15'000);
  Commit(kT0 + 10);
  Attempt(a, 2, ErrorKind::kNone);
  End(b, DeliveryState::kCanceled);
  Park(c, 7, kT0 + 99);  // stays pending: no change
  Commit(kT0 + 11);
  const DeliveryRef anew = Redeliver(b, kT0 + kBucketMs, DeliveryState::kCanceled);
  Commit(kT0 + kBucketMs + 5);

  StateChange failed = ChangeOf(a, DeliveryState::kPending, 1, kT0 + 1'120);
  failed.status = 503;
  failed.error = ErrorKind::kStatus;
  failed.next_due_ms = kT0 + 15'000;
  StateChange sent = ChangeOf(a, DeliveryState::kSucceeded, 2, kT0 + 2'120);
  sent.reason = EndReason::kDelivered;
  sent.status = 204;
  StateChange canceled = ChangeOf(b, DeliveryState::kCanceled, 0, kT0 + 60'000);
  canceled.reason = EndReason::kEndpointDeleted;
  const std::string all[] = {Describe(ChangeOf(a, DeliveryState::kPending, 0, kT0 + 7)),
                             Describe(ChangeOf(b, DeliveryState::kPending, 0, kT0 + 8)),
                             Describe(ChangeOf(c, DeliveryState::kPending, 0, kT0 + 9)),
                             Describe(failed),
                             Describe(sent),
                             Describe(canceled),
                             Describe(ChangeOf(anew, DeliveryState::kPending, 0, kT0 + kBucketMs))};
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    auto page = store().ReadChanges(0, 100);
    EXPECT_THAT(Lines(page), ElementsAre(all[0], all[1], all[2], all[3], all[4], all[5], all[6]));
    EXPECT_EQ(page->commit, 4u);
    EXPECT_FALSE(page->more);
    // Whole commits, however small the limit.
    page = store().ReadChanges(0, 1);
    EXPECT_THAT(Lines(page), ElementsAre(all[0], all[1], all[2]));
    EXPECT_EQ(page->commit, 1u);
    EXPECT_TRUE(page->more);
    page = store().ReadChanges(2, 1);
    EXPECT_THAT(Lines(page), ElementsAre(all[4], all[5]));
    EXPECT_EQ(page->commit, 3u);
    EXPECT_TRUE(page->more);
    page = store().ReadChanges(3, 1);
    EXPECT_THAT(Lines(page), ElementsAre(all[6]));
    EXPECT_EQ(page->commit, 4u);
    EXPECT_FALSE(page->more);
  }
}

TEST_P(DeliveryStoreSuite, OneEventForManyEndpointsChangesEachDelivery) {
  const EndpointId first = AddEndpoint(1);
  const EndpointId second = AddEndpoint(2);
  const auto event = MakeEvent("acme", kT0, 1);
  store().Apply(Accepted{event, {{first, 1}, {second, 1}}, std::nullopt});
  store().Apply(Accepted{MakeEvent("acme", kT0, 2), {}, std::nullopt});
  Commit();
  const Bucket bucket = event->id.bucket();
  EXPECT_THAT(
      Lines(store().ReadChanges(0, 10)),
      ElementsAre(Describe(ChangeOf({{bucket, first, 1}, event->id}, DeliveryState::kPending, 0, kT0)),
                  Describe(ChangeOf({{bucket, second, 1}, event->id}, DeliveryState::kPending, 0, kT0))));
}

TEST_P(DeliveryStoreSuite, CommitsWithoutChangesAreReadPast) {
  auto page = store().ReadChanges(0, 10);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->commit, 0u);
  EXPECT_EQ(store().ReadChanges(1, 10).status().code(), absl::StatusCode::kOutOfRange);
  const EndpointId endpoint = AddEndpoint(1);
  Commit();
  Accept(endpoint);
  Commit();
  store().Apply(OperationsChanged{});
  Commit();
  page = store().ReadChanges(0, 10);
  EXPECT_EQ(page->changes.size(), 1u);
  EXPECT_EQ(page->commit, 3u);
  EXPECT_FALSE(page->more);
  page = store().ReadChanges(3, 10);
  EXPECT_THAT(Lines(page), IsEmpty());
  EXPECT_EQ(page->commit, 3u);
  EXPECT_EQ(store().ReadChanges(4, 10).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(store().ReadChanges(UINT64_MAX, 10).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_P(DeliveryStoreSuite, ChangesGoByTheHourOnceTheyAreOldEnough) {
  const EndpointId endpoint = AddEndpoint(1);
  const auto commit_one = [&](WallMs at) {
    Accept(endpoint, at);
    Commit(at);
  };
  commit_one(kT0);                          // commit 1 begins the hour
  commit_one(kT0 + kBucketMs - 1);          // 2, of the same
  commit_one(kT0 + kBucketMs);              // 3 begins the next
  commit_one(kT0 + kBucketMs - 1);          // 4: a clock that went back, the high-water mark did not
  commit_one(kT0 + kBucketMs + kKept - 1);  // 5: an hour is over by 24 h less a millisecond
  EXPECT_EQ(store().ReadChanges(0, 100)->changes.size(), 5u);
  Reopen();
  EXPECT_EQ(store().ReadChanges(0, 100)->changes.size(), 5u);

  commit_one(kT0 + kBucketMs + kKept);  // 6
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    EXPECT_EQ(store().ReadChanges(0, 100).status().code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(store().ReadChanges(1, 100).status().code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(store().ReadChanges(2, 100)->changes.size(), 4u);
  }
  // A long silence: all hours but the one that begins.
  commit_one(kT0 + 10 * kKept);  // 7
  EXPECT_EQ(store().ReadChanges(5, 100).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(store().ReadChanges(6, 100)->changes.size(), 1u);
}

}  // namespace
}  // namespace hookd
