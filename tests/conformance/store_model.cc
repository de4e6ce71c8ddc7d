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

  void operator()(const SubscriberChanged& fact) {
    model.subscribers[fact.subscriber.id] = fact.subscriber;
    model.subscriber_ids.insert(fact.subscriber.id);
  }
  void operator()(const SubscriberDeleted& fact) { model.subscribers.erase(fact.id); }
  void operator()(const EndpointChanged& fact) {
    model.endpoints[fact.endpoint->id] = fact.endpoint;
    const auto [lane, made] = model.lanes.try_emplace(fact.endpoint->id);
    if (made) {
      ++model.endpoints_made;
      model.endpoint_ids.push_back(fact.endpoint->id);
      model.subscriber_ids.insert(fact.endpoint->subscriber_id);
    }
    if (!fact.reset_failures) return;
    lane->second.consecutive_failures = 0;
    lane->second.failing_since_ms = 0;
    lane->second.disable_failures = 0;
    lane->second.disable_since_ms = 0;
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
    lane.hold_until_ms = fact.hold_until_ms;
    if (fact.attempt.error == ErrorKind::kLocal) return;
    if (fact.attempt.error == ErrorKind::kNone) {
      lane.consecutive_failures = 0;
      lane.failing_since_ms = 0;
      lane.disable_failures = 0;
      lane.disable_since_ms = 0;
      lane.last_success_ms = EndOf(fact.attempt);
      return;
    }
    if (lane.consecutive_failures == 0) lane.failing_since_ms = fact.attempt.started_ms;
    ++lane.consecutive_failures;
    if (fact.attempt.status == 429) return;
    if (lane.disable_failures == 0) lane.disable_since_ms = EndOf(fact.attempt);
    ++lane.disable_failures;
  }
  void operator()(const DeliveryParked& fact) {
    ModelDelivery& row = model.Get(fact.delivery);
    row.parked = true;
    row.ordering_key_hash = fact.ordering_key_hash;
    row.delivery.next_due_ms = fact.due_ms;
    model.lanes.at(fact.delivery.endpoint).cursor = fact.cursor;
  }
  void operator()(const DeliveryEnded& fact) {
    Delivery& delivery = model.Get(fact.delivery).delivery;
    delivery.state = fact.state;
    delivery.reason = fact.reason;
    delivery.ended_ms = fact.at_ms;
    delivery.next_due_ms = 0;
    if (fact.cursor != 0) model.lanes.at(fact.delivery.endpoint).cursor = fact.cursor;
  }
  void operator()(const LaneRemoved& fact) { model.lanes.erase(fact.endpoint); }
  void operator()(const BucketDropped& fact) {
    model.payloads_dropped.insert(fact.bucket);
    if (!fact.history) return;
    model.history_dropped.insert(fact.bucket);
    for (auto& [endpoint, rows] : model.deliveries) {
      for (auto& [sequence, row] : rows) {
        if (row.delivery.id.bucket == fact.bucket) row.forgotten = true;
      }
    }
  }
  void operator()(const OperationsChanged& fact) { model.operations = fact.operations; }
};

std::string IdempotencyLine(const Accepted& fact, const std::optional<IdempotencyHit>& hit) {
  if (!hit) return absl::StrCat("key of ", fact.event->id.ToString(), ": unknown");
  return absl::StrCat("key of ", fact.event->id.ToString(), ": ", hit->event.ToString(), " ",
                      hit->fingerprint[0], "..", hit->fingerprint[15]);
}

std::string Failure(const absl::Status& status) {
  return absl::IsNotFound(status) ? "NOT_FOUND" : status.ToString();
}

// Every page of ListEndpoints, in pages of random size.
void DescribeEndpoints(const DeliveryStore& store, const std::string& subscriber_id, std::mt19937_64& random,
                       std::vector<std::string>& lines) {
  EndpointId after;
  for (size_t limit = 1 + random() % 5;; limit = 1 + random() % 5) {
    const auto page = store.ListEndpoints(subscriber_id, after, limit);
    if (!page.ok()) lines.push_back(page.status().ToString());
    if (!page.ok() || page->empty()) return;
    if (page->size() > limit) lines.push_back("a page over its limit");
    for (const StoredEndpoint& endpoint : *page) lines.push_back(Describe(endpoint));
    after = page->back().endpoint->id;
  }
}

