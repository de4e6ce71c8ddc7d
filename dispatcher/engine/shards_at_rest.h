// Waits until every shard has said that it is at rest.
#pragma once

#include <atomic>
#include <cstddef>

#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "base/clock.h"

namespace hookd {

// Shared with the shards, which may be late.
class ShardsAtRest {
 public:
  explicit ShardsAtRest(size_t shards) : left_(shards) {}
  void One() {
    if (left_.fetch_sub(1) == 1) all_.Notify();
  }
  bool Wait(Duration timeout) { return all_.WaitForNotificationWithTimeout(absl::FromChrono(timeout)); }

 private:
  std::atomic<size_t> left_;
  absl::Notification all_;
};

}  // namespace hookd
