#include "tests/conformance/store_model.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <absl/strings/str_cat.h>

#include "tests/conformance/describe.h"
#include "tests/conformance/fact_builders.h"

namespace hookd {
namespace {

constexpr DeliveryState kStates[] = {DeliveryState::kPending, DeliveryState::kSucceeded,
                                     DeliveryState::kExhausted, DeliveryState::kExpired,
                                     DeliveryState::kCanceled};

WallMs EndOf(const Attempt& attempt) { return attempt.started_ms + attempt.us.total / 1000; }

struct Applier {
  StoreModel& model;

  void Changed(const ModelDelivery& row, WallMs at_ms, const Attempt* attempt) {
    const Delivery& delivery = row.delivery;
    StateChange& change = model.open_changes.emplace_back();
    change.delivery = delivery.id;
    change.event = delivery.event;
    change.subscriber_id = delivery.subscriber_id;
    change.event_type = delivery.event_type;
    change.state = delivery.state;
    change.reason = delivery.reason;
    change.attempt_count = delivery.attempt_count;
    change.at_ms = at_ms;
    change.next_due_ms = delivery.next_due_ms;
    if (attempt == nullptr) return;
    change.status = attempt->status;
    change.error = attempt->error;
  }

  DeliveryId Make(const std::shared_ptr<const Event>& event, const RemadePtr& remade,
                  const AcceptedDelivery& accepted) {
    ModelDelivery& row = model.deliveries[accepted.endpoint][accepted.sequence];
    row.event = event;
    row.remade = remade;
    Delivery& delivery = row.delivery;
    delivery.accepted_ms = event->accepted_ms;
    if (remade != nullptr) {
      delivery.accepted_ms = remade->accepted_ms;
      delivery.origin = remade->origin;
      delivery.replaces = remade->replaces;
    }
    delivery.id = {BucketOf(delivery.accepted_ms), accepted.endpoint, accepted.sequence};
    delivery.event = event->id;
    delivery.subscriber_id = event->subscriber_id;
    delivery.event_type = event->type;
    model.high_water_ms = std::max(model.high_water_ms, delivery.accepted_ms);
    Changed(row, delivery.accepted_ms, nullptr);
    return delivery.id;
  }

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
    lane->second.endpoint_paused = fact.endpoint->paused;
    lane->second.endpoint_disabled = fact.endpoint->disabled != DisableReason::kNone;
    lane->second.endpoint_keys_end_ms = KeysEnd(*fact.endpoint);
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
    for (const AcceptedDelivery& accepted : fact.deliveries) Make(fact.event, nullptr, accepted);
  }
  void operator()(const Redelivered& fact) {
    const DeliveryId id = Make(fact.event, fact.remade, fact.delivery);
    if (!fact.remade->replaces) return;
    ModelDelivery& replaced = model.Get(*fact.remade->replaces);
    if (!replaced.forgotten && replaced.delivery.state != DeliveryState::kSucceeded) {
      replaced.delivery.replaced_by = id;
    }
  }
  void operator()(const JobChanged& fact) {
    model.jobs[fact.job.id] = fact.job;
    model.next_job = std::max(model.next_job, fact.job.id + 1);
  }
  void operator()(const JobDeleted& fact) { model.jobs.erase(fact.id); }
  void operator()(const TokenMade& fact) { model.tokens[fact.token.id] = fact.token; }
  void operator()(const TokenRevoked& fact) { model.tokens.erase(fact.token.id); }
  // The audit log is no part of the walk: delivery_store_audit.cc.
  void operator()(const Audited&) {}
  void operator()(const AuditTrimmed&) {}
  // Purges are no part of the walk: delivery_store_purge.cc.
  void operator()(const ResponsesErased&) {}
  void operator()(const EventErased&) {}
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
    row.delivery.last_status = fact.attempt.status;
    row.delivery.last_error = fact.attempt.error;
    Changed(row, EndOf(fact.attempt), &fact.attempt);

