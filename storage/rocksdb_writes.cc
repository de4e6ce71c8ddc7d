#include <algorithm>
#include <utility>

#include <absl/status/status.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/key_codec.h"
#include "storage/rocksdb_status.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {

absl::StatusOr<std::unique_ptr<DeliveryStore>> OpenRocksDbStore(const RocksDbOptions& options, const Clock&) {
  ASSIGN_OR_RETURN(DataFolder folder, DataFolder::Open(options.path));
  auto listener = std::make_shared<FailureListener>(options.on_failure);
  rocksdb::DBOptions db_options = DatabaseOptions(options);
  db_options.listeners.push_back(listener);
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::DB* db = nullptr;
  RETURN_IF_ERROR(
      FromRocksDb(rocksdb::DB::Open(db_options, folder.db_path(), ColumnFamilies(options), &families, &db),
                  Concat("open ", options.path)));
  return std::make_unique<RocksDbStore>(std::move(folder), std::move(listener),
                                        std::unique_ptr<rocksdb::DB>(db), std::move(families));
}

RocksDbStore::RocksDbStore(DataFolder folder, std::shared_ptr<FailureListener> listener,
                           std::unique_ptr<rocksdb::DB> db,
                           std::vector<rocksdb::ColumnFamilyHandle*> families)
    : folder_(std::move(folder)),
      listener_(std::move(listener)),
      db_(std::move(db)),
      families_(std::move(families)) {
  HOOKD_CHECK(families_.size() == kFamilyCount, "column families and their enum have drifted apart");
}

RocksDbStore::~RocksDbStore() {
  for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
  db_->Close();
}

