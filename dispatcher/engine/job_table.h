// The jobs that are kept, as of the newest commit or the one that is being made.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "base/model.h"
#include "storage/delivery_store.h"

namespace hookd {

// Thread-safe; Put is the committer's thread's, so that a job's changes have one order.
class JobTable {
 public:
  void Recovered(const DeliveryStore::Recovered& recovered);

  // The id of a job that is about to start. RESOURCE_EXHAUSTED: kMaxRunningJobs run, or are about to.
  absl::StatusOr<uint64_t> Reserve();
  // It does not start after all.
  void Release();

  // A reserved job, or new values of one. Gives the ids of ended jobs that are kept no longer: they are out
  // of the table already.
  std::vector<uint64_t> Put(const Job& job);

  absl::StatusOr<Job> Get(uint64_t id) const;
  // Newest first; ids below `before` (0 = all).
  std::vector<Job> List(uint64_t before, size_t limit, bool running_only) const;
  std::vector<Job> Running() const;
  size_t running() const;

 private:
  mutable absl::Mutex mutex_;
  std::map<uint64_t, Job> jobs_ ABSL_GUARDED_BY(mutex_);
  size_t reserved_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t running_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace hookd
