// Deliveries that are made later than their event, and jobs.
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/conformance/delivery_store_suite.h"
#include "tests/conformance/describe.h"

namespace hookd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Bucket kFirst = kT0 / kBucketMs;
constexpr WallMs kNextHour = kT0 + kBucketMs;

TEST_P(DeliveryStoreSuite, ADeliveryMadeAnewQueuesAtTheTail) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef old = Accept(endpoint, kT0 + 7);
  Accept(endpoint, kT0 + 8);
  End(old, DeliveryState::kExpired);
  Commit();
  const DeliveryRef anew = Redeliver(old, kNextHour + 5, DeliveryState::kExpired);
  EXPECT_EQ(anew.id, (DeliveryId{kFirst + 1, endpoint, 3}));
  EXPECT_EQ(store().Lane(endpoint)->next, 4u);
  EXPECT_EQ(store().Lane(endpoint)->queued, 2u);
  EXPECT_EQ(store().ReadDelivery(old.id)->replaced_by, std::nullopt);  // not committed
  Commit();
  for (const bool reopened : {false, true}) {
    if (reopened) {
      EXPECT_EQ(Reopen().wall_high_water_ms, kNextHour + 5);
    }
    Delivery expected;
    expected.id = anew.id;
    expected.event = old.event;
    expected.subscriber_id = "acme";
    expected.event_type = kEventType;
    expected.accepted_ms = kNextHour + 5;
    expected.origin = Origin::kRecover;
    expected.replaces = old.id;
    EXPECT_EQ(Describe(*store().ReadDelivery(anew.id)), Describe(expected));
    EXPECT_EQ(store().ReadDelivery(old.id)->replaced_by, anew.id);
    EXPECT_EQ(store().ReadDelivery({kFirst, endpoint, 3}).status().code(), absl::StatusCode::kNotFound);
    const auto queue = store().ReadQueue(endpoint, 1, 10, 1 << 20);
    ASSERT_EQ(queue->size(), 2u);
    EXPECT_EQ((*queue)[0].remade, nullptr);
    EXPECT_EQ((*queue)[1].event->id, old.event);
    EXPECT_EQ(Describe((*queue)[1].remade), Describe(anew.remade));
    EXPECT_EQ(store().Stats().pending, 2u);
  }
}

TEST_P(DeliveryStoreSuite, WhatIsMadeAnewStaysSoThroughParkingAndEnd) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef old = Accept(endpoint);
  Attempt(old, 1, ErrorKind::kNone);
  Commit();
  const DeliveryRef parked = Redeliver(old, kNextHour, DeliveryState::kSucceeded, Origin::kReplay);
  Park(parked, 77, kNextHour + 9);
  const DeliveryRef failing = Redeliver(old, kNextHour + 1, DeliveryState::kPending, Origin::kRetry);
  Attempt(failing, 1, ErrorKind::kStatus);
  Commit();
  EXPECT_EQ(store().ReadDelivery(old.id)->replaced_by, std::nullopt);  // it succeeded
  const auto rows = store().ReadParked(endpoint, 10);
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ(Describe((*rows)[0].remade), Describe(parked.remade));
  EXPECT_EQ(Describe((*rows)[1].remade), Describe(failing.remade));
  EXPECT_EQ((*rows)[1].last_status, 503);
  EXPECT_EQ(store().ReadDelivery(failing.id)->last_error, ErrorKind::kStatus);

  Attempt(failing, 2, ErrorKind::kNone);
  Commit();
  Reopen();
  const auto ended = store().ReadDelivery(failing.id);
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->state, DeliveryState::kSucceeded);
  EXPECT_EQ(ended->accepted_ms, kNextHour + 1);
  EXPECT_EQ(ended->origin, Origin::kRetry);
  EXPECT_EQ(ended->replaces, std::nullopt);
  EXPECT_EQ(ended->last_status, 204);
  EXPECT_EQ(ended->attempts.size(), 2u);
}