    ModelLane& lane = model.lanes.at(fact.delivery.endpoint);
    lane.cursor = fact.cursor;
    lane.rate_tat_ms = fact.rate_tat_ms;
    lane.hold_until_ms = fact.hold_until_ms;
    if (fact.follows || fact.attempt.error == ErrorKind::kLocal) return;
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
    if (!fact.counts_towards_disable) return;
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
  void operator()(const BatchFormed& fact) {
    for (const BatchFormed::Member& member : fact.members) {
      ModelDelivery& row = model.Get(member.delivery);
      row.parked = true;
      row.ordering_key_hash = member.ordering_key_hash;
      row.delivery.batch = fact.batch;
      row.delivery.next_due_ms = 0;
    }
    model.lanes.at(fact.members.front().delivery.endpoint).cursor = fact.cursor;
  }
  void operator()(const DeliveryEnded& fact) {
    ModelDelivery& row = model.Get(fact.delivery);
    Delivery& delivery = row.delivery;
    delivery.last_status = 0;
    delivery.last_error = ErrorKind::kNone;
    delivery.state = fact.state;
    delivery.reason = fact.reason;
    delivery.ended_ms = fact.at_ms;
    delivery.next_due_ms = 0;
    Changed(row, fact.at_ms, nullptr);
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
  void operator()(const MailCursorChanged& fact) { model.mail_cursor = fact.text; }
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

// Every page of ListTokens, each token also by itself.
void DescribeTokens(const DeliveryStore& store, const std::string& subscriber_id, std::mt19937_64& random,
                    std::vector<std::string>& lines) {
  for (uint64_t after = 0;;) {
    const size_t limit = 1 + random() % 3;
    const auto page = store.ListTokens(subscriber_id, after, limit);
    if (!page.ok()) lines.push_back(page.status().ToString());
    if (!page.ok() || page->empty()) return;
    if (page->size() > limit) lines.push_back("a page over its limit");
    for (const AccessToken& token : *page) {
      const auto read = store.ReadToken(token.id);
      lines.push_back(read.ok() && *read == token ? Describe(token) : "a token differs from its listing");
    }
    after = page->back().id;
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
  for (const std::string& id : model.subscriber_ids) DescribeTokens(store, id, random, lines);
  DescribeTokens(store, "", random, lines);
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

// The whole log, in pages of random size, and what lies outside of it.
void DescribeChanges(const DeliveryStore& store, const StoreModel& model, std::mt19937_64& random,
                     std::vector<std::string>& lines) {
  const uint64_t oldest = model.OldestKeptCommit();
  std::vector<uint64_t> outside = {model.commits + 1};
  if (oldest >= 2) outside.push_back(oldest - 2);
  for (const uint64_t commit : outside) {
    const auto page = store.ReadChanges(commit, 10);
    lines.push_back(absl::IsOutOfRange(page.status()) ? "OUT_OF_RANGE" : "a page from outside of the log");
  }
  uint64_t after = oldest - 1;
  for (bool more = true; more;) {
    const auto page = store.ReadChanges(after, 1 + random() % 50);
    if (!page.ok()) {
      lines.push_back(page.status().ToString());
      return;
    }
    for (const StateChange& change : page->changes) lines.push_back(Describe(change));
    more = page->more;
    if (more && page->commit <= after) {
      lines.push_back("a page that does not get on");
      return;
    }
    after = page->commit;
  }
  lines.push_back(absl::StrCat("changes until ", after));
}

// Which list by a state alone goes by what.
int64_t PlaceByState(const Delivery& delivery) {
  if (delivery.state == DeliveryState::kPending) return 0;
  return delivery.state == DeliveryState::kSucceeded ? delivery.id.bucket : delivery.accepted_ms;
}

}  // namespace

void StoreModel::Apply(const Fact& fact) { std::visit(Applier{*this}, fact); }

void StoreModel::Commit(WallMs now) {
  ++commits;
  high_water_ms = std::max(high_water_ms, now);
  log.push_back({high_water_ms, std::exchange(open_changes, {})});
}

// Whole hours go once they are over for long enough.
uint64_t StoreModel::OldestKeptCommit() const {
  uint64_t oldest = 1;
  for (const ModelCommit& commit : log) {
    const WallMs hour_over_ms = (commit.at_ms / kBucketMs + 1) * kBucketMs;
    if (hour_over_ms > high_water_ms - kChangesKept.count()) break;
    ++oldest;
  }
  return oldest;
}

void StoreModel::DescribeChanges(std::vector<std::string>& lines) const {
  const uint64_t oldest = OldestKeptCommit();
  if (oldest >= 2) lines.emplace_back("OUT_OF_RANGE");
  lines.emplace_back("OUT_OF_RANGE");
  for (uint64_t commit = oldest; commit <= commits; ++commit) {
    for (const StateChange& change : log[commit - 1].changes) lines.push_back(hookd::Describe(change));
  }
  lines.push_back(absl::StrCat("changes until ", commits));
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
  state.endpoint_paused = lane.endpoint_paused;
  state.endpoint_disabled = lane.endpoint_disabled;
  state.endpoint_keys_end_ms = lane.endpoint_keys_end_ms;
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
      const Bucket bucket = row.delivery.id.bucket;
      BucketView& view = views[bucket];
      view.bucket = bucket;
      view.payloads_gone = payloads_dropped.contains(bucket);
      if (row.delivery.state == DeliveryState::kPending) {
        ++view.pending;
        if (row.event->id.bucket() != bucket) ++views.at(row.event->id.bucket()).pins;
      }
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
  recovered.mail_cursor = mail_cursor;
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
    active.hold =
        HoldOf(subscriber == subscribers.end() ? Subscriber() : subscriber->second, *active.endpoint);
  }
  recovered.next_endpoint_number = endpoints_made + 1;
  recovered.wall_high_water_ms = high_water_ms;
  for (const auto& [id, job] : jobs) recovered.jobs.push_back(job);
  for (const auto& [id, lane] : lanes) {
    if (lane.deleted) continue;
    if (lane.endpoint_disabled) ++recovered.endpoints_disabled;
    if (lane.endpoint_paused && !lane.endpoint_disabled) ++recovered.endpoints_paused;
    if (lane.endpoint_keys_end_ms != 0) recovered.keys_ending.emplace_back(lane.endpoint_keys_end_ms, id);
  }
  recovered.next_job = next_job;
  return hookd::Describe(recovered);
}

std::vector<std::string> StoreModel::Describe(WallMs now) const {
  std::vector<std::string> lines;
  uint64_t pending = 0;
  std::map<std::tuple<DeliveryState, int64_t, EndpointId, Sequence>, Delivery> by_state;
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
      by_state[{listed.state, PlaceByState(listed), endpoint, sequence}] = listed;
      if (!is_pending) continue;
      ++pending;
      if (!row.parked) {
        lines.push_back(hookd::Describe(QueuedDelivery{sequence, row.event, row.remade}));
      } else {
        parked.push_back(hookd::Describe(ParkedDelivery{
            sequence, listed.event, row.ordering_key_hash, listed.attempt_count, row.failures,
            listed.next_due_ms, listed.last_status, listed.last_error, row.remade, listed.batch}));
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
  DescribeChanges(lines);
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
  for (const std::string& id : subscriber_ids) {
    for (const auto& [number, token] : tokens) {
      const std::vector<std::string>& bound = token.subscriber_ids;
      if (std::find(bound.begin(), bound.end(), id) != bound.end()) lines.push_back(hookd::Describe(token));
    }
  }
  for (const auto& [number, token] : tokens) lines.push_back(hookd::Describe(token));
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
        lines.push_back(Describe(row));
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
    DescribeList(store, ListOf(endpoint), random, lines);
    for (const DeliveryState state : kStates) DescribeList(store, ListOf(endpoint, state), random, lines);
  }
  for (const DeliveryState state : kStates) DescribeList(store, ListIn(state), random, lines);
  for (const Accepted& fact : model.accepted) {
    const auto event = store.ReadEvent(fact.event->id);
    lines.push_back(event.ok() ? Describe(**event) : Failure(event.status()));
    if (!fact.idempotency) continue;
    const auto hit = store.FindIdempotency(fact.idempotency->key, now);
    lines.push_back(hit.ok() ? IdempotencyLine(fact, *hit) : hit.status().ToString());
  }
  DescribeConfiguration(store, model, random, lines);
  DescribeChanges(store, model, random, lines);
  const StoreStats stats = store.Stats();
  lines.push_back(absl::StrCat("pending ", stats.pending, ", last commit ", stats.last_commit));
  return lines;
}

}  // namespace hookd
