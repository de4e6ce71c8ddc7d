// Which subscribers are strict, as far as that is remembered: the publishing threads hold their events
// against the catalogue before the committer has to.
#pragma once

#include <atomic>
#include <string>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include "dispatcher/core/profiles.h"

namespace hookd {

// When full, any other is forgotten, and remembered again at its next publish.
inline constexpr size_t kMaxStrictSubscribers = 100'000;

// Any thread. Written by the committer's.
class StrictSubscribers {
 public:
  // Null = it is not strict, or not remembered.
  const LoadedProfile* Find(const std::string& subscriber_id) const {
    if (count_.load(std::memory_order_relaxed) == 0) return nullptr;
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = profiles_.find(subscriber_id);
    return found == profiles_.end() ? nullptr : found->second;
  }

  // Null = it is not strict.
  void Set(const std::string& subscriber_id, const LoadedProfile* profile) {
    absl::MutexLock lock(&mutex_);
    if (profile == nullptr) {
      profiles_.erase(subscriber_id);
    } else {
      if (profiles_.size() >= kMaxStrictSubscribers && !profiles_.contains(subscriber_id)) {
        profiles_.erase(profiles_.begin());
      }
      profiles_[subscriber_id] = profile;
    }
    count_.store(profiles_.size(), std::memory_order_relaxed);
  }

 private:
  std::atomic<size_t> count_{0};
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, const LoadedProfile*> profiles_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hookd