// As StoreModel::DescribeConfiguration.
void DescribeConfiguration(const DeliveryStore& store, const StoreModel& model, std::mt19937_64& random,
                           std::vector<std::string>& lines) {
  for (std::string after;;) {
    const auto page = store.ListSubscribers(after, 1 + random() % 3);
    if (!page.ok()) lines.push_back(page.status().ToString());
    if (!page.ok() || page->empty()) break;
    for (const StoredSubscriber& subscriber : *page) lines.push_back(Describe(subscriber));
    after = page->back().subscriber.id;
  }
  DescribeEndpoints(store, "", random, lines);
  for (const std::string& id : model.subscriber_ids) {
    const auto subscriber = store.ReadSubscriber(id);
    lines.push_back(subscriber.ok() ? Describe(*subscriber) : Failure(subscriber.status()));
    const auto account = store.ReadAccount(id);
    lines.push_back(account.ok() ? Describe(account->subscriber) : Failure(account.status()));
    if (account.ok()) {
      for (const auto& endpoint : account->endpoints) lines.push_back(Describe(*endpoint));
    }
    DescribeEndpoints(store, id, random, lines);
  }
  for (const EndpointId id : model.endpoint_ids) {
    const auto endpoint = store.ReadEndpoint(id);
    lines.push_back(endpoint.ok() ? Describe(*endpoint) : Failure(endpoint.status()));
  }
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
  state.disable_failures = lane.disable_failures;
  state.disable_since_ms = lane.disable_since_ms;
  state.hold_until_ms = lane.hold_until_ms;
  state.deleted = lane.deleted;
  if (const auto rows = deliveries.find(endpoint); rows != deliveries.end()) {
    state.next = rows->second.rbegin()->first + 1;
    for (const auto& [sequence, row] : rows->second) {
      if (row.delivery.state == DeliveryState::kPending) ++(row.parked ? state.parked : state.queued);
    }
  }
  return state;
}

std::vector<BucketView> StoreModel::Buckets() const {
  std::map<Bucket, BucketView> views;
  for (const Accepted& fact : accepted) {
    const Bucket bucket = fact.event->id.bucket();
    if (history_dropped.contains(bucket)) continue;
    BucketView& view = views[bucket];
    view.bucket = bucket;
    view.payloads_gone = payloads_dropped.contains(bucket);
    if (!view.payloads_gone) view.payload_bytes += fact.event->payload.size();
  }
  for (const auto& [endpoint, rows] : deliveries) {
    for (const auto& [sequence, row] : rows) {
      if (row.forgotten) continue;
      BucketView& view = views.at(row.delivery.id.bucket);
      if (row.delivery.state == DeliveryState::kPending) ++view.pending;
      view.last_ended_ms = std::max(view.last_ended_ms, row.delivery.ended_ms);
    }
  }
  std::vector<BucketView> buckets;
  for (const auto& [bucket, view] : views) buckets.push_back(view);
  return buckets;
}

