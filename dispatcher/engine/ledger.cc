#include "dispatcher/engine/ledger.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/endpoint_health.h"
#include "dispatcher/core/operational_event.h"
#include "dispatcher/core/signing_keys.h"

namespace hookd {

Ledger::Ledger(DeliveryStore& store, Telemetry& telemetry, size_t shards, uint64_t seed,
               const Profiles* profiles, StrictSubscribers* strict, const AuditForms* forms)
    : shards_(shards),
      store_(store),
      telemetry_(telemetry),
      profiles_(profiles),
      strict_(strict),
      forms_(forms),
      registry_(store),
      random_(seed),
      news_(shards) {}

void Ledger::Recovered(const DeliveryStore::Recovered& recovered) {
  operations_ = recovered.operations;
  mail_cursor_ = recovered.mail_cursor;
  audit_ = recovered.audit;
  audit_first_ = recovered.audit_first;
  next_endpoint_number_ = recovered.next_endpoint_number;
  subscribers_ = recovered.subscribers;
  endpoints_ = recovered.endpoints;
  disabled_ = recovered.endpoints_disabled;
  paused_ = recovered.endpoints_paused;
  for (const auto& [end, id] : recovered.keys_ending) keys_end_[id] = end;
  operations_told_ = store_.ReadSubscriber(std::string(kOperationsSubscriber)).ok();
  last_event_ms_ = recovered.wall_high_water_ms;
  event_counter_ = UINT16_MAX;  // the next id is later than any given before, whatever the clock says
}

void Ledger::Begin(Now now) {
  now_ = now;
  has_facts_ = false;
  open_keys_.clear();
  kept_.reset();
  Act(Acting::Now());
  WatchClock();
}

std::vector<ShardNews> Ledger::Committed() {
  if (accepted_ + created_ + duplicates_ > 0) telemetry_.EventsAccepted(accepted_, created_, duplicates_);
  for (size_t state = 0; state < ended_.size(); ++state) {
    if (ended_[state] > 0) telemetry_.DeliveriesEnded(static_cast<DeliveryState>(state), ended_[state]);
  }
  for (const size_t members : std::exchange(formed_, {})) telemetry_.BatchFormed(members);
  accepted_ = created_ = duplicates_ = 0;
  ended_.fill(0);
  open_keys_.clear();
  registry_.Trim();
  return std::exchange(news_, std::vector<ShardNews>(news_.size()));
}

void Ledger::Apply(const Fact& fact) {
  store_.Apply(fact);
  if (const auto* accepted = std::get_if<Accepted>(&fact)) {
    newest_event_ = accepted->event->id;
    if (accepted->event->subscriber_id == kOperationsSubscriber) newest_operational_ = newest_event_;
  }
  has_facts_ = true;
}

EndpointId Ledger::NextEndpointId(const std::string& subscriber_id) {
  return EndpointId::Make(PartitionOf(subscriber_id), next_endpoint_number_++);
}

EventId Ledger::NextEventId(WallMs now, Partition partition) {
  if (now > last_event_ms_) {
    last_event_ms_ = now;
    event_counter_ = 0;
  } else if (event_counter_ == UINT16_MAX) {
    ++last_event_ms_;
    event_counter_ = 0;
  } else {
    ++event_counter_;
  }
  return EventId::Make(last_event_ms_, event_counter_, partition, random_());
}

absl::StatusOr<std::optional<IdempotencyHit>> Ledger::FindKey(const IdempotencyKey& key) {
  if (const auto it = open_keys_.find(key.key); it != open_keys_.end()) return it->second;
  return store_.FindIdempotency(key.key, std::max(now_.wall, last_event_ms_));
}

const LoadedProfile* Ledger::ProfileOf(const Subscriber& subscriber) const {
  return profiles_ == nullptr || subscriber.profile.empty() ? nullptr : profiles_->Find(subscriber.profile);
}

absl::Status Ledger::HoldToCatalogue(const Subscriber& subscriber, const LoadedProfile* profile,
                                     const NewEvent& event) {
  if (profile == nullptr) {
    return absl::FailedPreconditionError(
        Concat("subscriber_id: is strict, and its profile ", subscriber.profile,
               " is not loaded: put its file back, or give the subscriber another"));
  }
  if (event.checked == profile) return absl::OkStatus();
  if (strict_ != nullptr) strict_->Set(subscriber.id, profile);
  return profile->CheckEvent(event.event.type, event.event.payload);
}

PublishOutcome Ledger::Accept(NewEvent incoming) {
  PublishOutcome outcome;
  const absl::StatusOr<Registry::Account*> account = registry_.Find(incoming.event.subscriber_id);
  if (!account.ok()) {
    outcome.status = account.status();
    return outcome;
  }
  if (*account == nullptr) {
    outcome.status = absl::NotFoundError(
        Concat("subscriber_id: no subscriber ", incoming.event.subscriber_id, ": create it first"));
    return outcome;
  }
  const Subscriber& subscriber = (*account)->subscriber;
  const LoadedProfile* profile = ProfileOf(subscriber);
  if (subscriber.strict) {
    outcome.status = HoldToCatalogue(subscriber, profile, incoming);
    if (!outcome.status.ok()) return outcome;
  }
  if (incoming.idempotency) {
    const absl::StatusOr<std::optional<IdempotencyHit>> hit = FindKey(*incoming.idempotency);
    if (!hit.ok()) {
      outcome.status = hit.status();
      return outcome;
    }
    if (*hit) {
      if ((*hit)->fingerprint != incoming.idempotency->fingerprint) {
        outcome.status = absl::AlreadyExistsError(
            Concat("idempotency_key: used within 24 h for another event, ", (*hit)->event.ToString()));
        return outcome;
      }
      outcome.event = (*hit)->event;
      outcome.duplicate = true;
      ++duplicates_;
      return outcome;
    }
  }

  auto event = std::make_shared<Event>(std::move(incoming.event));
  event->id = NextEventId(now_.wall, PartitionOf(event->subscriber_id));
  event->accepted_ms = event->id.accepted_ms();
  Accepted fact;
  fact.idempotency = incoming.idempotency;
  std::vector<std::shared_ptr<const Endpoint>> matching =
      Registry::Match(**account, event->type, event->channel);
  if (profile != nullptr && !matching.empty()) {
    if (const ProfileEventType* gated = GatedType(*profile, subscriber.plan, event->type)) {
      outcome.not_fanned_out = GateText(*profile, *gated, subscriber.plan);
      matching.clear();
    }
  }
  for (const std::shared_ptr<const Endpoint>& endpoint : matching) {
    absl::StatusOr<NewDelivery> delivery = NextDelivery(**account, endpoint);
    if (!delivery.ok()) {
      outcome.status = delivery.status();
      return outcome;
    }
    delivery->event = event;
    fact.deliveries.push_back({endpoint->id, delivery->sequence});
    NewsFor(endpoint->id).accepted.push_back(*std::move(delivery));
  }
  if (fact.idempotency) {
    open_keys_[fact.idempotency->key] = {event->id, fact.idempotency->fingerprint};
  }
  outcome.event = event->id;
  outcome.deliveries = static_cast<uint32_t>(fact.deliveries.size());
  ++accepted_;
  created_ += outcome.deliveries;
  fact.event = std::move(event);
  Apply(fact);
  return outcome;
}

absl::StatusOr<NewDelivery> Ledger::NextDelivery(const Registry::Account& account,
                                                 const std::shared_ptr<const Endpoint>& endpoint) {
  const EndpointId id = endpoint->id;
  const LaneState* lane = store_.Lane(id);
  if (lane == nullptr) {  // the disk; the store is poisoned, and the commit says so
    has_facts_ = true;
    return absl::UnavailableError("the store cannot be read: hookd is restarting");
  }
  const uint64_t pending = lane->pending();
  const uint64_t backlog = endpoint->policy.backlog;
  if (BacklogNearlyFull(backlog, pending, pending + 1)) {
    AlertBacklog(*endpoint, *lane, pending + 1);
  }
  if (backlog != 0 && pending + 1 > backlog) {
    NewsFor(id).over_backlog.push_back({id, pending + 1 - backlog});
  }
  NewDelivery delivery;
  delivery.endpoint = endpoint;
  delivery.hold = HoldOf(account.subscriber, *endpoint);
  delivery.proven = lane->last_success_ms != 0;
  delivery.failing = lane->consecutive_failures > 0;
  delivery.sequence = lane->next;
  return delivery;
}

void Ledger::LearnBuckets() {
  if (kept_) return;
  kept_.emplace();
  for (const BucketView& view : store_.Buckets()) kept_->emplace(view.bucket, !view.payloads_gone);
}

bool Ledger::PayloadsKept(Bucket bucket) {
  LearnBuckets();
  const auto it = kept_->find(bucket);
  return it != kept_->end() && it->second;
}

bool Ledger::HistoryKept(Bucket bucket) {
  LearnBuckets();
  return kept_->contains(bucket);
}

void Ledger::RememberReplaced(DeliveryId delivery) {
  const std::pair<EndpointId, Sequence> key{delivery.endpoint, delivery.sequence};
  if (!replaced_.insert(key).second) return;
  replaced_order_.push_back(key);
  if (replaced_order_.size() <= kReplacedLately) return;
  replaced_.erase(replaced_order_.front());
  replaced_order_.pop_front();
}

absl::StatusOr<DeliveryId> Ledger::Redeliver(const std::shared_ptr<const Event>& event, EndpointId endpoint,
                                             Origin origin, std::optional<DeliveryId> replaces,
                                             DeliveryState replaced_state, WallMs replaced_accepted_ms) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Endpoint> settings, registry_.Find(endpoint));
  if (settings == nullptr) return absl::NotFoundError(Concat("no endpoint ", endpoint.ToString()));
  HOOKD_CHECK(settings->subscriber_id == event->subscriber_id, "an event stays with its subscriber");
  if (!PayloadsKept(event->id.bucket())) {
    return absl::NotFoundError(Concat("event ", event->id.ToString(), ": its payload is gone (retention)"));
  }
  if (erased_.contains(event->id.bytes)) {
    return absl::NotFoundError(Concat("event ", event->id.ToString(), ": its payload is gone (purged)"));
  }
  ASSIGN_OR_RETURN(const Registry::Account* account, registry_.Find(settings->subscriber_id));
  ASSIGN_OR_RETURN(NewDelivery delivery, NextDelivery(*account, settings));
  // Not before any delivery of the lane; and no event after it is accepted earlier.
  if (now_.wall > last_event_ms_) {
    last_event_ms_ = now_.wall;
    event_counter_ = 0;
  }
  Redelivered fact;
  fact.event = event;
  fact.delivery = {endpoint, delivery.sequence};
  fact.remade = std::make_shared<const Remade>(Remade{last_event_ms_, origin, replaces});
  if (replaces) {
    fact.replaced_state = replaced_state;
    fact.replaced_accepted_ms = replaced_accepted_ms;
    RememberReplaced(*replaces);
  }
  delivery.event = event;
  delivery.remade = fact.remade;
  NewsFor(endpoint).accepted.push_back(std::move(delivery));
  Apply(fact);
  remade_.emplace_back(event->id, store_.LastCommit() + 1);
  if (remade_.size() > kReplacedLately) remade_.pop_front();
  ++created_;
  const DeliveryId id = MakeDeliveryId(event->id, fact.remade, endpoint, fact.delivery.sequence);
  if (origin == Origin::kRetry && replaces) {
    NoteDelivery(id, event->subscriber_id, "", Concat("{\"replaces\":\"", replaces->ToString(), "\"}"));
  }
  return id;
}

