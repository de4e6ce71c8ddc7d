#include "dispatcher/engine/job_runner.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <absl/strings/str_format.h>
#include <absl/synchronization/notification.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/engine/job_purge.h"
#include "dispatcher/engine/job_step.h"

namespace hookd {
namespace {

// How often a wait for ends looks whether the store has failed.

std::string_view KindName(JobKind kind) {
  switch (kind) {
    case JobKind::kExpire:
      return "expire";
    case JobKind::kRecover:
      return "recover";
    case JobKind::kReplay:
      return "replay";
    case JobKind::kPurge:
      return "purge";
    case JobKind::kRekey:
      return "rekey";
  }
  return "unknown";
}

std::string_view StateName(JobState state) {
  switch (state) {
    case JobState::kRunning:
      return "started";
    case JobState::kDone:
      return "done";
    case JobState::kCanceled:
      return "canceled";
    case JobState::kFailed:
      return "failed";
  }
  return "unknown";
}

// What is accepted from `instant` on is not the job's matter, and neither is what it makes itself.
void FixTime(Job& job, WallMs instant, WallMs now) {
  job.before_ms = job.before_ms == 0 ? instant : std::min(job.before_ms, instant);
  job.created_ms = job.updated_ms = now;
}

}  // namespace

void JobRunner::Start(const DeliveryStore::Recovered& recovered) {
  table_.Recovered(recovered);
  {
    absl::MutexLock lock(&mutex_);
    started_ = true;
  }
  thread_ = std::thread([this] { Run(); });
}

void JobRunner::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  stop_scouring_ = true;
  if (thread_.joinable()) thread_.join();
}

bool JobRunner::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

absl::Status JobRunner::Commit(std::function<void(Ledger&)> apply) {
  absl::Status result;
  absl::Notification finished;
  const bool taken = context_.committer.Submit({std::move(apply), [&](const absl::Status& status) {
                                                  result = status;
                                                  finished.Notify();
                                                }});
  if (!taken) return absl::UnavailableError("hookd is shutting down");
  finished.WaitForNotification();
  return result;
}

void JobRunner::Put(Ledger& ledger, const Job& job) {
  for (const uint64_t forgotten : table_.Put(job)) ledger.Apply(JobDeleted{forgotten});
}

void JobRunner::Tell(const Job& job) const {
  switch (job.state) {
    case JobState::kRunning:
      break;
    case JobState::kDone:
      context_.telemetry.JobEnded(JobEnd::kDone);
      break;
    case JobState::kCanceled:
      context_.telemetry.JobEnded(JobEnd::kCanceled);
      break;
    case JobState::kFailed:
      context_.telemetry.JobEnded(JobEnd::kFailed);
      break;
  }
  const std::string message = Concat(absl::StrFormat("job_%016x", job.id), " (", KindName(job.kind), ") ",
                                     StateName(job.state), ": ", job.done, " done, ", job.skipped,
                                     " skipped of ", job.matched, job.error.empty() ? "" : ": ", job.error);
  if (job.state == JobState::kFailed) {
    context_.telemetry.Error("job", message);
  } else {
    context_.telemetry.Info("job", message);
  }
}

absl::Status JobRunner::CheckTarget(const Job& job) const {
  if (job.endpoint.value != 0) {
    const absl::Status found = context_.store.ReadEndpoint(job.endpoint).status();
    if (absl::IsNotFound(found)) {
      return absl::NotFoundError(Concat("endpoint_id: no endpoint ", job.endpoint.ToString()));
    }
    RETURN_IF_ERROR(found);
  }
  if (job.event) {
    const absl::Status found = context_.store.ReadEvent(*job.event).status();
    if (absl::IsNotFound(found)) {
      return absl::NotFoundError(Concat("event_id: no event ", job.event->ToString(), ", or it is gone"));
    }
    RETURN_IF_ERROR(found);
  }
  if (!job.subscriber_id.empty()) {
    const absl::Status found = context_.store.ReadSubscriber(job.subscriber_id).status();
    if (absl::IsNotFound(found)) {
      return absl::NotFoundError(Concat("subscriber_id: no subscriber ", job.subscriber_id));
    }
    RETURN_IF_ERROR(found);
  }
  return absl::OkStatus();
}

