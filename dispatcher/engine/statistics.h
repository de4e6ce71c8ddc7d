// What an endpoint's attempts of the last minute, hour and day were like: approximate, in memory, bounded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/engine/engine.h"

namespace hookd {

// Endpoints with figures, in the process. When full, the one that was not used for longest is forgotten: its
// figures begin anew with its next attempt.
inline constexpr size_t kMaxStatisticsEndpoints = 10'000;

// Each is 1.75 times as wide as the one before, the first up to 100 us, the last open: a percentile is within
// a third of the true value up to 6 min.
inline constexpr size_t kLatencyClasses = 29;

// Figures of any number of endpoints and slots; they add up.
struct Figures {
  uint64_t attempts = 0;
  uint64_t succeeded = 0;
  std::array<uint64_t, 6> by_class{};  // as in Statistics
  uint64_t timeouts = 0;
  std::array<uint64_t, kLatencyClasses> latency{};
  WallMs since_ms = 0;  // the latest of all

  // The share of attempts that took at most what is returned; 0 without any. `share`: 0..1.
  int64_t PercentileUs(double share) const;
  // All but what is pending.
  Statistics ToStatistics() const;
};

// One for each shard, which alone writes to it; read from any thread. The lock is held for a microsecond.
class StatisticsTable {
 public:
  StatisticsTable(size_t max_endpoints, WallMs start)
      : max_endpoints_(max_endpoints), complete_from_(start) {}

  void Attempted(EndpointId endpoint, const Attempt& attempt, Now now);
  // It has something pending: whoever asks for the largest backlogs looks at it.
  void Seen(EndpointId endpoint, Now now);

  void AddTo(EndpointId endpoint, StatWindow window, Now now, Figures& figures) const;
  // That figures are kept of, in no order.
  std::vector<EndpointId> Endpoints() const;

 private:
  struct Slot {
    int64_t number = 0;  // of slots since the steady clock's epoch
    uint32_t attempts = 0;
    uint32_t succeeded = 0;
    std::array<uint32_t, 6> by_class{};
    uint32_t timeouts = 0;
    std::array<uint32_t, kLatencyClasses> latency{};
  };
  // The newest slots in which there was an attempt, oldest first.
  using Ring = std::vector<Slot>;
  static constexpr size_t kRings = 3;
  struct Entry {
    std::array<Ring, kRings> rings;  // by StatWindow
    WallMs since_ms = 0;
    WallMs used_ms = 0;
    std::list<EndpointId>::iterator place;  // in used_
  };

  Entry& Use(EndpointId endpoint, Now now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_endpoints_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<EndpointId, std::unique_ptr<Entry>> entries_ ABSL_GUARDED_BY(mutex_);
  std::list<EndpointId> used_ ABSL_GUARDED_BY(mutex_);  // the latest first
  // Of an endpoint that is not in the table nothing has happened since then.
  WallMs complete_from_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hookd
