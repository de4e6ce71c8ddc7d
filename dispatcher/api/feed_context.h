// What the calls that follow the store share: WatchDeliveries, PollEvents and GetEvent read the disk on a
// small pool of their own and wait for commits without a thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "base/clock.h"
#include "dispatcher/api/call_registry.h"
#include "dispatcher/engine/engine.h"

namespace hookd {

inline constexpr size_t kFeedThreads = 2;
// WatchDeliveries streams, and PollEvents and GetEvent calls, at a time.
inline constexpr size_t kMaxWatchers = 64;
inline constexpr size_t kMaxPolls = 256;
// How often one look at the newest commit wakes those that wait for it: many small commits are read together.
inline constexpr std::chrono::milliseconds kFeedTick{20};

// Thread-safe. Lives as long as the server; stopped after its calls have ended.
class FeedContext {
 public:
  FeedContext(Engine& engine, const Clock& clock);
  ~FeedContext();

  // Runs `task` on the pool.
  void Post(std::function<void()> task);
  // Runs `wake` on the pool after a tick, once a commit after `commit` is on disk or `deadline` has passed.
  // Dropped when the context stops. Each call waits once at a time, so that their number is bounded by the
  // calls'.
  void WhenCommitted(uint64_t commit, SteadyTime deadline, std::function<void()> wake);
  void Stop();

  Engine& engine;
  const Clock& clock;
  CallRegistry calls;
  std::atomic<size_t> watchers{0};
  std::atomic<size_t> polls{0};

 private:
  struct Waiter {
    uint64_t commit = 0;
    SteadyTime deadline;
    std::function<void()> wake;
  };
  void ArmLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tick();

  absl::Mutex mutex_;
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
  bool armed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  boost::asio::thread_pool pool_;
  boost::asio::steady_timer timer_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hookd
