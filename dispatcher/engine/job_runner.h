// Runs the jobs: one thread that reads a page of what a job is about, and has the committer do a step with
// it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"
#include "base/model.h"
#include "dispatcher/core/profiles.h"
#include "dispatcher/engine/committer.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/job_list.h"
#include "dispatcher/engine/job_pace.h"
#include "dispatcher/engine/job_table.h"
#include "dispatcher/telemetry/telemetry.h"
#include "storage/delivery_store.h"

namespace hookd {

// Of one dry run; what takes longer to count has to be asked for in parts.
inline constexpr std::chrono::seconds kDryRunTime{10};

struct JobContext {
  DeliveryStore& store;
  const Clock& clock;
  Telemetry& telemetry;
  Committer& committer;
  // As Shard::EndDelivery.
  std::function<void(const Delivery&, DeliveryState, EndReason, std::function<void(absl::Status)> done)> end;
  const Profiles& profiles;
};

// A step is one commit: what it makes, and the job with its new position and counts. So a kill neither skips
// nor repeats a delivery. Steps of all jobs come one after the other: each page is read when the step before
// it is on disk, so that two jobs do not take the same delivery. No step begins while the intake is held or
// the committer has a backlog.
// Threads: every method from any thread. Lifetime: Start once, Stop while shards and committer still run.
class JobRunner {
 public:
  explicit JobRunner(JobContext context) : context_(std::move(context)) {}
  ~JobRunner() { Stop(); }
  void Start(const DeliveryStore::Recovered& recovered);
  // The step under way ends, and none begins. Idempotent.
  void Stop();

  // As Engine::StartJob and Engine::CancelJob.
  absl::StatusOr<Job> StartJob(Job job, bool dry_run);
  absl::StatusOr<Job> CancelJob(uint64_t id);
  const JobTable& table() const { return table_; }

 private:
  // What the thread knows of a job that runs.
  struct Course {
    JobPace pace;
    JobPlace place;
    std::optional<JobCount> counting;  // what is expected; goes ahead of the steps
    uint64_t expected = 0;
  };
  struct Ends {
    uint64_t done = 0;
    uint64_t skipped = 0;
    uint64_t later = 0;    // could not be ended now
    absl::Status damaged;  // one will never be: it cannot be read
  };

  absl::Status CheckTarget(const Job& job) const;
  absl::StatusOr<Job> DryRun(Job job) const;
  void Run();
  // A turn of every job that runs. Gives when the next is due; nullopt = none runs.
  std::optional<SteadyTime> Turns();
  Course& CourseOf(const Job& job);
  void Count(const Job& job, Course& course);
  void Step(const Job& job, Course& course);
  // A turn of a purge or a rekey.
  void PurgeStep(const Job& job, Course& course);
  void RekeyStep(const Job& job, Course& course);
  // `apply` and the job's new place, in one commit; unless `apply` gives false, and nothing is kept.
  void StoreStep(const Job& job, Course& course, const JobPlace& next, uint64_t looked_at,
                 const std::function<bool(Ledger&)>& apply);
  // The last turn of either.
  void FilesStep(const Job& job, Course& course, Scoured what);
  // Ends the deliveries, and waits until that is on disk.
  Ends End(const std::vector<Delivery>& deliveries, DeliveryState state, EndReason reason);
  void Fail(uint64_t id, const absl::Status& why);
  bool Busy() const;
  bool stopping() const;
  // Runs `apply` on the committer's thread and returns once its commit is on disk.
  absl::Status Commit(std::function<void(Ledger&)> apply);
  // On the committer's thread: `job` was applied.
  void Put(Ledger& ledger, const Job& job);
  void Tell(const Job& job) const;

  const JobContext context_;
  JobTable table_;
  mutable absl::Mutex mutex_;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<bool> stop_scouring_{false};
  std::map<uint64_t, Course> courses_;  // the thread's
  std::thread thread_;
};

}  // namespace hookd