void Ledger::EraseResponses(Delivery delivery) {
  if (HistoryKept(delivery.id.bucket)) Apply(ResponsesErased{std::move(delivery)});
}

bool Ledger::EraseEvent(const Event& event, uint64_t seen) {
  if (remade_.size() == kReplacedLately && remade_.front().second > seen) return false;  // some are forgotten
  for (auto it = remade_.rbegin(); it != remade_.rend() && it->second > seen; ++it) {
    if (it->first == event.id) return false;
  }
  if (!PayloadsKept(event.id.bucket())) return true;
  RememberErased(event.id);
  Apply(EventErased{event.id, event.payload.size()});
  return true;
}

void Ledger::RememberErased(const EventId& event) {
  if (!erased_.insert(event.bytes).second) return;
  erased_order_.push_back(event);
  if (erased_order_.size() <= kReplacedLately) return;
  erased_.erase(erased_order_.front().bytes);
  erased_order_.pop_front();
}

void Ledger::Reseal(EndpointId id) {
  const absl::StatusOr<std::shared_ptr<const Endpoint>> endpoint = registry_.Find(id);
  if (endpoint.ok() && *endpoint != nullptr) Apply(EndpointChanged{*endpoint});
}

WallMs Ledger::NextInstant() {
  last_event_ms_ = std::max(last_event_ms_ + 1, now_.wall);
  event_counter_ = 0;
  return last_event_ms_;
}

