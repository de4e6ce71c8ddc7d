// The class behind OpenRocksDbStore: opening and recovery in rocksdb_open.cc, writes in rocksdb_writes.cc,
// reads in rocksdb_reads.cc, rocksdb_changes.cc, rocksdb_configuration.cc, rocksdb_list.cc, rocksdb_stats.cc,
// rocksdb_tokens.cc and rocksdb_audit.cc; what concerns secrets and purges in rocksdb_scour.cc.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/write_batch.h>

#include "base/concat.h"
#include "storage/ballast.h"
#include "storage/bucket_table.h"
#include "storage/change_log.h"
#include "storage/column_families.h"
#include "storage/data_folder.h"
#include "storage/delivery_store.h"
#include "storage/lane_table.h"
#include "storage/record_codec.h"
#include "storage/rocksdb_status.h"
#include "storage/seal.h"

namespace hookd {

// What the database says by itself. Background errors: in-process recovery is where this version's bugs live,
// so the store is poisoned from then on and the process stops. Stalls: the families that have one.
class DatabaseListener final : public rocksdb::EventListener {
 public:
  DatabaseListener(const std::string& path, std::function<void(absl::Status)> on_failure)
      : what_(Concat("in the background of ", path)), on_failure_(std::move(on_failure)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    if (!failed_.exchange(true) && on_failure_) on_failure_(FromRocksDb(*error, what_));
  }
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override {
    absl::MutexLock lock(&mutex_);
    if (info.condition.cur == rocksdb::WriteStallCondition::kNormal) {
      stalled_families_.erase(info.cf_name);
    } else {
      stalled_families_.insert(info.cf_name);
      if (!stalled_) ++stalls_;
    }
    stalled_ = !stalled_families_.empty();
  }
  bool failed() const { return failed_; }
  // As far as was told: of two changes at nearly the same time the older may be told last.
  bool stalled() const { return stalled_; }
  uint64_t stalls() const { return stalls_; }

 private:
  const std::string what_;
  const std::function<void(absl::Status)> on_failure_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> stalled_{false};
  std::atomic<uint64_t> stalls_{0};
  absl::Mutex mutex_;
  std::set<std::string> stalled_families_ ABSL_GUARDED_BY(mutex_);
};

class RocksDbStore final : public DeliveryStore {
 public:
  class Reader;  // consistent reads under one snapshot

  // `key_ids`: of the list of keys, the newest first. `restored_backup`: as Recovered's.
  RocksDbStore(DataFolder folder, Sealer sealer, bool seal_payloads, std::vector<uint32_t> key_ids,
               std::shared_ptr<DatabaseListener> listener, std::unique_ptr<rocksdb::DB> db,
               std::vector<rocksdb::ColumnFamilyHandle*> families, uint32_t restored_backup);
  ~RocksDbStore() override;

  absl::Status KeepBallast(size_t bytes) const { return hookd::KeepBallast(folder_.ballast_path(), bytes); }

  absl::StatusOr<Recovered> Recover() override;
  void Apply(const Fact& fact) override;
  absl::Status Commit(WallMs now) override;
  const LaneState* Lane(EndpointId endpoint) override { return lanes_.Find(endpoint); }
  std::vector<BucketView> Buckets() const override { return buckets_.Views(); }
  absl::StatusOr<StoredAccount> ReadAccount(const std::string& subscriber_id) const override;
  absl::StatusOr<StoredSubscriber> ReadSubscriber(const std::string& id) const override;
  absl::StatusOr<StoredEndpoint> ReadEndpoint(EndpointId id) const override;
  absl::StatusOr<std::vector<StoredSubscriber>> ListSubscribers(const std::string& after,
                                                                size_t limit) const override;
  absl::StatusOr<std::vector<StoredEndpoint>> ListEndpoints(const std::string& subscriber_id,
                                                            EndpointId after, size_t limit) const override;
  absl::StatusOr<AccessToken> ReadToken(uint64_t id) const override;
  absl::StatusOr<std::vector<AccessToken>> ListTokens(const std::string& subscriber_id, uint64_t after,
                                                      size_t limit) const override;
  absl::StatusOr<std::optional<IdempotencyHit>> FindIdempotency(const std::array<uint8_t, 16>& key,
                                                                WallMs now) const override;
  absl::StatusOr<std::vector<QueuedDelivery>> ReadQueue(EndpointId endpoint, Sequence from, size_t limit,
                                                        size_t max_bytes) const override;
  absl::StatusOr<std::vector<ParkedDelivery>> ReadParked(EndpointId endpoint, size_t limit) const override;
  absl::StatusOr<std::shared_ptr<const Event>> ReadEvent(EventId id) const override;
  absl::StatusOr<Delivery> ReadDelivery(DeliveryId id) const override;
  absl::StatusOr<DeliveryPage> ListDeliveries(const DeliveryQuery& query) const override;
  absl::StatusOr<EventPage> ListEvents(const EventQuery& query) const override;
  absl::StatusOr<std::vector<DeliveryId>> DeliveriesOf(const Event& event, size_t limit) const override;
  absl::StatusOr<ChangePage> ReadChanges(uint64_t after_commit, size_t limit) const override;
  absl::StatusOr<AuditRecord> ReadAudit(uint64_t number) const override;
  absl::StatusOr<AuditPage> ListAudit(const AuditQuery& query) const override;
  absl::StatusOr<StalePage> StaleSecrets(EndpointId after, size_t limit) const override;
  SecretKeyIds Secrets() const override;
  absl::Status Scour(Scoured what, std::atomic<bool>& stop) override;
  absl::Status ForgetOldKeys() override;
  StoreStats Stats() const override;
  uint64_t LastCommit() const override { return last_commit_.load(std::memory_order_relaxed); }
  DatabaseStats Database() const override;
  bool Stalled() const override;
  absl::StatusOr<DiskSpace> Disk() const override { return SpaceOf(folder_.path()); }