absl::StatusOr<Job> JobRunner::DryRun(Job job) const {
  const WallMs now = context_.clock.Wall();
  FixTime(job, now + 1, now);
  const SteadyTime deadline = context_.clock.Steady() + kDryRunTime;
  JobCount count;
  count.next.phase = job.phase;
  while (!count.last && count.matched < kMaxDryRunCount) {
    if (stopping()) return absl::UnavailableError("hookd is shutting down");
    if (context_.clock.Steady() > deadline) {
      return absl::DeadlineExceededError("too much to count: ask for an endpoint, or a shorter time");
    }
    RETURN_IF_ERROR(CountJobPage(context_.store, context_.profiles, job, count));
  }
  job.matched = job.expected = std::min(count.matched, kMaxDryRunCount);
  job.state = JobState::kDone;
  job.ended_ms = job.updated_ms;
  return job;
}

absl::StatusOr<Job> JobRunner::StartJob(Job job, bool dry_run) {
  RETURN_IF_ERROR(CheckJob(job));
  RETURN_IF_ERROR(CheckTarget(job));
  if (job.event) job.phase = kPurgeEvents;
  if (dry_run) return DryRun(std::move(job));
  {
    absl::MutexLock lock(&mutex_);
    if (!started_ || stopping_) return absl::UnavailableError("hookd is shutting down");
  }
  ASSIGN_OR_RETURN(job.id, table_.Reserve());
  job.state = JobState::kRunning;
  bool applied = false;
  const absl::Status committed = Commit([&](Ledger& ledger) {
    FixTime(job, ledger.NextInstant(), ledger.now());
    ledger.Apply(JobChanged{job});
    ledger.NoteJob(nullptr, job);
    Put(ledger, job);
    applied = true;
  });
  if (!applied) table_.Release();
  RETURN_IF_ERROR(committed);
  Tell(job);
  absl::MutexLock lock(&mutex_);
  woken_ = true;
  return job;
}

absl::StatusOr<Job> JobRunner::CancelJob(uint64_t id) {
  absl::StatusOr<Job> result = absl::UnknownError("");
  bool ended = false;
  RETURN_IF_ERROR(Commit([&](Ledger& ledger) {
    result = table_.Get(id);
    if (!result.ok() || result->state == JobState::kCanceled) return;
    if (result->state != JobState::kRunning) {
      result = absl::FailedPreconditionError(
          Concat("id: the job has ended: ", StateName(result->state), "; only one that runs is canceled"));
      return;
    }
    const Job before = *result;
    EndJob(ledger, JobState::kCanceled, "", *result);
    ledger.NoteJob(&before, *result);
    Put(ledger, *result);
    ended = true;
  }));
  if (ended) Tell(*result);
  return result;
}

void JobRunner::Run() {
  for (;;) {
    const std::optional<SteadyTime> next = Turns();
    const Duration wait =
        next ? std::max(Duration::zero(), *next - context_.clock.Steady()) : Duration::max();
    absl::MutexLock lock(&mutex_);
    const auto may_go = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return woken_ || stopping_; };
    mutex_.AwaitWithTimeout(absl::Condition(&may_go),
                            next ? absl::FromChrono(wait) : absl::InfiniteDuration());
    woken_ = false;
    if (stopping_) return;
  }
}

std::optional<SteadyTime> JobRunner::Turns() {
  const std::vector<Job> running = table_.Running();
  std::erase_if(courses_, [&](const auto& course) {
    return std::none_of(running.begin(), running.end(),
                        [&](const Job& job) { return job.id == course.first; });
  });
  std::optional<SteadyTime> next;
  for (const Job& job : running) {
    if (stopping()) break;
    Course& course = CourseOf(job);
    if (course.counting) Count(job, course);
    const SteadyTime now = context_.clock.Steady();
    if (course.pace.next() <= now) {
      if (Busy()) {
        course.pace.Wait(now);
      } else {
        Step(job, course);
      }
    }
    const SteadyTime due = course.counting ? now : course.pace.next();
    if (!next || due < *next) next = due;
  }
  return next;
}

JobRunner::Course& JobRunner::CourseOf(const Job& job) {
  const auto known = courses_.find(job.id);
  if (known != courses_.end()) return known->second;
  Course course{JobPace(job.rate), {job.phase, job.position}, std::nullopt, job.expected};
  if (job.expected == 0) course.counting = JobCount{job.matched, course.place, false};
  return courses_.emplace(job.id, std::move(course)).first->second;
}

void JobRunner::Count(const Job& job, Course& course) {
  const absl::Status counted = CountJobPage(context_.store, context_.profiles, job, *course.counting);
  if (!counted.ok()) {  // the step will say so
    course.counting.reset();
  } else if (course.counting->last || course.counting->matched >= kMaxDryRunCount) {
    course.expected = std::min(course.counting->matched, kMaxDryRunCount);
    course.counting.reset();
  }
}

bool JobRunner::Busy() const {
  return !context_.committer.intake_held().empty() || context_.committer.Backlogged();
}