void Ledger::Report(LaneReport report) {
  DeliveryId delivery;
  if (auto* outcome = std::get_if<AttemptOutcome>(&report)) {
    delivery = outcome->fact.delivery;
    const DeliveryState state = outcome->fact.state;
    WatchOutage(*outcome);
    const LaneState* lane = store_.Lane(delivery.endpoint);
    if (lane == nullptr) {  // likewise
      has_facts_ = true;
      return;
    }
    const LaneState before = *lane;
    AttemptRecorded& fact = outcome->fact;
    if (IsTerminal(state)) ++ended_[static_cast<size_t>(state)];
    Apply(fact);
    if (state == DeliveryState::kExhausted) AnnounceExhausted(fact);
    for (const AttemptRecorded& other : outcome->others) {
      if (IsTerminal(other.state)) ++ended_[static_cast<size_t>(other.state)];
      Apply(other);
      if (other.state == DeliveryState::kExhausted) AnnounceExhausted(other);
    }
    JudgeHealth(fact, before);
  } else if (auto* ended = std::get_if<DeliveryEnded>(&report)) {
    delivery = ended->delivery;
    End(*ended);
  } else if (auto* canceled = std::get_if<DeliveryCanceled>(&report)) {
    delivery = canceled->ended.delivery;
    End(canceled->ended);
    NoteCanceled(std::move(*canceled));
  } else if (auto* all = std::get_if<BatchEnded>(&report)) {
    delivery = all->members.front().delivery;
    for (DeliveryEnded& member : all->members) End(member);
    MakeAnew(*all);
  } else if (const auto* formed = std::get_if<BatchFormed>(&report)) {
    delivery = formed->members.front().delivery;
    formed_.push_back(formed->members.size());
    Apply(*formed);
  } else {
    const auto& parked = std::get<DeliveryParked>(report);
    delivery = parked.delivery;
    Apply(parked);
  }
  NewsFor(delivery.endpoint).recorded.push_back({delivery.endpoint, delivery.sequence});
}

