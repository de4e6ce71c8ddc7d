#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <rocksdb/convenience.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/key_codec.h"
#include "storage/rocksdb_status.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {
namespace {

// Those that have rows in the index by state.
constexpr DeliveryState kIndexedStates[] = {DeliveryState::kExhausted, DeliveryState::kExpired,
                                            DeliveryState::kCanceled};

bool IsIndexed(DeliveryState state) {
  return std::find(std::begin(kIndexedStates), std::end(kIndexedStates), state) != std::end(kIndexedStates);
}

WallMs StartOf(Bucket bucket) { return WallMs{bucket} * kBucketMs; }

std::string Bytes(const EventId& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

}  // namespace

const Sealer* RocksDbStore::PayloadSealer() {
  if (!vault_.seals()) return nullptr;
  if (const std::optional<PayloadKey> made = vault_.Renew(state_.wall_high_water_ms)) {
    Put(kMeta, keys::PayloadKeyRow(made->key.id()), records::Encode(*made, sealer_));
    payload_sealer_.reset();
  }
  if (payload_sealer_ == nullptr) payload_sealer_ = vault_.sealer();
  return payload_sealer_.get();
}

void RocksDbStore::Put(Family family, const std::string& key, const std::string& value) {
  batch_.Put(Cf(family), key, value);
}

void RocksDbStore::Delete(Family family, const std::string& key) { batch_.Delete(Cf(family), key); }

void RocksDbStore::DeleteRange(Family family, const std::string& from, const std::string& to) {
  batch_.DeleteRange(Cf(family), from, to);
}

void RocksDbStore::DeletePrefix(Family family, const std::string& prefix) {
  batch_.DeleteRange(Cf(family), prefix, keys::After(prefix));
}

void RocksDbStore::Apply(const Fact& fact) {
  if (!lanes_.status().ok()) return;  // Commit says so
  batch_used_ = true;
  std::visit([this](const auto& typed) { Write(typed); }, fact);
}

void RocksDbStore::Write(const SubscriberChanged& fact) {
  HOOKD_CHECK(fact.subscriber.id.find('\0') == std::string::npos,
              "an id holds no NUL: it ends there in keys");
  Put(kSubscribers, keys::OfSubscriber(fact.subscriber.id), records::Encode(fact.subscriber));
}

void RocksDbStore::Write(const SubscriberDeleted& fact) { Delete(kSubscribers, keys::OfSubscriber(fact.id)); }

void RocksDbStore::Write(const EndpointChanged& fact) {
  const EndpointId id = fact.endpoint->id;
  lanes_.Apply(fact);
  const uint64_t number = id.value & ((uint64_t{1} << 48) - 1);
  state_.next_endpoint_number = std::max(state_.next_endpoint_number, number + 1);
  Put(kEndpoints, keys::OfEndpoint(id), records::Encode(*fact.endpoint, sealer_));
  Put(kSubscribers, keys::OfSubscribersEndpoint(fact.endpoint->subscriber_id, id), "");
}

void RocksDbStore::Write(const EndpointDeleted& fact) {
  lanes_.Apply(fact);
  Delete(kEndpoints, keys::OfEndpoint(fact.endpoint));
  Delete(kSubscribers, keys::OfSubscribersEndpoint(fact.subscriber_id, fact.endpoint));
}

void RocksDbStore::MadeRow(const Event& event, WallMs made_ms, const AcceptedDelivery& delivery) {
  Put(kHistory, keys::TimeRow(StableHash(event.subscriber_id), made_ms, delivery.endpoint, delivery.sequence),
      Bytes(event.id));
}

void RocksDbStore::Write(const Accepted& fact) {
  lanes_.Apply(fact);
  buckets_.Apply(fact);
  changes_.Apply(fact);
  const Event& event = *fact.event;
  state_.wall_high_water_ms = std::max(state_.wall_high_water_ms, event.accepted_ms);
  Put(kEvents, keys::OfEvent(event.id), records::Encode(event, PayloadSealer()));
  const std::string queued = records::Encode(records::Queued{event.id});
  for (const AcceptedDelivery& delivery : fact.deliveries) {
    Put(kQueue, keys::OfDelivery(delivery.endpoint, delivery.sequence), queued);
    MadeRow(event, event.accepted_ms, delivery);
  }
  if (fact.idempotency) {
    Put(kIdempotency, keys::OfIdempotency(keys::DayOf(event.accepted_ms), fact.idempotency->key),
        records::EncodeIdempotency(event.id, fact.idempotency->fingerprint));
  }
}

void RocksDbStore::Write(const Redelivered& fact) {
  lanes_.Apply(fact);
  buckets_.Apply(fact);
  changes_.Apply(fact);
  const Event& event = *fact.event;
  const auto [endpoint, sequence] = fact.delivery;
  const WallMs made_ms = fact.remade->accepted_ms;
  const DeliveryId id = MakeDeliveryId(event.id, fact.remade, endpoint, sequence);
  state_.wall_high_water_ms = std::max(state_.wall_high_water_ms, made_ms);
  Put(kQueue, keys::OfDelivery(endpoint, sequence), records::Encode(records::Queued{event.id, fact.remade}));
  MadeRow(event, made_ms, fact.delivery);
  Put(kHistory, keys::RemadeRow(event.id, endpoint, sequence), keys::OfNumber(id.bucket));
  // What was replaced may have been forgotten since it was looked at.
  const std::optional<DeliveryId>& replaces = fact.remade->replaces;
  if (replaces && IsIndexed(fact.replaced_state) && buckets_.Find(replaces->bucket) != nullptr) {
    HOOKD_CHECK(BucketOf(fact.replaced_accepted_ms) == replaces->bucket, "its id holds the hour of its time");
    Put(kHistory,
        keys::StateRow(fact.replaced_state, fact.replaced_accepted_ms, replaces->endpoint,
                       replaces->sequence),
        keys::OfId(id));
  }
}

void RocksDbStore::Ended(const DeliveryId& delivery, bool was_parked, const records::End& end) {
  Delete(was_parked ? kParked : kQueue, keys::OfDelivery(delivery.endpoint, delivery.sequence));
  Put(kHistory, keys::HistoryRow(delivery, keys::kEndRow), records::Encode(end, delivery, PayloadSealer()));
  if (IsIndexed(end.state)) {
    Put(kHistory,
        keys::StateRow(end.state, AcceptedMs(end.event, end.remade), delivery.endpoint, delivery.sequence),
        "");
  }
}

void RocksDbStore::Write(const AttemptRecorded& fact) {
  lanes_.Apply(fact);
  buckets_.Apply(fact);
  changes_.Apply(fact);
  if (IsTerminal(fact.state)) {
    records::End end;
    end.event = fact.event;
    end.state = fact.state;
    end.reason = fact.reason;
    end.ended_ms = fact.attempt.started_ms + fact.attempt.us.total / 1000;
    end.attempt_count = fact.attempt.number;
    end.event_type = fact.event_type;
    end.subscriber_id = fact.subscriber_id;
    end.has_attempt = true;
    end.last_attempt = fact.attempt;
    end.remade = fact.remade;
    end.batch = fact.batch;
    Ended(fact.delivery, fact.was_parked, end);
    return;
  }
  const std::string key = keys::OfDelivery(fact.delivery.endpoint, fact.delivery.sequence);
  if (!fact.was_parked) Delete(kQueue, key);
  Put(kParked, key,
      records::Encode(ParkedDelivery{fact.delivery.sequence, fact.event, fact.ordering_key_hash,
                                     fact.attempt.number, fact.failures, fact.attempt.next_due_ms,
                                     fact.attempt.status, fact.attempt.error, fact.remade, fact.batch}));
  Put(kHistory, keys::HistoryRow(fact.delivery, fact.attempt.number),
      records::Encode(fact.attempt, fact.delivery, PayloadSealer()));
}

void RocksDbStore::Write(const DeliveryParked& fact) {
  lanes_.Apply(fact);
  const std::string key = keys::OfDelivery(fact.delivery.endpoint, fact.delivery.sequence);
  Delete(kQueue, key);
  Put(kParked, key,
      records::Encode(ParkedDelivery{fact.delivery.sequence, fact.event, fact.ordering_key_hash, 0, 0,
                                     fact.due_ms, 0, ErrorKind::kNone, fact.remade}));
}

void RocksDbStore::Write(const BatchFormed& fact) {
  lanes_.Apply(fact);
  for (const BatchFormed::Member& member : fact.members) {
    const Sequence sequence = member.delivery.sequence;
    const std::string key = keys::OfDelivery(member.delivery.endpoint, sequence);
    ParkedDelivery parked{sequence, member.event, member.ordering_key_hash};
    parked.remade = member.remade;
    parked.batch = fact.batch;
    if (!member.was_parked) Delete(kQueue, key);
    Put(kParked, key, records::Encode(parked));
  }
}

void RocksDbStore::Write(const DeliveryEnded& fact) {
  lanes_.Apply(fact);
  buckets_.Apply(fact);
  changes_.Apply(fact);
  records::End end;
  end.event = fact.event;
  end.state = fact.state;
  end.reason = fact.reason;
  end.ended_ms = fact.at_ms;
  end.attempt_count = fact.attempt_count;
  end.event_type = fact.event_type;
  end.subscriber_id = fact.subscriber_id;
  end.remade = fact.remade;
  end.batch = fact.batch;
  Ended(fact.delivery, fact.was_parked, end);
}

void RocksDbStore::Write(const LaneRemoved& fact) { lanes_.Apply(fact); }

void RocksDbStore::Write(const BucketDropped& fact) {
  const BucketView* bucket = buckets_.Find(fact.bucket);
  const bool payloads = bucket != nullptr && !bucket->payloads_gone;
  buckets_.Apply(fact);
  dropped_.push_back(fact);
  if (payloads) DeletePrefix(kEvents, keys::EventBucket(fact.bucket));
  if (!fact.history) return;
  DeletePrefix(kHistory, keys::HistoryBucket(fact.bucket));
  DeletePrefix(kHistory, keys::TimeBucket(fact.bucket));
  DeleteRange(kHistory, keys::RemadeFrom(StartOf(fact.bucket)), keys::RemadeFrom(StartOf(fact.bucket + 1)));
  for (const DeliveryState state : kIndexedStates) {
    DeleteRange(kHistory, keys::StateFrom(state, StartOf(fact.bucket)),
                keys::StateFrom(state, StartOf(fact.bucket + 1)));
  }
}

void RocksDbStore::Write(const OperationsChanged& fact) {
  Put(kMeta, keys::OperationsRow(), records::Encode(fact.operations));
}

void RocksDbStore::Write(const MailCursorChanged& fact) {
  Put(kMeta, keys::MailCursorRow(), records::EncodeMailCursor(fact.text));
}

void RocksDbStore::Write(const JobChanged& fact) {
  state_.next_job = std::max(state_.next_job, fact.job.id + 1);
  Put(kMeta, keys::JobRow(fact.job.id), records::Encode(fact.job));
}

void RocksDbStore::Write(const JobDeleted& fact) { Delete(kMeta, keys::JobRow(fact.id)); }

void RocksDbStore::WriteChanges() {
  const WallMs now = state_.wall_high_water_ms;
  if (const std::string& changes = changes_.Take(now); !changes.empty()) {
    Put(kChanges, keys::OfCommit(state_.commit), changes);
  }
  if (const auto hour = change_hours_.Begin(now, state_.commit)) {
    Put(kMeta, keys::ChangesHour(hour->hour), keys::OfNumber(hour->first));
  }
  const uint64_t kept = change_hours_.first();
  while (const auto expired = change_hours_.TakeExpired(now)) {
    Delete(kMeta, keys::ChangesHour(expired->hour));
    changes_expired_ = true;
  }
  if (changes_expired_) DeleteRange(kChanges, keys::OfCommit(kept), keys::OfCommit(change_hours_.first()));
}

absl::Status RocksDbStore::Commit(WallMs now) {
  if (poisoned_)
    return absl::FailedPreconditionError("an earlier commit failed: the store must be opened anew");
  if (!lanes_.status().ok()) {
    poisoned_ = true;
    return lanes_.status();
  }
  if (!batch_used_) return absl::OkStatus();
  for (const auto& [endpoint, lane] : lanes_.TakeChanged()) {
    if (lane == nullptr) {
      Delete(kLanes, keys::OfEndpoint(endpoint));
    } else {
      Put(kLanes, keys::OfEndpoint(endpoint), records::Encode(*lane));
    }
  }
  for (const auto& [number, bucket] : buckets_.TakeChanged()) {
    if (bucket == nullptr) {
      Delete(kMeta, keys::BucketRow(number));
    } else {
      Put(kMeta, keys::BucketRow(number), records::Encode(*bucket));
    }
  }
  state_.wall_high_water_ms = std::max(state_.wall_high_water_ms, now);
  ++state_.commit;
  Put(kMeta, keys::State(), records::Encode(state_));
  WriteChanges();
  // Idempotency keys live 24 h: the day before yesterday's are over, whatever the hour.
  const uint16_t yesterday = static_cast<uint16_t>(keys::DayOf(state_.wall_high_water_ms) - 1);
  if (yesterday != pruned_day_) {
    batch_.DeleteRange(Cf(kIdempotency), keys::IdempotencyDay(0), keys::IdempotencyDay(yesterday));
    pruned_day_ = yesterday;
  }

  rocksdb::WriteOptions durable;
  durable.sync = true;
  const rocksdb::Status written = db_->Write(durable, &batch_);
  batch_.Clear();
  batch_used_ = false;
  if (!written.ok() || listener_->failed()) {
    poisoned_ = true;
    return written.ok() ? absl::InternalError("a background error of the database")
                        : FromRocksDb(written, "commit");
  }
  lanes_.Trim();
  if (const absl::Status freed = FreeDropped(); !freed.ok()) {
    poisoned_ = true;
    return freed;
  }
  commits_.fetch_add(1, std::memory_order_relaxed);
  last_commit_.store(state_.commit, std::memory_order_relaxed);
  pending_.store(lanes_.pending(), std::memory_order_relaxed);
  return absl::OkStatus();
}

// A range delete frees nothing until a compaction meets it, and when the disk is full nothing is written that
// would start one. So the tables go here that hold nothing else, however many hours each spans. Only after
// the commit: they are gone at once, and a bucket that is in use again keeps its own.
absl::Status RocksDbStore::FreeDropped() {
  const auto free = [this](Family family, const std::string& from, const std::string& to) {
    const rocksdb::Slice begin(from);
    const rocksdb::Slice end(to);
    return FromRocksDb(rocksdb::DeleteFilesInRange(db_.get(), Cf(family), &begin, &end, false),
                       "free what was dropped");
  };
  if (std::exchange(changes_expired_, false)) {
    RETURN_IF_ERROR(free(kChanges, keys::OfCommit(0), keys::OfCommit(change_hours_.first())));
  }
  for (const BucketDropped& fact : std::exchange(dropped_, {})) {
    if (const auto gap = buckets_.GapAround(fact.bucket, BucketTable::Kind::kPayloads)) {
      RETURN_IF_ERROR(free(kEvents, keys::EventBucket(gap->first), keys::EventBucket(gap->end)));
    }
    if (!fact.history) continue;
    if (const auto gap = buckets_.GapAround(fact.bucket, BucketTable::Kind::kHistory)) {
      RETURN_IF_ERROR(free(kHistory, keys::HistoryBucket(gap->first), keys::HistoryBucket(gap->end)));
      RETURN_IF_ERROR(free(kHistory, keys::TimeBucket(gap->first), keys::TimeBucket(gap->end)));
      RETURN_IF_ERROR(
          free(kHistory, keys::RemadeFrom(StartOf(gap->first)), keys::RemadeFrom(StartOf(gap->end))));
      for (const DeliveryState state : kIndexedStates) {
        RETURN_IF_ERROR(free(kHistory, keys::StateFrom(state, StartOf(gap->first)),
                             keys::StateFrom(state, StartOf(gap->end))));
      }
    }
  }
  return absl::OkStatus();
}

StoreStats RocksDbStore::Stats() const {
  StoreStats stats;
  stats.commits = commits_.load(std::memory_order_relaxed);
  stats.last_commit = last_commit_.load(std::memory_order_relaxed);
  stats.pending = pending_.load(std::memory_order_relaxed);
  for (const std::string* property :
       {&rocksdb::DB::Properties::kTotalSstFilesSize, &rocksdb::DB::Properties::kTotalBlobFileSize}) {
    uint64_t bytes = 0;
    if (db_->GetAggregatedIntProperty(*property, &bytes)) stats.bytes_on_disk += bytes;
  }
  return stats;
}

bool RocksDbStore::Stalled() const {
  if (!listener_->stalled()) return false;
  // The listener may be behind; this asks the database itself, under its mutex.
  uint64_t stopped = 0;
  uint64_t delayed_rate = 0;
  db_->GetIntProperty(rocksdb::DB::Properties::kIsWriteStopped, &stopped);
  db_->GetIntProperty(rocksdb::DB::Properties::kActualDelayedWriteRate, &delayed_rate);
  return stopped != 0 || delayed_rate != 0;
}

}  // namespace hookd
