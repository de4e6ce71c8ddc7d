// The class behind OpenRocksDbStore: writes in rocksdb_writes.cc, reads in rocksdb_reads.cc and
// rocksdb_list.cc.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/write_batch.h>

#include "storage/column_families.h"
#include "storage/data_folder.h"
#include "storage/delivery_store.h"
#include "storage/lane_table.h"
#include "storage/record_codec.h"
#include "storage/rocksdb_status.h"

namespace hookd {

// Notes that a background error happened: in-process recovery is where this version's bugs live, so the store
// is poisoned from then on and the process stops.
class FailureListener final : public rocksdb::EventListener {
 public:
  explicit FailureListener(std::function<void(absl::Status)> on_failure)
      : on_failure_(std::move(on_failure)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    if (!failed_.exchange(true) && on_failure_) on_failure_(FromRocksDb(*error, "in the background"));
  }
  bool failed() const { return failed_; }

 private:
  const std::function<void(absl::Status)> on_failure_;
  std::atomic<bool> failed_{false};
};

class RocksDbStore final : public DeliveryStore {
 public:
  RocksDbStore(DataFolder folder, std::shared_ptr<FailureListener> listener, std::unique_ptr<rocksdb::DB> db,
               std::vector<rocksdb::ColumnFamilyHandle*> families);
  ~RocksDbStore() override;

  absl::StatusOr<Recovered> Recover() override;
  void Apply(const Fact& fact) override;
  absl::Status Commit(WallMs now) override;
  const LaneState* Lane(EndpointId endpoint) const override { return lanes_.Find(endpoint); }
  absl::StatusOr<std::optional<IdempotencyHit>> FindIdempotency(const std::array<uint8_t, 16>& key,
                                                                WallMs now) const override;
  absl::StatusOr<std::vector<QueuedDelivery>> ReadQueue(EndpointId endpoint, Sequence from, size_t limit,
                                                        size_t max_bytes) const override;
  absl::StatusOr<std::vector<ParkedDelivery>> ReadParked(EndpointId endpoint, size_t limit) const override;
  absl::StatusOr<std::shared_ptr<const Event>> ReadEvent(EventId id) const override;
  absl::StatusOr<Delivery> ReadDelivery(DeliveryId id) const override;
  absl::StatusOr<DeliveryPage> ListDeliveries(const DeliveryQuery& query) const override;
  StoreStats Stats() const override;

 private:
  class Reader;  // consistent reads under one snapshot
  class Lister;  // one page of ListDeliveries

  void Put(Family family, const std::string& key, const std::string& value);
  void Delete(Family family, const std::string& key);
  void Ended(const DeliveryId& delivery, bool was_parked, const records::End& end);
  records::BucketState& ChangeBucket(Bucket bucket);

  void Write(const SubscriberChanged& fact);
  void Write(const SubscriberDeleted& fact);
  void Write(const EndpointChanged& fact);
  void Write(const EndpointDeleted& fact);
  void Write(const Accepted& fact);
  void Write(const AttemptRecorded& fact);
  void Write(const DeliveryEnded& fact);
  void Write(const LaneRemoved& fact);

  rocksdb::ColumnFamilyHandle* Cf(Family family) const { return families_[family]; }

  const DataFolder folder_;  // outlives the database: its lock goes last
  const std::shared_ptr<FailureListener> listener_;
  const std::unique_ptr<rocksdb::DB> db_;
  const std::vector<rocksdb::ColumnFamilyHandle*> families_;

  // The committer's.
  rocksdb::WriteBatch batch_;
  bool batch_used_ = false;
  bool poisoned_ = false;
  LaneTable lanes_;
  std::map<Bucket, records::BucketState> buckets_;
  std::set<Bucket> changed_buckets_;
  records::StoreState state_;
  uint16_t pruned_day_ = 0;  // idempotency rows of earlier days are gone

  // For Stats().
  std::atomic<uint64_t> commits_{0};
  std::atomic<uint64_t> last_commit_{0};
  std::atomic<uint64_t> pending_{0};
};

}  // namespace hookd
