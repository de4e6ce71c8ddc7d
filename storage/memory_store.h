// The store in memory, for simulation and tests: it keeps all that it was ever given, and forgets it with the
// process.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "storage/bucket_table.h"
#include "storage/change_log.h"
#include "storage/delivery_store.h"
#include "storage/lane_table.h"

namespace hookd {

// Commit never fails; what it holds survives Reopen alone. Memory grows with every event and attempt until
// its bucket is dropped. Facts that break their rules end the process, in Apply or in Commit.
class MemoryStore final : public DeliveryStore {
 public:
  MemoryStore();
  ~MemoryStore() override;
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  // What a crash at this moment leaves: a new store with every commit so far and without the open batch. Any
  // thread; this store stays as it is.
  std::unique_ptr<MemoryStore> Reopen() const;

  absl::StatusOr<Recovered> Recover() override;
  void Apply(const Fact& fact) override;
  absl::Status Commit(WallMs now) override;
  const LaneState* Lane(EndpointId endpoint) override;
  std::vector<BucketView> Buckets() const override;
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
  // It has no files, and seals nothing.
  absl::StatusOr<StalePage> StaleSecrets(EndpointId after, size_t) const override {
    return StalePage{{}, after};
  }
  SecretKeyIds Secrets() const override { return {}; }
  absl::Status Scour(Scoured, std::atomic<bool>&) override { return absl::OkStatus(); }
  absl::Status ForgetOldKeys() override { return absl::OkStatus(); }
  StoreStats Stats() const override;
  uint64_t LastCommit() const override { return Stats().last_commit; }
  bool Stalled() const override { return false; }
  absl::StatusOr<DiskSpace> Disk() const override { return DiskSpace{}; }

 private:
  struct Tables;
  explicit MemoryStore(const Tables& committed);

  // The committer's alone: lanes and buckets as of the last Apply, and the open batch.
  LaneTable lanes_;
  BucketTable buckets_;
  ChangeLog changes_;
  std::vector<Fact> open_;
  bool recovered_ = false;

  mutable absl::Mutex mutex_;
  std::unique_ptr<Tables> committed_ ABSL_PT_GUARDED_BY(mutex_);
  uint64_t commits_ ABSL_GUARDED_BY(mutex_) = 0;
};

std::unique_ptr<DeliveryStore> MakeMemoryStore();

}  // namespace hookd
