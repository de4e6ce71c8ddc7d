#include "tests/conformance/store_model.h"

#include <algorithm>
#include <tuple>

#include <absl/strings/str_cat.h>

#include "tests/conformance/describe.h"

namespace hookd {
namespace {

constexpr DeliveryState kStates[] = {DeliveryState::kPending, DeliveryState::kSucceeded,
                                     DeliveryState::kExhausted, DeliveryState::kExpired,
                                     DeliveryState::kCanceled};

WallMs EndOf(const Attempt& attempt) { return attempt.started_ms + attempt.us.total / 1000; }

struct Applier {
  StoreModel& model;

  void operator()(const SubscriberChanged& fact) { model.subscribers[fact.subscriber.id] = fact.subscriber; }
  void operator()(const SubscriberDeleted& fact) { model.subscribers.erase(fact.id); }
  void operator()(const EndpointChanged& fact) {
    model.endpoints[fact.endpoint->id] = fact.endpoint;
    if (model.lanes.try_emplace(fact.endpoint->id).second) ++model.endpoints_made;
  }
  void operator()(const EndpointDeleted& fact) {
    model.endpoints.erase(fact.endpoint);
    model.lanes.at(fact.endpoint).deleted = true;
  }
  void operator()(const Accepted& fact) {
    model.accepted.push_back(fact);
    model.high_water_ms = std::max(model.high_water_ms, fact.event->accepted_ms);
    for (const AcceptedDelivery& accepted : fact.deliveries) {
      ModelDelivery& row = model.deliveries[accepted.endpoint][accepted.sequence];
      row.event = fact.event;
      row.delivery.id = {fact.event->id.bucket(), accepted.endpoint, accepted.sequence};
      row.delivery.event = fact.event->id;
      row.delivery.subscriber_id = fact.event->subscriber_id;
      row.delivery.event_type = fact.event->type;
      row.delivery.accepted_ms = fact.event->accepted_ms;
    }
  }
  void operator()(const AttemptRecorded& fact) {
    ModelDelivery& row = model.Get(fact.delivery);
    row.delivery.attempts.push_back(fact.attempt);
    row.delivery.attempt_count = fact.attempt.number;
    row.delivery.state = fact.state;
    row.delivery.reason = fact.reason;
    row.parked = true;
    row.failures = fact.failures;
    row.ordering_key_hash = fact.ordering_key_hash;
    row.delivery.next_due_ms = fact.attempt.next_due_ms;
    if (IsTerminal(fact.state)) {
      row.delivery.next_due_ms = 0;
      row.delivery.ended_ms = EndOf(fact.attempt);
    }

    ModelLane& lane = model.lanes.at(fact.delivery.endpoint);
    lane.cursor = fact.cursor;
    lane.rate_tat_ms = fact.rate_tat_ms;
    if (fact.attempt.error == ErrorKind::kLocal) return;
    if (fact.attempt.error == ErrorKind::kNone) {
      lane.consecutive_failures = 0;
      lane.failing_since_ms = 0;
      lane.last_success_ms = EndOf(fact.attempt);
      return;
    }
    if (lane.consecutive_failures == 0) lane.failing_since_ms = fact.attempt.started_ms;
    ++lane.consecutive_failures;
  }
  void operator()(const DeliveryEnded& fact) {
    Delivery& delivery = model.Get(fact.delivery).delivery;
    delivery.state = fact.state;
    delivery.reason = fact.reason;
    delivery.ended_ms = fact.at_ms;
    delivery.next_due_ms = 0;
  }
  void operator()(const LaneRemoved& fact) { model.lanes.erase(fact.endpoint); }
};

std::string IdempotencyLine(const Accepted& fact, const std::optional<IdempotencyHit>& hit) {
  if (!hit) return absl::StrCat("key of ", fact.event->id.ToString(), ": unknown");
  return absl::StrCat("key of ", fact.event->id.ToString(), ": ", hit->event.ToString(), " ",
                      hit->fingerprint[0], "..", hit->fingerprint[15]);
}

// Every page of the query, in pages of random size.
void DescribeList(const DeliveryStore& store, DeliveryQuery query, std::mt19937_64& random,
                  std::vector<std::string>& lines) {
  do {
    query.limit = 1 + random() % 200;
    const auto page = store.ListDeliveries(query);
    if (!page.ok()) {
      lines.push_back(page.status().ToString());
      return;
    }
    if (page->deliveries.size() > query.limit) lines.push_back("a page over its limit");
    for (const Delivery& delivery : page->deliveries) lines.push_back(Describe(delivery));
    query.position = page->next_position;
  } while (!query.position.empty());
}

}  // namespace

void StoreModel::Apply(const Fact& fact) { std::visit(Applier{*this}, fact); }

void StoreModel::Commit(WallMs now) {
  ++commits;
  high_water_ms = std::max(high_water_ms, now);
}

LaneState StoreModel::LaneOf(EndpointId endpoint) const {
  const ModelLane& lane = lanes.at(endpoint);
  LaneState state;
  state.cursor = lane.cursor;
  state.consecutive_failures = lane.consecutive_failures;
  state.failing_since_ms = lane.failing_since_ms;
  state.last_success_ms = lane.last_success_ms;
  state.rate_tat_ms = lane.rate_tat_ms;
  state.deleted = lane.deleted;
  if (const auto rows = deliveries.find(endpoint); rows != deliveries.end()) {
    state.next = rows->second.rbegin()->first + 1;
    for (const auto& [sequence, row] : rows->second) {
      if (row.delivery.state == DeliveryState::kPending) ++(row.parked ? state.parked : state.queued);
    }
  }
  return state;
}

std::vector<std::string> StoreModel::DescribeRecovered() const {
  DeliveryStore::Recovered recovered;
  for (const auto& [id, subscriber] : subscribers) recovered.subscribers.push_back(subscriber);
  for (const auto& [id, endpoint] : endpoints) recovered.endpoints.push_back(endpoint);
  for (const auto& [id, lane] : lanes) recovered.lanes.emplace_back(id, LaneOf(id));
  recovered.next_endpoint_number = endpoints_made + 1;
  recovered.wall_high_water_ms = high_water_ms;
  return hookd::Describe(recovered);
}

std::vector<std::string> StoreModel::Describe(WallMs now) const {
  std::vector<std::string> lines;
  uint64_t pending = 0;
  std::map<std::tuple<DeliveryState, Bucket, EndpointId, Sequence>, Delivery> by_state;
  for (const auto& [endpoint, rows] : deliveries) {
    std::vector<std::string> parked;
    std::vector<std::string> reads;
    std::map<DeliveryState, std::vector<std::string>> lists;
    std::vector<std::string> all;
    for (const auto& [sequence, row] : rows) {
      reads.push_back(hookd::Describe(row.delivery));
      Delivery listed = row.delivery;
      listed.attempts.clear();
      all.push_back(hookd::Describe(listed));
      lists[listed.state].push_back(all.back());
      const bool is_pending = listed.state == DeliveryState::kPending;
      by_state[{listed.state, is_pending ? 0 : listed.id.bucket, endpoint, sequence}] = listed;
      if (!is_pending) continue;
      ++pending;
      if (!row.parked) {
        lines.push_back(absl::StrCat("queued ", sequence, " ", hookd::Describe(*row.event)));
      } else {
        parked.push_back(
            hookd::Describe(ParkedDelivery{sequence, listed.event, row.ordering_key_hash,
                                           listed.attempt_count, row.failures, listed.next_due_ms}));
      }
    }
    lines.insert(lines.end(), parked.begin(), parked.end());
    lines.insert(lines.end(), reads.begin(), reads.end());
    lines.insert(lines.end(), all.begin(), all.end());
    for (const DeliveryState state : kStates) {
      lines.insert(lines.end(), lists[state].begin(), lists[state].end());
    }
  }
  for (const auto& [key, delivery] : by_state) lines.push_back(hookd::Describe(delivery));
  for (const Accepted& fact : accepted) {
    lines.push_back(hookd::Describe(*fact.event));
    if (!fact.idempotency) continue;
    std::optional<IdempotencyHit> hit;
    if (fact.event->accepted_ms > now - 24 * kBucketMs) {
      hit = IdempotencyHit{fact.event->id, fact.idempotency->fingerprint};
    }
    lines.push_back(IdempotencyLine(fact, hit));
  }
  lines.push_back(absl::StrCat("pending ", pending, ", last commit ", commits));
  return lines;
}

std::vector<std::string> DescribeStore(const DeliveryStore& store, const StoreModel& model, WallMs now,
                                       std::mt19937_64& random) {
  std::vector<std::string> lines;
  for (const auto& [endpoint, rows] : model.deliveries) {
    for (Sequence from = 1;;) {
      const auto queue = store.ReadQueue(endpoint, from, 1 + random() % 100, 1 + random() % 1'000);
      if (!queue.ok()) lines.push_back(queue.status().ToString());
      if (!queue.ok() || queue->empty()) break;
      for (const QueuedDelivery& row : *queue) {
        lines.push_back(absl::StrCat("queued ", row.sequence, " ", Describe(*row.event)));
      }
      from = queue->back().sequence + 1;
    }
    const auto parked = store.ReadParked(endpoint, 1'000'000);
    if (!parked.ok()) lines.push_back(parked.status().ToString());
    if (parked.ok()) {
      for (const ParkedDelivery& row : *parked) lines.push_back(Describe(row));
    }
    for (const auto& [sequence, row] : rows) {
      const auto delivery = store.ReadDelivery(row.delivery.id);
      lines.push_back(delivery.ok() ? Describe(*delivery) : delivery.status().ToString());
    }
    DescribeList(store, {endpoint, std::nullopt, "", 0}, random, lines);
    for (const DeliveryState state : kStates) DescribeList(store, {endpoint, state, "", 0}, random, lines);
  }
  for (const DeliveryState state : kStates) DescribeList(store, {std::nullopt, state, "", 0}, random, lines);
  for (const Accepted& fact : model.accepted) {
    const auto event = store.ReadEvent(fact.event->id);
    lines.push_back(event.ok() ? Describe(**event) : event.status().ToString());
    if (!fact.idempotency) continue;
    const auto hit = store.FindIdempotency(fact.idempotency->key, now);
    lines.push_back(hit.ok() ? IdempotencyLine(fact, *hit) : hit.status().ToString());
  }
  const StoreStats stats = store.Stats();
  lines.push_back(absl::StrCat("pending ", stats.pending, ", last commit ", stats.last_commit));
  return lines;
}

}  // namespace hookd