void Ledger::End(DeliveryEnded& ended) {
  ended.at_ms = now_.wall;
  ++ended_[static_cast<size_t>(ended.state)];
  Apply(ended);
}

void Ledger::MakeAnew(const BatchEnded& batch) {
  for (size_t i = 0; i < batch.again.size(); ++i) {
    if (batch.again[i] == nullptr) continue;
    const DeliveryEnded& end = batch.members[i];
    // None is made where its endpoint is being deleted.
    const absl::StatusOr<DeliveryId> made =
        Redeliver(batch.again[i], end.delivery.endpoint, Origin::kRecover, end.delivery, end.state,
                  AcceptedMs(end.event, end.remade));
    if (!made.ok()) telemetry_.Info("purge", std::string(made.status().message()));
  }
}

void Ledger::Keep(const Retention& retention, bool disk_full) {
  if (operations_.clock_suspect) return;
  TrimAudit(retention);
  DropEndedKeys();
  kept_.reset();
  const WallMs expire_before = now_.wall - retention.pending.count();
  for (ShardNews& news : news_) news.expire_accepted_before = expire_before;
  bool dropped_early = false;
  for (const BucketView& bucket : store_.Buckets()) {
    if (bucket.pending > 0 || bucket.pins > 0) continue;
    const WallMs accepted_end = (WallMs{bucket.bucket} + 1) * kBucketMs;
    const WallMs age = now_.wall - std::max(accepted_end, bucket.last_ended_ms);
    if (age > retention.history.count()) {
      Apply(BucketDropped{bucket.bucket, true});
      continue;
    }
    if (bucket.payloads_gone) continue;
    const bool early = disk_full && !dropped_early && age > kMinPayloadRetention.count();
    if (age <= retention.payloads.count() && !early) continue;
    dropped_early |= early;
    Apply(BucketDropped{bucket.bucket, false});
  }
}

void Ledger::NoteKeysEnd(const Endpoint& endpoint) {
  const WallMs end = KeysEnd(endpoint);
  if (end == 0) {
    keys_end_.erase(endpoint.id);
  } else {
    keys_end_[endpoint.id] = end;
  }
}

