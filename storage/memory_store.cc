#include "storage/memory_store.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"
#include "storage/audit_query.h"
#include "storage/memory_store_list.h"

namespace hookd {
namespace {

using Key = std::pair<EndpointId, Sequence>;

// The order in which ListSubscribers goes.
using SubscriberKey = std::pair<Partition, std::string>;

constexpr WallMs kIdempotencyMs = 24 * 3'600'000;
constexpr uint64_t kEndpointNumberMask = (uint64_t{1} << 48) - 1;

Key KeyOf(DeliveryId id) { return {id.endpoint, id.sequence}; }

SubscriberKey KeyOf(const std::string& subscriber_id) { return {PartitionOf(subscriber_id), subscriber_id}; }

RemadePtr RemadeOf(const Delivery& delivery) {
  if (delivery.origin == Origin::kPublish) return nullptr;
  return std::make_shared<const Remade>(Remade{delivery.accepted_ms, delivery.origin, delivery.replaces});
}

bool SameRemade(const RemadePtr& a, const RemadePtr& b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->accepted_ms == b->accepted_ms && a->origin == b->origin && a->replaces == b->replaces;
}

WallMs EndOf(const Attempt& attempt) { return attempt.started_ms + attempt.us.total / 1000; }

}  // namespace

// What was committed.
struct MemoryStore::Tables {
  std::map<SubscriberKey, Subscriber> subscribers;
  std::map<EndpointId, std::shared_ptr<const Endpoint>> endpoints;
  std::map<EndpointId, LaneState> lanes;
  MemoryEvents events;
  MemoryDeliveries deliveries;  // pending and ended, with their attempts
  std::set<Key> queue;
  std::map<Key, ParkedDelivery> parked;
  std::map<std::array<uint8_t, 16>, IdempotencyHit> idempotency;
  std::map<Bucket, BucketView> buckets;
  Operations operations;
  std::string mail_cursor;
  std::map<uint64_t, Job> jobs;
  uint64_t next_job = 1;
  std::map<uint64_t, AccessToken> tokens;
  std::map<uint64_t, AuditRecord> audit;
  std::map<uint64_t, std::string> changes;  // by commit
  ChangeHours change_hours;
  uint64_t last_commit = 0;
  uint64_t next_endpoint_number = 1;
  WallMs wall_high_water_ms = 0;

  void Apply(const SubscriberChanged& fact) { subscribers[KeyOf(fact.subscriber.id)] = fact.subscriber; }

  void Apply(const SubscriberDeleted& fact) {
    HOOKD_CHECK(std::none_of(endpoints.begin(), endpoints.end(),
                             [&](const auto& entry) { return entry.second->subscriber_id == fact.id; }),
                "a subscriber goes after its endpoints");
    HOOKD_CHECK(subscribers.erase(KeyOf(fact.id)) == 1, "no such subscriber");
  }

  void Apply(const EndpointChanged& fact) {
    const EndpointId id = fact.endpoint->id;
    std::shared_ptr<const Endpoint>& endpoint = endpoints[id];
    HOOKD_CHECK(endpoint == nullptr || endpoint->subscriber_id == fact.endpoint->subscriber_id,
                "an endpoint stays with its subscriber");
    endpoint = fact.endpoint;
    next_endpoint_number = std::max(next_endpoint_number, (id.value & kEndpointNumberMask) + 1);
  }

  void Apply(const EndpointDeleted& fact) {
    const auto it = endpoints.find(fact.endpoint);
    HOOKD_CHECK(it != endpoints.end() && it->second->subscriber_id == fact.subscriber_id, "no such endpoint");
    endpoints.erase(it);
  }

