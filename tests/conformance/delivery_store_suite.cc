#include "tests/conformance/delivery_store_suite.h"

#include <utility>

namespace hookd {

DeliveryStoreSuite::DeliveryStoreSuite() : harness_(GetParam().make()), store_(harness_->Open()) {
  HOOKD_CHECK(store_->Recover().ok(), "a fresh store recovers");
}

DeliveryStore::Recovered DeliveryStoreSuite::Reopen() {
  store_ = harness_->Reopen(std::move(store_));
  auto recovered = store_->Recover();
  HOOKD_CHECK(recovered.ok(), "a store recovers what it committed");
  return *std::move(recovered);
}

void DeliveryStoreSuite::Commit(WallMs now) { ASSERT_TRUE(store_->Commit(now).ok()); }

EndpointId DeliveryStoreSuite::AddEndpoint(uint64_t number) {
  auto endpoint = MakeEndpoint("acme", number);
  store_->Apply(EndpointChanged{endpoint});
  return endpoint->id;
}

DeliveryRef DeliveryStoreSuite::Accept(EndpointId endpoint, WallMs accepted_ms, std::string payload) {
  const auto event = MakeEvent("acme", accepted_ms, ++events_, std::move(payload));
  const Sequence sequence = store_->Lane(endpoint)->next;
  store_->Apply(Accepted{event, {{endpoint, sequence}}, std::nullopt});
  return {{event->id.bucket(), endpoint, sequence}, event->id, accepted_ms};
}

DeliveryRef DeliveryStoreSuite::Redeliver(const DeliveryRef& of, WallMs made_ms, DeliveryState state,
                                          Origin origin) {
  Redelivered fact;
  fact.event = *store_->ReadEvent(of.event);
  fact.delivery = {of.id.endpoint, store_->Lane(of.id.endpoint)->next};
  auto remade = std::make_shared<Remade>();
  remade->accepted_ms = made_ms;
  remade->origin = origin;
  if (state != DeliveryState::kPending) {
    remade->replaces = of.id;
    fact.replaced_state = state;
    fact.replaced_accepted_ms = of.made_ms;
  }
  fact.remade = std::move(remade);
  store_->Apply(fact);
  return {
      {BucketOf(made_ms), fact.delivery.endpoint, fact.delivery.sequence}, of.event, made_ms, fact.remade};
}

std::vector<DeliveryRef> DeliveryStoreSuite::AcceptMany(EndpointId endpoint, int count) {
  std::vector<DeliveryRef> deliveries;
  for (int i = 0; i < count; ++i) deliveries.push_back(Accept(endpoint));
  return deliveries;
}

void DeliveryStoreSuite::Attempt(const DeliveryRef& delivery, uint32_t number, ErrorKind error,
                                 WallMs due_ms) {
  AttemptRecorded fact;
  fact.delivery = delivery.id;
  fact.event = delivery.event;
  fact.remade = delivery.remade;
  fact.event_type = kEventType;
  fact.subscriber_id = "acme";
  fact.attempt = MakeAttempt(number, error);
  fact.was_parked = number > 1;
  fact.cursor = fact.was_parked ? store_->Lane(delivery.id.endpoint)->cursor : delivery.id.sequence + 1;
  fact.rate_tat_ms = rate_tat_ms_;
  fact.hold_until_ms = hold_until_ms_;
  fact.failures = number;
  if (error == ErrorKind::kNone) {
    fact.state = DeliveryState::kSucceeded;
    fact.reason = EndReason::kDelivered;
  } else {
    fact.attempt.next_due_ms = due_ms;
  }
  store_->Apply(fact);
}

void DeliveryStoreSuite::Park(const DeliveryRef& delivery, uint64_t key_hash, WallMs due_ms) {
  DeliveryParked fact;
  fact.delivery = delivery.id;
  fact.event = delivery.event;
  fact.remade = delivery.remade;
  fact.ordering_key_hash = key_hash;
  fact.due_ms = due_ms;
  fact.cursor = delivery.id.sequence + 1;
  store_->Apply(fact);
}

void DeliveryStoreSuite::Delete(EndpointId endpoint) { store_->Apply(EndpointDeleted{endpoint, "acme"}); }

void DeliveryStoreSuite::End(const DeliveryRef& delivery, DeliveryState state, uint32_t attempts_made) {
  DeliveryEnded fact;
  fact.delivery = delivery.id;
  fact.event = delivery.event;
  fact.remade = delivery.remade;
  fact.event_type = kEventType;
  fact.subscriber_id = "acme";
  fact.state = state;
  fact.reason = EndReason::kEndpointDeleted;
  fact.at_ms = kT0 + 60'000;
  fact.was_parked = attempts_made > 0;
  fact.attempt_count = attempts_made;
  store_->Apply(fact);
}

std::vector<Sequence> DeliveryStoreSuite::ListSequences(DeliveryQuery query, size_t page) {
  std::vector<Sequence> sequences;
  query.limit = page;
  do {
    const auto result = store_->ListDeliveries(query);
    if (!result.ok()) {
      ADD_FAILURE() << result.status();
      break;
    }
    EXPECT_LE(result->deliveries.size(), page);
    for (const Delivery& delivery : result->deliveries) sequences.push_back(delivery.id.sequence);
    query.position = result->next_position;
  } while (!query.position.empty());
  return sequences;
}

std::vector<Sequence> DeliveryStoreSuite::QueueSequences(EndpointId endpoint, Sequence from) {
  std::vector<Sequence> sequences;
  const auto rows = store_->ReadQueue(endpoint, from, 1'000, 1 << 20);
  EXPECT_TRUE(rows.ok()) << rows.status();
  if (rows.ok()) {
    for (const QueuedDelivery& row : *rows) sequences.push_back(row.sequence);
  }
  return sequences;
}

std::vector<Sequence> DeliveryStoreSuite::ParkedSequences(EndpointId endpoint) {
  std::vector<Sequence> sequences;
  const auto rows = store_->ReadParked(endpoint, 1'000);
  EXPECT_TRUE(rows.ok()) << rows.status();
  if (rows.ok()) {
    for (const ParkedDelivery& row : *rows) sequences.push_back(row.sequence);
  }
  return sequences;
}

}  // namespace hookd