void Ledger::DropEndedKeys() {
  std::vector<EndpointId> due;
  for (const auto& [id, end] : keys_end_) {
    if (end <= now_.wall) due.push_back(id);
    if (due.size() == kEndedKeysEachKeep) break;
  }
  Act(OwnOrigin("secret_ended"));
  for (const EndpointId id : due) {
    const absl::StatusOr<std::shared_ptr<const Endpoint>> endpoint = registry_.Find(id);
    if (!endpoint.ok()) break;  // of the disk: the next call tries again
    keys_end_.erase(id);
    if (*endpoint == nullptr) continue;
    auto changed = std::make_shared<Endpoint>(**endpoint);
    SettleKeys((*endpoint)->signing_keys, changed->signing_keys, now_.wall);
    PutEndpoint(changed);
  }
  Act(Acting::Now());
}

void Ledger::SetMailCursor(const std::string& text) {
  HOOKD_CHECK(text.size() <= kMaxMailCursorBytes, "a mail cursor has its bound");
  mail_cursor_ = text;
  Apply(MailCursorChanged{text});
}

void Ledger::SetOperations(Operations operations) {
  NoteOperations(operations);
  operations_ = std::move(operations);
  Apply(OperationsChanged{operations_});
  for (ShardNews& news : news_) news.operations = operations_;
}

void Ledger::Tell(const Registry::Account& account, const std::shared_ptr<const Endpoint>& endpoint) {
  NewsFor(endpoint->id).configured.push_back({endpoint, HoldOf(account.subscriber, *endpoint)});
}

void Ledger::PutEndpoint(const std::shared_ptr<const Endpoint>& endpoint, bool reset_failures) {
  const absl::StatusOr<Registry::Account*> account = registry_.Find(endpoint->subscriber_id);
  HOOKD_CHECK(account.ok() && *account != nullptr, "an endpoint's account was found before");
  const auto before = (*account)->endpoints.find(endpoint->id);
  if (before != (*account)->endpoints.end()) {
    Count(*before->second, -1);
    AnnounceState(*before->second, *endpoint);
  }
  NoteEndpoint(before == (*account)->endpoints.end() ? nullptr : before->second.get(), endpoint.get());
  Count(*endpoint, 1);
  NoteKeysEnd(*endpoint);
  registry_.Put(endpoint);
  Apply(EndpointChanged{endpoint, reset_failures});
  Tell(**account, endpoint);
}

void Ledger::Count(const Endpoint& endpoint, int by) {
  const auto change = static_cast<uint64_t>(static_cast<int64_t>(by));
  endpoints_ += change;
  if (endpoint.disabled != DisableReason::kNone) {
    disabled_ += change;
  } else if (endpoint.paused) {
    paused_ += change;
  }
}

void Ledger::PutSubscriber(const Subscriber& subscriber) {
  const absl::StatusOr<Registry::Account*> account = registry_.Find(subscriber.id);
  HOOKD_CHECK(account.ok(), "the account was looked up before");
  if (*account == nullptr) ++subscribers_;
  NoteSubscriber(*account == nullptr ? nullptr : &(*account)->subscriber, &subscriber);
  if (strict_ != nullptr) strict_->Set(subscriber.id, subscriber.strict ? ProfileOf(subscriber) : nullptr);
  if (subscriber.id == kOperationsSubscriber) operations_told_ = true;
  registry_.Put(subscriber);
  Apply(SubscriberChanged{subscriber});
}

void Ledger::RemoveSubscriber(const std::string& id) {
  const absl::StatusOr<Registry::Account*> account = registry_.Find(id);
  HOOKD_CHECK(account.ok() && *account != nullptr, "the account was looked up before");
  NoteSubscriber(&(*account)->subscriber, nullptr);
  registry_.Remove(id);
  if (id == kOperationsSubscriber) operations_told_ = false;
  if (strict_ != nullptr) strict_->Set(id, nullptr);
  --subscribers_;
  Apply(SubscriberDeleted{id});
}

void Ledger::RemoveEndpoint(const Endpoint& endpoint) {
  const EndpointDeleted fact{endpoint.id, endpoint.subscriber_id};
  NoteEndpoint(&endpoint, nullptr);
  registry_.Remove(fact.endpoint);
  Count(endpoint, -1);
  keys_end_.erase(endpoint.id);
  Apply(fact);
  NewsFor(fact.endpoint).deleted.push_back(fact.endpoint);
}

}  // namespace hookd