  void Apply(const Accepted& fact) {
    const Event& event = *fact.event;
    HOOKD_CHECK(event.accepted_ms == event.id.accepted_ms(), "an event's id holds its time");
    HOOKD_CHECK(events.emplace(event.id, fact.event).second, "event ids are unique");
    wall_high_water_ms = std::max(wall_high_water_ms, event.accepted_ms);
    if (fact.idempotency) {
      idempotency[fact.idempotency->key] = {event.id, fact.idempotency->fingerprint};
    }
    for (const AcceptedDelivery& accepted : fact.deliveries) Make(event, nullptr, accepted);
  }

  void Apply(const Redelivered& fact) {
    HOOKD_CHECK(fact.remade->origin != Origin::kPublish, "what is made later says why");
    HOOKD_CHECK(events.contains(fact.event->id), "what is made anew needs its payload");
    wall_high_water_ms = std::max(wall_high_water_ms, fact.remade->accepted_ms);
    const DeliveryId id = Make(*fact.event, fact.remade, fact.delivery);
    if (!fact.remade->replaces) return;
    const auto replaced = deliveries.find(KeyOf(*fact.remade->replaces));
    if (replaced == deliveries.end()) return;
    Delivery& delivery = replaced->second;
    HOOKD_CHECK(delivery.id == *fact.remade->replaces && IsTerminal(delivery.state),
                "only what ended is replaced");
    if (delivery.state == DeliveryState::kSucceeded) return;
    HOOKD_CHECK(delivery.state == fact.replaced_state && delivery.accepted_ms == fact.replaced_accepted_ms,
                "the fact is about another delivery");
    delivery.replaced_by = id;
  }

  DeliveryId Make(const Event& event, const RemadePtr& remade, const AcceptedDelivery& accepted) {
    Delivery delivery;
    delivery.id = MakeDeliveryId(event.id, remade, accepted.endpoint, accepted.sequence);
    delivery.event = event.id;
    delivery.subscriber_id = event.subscriber_id;
    delivery.event_type = event.type;
    delivery.accepted_ms = AcceptedMs(event.id, remade);
    if (remade != nullptr) {
      delivery.origin = remade->origin;
      delivery.replaces = remade->replaces;
    }
    queue.insert(KeyOf(delivery.id));
    const DeliveryId id = delivery.id;
    deliveries.emplace(KeyOf(id), std::move(delivery));
    return id;
  }

  void Apply(const AttemptRecorded& fact) {
    Delivery& delivery = TakePending(fact, fact.was_parked);
    HOOKD_CHECK(delivery.event_type == fact.event_type && delivery.subscriber_id == fact.subscriber_id,
                "the fact is about another delivery");
    HOOKD_CHECK(fact.attempt.number == delivery.attempt_count + 1, "attempts are numbered without gaps");
    delivery.attempts.push_back(fact.attempt);
    delivery.attempt_count = fact.attempt.number;
    delivery.last_status = fact.attempt.status;
    delivery.last_error = fact.attempt.error;
    if (fact.state == DeliveryState::kPending) {
      delivery.next_due_ms = fact.attempt.next_due_ms;
      parked[KeyOf(fact.delivery)] = {fact.delivery.sequence,
                                      fact.event,
                                      fact.ordering_key_hash,
                                      fact.attempt.number,
                                      fact.failures,
                                      fact.attempt.next_due_ms,
                                      fact.attempt.status,
                                      fact.attempt.error,
                                      fact.remade,
                                      fact.batch};
    } else {
      End(delivery, fact.state, fact.reason, EndOf(fact.attempt));
    }
    CheckCursor(fact.delivery.endpoint, fact.cursor);
  }

  void Apply(const DeliveryParked& fact) {
    Delivery& delivery = TakePending(fact, false);
    delivery.next_due_ms = fact.due_ms;
    parked[KeyOf(fact.delivery)] = {
        fact.delivery.sequence, fact.event, fact.ordering_key_hash, 0, 0, fact.due_ms, 0,
        ErrorKind::kNone,       fact.remade};
    CheckCursor(fact.delivery.endpoint, fact.cursor);
  }

