// The jobs that take something away: purges and rekeys. What their rows held is taken out of the files last.
#include <optional>
#include <utility>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/engine/job_purge.h"
#include "dispatcher/engine/job_runner.h"
#include "dispatcher/engine/job_step.h"

namespace hookd {
namespace {

constexpr uint32_t kRekeyFiles = 1;     // the second phase of a rekey
constexpr size_t kRekeyLooks = 10'000;  // endpoints that one step looks at, of which it seals a step's

}  // namespace

void JobRunner::PurgeStep(const Job& job, Course& course) {
  if (course.place.phase == kPurgeFiles) {
    FilesStep(job, course, Scoured::kPayloads);
    return;
  }
  absl::StatusOr<PurgePage> page = ReadPurgePage(context_.store, job, course.place, course.pace.Step());
  if (!page.ok()) {
    Fail(job.id, page.status());
    return;
  }
  if (!page->pending.empty()) {
    const Ends ends = End(page->pending, DeliveryState::kCanceled, EndReason::kPurged);
    if (!ends.damaged.ok()) Fail(job.id, ends.damaged);
    // Attempts in flight, and batches that are on their way to their end, are looked for again in a moment.
    const SteadyTime now = context_.clock.Steady();
    if (ends.done == page->pending.size()) {
      course.pace.Made(ends.done, now);
    } else {
      course.pace.Refused(now);
    }
    return;
  }
  bool whole = true;
  StoreStep(job, course, page->next, page->looked_at, [&](Ledger& ledger) {
    for (Delivery& delivery : page->ended) ledger.EraseResponses(std::move(delivery));
    for (const std::shared_ptr<const Event>& event : page->events) {
      whole &= ledger.EraseEvent(*event, page->seen);
    }
    return whole;
  });
}

void JobRunner::RekeyStep(const Job& job, Course& course) {
  if (course.place.phase == kRekeyFiles) {
    FilesStep(job, course, Scoured::kSecrets);
    return;
  }
  EndpointId after;
  if (!course.place.position.empty()) {
    const absl::StatusOr<EndpointId> parsed = EndpointId::Parse(course.place.position);
    if (!parsed.ok()) {
      Fail(job.id, parsed.status());
      return;
    }
    after = *parsed;
  }
  const size_t step = course.pace.Step();
  absl::StatusOr<StalePage> page = context_.store.StaleSecrets(after, kRekeyLooks);
  if (!page.ok()) {
    Fail(job.id, page.status());
    return;
  }
  if (page->stale.size() > step) {
    page->stale.resize(step);
    page->last = page->stale.back();
    page->more = true;
  }
  const JobPlace next = page->more ? JobPlace{0, page->last.ToString()} : JobPlace{kRekeyFiles, ""};
  StoreStep(job, course, next, page->stale.size(), [&](Ledger& ledger) {
    for (const EndpointId id : page->stale) ledger.Reseal(id);
    return true;
  });
}

void JobRunner::StoreStep(const Job& job, Course& course, const JobPlace& next, uint64_t looked_at,
                          const std::function<bool(Ledger&)>& apply) {
  bool whole = false;
  std::optional<Job> stored;
  const absl::Status committed = Commit([&](Ledger& ledger) {
    absl::StatusOr<Job> now = table_.Get(job.id);
    if (!now.ok() || now->state != JobState::kRunning) return;
    whole = apply(ledger);
    if (!whole) return;
    now->matched += looked_at;
    now->done += looked_at;
    now->expected = course.expected == 0 ? 0 : std::max(course.expected, now->matched);
    JobPage page;
    page.next = next;
    StoreProgress(ledger, page, *now);
    Put(ledger, *now);
    stored = *std::move(now);
  });
  const SteadyTime now = context_.clock.Steady();
  if (!committed.ok() || !whole) {
    course.pace.Refused(now);
    return;
  }
  context_.telemetry.JobProgress(looked_at, 0);
  course.place = next;
  course.pace.Made(looked_at, now);
}

// Other jobs wait for it, but not for a backup that it comes after. A restart in between begins it anew.
void JobRunner::FilesStep(const Job& job, Course& course, Scoured what) {
  absl::Status done = context_.store.Scour(what, stop_scouring_);
  if (absl::IsCancelled(done)) return;
  if (absl::IsUnavailable(done)) {
    course.pace.Refused(context_.clock.Steady());
    return;
  }
  if (done.ok() && what == Scoured::kSecrets) done = context_.store.ForgetOldKeys();
  if (!done.ok()) {
    Fail(job.id, done);
    return;
  }
  std::optional<Job> ended;
  const absl::Status committed = Commit([&](Ledger& ledger) {
    absl::StatusOr<Job> now = table_.Get(job.id);
    if (!now.ok() || now->state != JobState::kRunning) return;
    EndJob(ledger, JobState::kDone, "", *now);
    Put(ledger, *now);
    ended = *std::move(now);
  });
  if (!committed.ok()) course.pace.Refused(context_.clock.Steady());
  if (committed.ok() && ended) Tell(*ended);
}

}  // namespace hookd
