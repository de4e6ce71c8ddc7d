// Passes everything on to a store in memory: the base of stores that do one thing differently.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/memory_store.h"

namespace hookd::testing {

class ForwardingStore : public DeliveryStore {
 public:
  absl::StatusOr<Recovered> Recover() override { return inner_->Recover(); }
  void Apply(const Fact& fact) override { inner_->Apply(fact); }
  absl::Status Commit(WallMs now) override { return inner_->Commit(now); }
  const LaneState* Lane(EndpointId endpoint) override { return inner_->Lane(endpoint); }
  std::vector<BucketView> Buckets() const override { return inner_->Buckets(); }
  absl::StatusOr<StoredAccount> ReadAccount(const std::string& subscriber_id) const override {
    return inner_->ReadAccount(subscriber_id);
  }
  absl::StatusOr<StoredSubscriber> ReadSubscriber(const std::string& id) const override {
    return inner_->ReadSubscriber(id);
  }
  absl::StatusOr<StoredEndpoint> ReadEndpoint(EndpointId id) const override {
    return inner_->ReadEndpoint(id);
  }
  absl::StatusOr<AccessToken> ReadToken(uint64_t id) const override { return inner_->ReadToken(id); }
  absl::StatusOr<std::vector<AccessToken>> ListTokens(const std::string& subscriber_id, uint64_t after,
                                                      size_t limit) const override {
    return inner_->ListTokens(subscriber_id, after, limit);
  }
  absl::StatusOr<std::vector<StoredSubscriber>> ListSubscribers(const std::string& after,
                                                                size_t limit) const override {
    return inner_->ListSubscribers(after, limit);
  }
  absl::StatusOr<std::vector<StoredEndpoint>> ListEndpoints(const std::string& subscriber_id,
                                                            EndpointId after, size_t limit) const override {
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
  absl::StatusOr<EventPage> ListEvents(const EventQuery& query) const override {
    return inner_->ListEvents(query);
  }
  absl::StatusOr<std::vector<DeliveryId>> DeliveriesOf(const Event& event, size_t limit) const override {
    return inner_->DeliveriesOf(event, limit);
  }
  absl::StatusOr<ChangePage> ReadChanges(uint64_t after_commit, size_t limit) const override {
    return inner_->ReadChanges(after_commit, limit);
  }
  absl::StatusOr<AuditRecord> ReadAudit(uint64_t number) const override { return inner_->ReadAudit(number); }
  absl::StatusOr<AuditPage> ListAudit(const AuditQuery& query) const override {
    return inner_->ListAudit(query);
  }
  absl::StatusOr<StalePage> StaleSecrets(EndpointId after, size_t limit) const override {
    return inner_->StaleSecrets(after, limit);
  }
  SecretKeyIds Secrets() const override { return inner_->Secrets(); }
  absl::Status Scour(Scoured what, std::atomic<bool>& stop) override { return inner_->Scour(what, stop); }
  absl::Status ForgetOldKeys() override { return inner_->ForgetOldKeys(); }
  StoreStats Stats() const override { return inner_->Stats(); }
  uint64_t LastCommit() const override { return inner_->LastCommit(); }
  DatabaseStats Database() const override { return inner_->Database(); }
  bool Stalled() const override { return inner_->Stalled(); }
  absl::StatusOr<DiskSpace> Disk() const override { return inner_->Disk(); }

 private:
  const std::unique_ptr<DeliveryStore> inner_ = MakeMemoryStore();
};

}  // namespace hookd::testing