void JobRunner::Step(const Job& job, Course& course) {
  if (job.kind == JobKind::kPurge) return PurgeStep(job, course);
  if (job.kind == JobKind::kRekey) return RekeyStep(job, course);
  const absl::StatusOr<JobPage> page =
      ReadJobPage(context_.store, context_.profiles, job, course.place, course.pace.Step());
  if (!page.ok()) {
    Fail(job.id, page.status());
    return;
  }
  if (page->items.empty() && !page->last) {  // nothing that would have to be kept
    course.place = page->next;
    return;
  }
  Ends ends;
  if (job.kind == JobKind::kExpire) {
    std::vector<Delivery> deliveries;
    for (const JobItem& item : page->items) deliveries.push_back(item.delivery);
    ends = End(deliveries, DeliveryState::kExpired, EndReason::kExpiredByPerson);
  }
  if (!ends.damaged.ok()) {
    Fail(job.id, ends.damaged);
    return;
  }
  const bool whole = ends.later == 0;  // else the page is read again, without what has ended

  absl::Status made;
  std::optional<Job> stored;
  const absl::Status committed = Commit([&](Ledger& ledger) {
    absl::StatusOr<Job> next = table_.Get(job.id);
    if (!next.ok()) return;
    const bool runs = next->state == JobState::kRunning;
    if (job.kind == JobKind::kExpire) {
      next->done += ends.done;
      next->skipped += whole ? ends.skipped : 0;
      next->matched += ends.done + (whole ? ends.skipped : 0);
    } else if (runs) {
      made = MakeDeliveries(ledger, *page, *next);
      if (!made.ok()) return;
    }
    next->expected = course.expected == 0 ? 0 : std::max(course.expected, next->matched);
    if (runs && whole) {
      StoreProgress(ledger, *page, *next);
    } else if (job.kind == JobKind::kExpire) {  // what was ended is counted
      ledger.Apply(JobChanged{*next});
    } else {
      return;  // canceled meanwhile
    }
    Put(ledger, *next);
    stored = *std::move(next);
  });
  if (committed.ok() && stored) {
    const bool makes = job.kind != JobKind::kExpire;
    context_.telemetry.JobProgress(stored->matched - job.matched, makes ? stored->done - job.done : 0);
  }
  const SteadyTime now = context_.clock.Steady();
  if (!committed.ok() || !made.ok() || !whole) {
    course.pace.Refused(now);
    return;
  }
  course.place = page->next;
  if (!stored) return;
  course.pace.Made(stored->done - job.done, now);
  if (stored->state == JobState::kDone) Tell(*stored);
}

JobRunner::Ends JobRunner::End(const std::vector<Delivery>& deliveries, DeliveryState state,
                               EndReason reason) {
  struct Shared {
    absl::Mutex mutex;
    size_t waiting ABSL_GUARDED_BY(mutex) = 0;
    Ends ends ABSL_GUARDED_BY(mutex);
  };
  // An answer may come late, or never, when the store has failed.
  const auto shared = std::make_shared<Shared>();
  {
    absl::MutexLock lock(&shared->mutex);
    shared->waiting = deliveries.size();
  }
  for (const Delivery& delivery : deliveries) {
    context_.end(delivery, state, reason, [shared](const absl::Status& status) {
      absl::MutexLock lock(&shared->mutex);
      --shared->waiting;
      if (status.ok()) {
        ++shared->ends.done;
      } else if (absl::IsFailedPrecondition(status) || absl::IsNotFound(status)) {
        ++shared->ends.skipped;
      } else if (absl::IsUnavailable(status)) {
        ++shared->ends.later;
      } else {
        shared->ends.damaged = status;
      }
    });
  }
  absl::MutexLock lock(&shared->mutex);
  const auto all = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(shared->mutex) { return shared->waiting == 0; };
  while (!shared->mutex.AwaitWithTimeout(absl::Condition(&all), absl::FromChrono(kFailurePoll))) {
    // A lane whose rows cannot be read answers when they can.
    if (context_.committer.failed() || stopping()) {
      shared->ends.later += shared->waiting;
      break;
    }
  }
  return shared->ends;
}

void JobRunner::Fail(uint64_t id, const absl::Status& why) {
  std::optional<Job> failed;
  Commit([&](Ledger& ledger) {
    absl::StatusOr<Job> job = table_.Get(id);
    if (!job.ok() || job->state != JobState::kRunning) return;
    EndJob(ledger, JobState::kFailed, std::string(why.message()), *job);
    Put(ledger, *job);
    failed = *std::move(job);
  }).IgnoreError();
  if (failed) Tell(*failed);
}

}  // namespace hookd
