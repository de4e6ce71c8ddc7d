#include "dispatcher/engine/backup_runner.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include <absl/time/time.h>

#include "base/concat.h"

namespace hookd {
namespace {

constexpr std::chrono::minutes kRetryAfter{
    10};  // of one that failed by itself; sooner if they come more often
constexpr std::chrono::hours kIdleLook{1};

absl::Status Busy() {
  return absl::FailedPreconditionError("a backup or a verification runs: wait until it has ended");
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string Text(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

BackupRunner::BackupRunner(Backups& backups, Millis every, const Clock& clock, Telemetry& telemetry)
    : backups_(backups), every_(every), clock_(clock), telemetry_(telemetry) {
  gauges_.configured = true;
  gauges_.interval_seconds =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(every).count());
  thread_ = std::thread([this] { Run(); });
}

void BackupRunner::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stop_ = true;
    changed_.SignalAll();
  }
  backups_.Stop();
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<BackupRun> BackupRunner::StartCreate() { return Begin(BackupRunKind::kCreate, 0); }

absl::StatusOr<BackupRun> BackupRunner::StartVerify(uint32_t id) {
  absl::StatusOr<std::vector<BackupInfo>> there = backups_.List();
  if (!there.ok()) return there.status();
  if (id == 0 && !there->empty()) id = there->back().id;
  const bool found =
      std::any_of(there->begin(), there->end(), [id](const BackupInfo& info) { return info.id == id; });
  if (!found) {
    return absl::NotFoundError(id == 0 ? std::string("there is no backup")
                                       : Concat("id: there is no backup ", id, ": see ListBackups"));
  }
  return Begin(BackupRunKind::kVerify, id);
}

absl::StatusOr<BackupRun> BackupRunner::Begin(BackupRunKind kind, uint32_t id) {
  absl::MutexLock lock(&mutex_);
  if (stop_) return absl::UnavailableError("hookd is shutting down");
  if (run_.running) return Busy();
  run_ = BackupRun();
  run_.kind = kind;
  run_.running = true;
  run_.id = id;
  run_.started_ms = clock_.Wall();
  started_ = clock_.Steady();
  bytes_ = 0;
  asked_ = true;
  changed_.SignalAll();
  return NewestLocked();
}

BackupRun BackupRunner::Newest() const {
  absl::MutexLock lock(&mutex_);
  return NewestLocked();
}

BackupRun BackupRunner::NewestLocked() const {
  BackupRun run = run_;
  if (run.running) {
    run.bytes = bytes_.load(std::memory_order_relaxed);
    run.took = clock_.Steady() - started_;
  }
  return run;
}

BackupGauges BackupRunner::ReadGauges() const {
  absl::MutexLock lock(&mutex_);
  BackupGauges gauges = gauges_;
  gauges.running = run_.running;
  return gauges;
}

void BackupRunner::Run() {
  pthread_setname_np(pthread_self(), "hookd-backup");
  ReadFolder();
  for (;;) {
    BackupRunKind kind = BackupRunKind::kNone;
    uint32_t id = 0;
    bool by_itself = false;
    {
      absl::MutexLock lock(&mutex_);
      while (!stop_ && !asked_ && !(every_ > Millis::zero() && clock_.Steady() >= due_)) {
        const Duration wait = every_ > Millis::zero() ? due_ - clock_.Steady() : Duration(kIdleLook);
        changed_.WaitWithTimeout(&mutex_, absl::FromChrono(std::min<Duration>(wait, kIdleLook)));
      }
      if (stop_) return;
      by_itself = !asked_;
      if (!by_itself) {
        kind = run_.kind;
        id = run_.id;
        asked_ = false;
      }
    }
    if (by_itself) {
      if (!Begin(BackupRunKind::kCreate, 0).ok()) continue;  // somebody asked at this moment
      absl::MutexLock lock(&mutex_);
      asked_ = false;
      kind = BackupRunKind::kCreate;
    }
    if (kind == BackupRunKind::kCreate) {
      Create();
    } else {
      Verify(id);
    }
  }
}

// When the newest backup was made, so that a restart neither makes one at once nor forgets one.
void BackupRunner::ReadFolder() {
  const absl::StatusOr<std::vector<BackupInfo>> there = backups_.List();
  if (!there.ok()) telemetry_.Warn("backup.folder", Text(there.status()));
  const Now now = clock_.Read();
  absl::MutexLock lock(&mutex_);
  due_ = now.steady;
  if (!there.ok()) return;
  for (const BackupInfo& info : *there) {
    if (!info.problem.empty()) continue;
    gauges_.last_success_ms = std::max(gauges_.last_success_ms, info.made_ms);
    gauges_.last_bytes = info.bytes;
  }
  if (gauges_.last_success_ms == 0) return;
  const Millis age{std::max<WallMs>(now.wall - gauges_.last_success_ms, 0)};
  due_ = now.steady + std::max(every_ - age, Millis::zero());
}

void BackupRunner::Create() {
  const SteadyTime began = clock_.Steady();
  const absl::StatusOr<BackupInfo> made = backups_.Create(bytes_);
  const SteadyTime now = clock_.Steady();
  const uint64_t copied = bytes_.load(std::memory_order_relaxed);
  if (made.ok()) {
    telemetry_.Info("backup.made", Concat("backup ", made->id, " of ", made->bytes, " bytes, ", copied,
                                          " of them copied, in ",
                                          std::chrono::duration_cast<Millis>(now - began).count(), " ms"));
  } else if (!absl::IsCancelled(made.status())) {
    telemetry_.Error("backup.failed", Text(made.status()));
  }
  {
    absl::MutexLock lock(&mutex_);
    if (made.ok()) {
      ++gauges_.made;
      gauges_.last_success_ms = made->made_ms;
      gauges_.last_seconds = Seconds(now - began);
      gauges_.last_bytes = made->bytes;
      gauges_.last_copied_bytes = copied;
      due_ = now + every_;
    } else {
      if (!absl::IsCancelled(made.status())) ++gauges_.failed;
      due_ = now + std::min<Millis>(every_, kRetryAfter);
    }
  }
  Ended(made.ok() ? made->id : 0, made.status());
}

void BackupRunner::Verify(uint32_t id) {
  const absl::Status whole = backups_.Verify(id, bytes_);
  if (whole.ok()) {
    telemetry_.Info("backup.verified", Concat("backup ", id, " is whole"));
  } else if (!absl::IsCancelled(whole)) {
    telemetry_.Error("backup.damaged", Text(whole));
  }
  Ended(id, whole);
}

void BackupRunner::Ended(uint32_t id, const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  run_ = NewestLocked();
  run_.running = false;
  run_.id = id;
  run_.status = status;
}

}  // namespace hookd
