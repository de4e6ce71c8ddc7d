// The in-memory store, and failures when the test asks for them.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/memory_store.h"

namespace hookd::testing {

// A store of which the test decides what fails.
class FailingStore final : public DeliveryStore {
 public:
  std::atomic<bool> fail_recover{false};
  std::atomic<bool> fail_commit{false};
  std::atomic<bool> fail_reads{false};  // of configuration; Lane gives null then, and the store is poisoned
  std::atomic<bool> stalled{false};
  std::atomic<uint64_t> disk_total{0};
  std::atomic<uint64_t> disk_free{0};

  absl::StatusOr<Recovered> Recover() override {
    if (fail_recover) return absl::DataLossError("damaged");
    return inner_->Recover();
  }
  void Apply(const Fact& fact) override {
    if (!poisoned_) inner_->Apply(fact);
  }
  absl::Status Commit(WallMs now) override {
    if (fail_commit || poisoned_) return absl::InternalError("the disk is gone");
    return inner_->Commit(now);
  }
  const LaneState* Lane(EndpointId endpoint) override {
    poisoned_ = poisoned_ || fail_reads;
    return poisoned_ ? nullptr : inner_->Lane(endpoint);
  }
  std::vector<BucketView> Buckets() const override { return inner_->Buckets(); }
  absl::StatusOr<StoredAccount> ReadAccount(const std::string& subscriber_id) const override {
    if (fail_reads) return Unreadable();
    return inner_->ReadAccount(subscriber_id);
  }
  absl::StatusOr<StoredSubscriber> ReadSubscriber(const std::string& id) const override {
    if (fail_reads) return Unreadable();
    return inner_->ReadSubscriber(id);
  }
  absl::StatusOr<StoredEndpoint> ReadEndpoint(EndpointId id) const override {
    if (fail_reads) return Unreadable();
    return inner_->ReadEndpoint(id);
  }
  absl::StatusOr<std::vector<StoredSubscriber>> ListSubscribers(const std::string& after,
                                                                size_t limit) const override {
    if (fail_reads) return Unreadable();
    return inner_->ListSubscribers(after, limit);
  }
  absl::StatusOr<std::vector<StoredEndpoint>> ListEndpoints(const std::string& subscriber_id,
                                                            EndpointId after, size_t limit) const override {
    if (fail_reads) return Unreadable();
    return inner_->ListEndpoints(subscriber_id, after, limit);
  }
  absl::StatusOr<std::optional<IdempotencyHit>> FindIdempotency(const std::array<uint8_t, 16>& key,
                                                                WallMs now) const override {
    return inner_->FindIdempotency(key, now);
  }
  absl::StatusOr<std::vector<QueuedDelivery>> ReadQueue(EndpointId endpoint, Sequence from, size_t limit,
                                                        size_t max_bytes) const override {
    return inner_->ReadQueue(endpoint, from, limit, max_bytes);
  }
  absl::StatusOr<std::vector<ParkedDelivery>> ReadParked(EndpointId endpoint, size_t limit) const override {
    return inner_->ReadParked(endpoint, limit);
  }
  absl::StatusOr<std::shared_ptr<const Event>> ReadEvent(EventId id) const override {
    return inner_->ReadEvent(id);
  }
  absl::StatusOr<Delivery> ReadDelivery(DeliveryId id) const override { return inner_->ReadDelivery(id); }
  absl::StatusOr<DeliveryPage> ListDeliveries(const DeliveryQuery& query) const override {
    return inner_->ListDeliveries(query);
  }
  StoreStats Stats() const override { return inner_->Stats(); }
  bool Stalled() const override { return stalled; }
  absl::StatusOr<DiskSpace> Disk() const override {
    DiskSpace disk;
    disk.total_bytes = disk_total;
    disk.free_bytes = disk_free;
    return disk;
  }

 private:
  static absl::Status Unreadable() { return absl::InternalError("the disk cannot be read"); }

  bool poisoned_ = false;  // the committer's
  const std::unique_ptr<DeliveryStore> inner_ = MakeMemoryStore();
};

}  // namespace hookd::testing