 private:
  friend class RocksDbBackups;

  class Lister;       // one page of ListDeliveries
  class EventLister;  // one page of ListEvents

  // Seals payloads of the open batch; null = they are stored in clear.
  const Sealer* PayloadSealer();
  // Under the newest of the operator's keys, on disk.
  absl::Status ResealPayloadKeys();
  void Put(Family family, const std::string& key, const std::string& value);
  void Delete(Family family, const std::string& key);
  void DeletePrefix(Family family, const std::string& prefix);
  void DeleteRange(Family family, const std::string& from, const std::string& to);
  void Ended(const DeliveryId& delivery, bool was_parked, const records::End& end);
  void MadeRow(const Event& event, WallMs made_ms, const AcceptedDelivery& delivery);
  void WriteChanges();
  absl::Status FreeDropped();
  absl::StatusOr<std::optional<LaneState>> ReadLane(EndpointId endpoint) const;
  absl::StatusOr<uint64_t> OldestKeptCommit() const;

  absl::Status RecoverMeta(Recovered& recovered);
  absl::Status RecoverLanes(Recovered& recovered);
  absl::Status RecoverAudit(Recovered& recovered) const;
  absl::Status CountSubscribers(Recovered& recovered) const;
  absl::StatusOr<Subscriber> SubscriberOf(const std::string& id) const;

  void Write(const SubscriberChanged& fact);
  void Write(const SubscriberDeleted& fact);
  void Write(const EndpointChanged& fact);
  void Write(const EndpointDeleted& fact);
  void Write(const Accepted& fact);
  void Write(const AttemptRecorded& fact);
  void Write(const DeliveryParked& fact);
  void Write(const BatchFormed& fact);
  void Write(const DeliveryEnded& fact);
  void Write(const LaneRemoved& fact);
  void Write(const BucketDropped& fact);
  void Write(const OperationsChanged& fact);
  void Write(const Redelivered& fact);
  void Write(const JobChanged& fact);
  void Write(const JobDeleted& fact);
  void Write(const TokenMade& fact);
  void Write(const TokenRevoked& fact);
  void Write(const MailCursorChanged& fact);
  void Write(const ResponsesErased& fact);
  void Write(const EventErased& fact);
  void Write(const Audited& fact);
  void Write(const AuditTrimmed& fact);

  rocksdb::ColumnFamilyHandle* Cf(Family family) const { return families_[family]; }

  const DataFolder folder_;  // outlives the database: its lock goes last
  const Sealer sealer_;
  PayloadVault vault_;
  mutable absl::Mutex key_ids_mutex_;
  std::vector<uint32_t> key_ids_ ABSL_GUARDED_BY(key_ids_mutex_);
  const std::shared_ptr<DatabaseListener> listener_;
  const std::unique_ptr<rocksdb::DB> db_;
  const std::vector<rocksdb::ColumnFamilyHandle*> families_;
  const uint32_t restored_backup_;

  // A backup keeps all files; what rewrites them to have the old ones gone comes after its end.
  std::mutex files_mutex_;

  // The committer's.
  rocksdb::WriteBatch batch_;
  std::shared_ptr<const Sealer> payload_sealer_;  // as PayloadSealer gave it last
  bool batch_used_ = false;
  bool poisoned_ = false;
  LaneTable lanes_;
  BucketTable buckets_;
  ChangeLog changes_;
  ChangeHours change_hours_;
  bool changes_expired_ = false;        // in the open batch
  std::vector<BucketDropped> dropped_;  // in the open batch
  records::StoreState state_;
  uint16_t pruned_day_ = 0;  // idempotency rows of earlier days are gone

  // For Stats().
  std::atomic<uint64_t> commits_{0};
  std::atomic<uint64_t> last_commit_{0};
  std::atomic<uint64_t> pending_{0};
};

}  // namespace hookd
