// What facts do, what a commit keeps, and what is left after a reopening.
#include <memory>
#include <optional>
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

TEST_P(DeliveryStoreSuite, FreshStoreIsEmpty) {
  const DeliveryStore::Recovered recovered = Reopen();
  EXPECT_EQ(recovered.subscribers, 0u);
  EXPECT_EQ(recovered.endpoints, 0u);
  EXPECT_EQ(recovered.operations, Operations{});
  EXPECT_THAT(store().Buckets(), IsEmpty());
  EXPECT_THAT(recovered.lanes, IsEmpty());
  EXPECT_EQ(recovered.next_endpoint_number, 1u);
  EXPECT_EQ(recovered.wall_high_water_ms, 0);
  EXPECT_EQ(recovered.epoch, 1u);
  EXPECT_EQ(store().Stats().pending, 0u);
  EXPECT_EQ(store().Stats().last_commit, 0u);
  EXPECT_EQ(store().Lane(MakeEndpointId("acme", 1)), nullptr);
}

TEST_P(DeliveryStoreSuite, ConfigurationSurvivesReopening) {
  store().Apply(SubscriberChanged{MakeSubscriber("acme")});
  store().Apply(SubscriberChanged{MakeSubscriber("other")});
  AddEndpoint(1);
  auto changed = std::make_shared<Endpoint>(*MakeEndpoint("acme", 1));
  changed->url = "http://[::1]:8080/";
  changed->headers.clear();
  changed->channels.clear();
  changed->paused = false;
  store().Apply(EndpointChanged{changed});
  Commit(kT0 + 5);

  DeliveryStore::Recovered expected;
  expected.subscribers = 2;
  expected.endpoints = 1;
  expected.endpoints_disabled = 1;
  expected.keys_ending = {{kT0 + 90, changed->id}};
  expected.next_endpoint_number = 2;
  expected.wall_high_water_ms = kT0 + 5;
  ExpectSameLines(Describe(expected), Describe(Reopen()), "after reopening");
  const auto account = store().ReadAccount("acme");
  ASSERT_TRUE(account.ok()) << account.status();
  EXPECT_EQ(Describe(account->subscriber), Describe(MakeSubscriber("acme")));
  ASSERT_EQ(account->endpoints.size(), 1u);
  EXPECT_EQ(Describe(*account->endpoints[0]), Describe(*changed));
}

TEST_P(DeliveryStoreSuite, SubscriberDeletedIsGone) {
  store().Apply(SubscriberChanged{MakeSubscriber("acme")});
  Commit();
  store().Apply(SubscriberDeleted{"acme"});
  Commit();
  EXPECT_EQ(Reopen().subscribers, 0u);
  EXPECT_EQ(store().ReadSubscriber("acme").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store().ReadAccount("acme").status().code(), absl::StatusCode::kNotFound);
}

