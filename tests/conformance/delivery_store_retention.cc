// Buckets: what they count, and what is left once they are dropped.
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

TEST_P(DeliveryStoreSuite, BucketsCountAsOfTheLastApply) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef a = Accept(endpoint, kT0, "[1,2,3]");
  const DeliveryRef b = Accept(endpoint, kT0 + 1, "{}");
  Accept(endpoint, kNextHour, "{}");
  EXPECT_THAT(Describe(store().Buckets()), ElementsAre(Describe(BucketView{kFirst, 2, 0, 0, 9, false}),
                                                       Describe(BucketView{kFirst + 1, 1, 0, 0, 2, false})));
  Commit();
  Attempt(a, 1, ErrorKind::kStatus);
  EXPECT_EQ(store().Buckets()[0].pending, 2u);
  Attempt(a, 2, ErrorKind::kNone);
  End(b, DeliveryState::kExpired);
  const BucketView ended{kFirst, 0, 0, kT0 + 60'000, 9, false};
  EXPECT_EQ(Describe(store().Buckets()[0]), Describe(ended));
  EXPECT_DEATH(store().Apply(BucketDropped{kFirst + 1, false}), "pending");
  Commit();
  Reopen();
  EXPECT_EQ(Describe(store().Buckets()[0]), Describe(ended));
}

TEST_P(DeliveryStoreSuite, DroppedPayloadsLeaveTheHistory) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef failed = Accept(endpoint, kT0);
  const DeliveryRef sent = Accept(endpoint, kT0 + 1);
  const DeliveryRef later = Accept(endpoint, kNextHour);
  Attempt(failed, 1, ErrorKind::kStatus);
  End(failed, DeliveryState::kExpired, 1);
  Attempt(sent, 1, ErrorKind::kNone);
  Commit();
  const std::string before = Describe(*store().ReadDelivery(failed.id));

  store().Apply(BucketDropped{kFirst, false});
  EXPECT_EQ(Describe(store().Buckets()[0]), Describe(BucketView{kFirst, 0, 0, kT0 + 60'000, 0, true}));
  EXPECT_TRUE(store().ReadEvent(sent.event).ok());  // not committed
  Commit();
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    EXPECT_EQ(store().ReadEvent(failed.event).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(store().ReadEvent(sent.event).status().code(), absl::StatusCode::kNotFound);
    EXPECT_TRUE(store().ReadEvent(later.event).ok());
    EXPECT_EQ(Describe(*store().ReadDelivery(failed.id)), before);
    EXPECT_THAT(ListSequences(ListOf(endpoint), 2), ElementsAre(1, 2, 3));
    EXPECT_THAT(ListSequences(ListIn(DeliveryState::kExpired), 2), ElementsAre(1));
    EXPECT_TRUE(store().Buckets()[0].payloads_gone);
  }
}

TEST_P(DeliveryStoreSuite, DroppedHistoryIsGone) {
  const EndpointId endpoint = AddEndpoint(1);
  std::vector<DeliveryRef> d;
  for (const WallMs at : {kT0, kT0 + 1, kT0 + 2, kT0 + 3, kNextHour, kNextHour + 1, kNextHour + 2}) {
    d.push_back(Accept(endpoint, at));
  }
  Attempt(d[0], 1, ErrorKind::kStatus);
  End(d[0], DeliveryState::kExhausted, 1);
  End(d[1], DeliveryState::kExpired);
  End(d[2], DeliveryState::kCanceled);
  Attempt(d[3], 1, ErrorKind::kNone);
  End(d[4], DeliveryState::kExpired);
  Attempt(d[5], 1, ErrorKind::kNone);
  Commit();
  DeliveryQuery query = ListOf(endpoint);
  query.limit = 2;
  query.position = store().ListDeliveries(query)->next_position;

  store().Apply(BucketDropped{kFirst, true});
  EXPECT_EQ(store().Buckets().size(), 1u);
  Commit();
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    for (size_t i = 0; i < d.size(); ++i) {
      EXPECT_EQ(store().ReadEvent(d[i].event).ok(), i >= 4) << i;
      EXPECT_EQ(store().ReadDelivery(d[i].id).ok(), i >= 4) << i;
    }
    for (const size_t page : {1, 2, 100}) {
      EXPECT_THAT(ListSequences(ListOf(endpoint), page), ElementsAre(5, 6, 7)) << page;
      EXPECT_THAT(ListSequences(ListIn(DeliveryState::kSucceeded), page), ElementsAre(6));
      EXPECT_THAT(ListSequences(ListIn(DeliveryState::kExpired), page), ElementsAre(5));
      EXPECT_THAT(ListSequences(ListIn(DeliveryState::kExhausted), page), IsEmpty());
      EXPECT_THAT(ListSequences(ListIn(DeliveryState::kCanceled), page), IsEmpty());
    }
    EXPECT_THAT(ListSequences(query, 2), ElementsAre(5, 6, 7));  // a position inside of what is gone
    ASSERT_EQ(store().Buckets().size(), 1u);
    EXPECT_EQ(store().Buckets()[0].bucket, kFirst + 1);
    EXPECT_EQ(store().Lane(endpoint)->next, 8u);
  }
}

TEST_P(DeliveryStoreSuite, PayloadsGoFirstAndHistoryLater) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef d = Accept(endpoint);
  Attempt(d, 1, ErrorKind::kNone);
  Commit();
  store().Apply(BucketDropped{kFirst, false});
  Commit();
  store().Apply(BucketDropped{kFirst, true});
  EXPECT_DEATH(store().Apply(BucketDropped{kFirst, true}), "pending");
  Commit();
  EXPECT_EQ(store().ReadDelivery(d.id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(store().Buckets(), IsEmpty());
  Reopen();
  EXPECT_THAT(store().Buckets(), IsEmpty());

  // An hour that was dropped may begin anew, in the same batch too.
  Accept(endpoint);
  Commit();
  EXPECT_EQ(store().Buckets()[0].pending, 1u);
  EXPECT_THAT(QueueSequences(endpoint), ElementsAre(2));
}

TEST_P(DeliveryStoreSuite, ABucketDroppedAndUsedInOneBatch) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef old = Accept(endpoint);
  Attempt(old, 1, ErrorKind::kNone);
  store().Apply(BucketDropped{kFirst, false});
  const DeliveryRef fresh = Accept(endpoint, kT0, "[]");
  Commit();
  EXPECT_FALSE(store().ReadEvent(old.event).ok());
  EXPECT_TRUE(store().ReadEvent(fresh.event).ok());
  EXPECT_EQ(Describe(store().Buckets()[0]), Describe(BucketView{kFirst, 1, 0, kT0 + 1'120, 2, false}));
}

}  // namespace
}  // namespace hookd