std::vector<std::string> StoreModel::DescribeRecovered() const {
  DeliveryStore::Recovered recovered;
  recovered.subscribers = subscribers.size();
  recovered.endpoints = endpoints.size();
  recovered.operations = operations;
  for (const auto& [id, unused] : lanes) {
    const LaneState lane = LaneOf(id);
    if (lane.pending() == 0 && !lane.deleted && lane.rate_tat_ms <= high_water_ms &&
        lane.hold_until_ms <= high_water_ms) {
      continue;
    }
    DeliveryStore::ActiveLane& active = recovered.lanes.emplace_back();
    active.id = id;
    active.lane = lane;
    if (!endpoints.contains(id)) continue;
    active.endpoint = endpoints.at(id);
    const auto subscriber = subscribers.find(active.endpoint->subscriber_id);
    active.subscriber_paused = subscriber != subscribers.end() && subscriber->second.paused;
  }
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
      if (row.forgotten) {
        reads.push_back("NOT_FOUND");
        continue;
      }
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
    const bool gone = payloads_dropped.contains(fact.event->id.bucket());
    lines.push_back(gone ? "NOT_FOUND" : hookd::Describe(*fact.event));
    if (!fact.idempotency) continue;
    std::optional<IdempotencyHit> hit;
    if (fact.event->accepted_ms > now - 24 * kBucketMs) {
      hit = IdempotencyHit{fact.event->id, fact.idempotency->fingerprint};
    }
    lines.push_back(IdempotencyLine(fact, hit));
  }
  DescribeConfiguration(lines);
  lines.push_back(absl::StrCat("pending ", pending, ", last commit ", commits));
  return lines;
}

void StoreModel::DescribeConfiguration(std::vector<std::string>& lines) const {
  std::map<std::pair<Partition, std::string>, StoredSubscriber> ordered;
  for (const auto& [id, subscriber] : subscribers) {
    StoredSubscriber& stored = ordered[{PartitionOf(id), id}];
    stored.subscriber = subscriber;
    for (const auto& [number, endpoint] : endpoints) stored.endpoint_count += endpoint->subscriber_id == id;
  }
  std::vector<std::string> all;
  std::map<std::string, std::vector<std::string>> configurations;
  std::map<std::string, std::vector<std::string>> with_lanes;
  for (const auto& [id, endpoint] : endpoints) {
    all.push_back(hookd::Describe(StoredEndpoint{endpoint, LaneOf(id)}));
    configurations[endpoint->subscriber_id].push_back(hookd::Describe(*endpoint));
    with_lanes[endpoint->subscriber_id].push_back(all.back());
  }
  for (const auto& [key, stored] : ordered) lines.push_back(hookd::Describe(stored));
  lines.insert(lines.end(), all.begin(), all.end());
  for (const std::string& id : subscriber_ids) {
    if (const auto it = subscribers.find(id); it == subscribers.end()) {
      lines.insert(lines.end(), {"NOT_FOUND", "NOT_FOUND"});
    } else {
      lines.push_back(hookd::Describe(ordered.at({PartitionOf(id), id})));
      lines.push_back(hookd::Describe(it->second));
      lines.insert(lines.end(), configurations[id].begin(), configurations[id].end());
    }
    lines.insert(lines.end(), with_lanes[id].begin(), with_lanes[id].end());
  }
  for (const EndpointId id : endpoint_ids) {
    const auto it = endpoints.find(id);
    lines.push_back(it == endpoints.end() ? "NOT_FOUND"
                                          : hookd::Describe(StoredEndpoint{it->second, LaneOf(id)}));
  }
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
      lines.push_back(delivery.ok() ? Describe(*delivery) : Failure(delivery.status()));
    }
    DescribeList(store, {endpoint, std::nullopt, "", 0}, random, lines);
    for (const DeliveryState state : kStates) DescribeList(store, {endpoint, state, "", 0}, random, lines);
  }
  for (const DeliveryState state : kStates) DescribeList(store, {std::nullopt, state, "", 0}, random, lines);
  for (const Accepted& fact : model.accepted) {
    const auto event = store.ReadEvent(fact.event->id);
    lines.push_back(event.ok() ? Describe(**event) : Failure(event.status()));
    if (!fact.idempotency) continue;
    const auto hit = store.FindIdempotency(fact.idempotency->key, now);
    lines.push_back(hit.ok() ? IdempotencyLine(fact, *hit) : hit.status().ToString());
  }
  DescribeConfiguration(store, model, random, lines);
  const StoreStats stats = store.Stats();
  lines.push_back(absl::StrCat("pending ", stats.pending, ", last commit ", stats.last_commit));
  return lines;
}

}  // namespace hookd
