// The in-memory store, and failures when the test asks for them.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "storage/memory_store.h"

namespace hookd::testing {

// A store of which the test decides what fails.
class FailingStore final : public DeliveryStore {
 public:
  std::atomic<bool> fail_recover{false};
  std::atomic<bool> fail_commit{false};

  absl::StatusOr<Recovered> Recover() override {
    if (fail_recover) return absl::DataLossError("damaged");
    return inner_->Recover();
  }
  void Apply(const Fact& fact) override { inner_->Apply(fact); }
  absl::Status Commit(WallMs now) override {
    if (fail_commit) return absl::InternalError("the disk is gone");
    return inner_->Commit(now);
  }
  const LaneState* Lane(EndpointId endpoint) const override { return inner_->Lane(endpoint); }
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

 private:
  const std::unique_ptr<DeliveryStore> inner_ = MakeMemoryStore();
};

}  // namespace hookd::testing
