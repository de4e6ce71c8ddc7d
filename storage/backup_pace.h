// How fast a backup may copy. RocksDB's own limiter may stop granting anything in this version.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <rocksdb/rate_limiter.h>

#include "base/clock.h"

namespace hookd {

// Thread-safe.
class BackupPace final : public rocksdb::RateLimiter {
 public:
  // `mode`: what is counted, and has to wait. `bytes` counts it. `stopped` is asked between waits: no wait
  // begins once it is true. Both and `clock` outlive this.
  BackupPace(uint64_t bytes_per_second, Mode mode, const Clock& clock, std::atomic<uint64_t>& bytes,
             std::function<bool()> stopped);

  using RateLimiter::Request;
  // Comes back once so many bytes may be moved.
  void Request(int64_t bytes, rocksdb::Env::IOPriority priority, rocksdb::Statistics* statistics) override;

  void SetBytesPerSecond(int64_t) override {}
  int64_t GetSingleBurstBytes() const override { return chunk_; }
  int64_t GetTotalBytesThrough(rocksdb::Env::IOPriority) const override;
  int64_t GetTotalRequests(rocksdb::Env::IOPriority) const override { return 0; }
  int64_t GetBytesPerSecond() const override { return static_cast<int64_t>(bytes_per_second_); }

 private:
  const uint64_t bytes_per_second_;
  const int64_t chunk_;
  const Clock& clock_;
  std::atomic<uint64_t>& bytes_;
  const std::function<bool()> stopped_;
  absl::Mutex mutex_;
  SteadyTime next_ ABSL_GUARDED_BY(mutex_){};  // when the next bytes may go
};

}  // namespace hookd