TEST_P(DeliveryStoreSuite, TheNewestReplacementIsKept) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef old = Accept(endpoint, kT0 + 3);
  Attempt(old, 1, ErrorKind::kStatus);
  Commit();
  End(old, DeliveryState::kCanceled, 1);
  const DeliveryRef second = Redeliver(old, kT0 + 5, DeliveryState::kCanceled);  // of the open batch
  End(second, DeliveryState::kExhausted);
  const DeliveryRef third = Redeliver(old, kT0 + 6, DeliveryState::kCanceled);
  Commit();
  const DeliveryRef fourth = Redeliver(second, kNextHour, DeliveryState::kExhausted);
  Commit();
  Reopen();
  EXPECT_EQ(store().ReadDelivery(old.id)->replaced_by, third.id);
  EXPECT_EQ(store().ReadDelivery(old.id)->accepted_ms, kT0 + 3);
  EXPECT_EQ(store().ReadDelivery(second.id)->replaced_by, fourth.id);
  EXPECT_EQ(store().ReadDelivery(second.id)->replaces, old.id);
  EXPECT_THAT(ListSequences(ListIn(DeliveryState::kExhausted), 10), ElementsAre(2));
}

TEST_P(DeliveryStoreSuite, ABucketIsPinnedByLaterDeliveriesOfItsEvents) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef old = Accept(endpoint);
  End(old, DeliveryState::kExpired);
  Commit();
  const DeliveryRef same_hour = Redeliver(old, kT0 + 5, DeliveryState::kExpired);
  EXPECT_EQ(store().Buckets()[0].pending, 1u);
  EXPECT_EQ(store().Buckets()[0].pins, 0u);
  const DeliveryRef later = Redeliver(old, kNextHour, DeliveryState::kExpired);
  End(same_hour, DeliveryState::kCanceled);
  Commit();
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    EXPECT_THAT(Describe(store().Buckets()),
                ElementsAre(Describe(BucketView{kFirst, 0, 1, kT0 + 60'000, 2, false}),
                            Describe(BucketView{kFirst + 1, 1, 0, 0, 0, false})));
    EXPECT_DEATH(store().Apply(BucketDropped{kFirst, false}), "pending");
  }
  Attempt(later, 1, ErrorKind::kStatus);
  EXPECT_EQ(store().Buckets()[0].pins, 1u);
  Attempt(later, 2, ErrorKind::kNone);
  EXPECT_EQ(store().Buckets()[0].pins, 0u);
  EXPECT_EQ(store().Buckets()[1].pending, 0u);
  store().Apply(BucketDropped{kFirst, true});
  Commit();
  Reopen();
  EXPECT_EQ(store().ReadDelivery(old.id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store().ReadEvent(old.event).status().code(), absl::StatusCode::kNotFound);
  const auto kept = store().ReadDelivery(later.id);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->replaces, old.id);
  EXPECT_EQ(kept->event_type, kEventType);
}

// The event's bucket is kept by another delivery, the replaced one is gone with its own bucket.
TEST_P(DeliveryStoreSuite, ReplacingWhatIsForgottenLeavesNoTrace) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef old = Accept(endpoint);
  End(old, DeliveryState::kExpired);
  Commit();
  const DeliveryRef forgotten = Redeliver(old, kNextHour, DeliveryState::kExpired);
  End(forgotten, DeliveryState::kExhausted);
  Commit();
  store().Apply(BucketDropped{kFirst + 1, true});
  const DeliveryRef anew = Redeliver(forgotten, kNextHour + kBucketMs, DeliveryState::kExhausted);
  Commit();
  Reopen();
  EXPECT_EQ(store().ReadDelivery(anew.id)->replaces, forgotten.id);
  EXPECT_THAT(ListSequences(ListIn(DeliveryState::kExhausted), 10), IsEmpty());
}

TEST_P(DeliveryStoreSuite, JobsAreKeptWithAllTheirValues) {
  EXPECT_EQ(Reopen().next_job, 1u);
  store().Apply(JobChanged{MakeJob(1)});
  store().Apply(JobChanged{MakeJob(2)});
  Job job = MakeJob(2);
  job.kind = JobKind::kReplay;
  job.state = JobState::kRunning;
  job.only_state.reset();
  job.position.clear();
  job.done = 99;
  store().Apply(JobChanged{job});
  Commit();
  DeliveryStore::Recovered recovered = Reopen();
  ASSERT_EQ(recovered.jobs.size(), 2u);
  EXPECT_EQ(Describe(recovered.jobs[0]), Describe(MakeJob(1)));
  EXPECT_EQ(Describe(recovered.jobs[1]), Describe(job));
  EXPECT_EQ(recovered.next_job, 3u);

  store().Apply(JobDeleted{2});
  Commit();
  recovered = Reopen();
  ASSERT_EQ(recovered.jobs.size(), 1u);
  EXPECT_EQ(recovered.jobs[0].id, 1u);
  EXPECT_EQ(recovered.next_job, 3u);  // never reused
}

}  // namespace
}  // namespace hookd