absl::StatusOr<DeliveryStore::Recovered> RocksDbStore::Recover() {
  Recovered recovered;
  rocksdb::ReadOptions scan;
  scan.fill_cache = false;
  const auto each = [&](Family family, auto&& row) -> absl::Status {
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(scan, Cf(family)));
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      RETURN_IF_ERROR(row(it->key().ToStringView(), it->value().ToStringView()));
    }
    return FromRocksDb(it->status(), "recover");
  };

  RETURN_IF_ERROR(each(kMeta, [&](std::string_view key, std::string_view value) -> absl::Status {
    if (key == keys::State()) {
      ASSIGN_OR_RETURN(state_, records::DecodeState(value));
    } else if (const std::optional<Bucket> bucket = keys::ParseBucketRow(key)) {
      ASSIGN_OR_RETURN(buckets_[*bucket], records::DecodeBucket(value));
    } else {
      return absl::DataLossError("an unknown row in the family meta");
    }
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(each(kSubscribers, [&](std::string_view, std::string_view value) -> absl::Status {
    ASSIGN_OR_RETURN(Subscriber subscriber, records::DecodeSubscriber(value));
    recovered.subscribers.push_back(std::move(subscriber));
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(each(kEndpoints, [&](std::string_view key, std::string_view value) -> absl::Status {
    const std::optional<EndpointId> id = keys::ParseEndpoint(key);
    if (!id) return absl::DataLossError("an unknown row in the family endpoints");
    ASSIGN_OR_RETURN(Endpoint endpoint, records::DecodeEndpoint(*id, value));
    recovered.endpoints.push_back(std::make_shared<const Endpoint>(std::move(endpoint)));
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(each(kLanes, [&](std::string_view key, std::string_view value) -> absl::Status {
    const std::optional<EndpointId> id = keys::ParseEndpoint(key);
    if (!id) return absl::DataLossError("an unknown row in the family lanes");
    ASSIGN_OR_RETURN(const LaneState lane, records::DecodeLane(value));
    lanes_.Load(*id, lane);
    recovered.lanes.emplace_back(*id, lane);
    return absl::OkStatus();
  }));

  recovered.next_endpoint_number = state_.next_endpoint_number;
  recovered.wall_high_water_ms = state_.wall_high_water_ms;
  recovered.epoch = state_.epoch;
  last_commit_ = state_.commit;
  pending_ = lanes_.pending();
  return recovered;
}

void RocksDbStore::Put(Family family, const std::string& key, const std::string& value) {
  batch_.Put(Cf(family), key, value);
}

void RocksDbStore::Delete(Family family, const std::string& key) { batch_.Delete(Cf(family), key); }

records::BucketState& RocksDbStore::ChangeBucket(Bucket bucket) {
  changed_buckets_.insert(bucket);
  return buckets_[bucket];
}

void RocksDbStore::Apply(const Fact& fact) {
  batch_used_ = true;
  std::visit([this](const auto& typed) { Write(typed); }, fact);
}

void RocksDbStore::Write(const SubscriberChanged& fact) {
  Put(kSubscribers, keys::OfSubscriber(fact.subscriber.id), records::Encode(fact.subscriber));
}

void RocksDbStore::Write(const SubscriberDeleted& fact) { Delete(kSubscribers, keys::OfSubscriber(fact.id)); }

void RocksDbStore::Write(const EndpointChanged& fact) {
  const EndpointId id = fact.endpoint->id;
  lanes_.Apply(fact);
  const uint64_t number = id.value & ((uint64_t{1} << 48) - 1);
  state_.next_endpoint_number = std::max(state_.next_endpoint_number, number + 1);
  Put(kEndpoints, keys::OfEndpoint(id), records::Encode(*fact.endpoint));
}

void RocksDbStore::Write(const EndpointDeleted& fact) {
  lanes_.Apply(fact);
  Delete(kEndpoints, keys::OfEndpoint(fact.endpoint));
}

void RocksDbStore::Write(const Accepted& fact) {
  lanes_.Apply(fact);
  const Event& event = *fact.event;
  state_.wall_high_water_ms = std::max(state_.wall_high_water_ms, event.accepted_ms);
  Put(kEvents, keys::OfEvent(event.id), records::Encode(event));
  const std::string queued = records::EncodeQueued(event.id);
  for (const AcceptedDelivery& delivery : fact.deliveries) {
    Put(kQueue, keys::OfDelivery(delivery.endpoint, delivery.sequence), queued);
  }
  if (fact.idempotency) {
    Put(kIdempotency, keys::OfIdempotency(keys::DayOf(event.accepted_ms), fact.idempotency->key),
        records::EncodeIdempotency(event.id, fact.idempotency->fingerprint));
  }
  records::BucketState& bucket = ChangeBucket(event.id.bucket());
  bucket.pending += fact.deliveries.size();
  bucket.payload_bytes += event.payload.size();
}

void RocksDbStore::Ended(const DeliveryId& delivery, bool was_parked, const records::End& end) {
  Delete(was_parked ? kParked : kQueue, keys::OfDelivery(delivery.endpoint, delivery.sequence));
  Put(kHistory, keys::HistoryRow(delivery, keys::kEndRow), records::Encode(end));
  if (end.state != DeliveryState::kSucceeded) Put(kHistory, keys::StateRow(end.state, delivery), "");
  records::BucketState& bucket = ChangeBucket(delivery.bucket);
  HOOKD_CHECK(bucket.pending > 0, "a bucket counts what is pending in it");
  --bucket.pending;
  bucket.last_ended_ms = std::max(bucket.last_ended_ms, end.ended_ms);
}

void RocksDbStore::Write(const AttemptRecorded& fact) {
  lanes_.Apply(fact);
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
    Ended(fact.delivery, fact.was_parked, end);
    return;
  }
  const std::string key = keys::OfDelivery(fact.delivery.endpoint, fact.delivery.sequence);
  if (!fact.was_parked) Delete(kQueue, key);
  Put(kParked, key, records::EncodeParked(fact));
  Put(kHistory, keys::HistoryRow(fact.delivery, fact.attempt.number), records::Encode(fact.attempt));
}

void RocksDbStore::Write(const DeliveryEnded& fact) {
  lanes_.Apply(fact);
  records::End end;
  end.event = fact.event;
  end.state = fact.state;
  end.reason = fact.reason;
  end.ended_ms = fact.at_ms;
  end.attempt_count = fact.attempt_count;
  end.event_type = fact.event_type;
  end.subscriber_id = fact.subscriber_id;
  Ended(fact.delivery, fact.was_parked, end);
}

void RocksDbStore::Write(const LaneRemoved& fact) { lanes_.Apply(fact); }

absl::Status RocksDbStore::Commit(WallMs now) {
  if (poisoned_)
    return absl::FailedPreconditionError("an earlier commit failed: the store must be opened anew");
  if (!batch_used_) return absl::OkStatus();
  for (const auto& [endpoint, lane] : lanes_.TakeChanged()) {
    if (lane == nullptr) {
      Delete(kLanes, keys::OfEndpoint(endpoint));
    } else {
      Put(kLanes, keys::OfEndpoint(endpoint), records::Encode(*lane));
    }
  }
  for (const Bucket bucket : changed_buckets_)
    Put(kMeta, keys::BucketRow(bucket), records::Encode(buckets_[bucket]));
  changed_buckets_.clear();
  state_.wall_high_water_ms = std::max(state_.wall_high_water_ms, now);
  ++state_.commit;
  Put(kMeta, keys::State(), records::Encode(state_));
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
  commits_.fetch_add(1, std::memory_order_relaxed);
  last_commit_.store(state_.commit, std::memory_order_relaxed);
  pending_.store(lanes_.pending(), std::memory_order_relaxed);
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

}  // namespace hookd