  void Apply(const BatchFormed& fact) {
    for (const BatchFormed::Member& member : fact.members) {
      Delivery& delivery = TakePending(member, member.was_parked);
      HOOKD_CHECK(delivery.attempt_count == 0 && !delivery.batch,
                  "only what was never attempted forms a batch");
      delivery.next_due_ms = 0;
      delivery.batch = fact.batch;
      ParkedDelivery row{member.delivery.sequence, member.event, member.ordering_key_hash};
      row.remade = member.remade;
      row.batch = fact.batch;
      parked[KeyOf(member.delivery)] = std::move(row);
    }
    CheckCursor(fact.members.front().delivery.endpoint, fact.cursor);
  }

  void Apply(const DeliveryEnded& fact) {
    Delivery& delivery = TakePending(fact, fact.was_parked);
    HOOKD_CHECK(delivery.event_type == fact.event_type && delivery.subscriber_id == fact.subscriber_id,
                "the fact is about another delivery");
    HOOKD_CHECK(fact.attempt_count == delivery.attempt_count, "the attempts made so far");
    // They are kept with a delivery's last attempt or its retry, and this is neither.
    delivery.last_status = 0;
    delivery.last_error = ErrorKind::kNone;
    End(delivery, fact.state, fact.reason, fact.at_ms);
    CheckCursor(fact.delivery.endpoint, fact.cursor);
  }

  void Apply(const LaneRemoved&) {}

  void Apply(const BucketDropped& fact) {
    std::erase_if(events, [&](const auto& entry) { return entry.first.bucket() == fact.bucket; });
    if (!fact.history) return;
    std::erase_if(deliveries, [&](const auto& entry) { return entry.second.id.bucket == fact.bucket; });
  }

  void Apply(const OperationsChanged& fact) { operations = fact.operations; }

  void Apply(const MailCursorChanged& fact) { mail_cursor = fact.text; }

  void Apply(const JobChanged& fact) {
    jobs[fact.job.id] = fact.job;
    next_job = std::max(next_job, fact.job.id + 1);
  }

  void Apply(const JobDeleted& fact) { jobs.erase(fact.id); }

  void Apply(const Audited& fact) {
    HOOKD_CHECK(audit.empty() || audit.rbegin()->first + 1 == fact.record.number,
                "audit records have no gaps");
    audit[fact.record.number] = fact.record;
  }

  void Apply(const AuditTrimmed& fact) {
    HOOKD_CHECK(audit.empty() || fact.before <= audit.rbegin()->first, "the newest audit record stays");
    audit.erase(audit.begin(), audit.lower_bound(fact.before));
  }

  void Apply(const TokenMade& fact) { tokens[fact.token.id] = fact.token; }

  void Apply(const TokenRevoked& fact) { tokens.erase(fact.token.id); }

  void Apply(const ResponsesErased& fact) {
    Delivery& delivery = deliveries.at(KeyOf(fact.delivery.id));
    HOOKD_CHECK(IsTerminal(delivery.state) && delivery.attempts.size() == fact.delivery.attempts.size(),
                "only what ended is erased, and all of it");
    delivery.attempts = fact.delivery.attempts;
  }

  void Apply(const EventErased& fact) {
    HOOKD_CHECK(std::none_of(deliveries.begin(), deliveries.end(),
                             [&](const auto& entry) {
                               return entry.second.event == fact.event && !IsTerminal(entry.second.state);
                             }),
                "what is pending needs its payload");
    HOOKD_CHECK(events.erase(fact.event) == 1, "no such event");
  }

  // The newest commit's, with the time of the store.
  void KeepChanges(const std::string& record) {
    if (!record.empty()) changes[last_commit] = record;
    change_hours.Begin(wall_high_water_ms, last_commit);
    while (change_hours.TakeExpired(wall_high_water_ms)) {
    }
    changes.erase(changes.begin(), changes.lower_bound(change_hours.first()));
  }

