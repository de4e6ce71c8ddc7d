// What readers are told, page by page and while the committer writes.
#include <algorithm>
#include <atomic>
#include <cctype>
#include <iterator>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
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

TEST_P(DeliveryStoreSuite, ReadQueueBeginsAtFromAndEndsAtTheLimit) {
  const EndpointId endpoint = AddEndpoint(1);
  const EndpointId next = AddEndpoint(2);
  const std::vector<DeliveryRef> d = AcceptMany(endpoint, 5);
  Accept(next);
  Attempt(d[0], 1, ErrorKind::kStatus);
  End(d[2], DeliveryState::kExpired);
  Commit();
  EXPECT_THAT(QueueSequences(endpoint, 1), ElementsAre(2, 4, 5));
  EXPECT_THAT(QueueSequences(endpoint, 3), ElementsAre(4, 5));
  EXPECT_THAT(QueueSequences(endpoint, 5), ElementsAre(5));
  EXPECT_THAT(QueueSequences(endpoint, 6), IsEmpty());
  EXPECT_EQ(store().ReadQueue(endpoint, 1, 2, 1'000)->size(), 2u);
  EXPECT_THAT(QueueSequences(MakeEndpointId("acme", 3)), IsEmpty());
}

TEST_P(DeliveryStoreSuite, ReadQueueEndsAtItsBytesButGivesOneRow) {
  const EndpointId endpoint = AddEndpoint(1);
  for (int i = 0; i < 10; ++i) Accept(endpoint, kT0, "\"" + std::string(998, 'x') + "\"");
  Commit();
  EXPECT_EQ(store().ReadQueue(endpoint, 1, 100, 1)->size(), 1u);
  const size_t rows = store().ReadQueue(endpoint, 1, 100, 3'500)->size();
  EXPECT_GE(rows, 3u);
  EXPECT_LE(rows, 4u);
  EXPECT_EQ(store().ReadQueue(endpoint, 1, 100, 1 << 20)->size(), 10u);
}

TEST_P(DeliveryStoreSuite, PayloadComesBackByteForByte) {
  const EndpointId endpoint = AddEndpoint(1);
  const std::string payload = "{ \"a\":1.0e+2 ,\t\"\\u00e9\":\"é\",\"a\":null}\n";
  const std::string large = "\"" + std::string(1 << 20, 'y') + "\"";
  Accept(endpoint, kT0, payload);
  Accept(endpoint, kT0, large);
  Commit();
  Reopen();
  const auto rows = store().ReadQueue(endpoint, 1, 2, 4 << 20);
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].event->payload, payload);
  EXPECT_TRUE((*rows)[1].event->payload == large);
}

TEST_P(DeliveryStoreSuite, EventWithoutDeliveriesIsKept) {
  const auto event = MakeEvent("acme", kT0 + 3, 1);
  store().Apply(Accepted{event, {}, std::nullopt});
  Commit();
  Reopen();
  EXPECT_EQ(Describe(**store().ReadEvent(event->id)), Describe(*event));
  EXPECT_EQ(store().ReadEvent(MakeEvent("acme", kT0 + 3, 2)->id).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_P(DeliveryStoreSuite, ReadParkedIsInOrderAndEndsAtTheLimit) {
  const EndpointId endpoint = AddEndpoint(1);
  const std::vector<DeliveryRef> d = AcceptMany(endpoint, 4);
  for (const DeliveryRef& delivery : d) Attempt(delivery, 1, ErrorKind::kStatus);
  Attempt(d[1], 2, ErrorKind::kNone);
  Commit();
  EXPECT_THAT(ParkedSequences(endpoint), ElementsAre(1, 3, 4));
  const auto two = store().ReadParked(endpoint, 2);
  ASSERT_EQ(two->size(), 2u);
  EXPECT_EQ((*two)[1].sequence, 3u);
}

TEST_P(DeliveryStoreSuite, EveryErrorKindIsKept) {
  const EndpointId endpoint = AddEndpoint(1);
  std::vector<ErrorKind> kinds;
  for (uint8_t number = 1; ToString(static_cast<ErrorKind>(number)) != "unknown"; ++number) {
    kinds.push_back(static_cast<ErrorKind>(number));
  }
  EXPECT_EQ(kinds.size(), 10u);
  std::vector<DeliveryRef> d;
  for (const ErrorKind kind : kinds) {
    d.push_back(Accept(endpoint, kT0 + 7));
    Attempt(d.back(), 1, kind);
  }
  Commit();
  Reopen();
  for (size_t i = 0; i < kinds.size(); ++i) {
    const auto read = store().ReadDelivery(d[i].id);
    ASSERT_TRUE(read.ok()) << ToString(kinds[i]) << ": " << read.status();
    EXPECT_EQ(read->last_error, kinds[i]);
    EXPECT_EQ(read->attempts.at(0).error, kinds[i]);
  }
  EXPECT_TRUE(store().ReadChanges(0, 10).ok());
}

TEST_P(DeliveryStoreSuite, ReadDeliveryTellsEveryAttempt) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef d = Accept(endpoint, kT0 + 7);
  Commit();
  Delivery expected;
  expected.id = d.id;
  expected.event = d.event;
  expected.subscriber_id = "acme";
  expected.event_type = kEventType;
  expected.accepted_ms = kT0 + 7;
  EXPECT_EQ(Describe(*store().ReadDelivery(d.id)), Describe(expected));

  Attempt(d, 1, ErrorKind::kStatus, kT0 + 15'000);
  Attempt(d, 2, ErrorKind::kLocal, kT0 + 33'000);
  Commit();
  expected.attempts = {MakeAttempt(1, ErrorKind::kStatus), MakeAttempt(2, ErrorKind::kLocal)};
  expected.attempts[0].next_due_ms = kT0 + 15'000;
  expected.attempts[1].next_due_ms = kT0 + 33'000;
  expected.attempt_count = 2;
  expected.next_due_ms = kT0 + 33'000;
  expected.last_error = ErrorKind::kLocal;
  EXPECT_EQ(Describe(*store().ReadDelivery(d.id)), Describe(expected));

  Attempt(d, 3, ErrorKind::kNone);
  Commit();
  Reopen();
  expected.attempts.push_back(MakeAttempt(3, ErrorKind::kNone));
  expected.attempt_count = 3;
  expected.next_due_ms = 0;
  expected.state = DeliveryState::kSucceeded;
  expected.reason = EndReason::kDelivered;
  expected.ended_ms = kT0 + 3'120;
  expected.last_status = 204;
  expected.last_error = ErrorKind::kNone;
  EXPECT_EQ(Describe(*store().ReadDelivery(d.id)), Describe(expected));
}

TEST_P(DeliveryStoreSuite, ReadDeliveryOfOneThatEndedWithoutAnAttempt) {
  const EndpointId endpoint = AddEndpoint(1);
  const std::vector<DeliveryRef> d = AcceptMany(endpoint, 2);
  Attempt(d[0], 1, ErrorKind::kName);
  Commit();
  End(d[0], DeliveryState::kExpired, 1);
  End(d[1], DeliveryState::kCanceled);
  Commit();
  const Delivery tried = *store().ReadDelivery(d[0].id);
  EXPECT_EQ(tried.state, DeliveryState::kExpired);
  EXPECT_EQ(tried.ended_ms, kT0 + 60'000);
  EXPECT_EQ(tried.next_due_ms, 0);
  EXPECT_EQ(tried.attempt_count, 1u);
  ASSERT_EQ(tried.attempts.size(), 1u);
  EXPECT_EQ(tried.attempts[0].error, ErrorKind::kName);
  const Delivery untried = *store().ReadDelivery(d[1].id);
  EXPECT_EQ(untried.state, DeliveryState::kCanceled);
  EXPECT_EQ(untried.reason, EndReason::kEndpointDeleted);
  EXPECT_EQ(untried.subscriber_id, "acme");
  EXPECT_EQ(untried.event_type, kEventType);
  EXPECT_EQ(untried.attempt_count, 0u);
  EXPECT_THAT(untried.attempts, IsEmpty());
}

TEST_P(DeliveryStoreSuite, ReadDeliveryNeedsTheWholeId) {
  const EndpointId endpoint = AddEndpoint(1);
  const std::vector<DeliveryRef> d = AcceptMany(endpoint, 3);
  Attempt(d[0], 1, ErrorKind::kNone);
  Attempt(d[1], 1, ErrorKind::kStatus);
  Commit();
  for (const DeliveryRef& delivery : d) {
    EXPECT_TRUE(store().ReadDelivery(delivery.id).ok());
    DeliveryId wrong = delivery.id;
    ++wrong.bucket;
    EXPECT_EQ(store().ReadDelivery(wrong).status().code(), absl::StatusCode::kNotFound);
    wrong = delivery.id;
    ++wrong.endpoint.value;
    EXPECT_EQ(store().ReadDelivery(wrong).status().code(), absl::StatusCode::kNotFound);
    wrong = delivery.id;
    wrong.sequence += 3;
    EXPECT_EQ(store().ReadDelivery(wrong).status().code(), absl::StatusCode::kNotFound);
  }
}

TEST_P(DeliveryStoreSuite, ListByEndpointMergesPendingAndEnded) {
  const EndpointId endpoint = AddEndpoint(1);
  const EndpointId next = AddEndpoint(2);
  const std::vector<DeliveryRef> d = AcceptMany(endpoint, 6);
  Accept(next);
  Attempt(d[0], 1, ErrorKind::kStatus);
  Attempt(d[1], 1, ErrorKind::kNone);
  Attempt(d[2], 1, ErrorKind::kStatus);
  End(d[2], DeliveryState::kExpired, 1);
  Attempt(d[3], 1, ErrorKind::kNone);
  Commit();
  for (const size_t page : {1, 2, 3, 6, 100}) {
    EXPECT_THAT(ListSequences(ListOf(endpoint), page), ElementsAre(1, 2, 3, 4, 5, 6)) << page;
    EXPECT_THAT(ListSequences(ListOf(endpoint, DeliveryState::kPending), page), ElementsAre(1, 5, 6)) << page;
    EXPECT_THAT(ListSequences(ListOf(endpoint, DeliveryState::kSucceeded), page), ElementsAre(2, 4)) << page;
    EXPECT_THAT(ListSequences(ListOf(endpoint, DeliveryState::kExpired), page), ElementsAre(3)) << page;
    EXPECT_THAT(ListSequences(ListOf(endpoint, DeliveryState::kCanceled), page), IsEmpty()) << page;
  }
  const auto listed = store().ListDeliveries(ListOf(endpoint));
  EXPECT_THAT(listed->deliveries[0].attempts, IsEmpty());
  EXPECT_EQ(listed->deliveries[0].attempt_count, 1u);
  EXPECT_EQ(listed->deliveries[0].next_due_ms, kT0 + 15'000);
  EXPECT_EQ(listed->deliveries[1].event_type, kEventType);
}

TEST_P(DeliveryStoreSuite, ListByStateGoesByEndpointOrByBucketFirst) {
  const EndpointId a = AddEndpoint(1);
  const EndpointId b = AddEndpoint(2);
  const DeliveryRef b1 = Accept(b, kT0);
  const DeliveryRef a1 = Accept(a, kT0 + kBucketMs);
  const DeliveryRef b2 = Accept(b, kT0 + kBucketMs);
  const DeliveryRef b3 = Accept(b, kT0 + kBucketMs);
  Commit();
  const auto listed = [this](DeliveryState state, size_t page) {
    std::vector<DeliveryId> ids;
    DeliveryQuery query = ListIn(state);
    query.limit = page;
    do {
      const auto result = store().ListDeliveries(query);
      EXPECT_TRUE(result.ok()) << result.status();
      if (!result.ok()) break;
      for (const Delivery& delivery : result->deliveries) ids.push_back(delivery.id);
      query.position = result->next_position;
    } while (!query.position.empty());
    return ids;
  };
  for (const size_t page : {1, 2, 100}) {
    EXPECT_THAT(listed(DeliveryState::kPending, page), ElementsAre(a1.id, b1.id, b2.id, b3.id)) << page;
  }
  for (const DeliveryRef& d : {b2, a1, b1}) End(d, DeliveryState::kCanceled);
  Commit();
  for (const size_t page : {1, 2, 100}) {
    EXPECT_THAT(listed(DeliveryState::kCanceled, page), ElementsAre(b1.id, a1.id, b2.id)) << page;
  }
  const DeliveryRef a2 = Accept(a, kT0 + 2 * kBucketMs);
  const DeliveryRef a3 = Accept(a, kT0 + 2 * kBucketMs);
  for (const DeliveryRef& d : {a2, a3, b3}) Attempt(d, 1, ErrorKind::kNone);
  Commit();
  for (const size_t page : {1, 2, 100}) {
    EXPECT_THAT(listed(DeliveryState::kSucceeded, page), ElementsAre(b3.id, a2.id, a3.id)) << page;
    EXPECT_THAT(listed(DeliveryState::kPending, page), IsEmpty()) << page;
  }
}

TEST_P(DeliveryStoreSuite, PagingNeitherSkipsNorRepeatsWhileDeliveriesMove) {
  const EndpointId endpoint = AddEndpoint(1);
  const std::vector<DeliveryRef> d = AcceptMany(endpoint, 6);
  Commit();
  DeliveryQuery all = ListOf(endpoint);
  all.limit = 2;
  DeliveryQuery pending = ListIn(DeliveryState::kPending);
  pending.limit = 2;
  all.position = store().ListDeliveries(all)->next_position;
  pending.position = store().ListDeliveries(pending)->next_position;
  ASSERT_FALSE(all.position.empty());
  ASSERT_FALSE(pending.position.empty());

  Attempt(d[0], 1, ErrorKind::kNone);  // the pages' last rows and some to come change places
  Attempt(d[1], 1, ErrorKind::kNone);
  Attempt(d[2], 1, ErrorKind::kStatus);
  Attempt(d[3], 1, ErrorKind::kNone);
  Accept(endpoint);
  Commit();
  Reopen();
  EXPECT_THAT(ListSequences(all, 2), ElementsAre(3, 4, 5, 6, 7));
  EXPECT_THAT(ListSequences(pending, 2), ElementsAre(3, 5, 6, 7));
}

TEST_P(DeliveryStoreSuite, MadeUpPositionsAreRefused) {
  const EndpointId endpoint = AddEndpoint(1);
  const EndpointId other = AddEndpoint(2);
  AcceptMany(endpoint, 3);
  for (const DeliveryRef& d : AcceptMany(other, 3)) Attempt(d, 1, ErrorKind::kNone);
  Commit();
  const auto first = [this](DeliveryQuery query) {
    query.limit = 1;
    return store().ListDeliveries(query)->next_position;
  };
  for (const DeliveryQuery& query :
       {ListOf(endpoint), ListOf(other), ListOf(other, DeliveryState::kSucceeded),
        ListIn(DeliveryState::kPending), ListIn(DeliveryState::kSucceeded)}) {
    const std::string good = first(query);
    ASSERT_FALSE(good.empty());
    std::string upper_case = good;
    upper_case.front() = static_cast<char>(std::toupper(upper_case.front()));
    std::vector<std::string> bad = {"x",
                                    std::string(1, '\0'),
                                    std::string(good.size(), '\xff'),
                                    good + "0",
                                    good.substr(0, good.size() - 1),
                                    good.substr(1),
                                    upper_case};
    if (query.endpoint) bad.push_back(first(ListOf(*query.endpoint == endpoint ? other : endpoint)));
    for (const std::string& position : bad) {
      DeliveryQuery made_up = query;
      made_up.position = position;
      const absl::Status status = store().ListDeliveries(made_up).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << testing::PrintToString(position);
      EXPECT_THAT(std::string(status.message()), testing::HasSubstr("position"));
    }
  }
}

// More rows than a store may want to look at for one page, with attempts between the ends: pages may come
// back short, but nothing is lost where they meet.
TEST_P(DeliveryStoreSuite, LongHistoriesAreListedWhole) {
  constexpr int kDeliveries = 5'100;
  const EndpointId endpoint = AddEndpoint(1);
  std::vector<Sequence> even;
  std::vector<Sequence> odd;
  std::vector<Sequence> all(kDeliveries);
  std::iota(all.begin(), all.end(), Sequence{1});
  for (const DeliveryRef& d : AcceptMany(endpoint, kDeliveries)) {
    Attempt(d, 1, ErrorKind::kStatus);
    Attempt(d, 2, ErrorKind::kTimeout);
    if (d.id.sequence % 2 == 0) {
      even.push_back(d.id.sequence);
      Attempt(d, 3, ErrorKind::kNone);
    } else {
      odd.push_back(d.id.sequence);
      End(d, DeliveryState::kExpired, 2);
    }
  }
  Commit();
  const auto expect_list = [this](const DeliveryQuery& query, size_t page,
                                  const std::vector<Sequence>& expected) {
    const std::vector<Sequence> listed = ListSequences(query, page);
    std::vector<Sequence> differ;
    std::set_symmetric_difference(listed.begin(), listed.end(), expected.begin(), expected.end(),
                                  std::back_inserter(differ));
    EXPECT_TRUE(listed == expected) << "missing or twice: " << testing::PrintToString(differ);
  };
  expect_list(ListOf(endpoint), 6'000, all);
  expect_list(ListOf(endpoint, DeliveryState::kSucceeded), 6'000, even);
  expect_list(ListIn(DeliveryState::kSucceeded), 6'000, even);
  expect_list(ListIn(DeliveryState::kSucceeded), 999, even);
  expect_list(ListIn(DeliveryState::kExpired), 6'000, odd);
}

// Each batch accepts 4 deliveries and moves the 4 before it on. A reader never sees part of a batch: nothing
// is missing, nothing is there twice, and only whole batches are there.
TEST_P(DeliveryStoreSuite, ReadersNeverSeePartOfABatch) {
  constexpr int kBatches = 150;
  const EndpointId endpoint = AddEndpoint(1);
  std::vector<DeliveryRef> last = AcceptMany(endpoint, 4);
  Commit();
  std::atomic<bool> done = false;
  std::atomic<int> lists = 0;
  DeliveryQuery whole = ListOf(endpoint);
  whole.limit = 1'000;
  const auto read = [&] {
    do {
      const auto page = store().ListDeliveries(whole);
      ASSERT_TRUE(page.ok()) << page.status();
      ASSERT_EQ(page->deliveries.size() % 4, 0u);
      uint64_t pending = 0;
      for (size_t i = 0; i < page->deliveries.size(); ++i) {
        ASSERT_EQ(page->deliveries[i].id.sequence, i + 1);
        if (page->deliveries[i].state == DeliveryState::kPending) ++pending;
      }
      ASSERT_EQ(pending, 4u + 2u * (page->deliveries.size() / 4 - 1));
      const auto queue = store().ReadQueue(endpoint, 1, 1'000, 1 << 20);
      ASSERT_TRUE(queue.ok()) << queue.status();
      ASSERT_EQ(queue->size(), 4u);
      const DeliveryId newest = page->deliveries.back().id;
      ASSERT_EQ(store().ReadDelivery(newest)->id, newest);
      ++lists;
    } while (!done);
  };
  std::thread first(read);
  std::thread second(read);
  for (int batch = 1; batch < kBatches; ++batch) {
    std::vector<DeliveryRef> next = AcceptMany(endpoint, 4);
    Attempt(last[0], 1, ErrorKind::kNone);
    Attempt(last[1], 1, ErrorKind::kStatus);
    Attempt(last[2], 1, ErrorKind::kStatus);
    Attempt(last[3], 1, ErrorKind::kNone);
    Commit();
    last = std::move(next);
  }
  done = true;
  first.join();
  second.join();
  EXPECT_GE(lists, 2);
}

}  // namespace
}  // namespace hookd
