// The in-memory store, and failures when the test asks for them.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "tests/fakes/forwarding_store.h"

namespace hookd::testing {

// A store of which the test decides what fails.
class FailingStore final : public ForwardingStore {
 public:
  std::atomic<bool> fail_recover{false};
  std::atomic<bool> fail_commit{false};
  std::atomic<bool> fail_reads{false};  // of configuration; Lane gives null then, and the store is poisoned
  std::atomic<bool> stalled{false};
  std::atomic<uint64_t> disk_total{0};
  std::atomic<uint64_t> disk_free{0};

  absl::StatusOr<Recovered> Recover() override {
    if (fail_recover) return absl::DataLossError("damaged");
    return ForwardingStore::Recover();
  }
  void Apply(const Fact& fact) override {
    if (!poisoned_) ForwardingStore::Apply(fact);
  }
  absl::Status Commit(WallMs now) override {
    if (fail_commit || poisoned_) return absl::InternalError("the disk is gone");
    return ForwardingStore::Commit(now);
  }
  const LaneState* Lane(EndpointId endpoint) override {
    poisoned_ = poisoned_ || fail_reads;
    return poisoned_ ? nullptr : ForwardingStore::Lane(endpoint);
  }
  absl::StatusOr<StoredAccount> ReadAccount(const std::string& subscriber_id) const override {
    if (fail_reads) return Unreadable();
    return ForwardingStore::ReadAccount(subscriber_id);
  }
  absl::StatusOr<StoredSubscriber> ReadSubscriber(const std::string& id) const override {
    if (fail_reads) return Unreadable();
    return ForwardingStore::ReadSubscriber(id);
  }
  absl::StatusOr<StoredEndpoint> ReadEndpoint(EndpointId id) const override {
    if (fail_reads) return Unreadable();
    return ForwardingStore::ReadEndpoint(id);
  }
  absl::StatusOr<std::vector<StoredSubscriber>> ListSubscribers(const std::string& after,
                                                                size_t limit) const override {
    if (fail_reads) return Unreadable();
    return ForwardingStore::ListSubscribers(after, limit);
  }
  absl::StatusOr<std::vector<StoredEndpoint>> ListEndpoints(const std::string& subscriber_id,
                                                            EndpointId after, size_t limit) const override {
    if (fail_reads) return Unreadable();
    return ForwardingStore::ListEndpoints(subscriber_id, after, limit);
  }
  bool Stalled() const override { return stalled; }
  absl::StatusOr<DiskSpace> Disk() const override {
    DiskSpace disk;
    disk.total_bytes = disk_total;
    disk.free_bytes = disk_free;
    return disk;
  }

 private:
  static absl::Status Unreadable() { return absl::DataLossError("the disk cannot be read"); }

  bool poisoned_ = false;  // the committer's thread alone
};

}  // namespace hookd::testing