  void CheckCursor(EndpointId endpoint, Sequence cursor) const {
    const auto first = queue.lower_bound({endpoint, 0});
    HOOKD_CHECK(first == queue.end() || first->first != endpoint || first->second >= cursor,
                "no queue row is below the cursor");
  }

  uint32_t CountEndpoints(const std::string& subscriber_id) const {
    return static_cast<uint32_t>(std::count_if(endpoints.begin(), endpoints.end(), [&](const auto& entry) {
      return entry.second->subscriber_id == subscriber_id;
    }));
  }

  // The pending delivery that the fact names, its queue or parked row removed.
  template <typename DeliveryFact>
  Delivery& TakePending(const DeliveryFact& fact, bool was_parked) {
    const Key key = KeyOf(fact.delivery);
    const size_t rows = was_parked ? parked.erase(key) : queue.erase(key);
    HOOKD_CHECK(rows == 1, "the delivery is not pending, or not where the fact says");
    Delivery& delivery = deliveries.at(key);
    HOOKD_CHECK(delivery.id == fact.delivery && delivery.event == fact.event &&
                    SameRemade(RemadeOf(delivery), fact.remade),
                "the fact is about another delivery");
    return delivery;
  }

  void End(Delivery& delivery, DeliveryState state, EndReason reason, WallMs at_ms) {
    HOOKD_CHECK(IsTerminal(state), "a delivery ends in a terminal state");
    delivery.state = state;
    delivery.reason = reason;
    delivery.ended_ms = at_ms;
    delivery.next_due_ms = 0;
  }
};

MemoryStore::MemoryStore() : MemoryStore(Tables{}) {}

MemoryStore::MemoryStore(const Tables& committed)
    : lanes_([this](EndpointId endpoint) -> absl::StatusOr<std::optional<LaneState>> {
        absl::MutexLock lock(&mutex_);
        const auto it = committed_->lanes.find(endpoint);
        if (it == committed_->lanes.end()) return std::nullopt;
        return it->second;
      }),
      committed_(std::make_unique<Tables>(committed)) {}

MemoryStore::~MemoryStore() = default;

std::unique_ptr<MemoryStore> MemoryStore::Reopen() const {
  absl::MutexLock lock(&mutex_);
  return std::unique_ptr<MemoryStore>(new MemoryStore(*committed_));
}

absl::StatusOr<DeliveryStore::Recovered> MemoryStore::Recover() {
  HOOKD_CHECK(!recovered_ && open_.empty(), "Recover is called once, before the first Apply");
  recovered_ = true;
  absl::MutexLock lock(&mutex_);
  Recovered recovered;
  recovered.subscribers = committed_->subscribers.size();
  recovered.endpoints = committed_->endpoints.size();
  recovered.operations = committed_->operations;
  recovered.mail_cursor = committed_->mail_cursor;
  const WallMs now = committed_->wall_high_water_ms;
  for (const auto& [id, lane] : committed_->lanes) {
    const bool busy = lane.deleted || lane.pending() > 0;
    if (busy) lanes_.Load(id, lane);
    if (!lane.deleted && lane.endpoint_disabled) ++recovered.endpoints_disabled;
    if (!lane.deleted && lane.endpoint_paused && !lane.endpoint_disabled) ++recovered.endpoints_paused;
    if (!lane.deleted && lane.endpoint_keys_end_ms != 0)
      recovered.keys_ending.emplace_back(lane.endpoint_keys_end_ms, id);
    if (!busy && lane.rate_tat_ms <= now && lane.hold_until_ms <= now) continue;
    ActiveLane& active = recovered.lanes.emplace_back();
    active.id = id;
    active.lane = lane;
    const auto endpoint = committed_->endpoints.find(id);
    if (endpoint == committed_->endpoints.end()) continue;
    active.endpoint = endpoint->second;
    const auto subscriber = committed_->subscribers.find(KeyOf(endpoint->second->subscriber_id));
    const Subscriber* owner = subscriber == committed_->subscribers.end() ? nullptr : &subscriber->second;
    active.hold = HoldOf(owner == nullptr ? Subscriber() : *owner, *active.endpoint);
  }
  for (const auto& [number, bucket] : committed_->buckets) buckets_.Load(bucket);
  recovered.next_endpoint_number = committed_->next_endpoint_number;
  recovered.wall_high_water_ms = committed_->wall_high_water_ms;
  for (const auto& [id, job] : committed_->jobs) recovered.jobs.push_back(job);
  recovered.next_job = committed_->next_job;
  if (!committed_->audit.empty()) {
    const AuditRecord& newest = committed_->audit.rbegin()->second;
    recovered.audit = {newest.number, newest.at_ms, newest.hash, newest.log_bytes};
    recovered.audit_first = committed_->audit.begin()->first;
  }
  return recovered;
}

void MemoryStore::Apply(const Fact& fact) {
  HOOKD_CHECK(recovered_, "Recover comes before Apply");
  std::visit(
      [this](const auto& f) {
        if constexpr (requires { lanes_.Apply(f); }) lanes_.Apply(f);
        if constexpr (requires { buckets_.Apply(f); }) buckets_.Apply(f);
        if constexpr (requires { changes_.Apply(f); }) changes_.Apply(f);
      },
      fact);
  open_.push_back(fact);
}

absl::Status MemoryStore::Commit(WallMs now) {
  if (open_.empty()) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  Tables& tables = *committed_;
  for (const Fact& fact : open_) {
    std::visit([&tables](const auto& f) { tables.Apply(f); }, fact);
  }
  open_.clear();
  for (const auto& [endpoint, lane] : lanes_.TakeChanged()) {
    if (lane != nullptr) {
      tables.lanes[endpoint] = *lane;
    } else {
      tables.lanes.erase(endpoint);
    }
  }
  for (const auto& [number, bucket] : buckets_.TakeChanged()) {
    if (bucket != nullptr) {
      tables.buckets[number] = *bucket;
    } else {
      tables.buckets.erase(number);
    }
  }
  lanes_.Trim();
  tables.wall_high_water_ms = std::max(tables.wall_high_water_ms, now);
  ++tables.last_commit;
  tables.KeepChanges(changes_.Take(tables.wall_high_water_ms));
  ++commits_;
  return absl::OkStatus();
}

const LaneState* MemoryStore::Lane(EndpointId endpoint) { return lanes_.Find(endpoint); }

std::vector<BucketView> MemoryStore::Buckets() const { return buckets_.Views(); }

absl::StatusOr<StoredAccount> MemoryStore::ReadAccount(const std::string& subscriber_id) const {
  absl::MutexLock lock(&mutex_);
  const auto it = committed_->subscribers.find(KeyOf(subscriber_id));
  if (it == committed_->subscribers.end()) return absl::NotFoundError("no subscriber has this id");
  StoredAccount account;
  account.subscriber = it->second;
  for (const auto& [id, endpoint] : committed_->endpoints) {
    if (endpoint->subscriber_id == subscriber_id) account.endpoints.push_back(endpoint);
  }
  return account;
}

absl::StatusOr<StoredSubscriber> MemoryStore::ReadSubscriber(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  const auto it = committed_->subscribers.find(KeyOf(id));
  if (it == committed_->subscribers.end()) return absl::NotFoundError("no subscriber has this id");
  return StoredSubscriber{it->second, committed_->CountEndpoints(id)};
}

absl::StatusOr<StoredEndpoint> MemoryStore::ReadEndpoint(EndpointId id) const {
  absl::MutexLock lock(&mutex_);
  const auto it = committed_->endpoints.find(id);
  if (it == committed_->endpoints.end()) return absl::NotFoundError("no endpoint has this id");
  return StoredEndpoint{it->second, committed_->lanes.at(id)};
}

absl::StatusOr<std::vector<StoredSubscriber>> MemoryStore::ListSubscribers(const std::string& after,
                                                                           size_t limit) const {
  absl::MutexLock lock(&mutex_);
  std::vector<StoredSubscriber> subscribers;
  auto it =
      after.empty() ? committed_->subscribers.begin() : committed_->subscribers.upper_bound(KeyOf(after));
  for (; it != committed_->subscribers.end() && subscribers.size() < limit; ++it) {
    subscribers.push_back({it->second, committed_->CountEndpoints(it->second.id)});
  }
  return subscribers;
}

absl::StatusOr<std::vector<StoredEndpoint>> MemoryStore::ListEndpoints(const std::string& subscriber_id,
                                                                       EndpointId after, size_t limit) const {
  absl::MutexLock lock(&mutex_);
  std::vector<StoredEndpoint> endpoints;
  for (auto it = committed_->endpoints.upper_bound(after);
       it != committed_->endpoints.end() && endpoints.size() < limit; ++it) {
    if (!subscriber_id.empty() && it->second->subscriber_id != subscriber_id) continue;
    endpoints.push_back({it->second, committed_->lanes.at(it->first)});
  }
  return endpoints;
}

absl::StatusOr<AccessToken> MemoryStore::ReadToken(uint64_t id) const {
  absl::MutexLock lock(&mutex_);
  const auto it = committed_->tokens.find(id);
  if (it == committed_->tokens.end()) return absl::NotFoundError("no token has this id");
  return it->second;
}

absl::StatusOr<std::vector<AccessToken>> MemoryStore::ListTokens(const std::string& subscriber_id,
                                                                 uint64_t after, size_t limit) const {
  absl::MutexLock lock(&mutex_);
  std::vector<AccessToken> tokens;
  for (auto it = committed_->tokens.upper_bound(after);
       it != committed_->tokens.end() && tokens.size() < limit; ++it) {
    const std::vector<std::string>& ids = it->second.subscriber_ids;
    if (!subscriber_id.empty() && std::find(ids.begin(), ids.end(), subscriber_id) == ids.end()) continue;
    tokens.push_back(it->second);
  }
  return tokens;
}

absl::StatusOr<AuditRecord> MemoryStore::ReadAudit(uint64_t number) const {
  absl::MutexLock lock(&mutex_);
  const auto it = committed_->audit.find(number);
  if (it == committed_->audit.end()) return absl::NotFoundError("no audit record has this number");
  return it->second;
}

absl::StatusOr<AuditPage> MemoryStore::ListAudit(const AuditQuery& query) const {
  absl::MutexLock lock(&mutex_);
  const std::map<uint64_t, AuditRecord>& audit = committed_->audit;
  // Those in the range of times alone cost a look.
  const auto in_time = [&query](const AuditRecord& record) {
    return record.at_ms >= query.from_ms && (query.before_ms == 0 || record.at_ms < query.before_ms);
  };
  AuditCollector collector(query);
  if (query.oldest_first) {
    for (auto it = audit.upper_bound(query.position); it != audit.end(); ++it) {
      if (in_time(it->second) && !collector.Look(it->second)) break;
    }
  } else {
    const auto end = query.position == 0 ? audit.end() : audit.lower_bound(query.position);
    for (auto it = std::make_reverse_iterator(end); it != audit.rend(); ++it) {
      if (in_time(it->second) && !collector.Look(it->second)) break;
    }
  }
  return collector.TakePage();
}

absl::StatusOr<std::optional<IdempotencyHit>> MemoryStore::FindIdempotency(const std::array<uint8_t, 16>& key,
                                                                           WallMs now) const {
  absl::MutexLock lock(&mutex_);
  const auto it = committed_->idempotency.find(key);
  if (it == committed_->idempotency.end()) return std::nullopt;
  if (it->second.event.accepted_ms() <= now - kIdempotencyMs) return std::nullopt;
  return it->second;
}

absl::StatusOr<std::vector<QueuedDelivery>> MemoryStore::ReadQueue(EndpointId endpoint, Sequence from,
                                                                   size_t limit, size_t max_bytes) const {
  absl::MutexLock lock(&mutex_);
  std::vector<QueuedDelivery> rows;
  size_t bytes = 0;
  for (auto it = committed_->queue.lower_bound({endpoint, from});
       it != committed_->queue.end() && it->first == endpoint && rows.size() < limit; ++it) {
    const Delivery& delivery = committed_->deliveries.at(*it);
    const auto& event = committed_->events.at(delivery.event);
    bytes += event->payload.size();
    if (!rows.empty() && bytes > max_bytes) break;
    rows.push_back({it->second, event, RemadeOf(delivery)});
  }
  return rows;
}

absl::StatusOr<std::vector<ParkedDelivery>> MemoryStore::ReadParked(EndpointId endpoint, size_t limit) const {
  absl::MutexLock lock(&mutex_);
  std::vector<ParkedDelivery> rows;
  for (auto it = committed_->parked.lower_bound({endpoint, 0});
       it != committed_->parked.end() && it->first.first == endpoint && rows.size() < limit; ++it) {
    rows.push_back(it->second);
  }
  return rows;
}

absl::StatusOr<std::shared_ptr<const Event>> MemoryStore::ReadEvent(EventId id) const {
  absl::MutexLock lock(&mutex_);
  const auto it = committed_->events.find(id);
  if (it == committed_->events.end()) return absl::NotFoundError("no event has this id");
  return it->second;
}

absl::StatusOr<Delivery> MemoryStore::ReadDelivery(DeliveryId id) const {
  absl::MutexLock lock(&mutex_);
  const auto it = committed_->deliveries.find(KeyOf(id));
  if (it == committed_->deliveries.end() || it->second.id != id) {
    return absl::NotFoundError("no delivery has this id");
  }
  return it->second;
}

absl::StatusOr<DeliveryPage> MemoryStore::ListDeliveries(const DeliveryQuery& query) const {
  absl::MutexLock lock(&mutex_);
  return ListDeliveriesOf(committed_->deliveries, query);
}

absl::StatusOr<EventPage> MemoryStore::ListEvents(const EventQuery& query) const {
  absl::MutexLock lock(&mutex_);
  return ListEventsOf(committed_->deliveries, committed_->events, query);
}

absl::StatusOr<std::vector<DeliveryId>> MemoryStore::DeliveriesOf(const Event& event, size_t limit) const {
  absl::MutexLock lock(&mutex_);
  const bool history = committed_->buckets.contains(event.id.bucket());
  return DeliveriesOfEvent(committed_->deliveries, event, history, limit);
}

StoreStats MemoryStore::Stats() const {
  absl::MutexLock lock(&mutex_);
  StoreStats stats;
  stats.commits = commits_;
  stats.last_commit = committed_->last_commit;
  stats.pending = committed_->queue.size() + committed_->parked.size();
  return stats;
}

std::unique_ptr<DeliveryStore> MakeMemoryStore() { return std::make_unique<MemoryStore>(); }

absl::StatusOr<ChangePage> MemoryStore::ReadChanges(uint64_t after_commit, size_t limit) const {
  absl::MutexLock lock(&mutex_);
  const Tables& tables = *committed_;
  if (after_commit > tables.last_commit) return LaterThanNewest(tables.last_commit);
  if (!tables.change_hours.empty() && after_commit + 1 < tables.change_hours.first()) {
    return OlderThanKept(tables.change_hours.first());
  }
  ChangePage page;
  page.commit = tables.last_commit;
  for (auto it = tables.changes.upper_bound(after_commit); it != tables.changes.end(); ++it) {
    if (absl::Status decoded = DecodeChanges(it->second, page.changes); !decoded.ok()) return decoded;
    if (page.changes.size() < limit || it->first == tables.last_commit) continue;
    page.commit = it->first;
    page.more = true;
    break;
  }
  return page;
}

}  // namespace hookd