TEST_P(DeliveryStoreSuite, LaneMovesOnWithApplyWhileReadersSeeOnlyCommits) {
  const EndpointId endpoint = AddEndpoint(1);
  ASSERT_NE(store().Lane(endpoint), nullptr);
  EXPECT_EQ(Describe(*store().Lane(endpoint)),
            Describe(LaneState{
                .endpoint_paused = true, .endpoint_disabled = true, .endpoint_keys_end_ms = kT0 + 90}));

  const auto event = MakeEvent("acme", kT0, 1);
  IdempotencyKey key{{1, 2, 3}, {4, 5, 6}};
  store().Apply(Accepted{event, {{endpoint, 1}}, key});
  const DeliveryId id{event->id.bucket(), endpoint, 1};
  EXPECT_EQ(store().Lane(endpoint)->next, 2u);
  EXPECT_EQ(store().Lane(endpoint)->queued, 1u);
  EXPECT_EQ(store().ReadEvent(event->id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store().ReadDelivery(id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(*store().FindIdempotency(key.key, kT0), std::nullopt);
  EXPECT_THAT(QueueSequences(endpoint), IsEmpty());
  EXPECT_THAT(ListSequences(ListOf(endpoint), 10), IsEmpty());
  EXPECT_THAT(ListSequences(ListIn(DeliveryState::kPending), 10), IsEmpty());

  Commit();
  EXPECT_EQ(Describe(**store().ReadEvent(event->id)), Describe(*event));
  EXPECT_EQ(store().ReadDelivery(id)->state, DeliveryState::kPending);
  EXPECT_EQ((*store().FindIdempotency(key.key, kT0))->event, event->id);
  EXPECT_THAT(QueueSequences(endpoint), ElementsAre(1));
  EXPECT_THAT(ListSequences(ListOf(endpoint), 10), ElementsAre(1));
  EXPECT_EQ(store().Stats().pending, 1u);

  // The attempt is in the open batch: the lane knows, readers do not.
  Attempt({id, event->id}, 1, ErrorKind::kTimeout);
  EXPECT_EQ(store().Lane(endpoint)->parked, 1u);
  EXPECT_THAT(QueueSequences(endpoint), ElementsAre(1));
  EXPECT_THAT(ParkedSequences(endpoint), IsEmpty());
  EXPECT_EQ(store().ReadDelivery(id)->attempt_count, 0u);
}

TEST_P(DeliveryStoreSuite, ReopeningDropsTheOpenBatch) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef kept = Accept(endpoint);
  Commit();
  const DeliveryRef lost = Accept(endpoint);
  Attempt(kept, 1, ErrorKind::kNone);
  AddEndpoint(2);

  const DeliveryStore::Recovered recovered = Reopen();
  EXPECT_EQ(recovered.endpoints, 1u);
  EXPECT_EQ(recovered.next_endpoint_number, 2u);
  EXPECT_EQ(store().Lane(endpoint)->next, 2u);
  EXPECT_EQ(store().Lane(endpoint)->queued, 1u);
  EXPECT_THAT(QueueSequences(endpoint), ElementsAre(1));
  EXPECT_EQ(store().ReadDelivery(kept.id)->attempt_count, 0u);
  EXPECT_EQ(store().ReadDelivery(lost.id).status().code(), absl::StatusCode::kNotFound);
  // What was lost may be given anew.
  EXPECT_EQ(Accept(endpoint).id.sequence, 2u);
  Commit();
  EXPECT_THAT(QueueSequences(endpoint), ElementsAre(1, 2));
}

TEST_P(DeliveryStoreSuite, EmptyCommitDoesNothing) {
  AddEndpoint(1);
  Commit(kT0);
  Commit(kT0 + 1'000);
  EXPECT_EQ(store().Stats().last_commit, 1u);
  EXPECT_EQ(Reopen().wall_high_water_ms, kT0);
  EXPECT_EQ(store().Stats().last_commit, 1u);
}

TEST_P(DeliveryStoreSuite, HighWaterIsTheLatestOfCommitsAndAcceptances) {
  const EndpointId endpoint = AddEndpoint(1);
  Accept(endpoint, kT0 + 70);
  Commit(kT0 + 50);
  EXPECT_EQ(Reopen().wall_high_water_ms, kT0 + 70);
  Accept(endpoint, kT0 + 70);
  Commit(kT0 + 90);
  EXPECT_EQ(Reopen().wall_high_water_ms, kT0 + 90);
  Accept(endpoint, kT0 + 71);
  Commit(kT0 + 10);
  EXPECT_EQ(Reopen().wall_high_water_ms, kT0 + 90);
}

TEST_P(DeliveryStoreSuite, FailedFirstAttemptMovesFromQueueToParked) {
  const EndpointId endpoint = AddEndpoint(1);
  const std::vector<DeliveryRef> d = AcceptMany(endpoint, 2);
  Commit();
  AttemptRecorded fact;
  fact.delivery = d[0].id;
  fact.event = d[0].event;
  fact.event_type = kEventType;
  fact.subscriber_id = "acme";
  fact.attempt = MakeAttempt(1, ErrorKind::kStatus);
  fact.attempt.next_due_ms = kT0 + 15'750;
  fact.failures = 1;
  fact.ordering_key_hash = 0xfedcba9876543210;
  fact.cursor = 2;
  fact.rate_tat_ms = kT0 + 200;
  store().Apply(fact);
  Commit();

  const LaneState lane = {.cursor = 2,
                          .next = 3,
                          .queued = 1,
                          .parked = 1,
                          .consecutive_failures = 1,
                          .failing_since_ms = kT0 + 1'000,
                          .rate_tat_ms = kT0 + 200,
                          .disable_failures = 1,
                          .disable_since_ms = kT0 + 1'120,
                          .endpoint_paused = true,
                          .endpoint_disabled = true,
                          .endpoint_keys_end_ms = kT0 + 90};
  EXPECT_EQ(Describe(*store().Lane(endpoint)), Describe(lane));
  Reopen();
  EXPECT_EQ(Describe(*store().Lane(endpoint)), Describe(lane));
  EXPECT_THAT(QueueSequences(endpoint), ElementsAre(2));
  const auto parked = store().ReadParked(endpoint, 10);
  ASSERT_EQ(parked->size(), 1u);
  EXPECT_EQ(Describe(parked->front()), Describe(ParkedDelivery{1, d[0].event, 0xfedcba9876543210, 1, 1,
                                                               kT0 + 15'750, 503, ErrorKind::kStatus}));
  EXPECT_EQ(store().Stats().pending, 2u);
}

TEST_P(DeliveryStoreSuite, FailedRetryReplacesTheParkedRow) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef d = Accept(endpoint);
  Attempt(d, 1, ErrorKind::kConnect, kT0 + 15'000);
  Commit();
  Attempt(d, 2, ErrorKind::kStatus, kT0 + 45'000);
  Commit();
  EXPECT_EQ(store().Lane(endpoint)->parked, 1u);
  EXPECT_EQ(store().Lane(endpoint)->queued, 0u);
  const auto parked = store().ReadParked(endpoint, 10);
  ASSERT_EQ(parked->size(), 1u);
  EXPECT_EQ(Describe(parked->front()),
            Describe(ParkedDelivery{1, d.event, 0, 2, 2, kT0 + 45'000, 503, ErrorKind::kStatus}));
}

TEST_P(DeliveryStoreSuite, FactsOfOneBatchBuildOnEachOther) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef d = Accept(endpoint);
  Attempt(d, 1, ErrorKind::kConnect);
  Attempt(d, 2, ErrorKind::kNone);
  Commit();
  EXPECT_THAT(QueueSequences(endpoint), IsEmpty());
  EXPECT_THAT(ParkedSequences(endpoint), IsEmpty());
  EXPECT_EQ(store().ReadDelivery(d.id)->state, DeliveryState::kSucceeded);
  EXPECT_EQ(store().ReadDelivery(d.id)->attempts.size(), 2u);
  EXPECT_EQ(store().Stats().pending, 0u);
}

TEST_P(DeliveryStoreSuite, HealthCountsFailuresThatAreNotOurs) {
  const EndpointId endpoint = AddEndpoint(1);
  const std::vector<DeliveryRef> d = AcceptMany(endpoint, 2);
  Attempt(d[0], 1, ErrorKind::kLocal);
  EXPECT_EQ(store().Lane(endpoint)->consecutive_failures, 0u);
  EXPECT_EQ(store().Lane(endpoint)->failing_since_ms, 0);
  Attempt(d[0], 2, ErrorKind::kTls);
  Attempt(d[0], 3, ErrorKind::kLocal);
  Attempt(d[0], 4, ErrorKind::kTimeout);
  EXPECT_EQ(store().Lane(endpoint)->consecutive_failures, 2u);
  EXPECT_EQ(store().Lane(endpoint)->failing_since_ms, kT0 + 2'000);
  EXPECT_EQ(store().Lane(endpoint)->last_success_ms, 0);
  Attempt(d[0], 5, ErrorKind::kNone);
  EXPECT_EQ(store().Lane(endpoint)->consecutive_failures, 0u);
  EXPECT_EQ(store().Lane(endpoint)->failing_since_ms, 0);
  EXPECT_EQ(store().Lane(endpoint)->last_success_ms, kT0 + 5'120);
  Attempt(d[1], 1, ErrorKind::kStatus);
  EXPECT_EQ(store().Lane(endpoint)->failing_since_ms, kT0 + 1'000);
  EXPECT_EQ(store().Lane(endpoint)->last_success_ms, kT0 + 5'120);
}

TEST_P(DeliveryStoreSuite, DisablementCountsNeither429NorOurFailures) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef d = Accept(endpoint);
  const auto attempt = [&](uint32_t number, ErrorKind error, int status, WallMs hold_until_ms) {
    AttemptRecorded fact;
    fact.delivery = d.id;
    fact.event = d.event;
    fact.event_type = kEventType;
    fact.subscriber_id = "acme";
    fact.attempt = MakeAttempt(number, error);
    fact.attempt.status = status;
    fact.was_parked = number > 1;
    fact.cursor = 2;
    fact.hold_until_ms = hold_until_ms;
    fact.counts_towards_disable = status != 429;
    if (error == ErrorKind::kNone) fact.state = DeliveryState::kSucceeded;
    store().Apply(fact);
  };
  const auto expect = [&](uint32_t failures, uint32_t counted, WallMs since_ms, WallMs hold_until_ms) {
    const LaneState& lane = *store().Lane(endpoint);
    EXPECT_EQ(lane.consecutive_failures, failures);
    EXPECT_EQ(lane.disable_failures, counted);
    EXPECT_EQ(lane.disable_since_ms, since_ms);
    EXPECT_EQ(lane.hold_until_ms, hold_until_ms);
  };
  attempt(1, ErrorKind::kStatus, 429, kT0 + 9'000);
  expect(1, 0, 0, kT0 + 9'000);
  attempt(2, ErrorKind::kLocal, 0, kT0 + 9'000);
  expect(1, 0, 0, kT0 + 9'000);
  attempt(3, ErrorKind::kConnect, 0, 0);
  expect(2, 1, kT0 + 3'120, 0);
  attempt(4, ErrorKind::kStatus, 503, 0);
  attempt(5, ErrorKind::kStatus, 429, 0);
  expect(4, 2, kT0 + 3'120, 0);
  Commit();
  Reopen();
  expect(4, 2, kT0 + 3'120, 0);

  store().Apply(EndpointChanged{MakeEndpoint("acme", 1)});
  expect(4, 2, kT0 + 3'120, 0);
  store().Apply(EndpointChanged{MakeEndpoint("acme", 1), true});
  expect(0, 0, 0, 0);
  EXPECT_EQ(store().Lane(endpoint)->failing_since_ms, 0);
  Commit();
  Reopen();
  expect(0, 0, 0, 0);

  attempt(6, ErrorKind::kTimeout, 0, 0);
  attempt(7, ErrorKind::kNone, 204, kT0 + 20'000);
  expect(0, 0, 0, kT0 + 20'000);
}

TEST_P(DeliveryStoreSuite, ParkedWithoutAnAttemptLeavesTheQueue) {
  const EndpointId endpoint = AddEndpoint(1);
  const std::vector<DeliveryRef> d = AcceptMany(endpoint, 3);
  Commit();
  Park(d[0], 0xfedcba9876543210);
  Park(d[1], 7, kT0 + 5'000);
  EXPECT_EQ(store().Lane(endpoint)->cursor, 3u);
  EXPECT_EQ(store().Lane(endpoint)->queued, 1u);
  EXPECT_EQ(store().Lane(endpoint)->parked, 2u);
  Commit();
  Reopen();
  EXPECT_EQ(store().Stats().pending, 3u);
  EXPECT_THAT(QueueSequences(endpoint), ElementsAre(3));
  const auto parked = store().ReadParked(endpoint, 10);
  ASSERT_EQ(parked->size(), 2u);
  EXPECT_EQ(Describe((*parked)[0]), Describe(ParkedDelivery{1, d[0].event, 0xfedcba9876543210, 0, 0, 0}));
  EXPECT_EQ(Describe((*parked)[1]), Describe(ParkedDelivery{2, d[1].event, 7, 0, 0, kT0 + 5'000}));
  const Delivery waiting = *store().ReadDelivery(d[0].id);
  EXPECT_EQ(waiting.state, DeliveryState::kPending);
  EXPECT_EQ(waiting.attempt_count, 0u);
  EXPECT_EQ(waiting.next_due_ms, 0);
  EXPECT_EQ(store().ReadDelivery(d[1].id)->next_due_ms, kT0 + 5'000);
  EXPECT_THAT(ListSequences(ListOf(endpoint, DeliveryState::kPending), 2), ElementsAre(1, 2, 3));
  EXPECT_EQ(store().Buckets()[0].pending, 3u);

  // Its first attempt comes from there; or it ends there.
  AttemptRecorded fact;
  fact.delivery = d[0].id;
  fact.event = d[0].event;
  fact.event_type = kEventType;
  fact.subscriber_id = "acme";
  fact.attempt = MakeAttempt(1, ErrorKind::kNone);
  fact.was_parked = true;
  fact.state = DeliveryState::kSucceeded;
  fact.reason = EndReason::kDelivered;
  fact.cursor = 3;
  store().Apply(fact);
  DeliveryEnded ended;
  ended.delivery = d[1].id;
  ended.event = d[1].event;
  ended.event_type = kEventType;
  ended.subscriber_id = "acme";
  ended.state = DeliveryState::kExpired;
  ended.was_parked = true;
  store().Apply(ended);
  Commit();
  EXPECT_THAT(ParkedSequences(endpoint), IsEmpty());
  EXPECT_EQ(store().ReadDelivery(d[0].id)->attempts.size(), 1u);
  EXPECT_EQ(store().ReadDelivery(d[1].id)->state, DeliveryState::kExpired);
  EXPECT_EQ(store().Lane(endpoint)->pending(), 1u);
  EXPECT_DEATH(Park(d[0], 0), "CHECK");  // the cursor goes back
}

TEST_P(DeliveryStoreSuite, AnEndMayMoveTheCursor) {
  const EndpointId endpoint = AddEndpoint(1);
  const std::vector<DeliveryRef> d = AcceptMany(endpoint, 3);
  const auto end = [&](const DeliveryRef& delivery, Sequence cursor) {
    DeliveryEnded fact;
    fact.delivery = delivery.id;
    fact.event = delivery.event;
    fact.event_type = kEventType;
    fact.subscriber_id = "acme";
    fact.state = DeliveryState::kExpired;
    fact.reason = EndReason::kBacklogFull;
    fact.cursor = cursor;
    store().Apply(fact);
  };
  end(d[1], 0);
  EXPECT_EQ(store().Lane(endpoint)->cursor, 1u);
  end(d[0], 3);
  EXPECT_EQ(store().Lane(endpoint)->cursor, 3u);
  Commit();
  Reopen();
  EXPECT_EQ(store().Lane(endpoint)->cursor, 3u);
  EXPECT_THAT(QueueSequences(endpoint), ElementsAre(3));
  EXPECT_THAT(ListSequences(ListOf(endpoint, DeliveryState::kPending), 2), ElementsAre(3));
  EXPECT_DEATH(end(d[2], 2), "CHECK");
}

TEST_P(DeliveryStoreSuite, TerminalAttemptCountsForHealthByItsErrorAlone) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef d = Accept(endpoint);
  AttemptRecorded fact;
  fact.delivery = d.id;
  fact.event = d.event;
  fact.event_type = kEventType;
  fact.subscriber_id = "acme";
  fact.attempt = MakeAttempt(1, ErrorKind::kStatus);
  fact.state = DeliveryState::kExhausted;
  fact.reason = EndReason::kRetriesUsedUp;
  fact.cursor = 2;
  store().Apply(fact);
  Commit();
  EXPECT_EQ(store().Lane(endpoint)->consecutive_failures, 1u);
  EXPECT_EQ(store().Lane(endpoint)->pending(), 0u);
  EXPECT_EQ(store().ReadDelivery(d.id)->state, DeliveryState::kExhausted);
}

TEST_P(DeliveryStoreSuite, DeletedEndpointDrainsAndLeavesItsHistory) {
  const EndpointId endpoint = AddEndpoint(1);
  const std::vector<DeliveryRef> d = AcceptMany(endpoint, 3);
  Attempt(d[0], 1, ErrorKind::kTimeout);
  Commit();
  Delete(endpoint);
  Commit();

  DeliveryStore::Recovered recovered = Reopen();
  EXPECT_EQ(recovered.endpoints, 0u);
  ASSERT_EQ(recovered.lanes.size(), 1u);
  EXPECT_TRUE(recovered.lanes[0].lane.deleted);
  EXPECT_EQ(recovered.lanes[0].endpoint, nullptr);
  EXPECT_EQ(recovered.lanes[0].lane.pending(), 3u);
  EXPECT_THAT(QueueSequences(endpoint), ElementsAre(2, 3));
  EXPECT_THAT(ParkedSequences(endpoint), ElementsAre(1));

  Attempt(d[1], 1, ErrorKind::kNone);  // it was in flight
  End(d[0], DeliveryState::kCanceled, 1);
  End(d[2], DeliveryState::kCanceled);
  store().Apply(LaneRemoved{endpoint});
  EXPECT_EQ(store().Lane(endpoint), nullptr);
  Commit();
  recovered = Reopen();
  EXPECT_THAT(recovered.lanes, IsEmpty());
  EXPECT_EQ(recovered.next_endpoint_number, 2u);  // numbers are never reused
  EXPECT_EQ(store().Lane(endpoint), nullptr);
  EXPECT_THAT(QueueSequences(endpoint), IsEmpty());
  EXPECT_THAT(ParkedSequences(endpoint), IsEmpty());
  EXPECT_EQ(store().Stats().pending, 0u);
  EXPECT_THAT(ListSequences(ListOf(endpoint), 2), ElementsAre(1, 2, 3));
  EXPECT_EQ(store().ReadDelivery(d[1].id)->state, DeliveryState::kSucceeded);
  EXPECT_EQ(store().ReadDelivery(d[2].id)->state, DeliveryState::kCanceled);
}

TEST_P(DeliveryStoreSuite, NextEndpointNumberIsOverTheHighestWhateverThePartition) {
  // PartitionOf("acme") is 3468, PartitionOf("a") is 192.
  store().Apply(EndpointChanged{MakeEndpoint("a", 41)});
  store().Apply(EndpointChanged{MakeEndpoint("acme", 7)});
  Commit();
  EXPECT_EQ(Reopen().next_endpoint_number, 42u);
}

TEST_P(DeliveryStoreSuite, IdempotencyKeyIsKnownForADay) {
  const IdempotencyKey key{{0xff, 1, 2}, {3, 4, 5}};
  const auto event = MakeEvent("acme", kT0 + 1, 1);
  store().Apply(Accepted{event, {}, key});
  Commit();
  Reopen();
  const WallMs day = 24 * kBucketMs;
  EXPECT_EQ(*store().FindIdempotency({0xff, 1, 3}, kT0 + 1), std::nullopt);
  for (const WallMs now : {kT0, kT0 + 1, kT0 + day}) {
    const auto hit = store().FindIdempotency(key.key, now);
    ASSERT_TRUE(hit.ok() && hit->has_value()) << now;
    EXPECT_EQ((*hit)->event, event->id);
    EXPECT_EQ((*hit)->fingerprint, key.fingerprint);
  }
  EXPECT_EQ(*store().FindIdempotency(key.key, kT0 + day + 1), std::nullopt);

  // After its day the key may be used anew.
  const auto later = MakeEvent("acme", kT0 + day + 1, 2);
  store().Apply(Accepted{later, {}, IdempotencyKey{key.key, {9}}});
  Commit();
  EXPECT_EQ((*store().FindIdempotency(key.key, kT0 + day + 1))->event, later->id);
}

TEST_P(DeliveryStoreSuite, FactsThatBreakTheRulesOfLanesEndTheProcess) {
  const EndpointId endpoint = AddEndpoint(1);
  const DeliveryRef d = Accept(endpoint);
  Commit();
  const auto event = MakeEvent("acme", kT0, 99);
  const auto accepted = [&event](EndpointId to, Sequence sequence) {
    return Accepted{event, {{to, sequence}}, std::nullopt};
  };
  EXPECT_DEATH(store().Apply(accepted(endpoint, 1)), "CHECK");
  EXPECT_DEATH(store().Apply(accepted(endpoint, 3)), "CHECK");
  EXPECT_DEATH(store().Apply(accepted(MakeEndpointId("acme", 2), 1)), "CHECK");
  EXPECT_DEATH(store().Apply(LaneRemoved{endpoint}), "CHECK");
  EXPECT_DEATH(Attempt(d, 2, ErrorKind::kNone), "CHECK");  // nothing is parked
  End(d, DeliveryState::kCanceled);
  EXPECT_DEATH(Attempt(d, 1, ErrorKind::kNone), "CHECK");
  EXPECT_DEATH(End(d, DeliveryState::kCanceled), "CHECK");
  Delete(endpoint);
  EXPECT_DEATH(store().Apply(accepted(endpoint, 2)), "CHECK");
}

}  // namespace
}  // namespace hookd
