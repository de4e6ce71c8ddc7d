// The thread that makes backups and verifies them: when somebody asks, and in intervals.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"
#include "base/model.h"
#include "dispatcher/telemetry/telemetry.h"
#include "storage/backups.h"

namespace hookd {

enum class BackupRunKind : uint8_t { kNone, kCreate, kVerify };

// What runs, or ran last.
struct BackupRun {
  BackupRunKind kind = BackupRunKind::kNone;  // kNone: nothing since the start
  bool running = false;
  uint32_t id = 0;  // of the backup; 0 = it is not made yet
  WallMs started_ms = 0;
  Duration took{};
  uint64_t bytes = 0;   // copied, or read
  absl::Status status;  // how it ended
};

// Threads: every method from any thread. One thing runs at a time.
class BackupRunner {
 public:
  // `every` 0 = only when asked. `backups`, `clock` and `telemetry` outlive it.
  BackupRunner(Backups& backups, Millis every, const Clock& clock, Telemetry& telemetry);
  ~BackupRunner() { Stop(); }

  // Begins at once. FAILED_PRECONDITION: something runs.
  absl::StatusOr<BackupRun> StartCreate();
  // `id` 0 = the newest. Likewise, and NOT_FOUND.
  absl::StatusOr<BackupRun> StartVerify(uint32_t id);
  BackupRun Newest() const;
  absl::StatusOr<std::vector<BackupInfo>> List() const { return backups_.List(); }
  BackupGauges ReadGauges() const;

  // What runs ends at once, as failed; nothing begins afterwards. Idempotent.
  void Stop();

 private:
  absl::StatusOr<BackupRun> Begin(BackupRunKind kind, uint32_t id);
  BackupRun NewestLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run();
  void ReadFolder();
  void Create();
  void Verify(uint32_t id);
  void Ended(uint32_t id, const absl::Status& status);

  Backups& backups_;
  const Millis every_;
  const Clock& clock_;
  Telemetry& telemetry_;
  std::atomic<uint64_t> bytes_{0};
  mutable absl::Mutex mutex_;
  absl::CondVar changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;  // run_ waits for the thread
  BackupRun run_ ABSL_GUARDED_BY(mutex_);
  SteadyTime started_ ABSL_GUARDED_BY(mutex_){};
  SteadyTime due_ ABSL_GUARDED_BY(mutex_){};  // of the next one by itself
  BackupGauges gauges_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: it uses everything above
};

}  // namespace hookd
