// Purges: what goes of payloads and exchanges, and what stays.
#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/conformance/delivery_store_suite.h"
#include "tests/conformance/describe.h"

namespace hookd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Delivery Stripped(Delivery delivery) {
  for (struct Attempt& attempt : delivery.attempts) {
    attempt.response_body.clear();
    attempt.request_headers.clear();
    attempt.response_headers.clear();
  }
  return delivery;
}

TEST_P(DeliveryStoreSuite, AnErasedEventIsGoneAndItsHistoryStays) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef sent = Accept(endpoint, kT0, "[1,2,3]");
  const DeliveryRef other = Accept(endpoint, kT0 + 1, "{}");
  Attempt(sent, 1, ErrorKind::kNone);
  Commit();
  EXPECT_EQ(store().Buckets()[0].payload_bytes, 9u);
  const std::string before = Describe(*store().ReadDelivery(sent.id));
  store().Apply(EventErased{sent.event, 7});
  EXPECT_EQ(store().Buckets()[0].payload_bytes, 2u);
  EXPECT_TRUE(store().ReadEvent(sent.event).ok());  // not committed
  Commit();
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    EXPECT_EQ(store().ReadEvent(sent.event).status().code(), absl::StatusCode::kNotFound);
    EXPECT_TRUE(store().ReadEvent(other.event).ok());
    EXPECT_EQ(Describe(*store().ReadDelivery(sent.id)), before);
    EXPECT_THAT(ListSequences(ListOf(endpoint), 1), ElementsAre(1, 2));
    EventQuery all;
    all.subscriber_id = "acme";
    for (const bool delivered_only : {false, true}) {
      all.delivered_only = delivered_only;
      const absl::StatusOr<EventPage> page = store().ListEvents(all);
      ASSERT_TRUE(page.ok()) << page.status();
      ASSERT_EQ(page->events.size(), 1u);
      EXPECT_EQ(page->events[0]->id, other.event);
    }
    EXPECT_EQ(store().Buckets()[0].payload_bytes, 2u);
    EXPECT_FALSE(store().Buckets()[0].payloads_gone);
  }
  // Its hour goes as any other.
  Attempt(other, 1, ErrorKind::kNone);
  store().Apply(BucketDropped{kT0 / kBucketMs, true});
  Commit();
  EXPECT_THAT(store().Buckets(), IsEmpty());
}

TEST_P(DeliveryStoreSuite, ErasedExchangesLeaveTheFigures) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef sent = Accept(endpoint, kT0);          // its last attempt is in its end
  const DeliveryRef canceled = Accept(endpoint, kT0 + 1);  // its attempts have rows of their own
  const DeliveryRef untried = Accept(endpoint, kT0 + 2);
  Attempt(sent, 1, ErrorKind::kStatus);
  Attempt(sent, 2, ErrorKind::kNone);
  Attempt(canceled, 1, ErrorKind::kStatus);
  Attempt(canceled, 2, ErrorKind::kStatus);
  End(canceled, DeliveryState::kCanceled, 2);
  End(untried, DeliveryState::kCanceled);
  Commit();
  std::vector<std::string> expected;
  for (const DeliveryRef& delivery : {sent, canceled, untried}) {
    const Delivery read = *store().ReadDelivery(delivery.id);
    if (delivery.id != untried.id) {
      ASSERT_EQ(read.attempts.size(), 2u);
      EXPECT_FALSE(read.attempts[0].response_body.empty());
    }
    expected.push_back(Describe(Stripped(read)));
    store().Apply(ResponsesErased{Stripped(read)});
  }
  Commit();
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    size_t i = 0;
    for (const DeliveryRef& delivery : {sent, canceled, untried}) {
      EXPECT_EQ(Describe(*store().ReadDelivery(delivery.id)), expected[i++]);
    }
    EXPECT_THAT(ListSequences(ListIn(DeliveryState::kCanceled), 1), ElementsAre(2, 3));
    DeliveryQuery ok = ListOf(endpoint);
    ok.status_class = 2;
    EXPECT_THAT(ListSequences(ok, 1), ElementsAre(1));
  }
}

TEST_P(DeliveryStoreSuite, ARemadeDeliveryKeepsWhatItWasMadeFor) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef old = Accept(endpoint, kT0);
  End(old, DeliveryState::kExpired);
  Commit();
  const DeliveryRef anew = Redeliver(old, kT0 + kBucketMs, DeliveryState::kExpired);
  Attempt(anew, 1, ErrorKind::kNone);
  Commit();
  const Delivery stripped = Stripped(*store().ReadDelivery(anew.id));
  const std::string replaced = Describe(*store().ReadDelivery(old.id));
  store().Apply(ResponsesErased{stripped});
  store().Apply(ResponsesErased{*store().ReadDelivery(old.id)});
  Commit();
  Reopen();
  EXPECT_EQ(Describe(*store().ReadDelivery(anew.id)), Describe(stripped));
  EXPECT_EQ(Describe(*store().ReadDelivery(old.id)), replaced);
}

TEST_P(DeliveryStoreSuite, ScouringLeavesWhatIsThere) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef gone = Accept(endpoint, kT0, std::string(8'001, '1'));
  const DeliveryRef stays = Accept(endpoint, kT0 + 1, std::string(8'001, '2'));
  Attempt(gone, 1, ErrorKind::kNone);
  Commit();
  store().Apply(EventErased{gone.event, 8'001});
  Commit();
  std::atomic<bool> stop{false};
  for (const Scoured what : {Scoured::kPayloads, Scoured::kSecrets}) {
    ASSERT_TRUE(store().Scour(what, stop).ok());
  }
  EXPECT_EQ(store().ReadEvent(gone.event).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ((*store().ReadEvent(stays.event))->payload.size(), 8'001u);
  EXPECT_THAT(QueueSequences(endpoint), ElementsAre(2));
  EXPECT_TRUE(store().ReadEndpoint(endpoint).ok());
}

}  // namespace
}  // namespace hookd
