#include "storage/backup_pace.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace hookd {
namespace {

constexpr uint64_t kMaxChunk = 1u << 20;
constexpr uint64_t kMinChunk = 4u << 10;
constexpr uint64_t kChunksPerSecond = 8;
constexpr std::chrono::milliseconds kPausePoll{100};

}  // namespace

BackupPace::BackupPace(uint64_t bytes_per_second, Mode mode, const Clock& clock, std::atomic<uint64_t>& bytes,
                       std::function<bool()> stopped)
    : RateLimiter(mode),
      bytes_per_second_(std::max<uint64_t>(bytes_per_second, 1)),
      chunk_(static_cast<int64_t>(std::clamp(bytes_per_second_ / kChunksPerSecond, kMinChunk, kMaxChunk))),
      clock_(clock),
      bytes_(bytes),
      stopped_(std::move(stopped)) {}

void BackupPace::Request(int64_t bytes, rocksdb::Env::IOPriority, rocksdb::Statistics*) {
  bytes_.fetch_add(static_cast<uint64_t>(bytes), std::memory_order_relaxed);
  SteadyTime turn;
  {
    absl::MutexLock lock(&mutex_);
    turn = std::max(next_, clock_.Steady());
    next_ = turn + std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(bytes) * 1e9 /
                                                                 static_cast<double>(bytes_per_second_)));
  }
  while (!stopped_()) {
    const Duration left = turn - clock_.Steady();
    if (left <= Duration::zero()) return;
    std::this_thread::sleep_for(std::min<Duration>(left, kPausePoll));
  }
}

int64_t BackupPace::GetTotalBytesThrough(rocksdb::Env::IOPriority) const {
  return static_cast<int64_t>(bytes_.load(std::memory_order_relaxed));
}

}  // namespace hookd
