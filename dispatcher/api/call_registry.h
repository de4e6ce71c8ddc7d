// The publishes that have not ended. gRPC's Shutdown waits without end for a call that nobody finishes, so
// every callback call is here and can be told to end.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"

namespace hookd {

// Asked by a call that lasts, one question at a time: its caller may go on. Null = always.
using StillAllowed = std::function<absl::Status()>;

// Both calls come from any thread, at any time between Add and Remove, and do not block.
class LiveCall {
 public:
  virtual ~LiveCall() = default;
  // Takes nothing new in; ends by itself once everything taken in is answered.
  virtual void StopIntake() = 0;
  // Ends now, with or without its answers.
  virtual void Abort() = 0;
};

// Thread-safe. Owns a call from Add to Remove.
class CallRegistry {
 public:
  // False (and not added) after StopIntake.
  bool Add(std::shared_ptr<LiveCall> call);
  // The last thing that a call does. It may be destroyed by it.
  void Remove(LiveCall* call);

  void StopIntake();
  // False when calls were left after `timeout`.
  bool WaitEmpty(Duration timeout);
  void AbortAll();

 private:
  std::vector<std::shared_ptr<LiveCall>> Calls();
  bool Empty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return calls_.empty(); }

  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<LiveCall*, std::shared_ptr<LiveCall>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hookd
