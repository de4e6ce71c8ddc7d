#include "dispatcher/engine/job_step.h"

#include <optional>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "base/status_macros.h"

namespace hookd {
namespace {

// Each endpoint's backlog has room for its share. Gives the endpoints that are gone.
absl::StatusOr<absl::flat_hash_set<EndpointId>> CheckBacklogs(Ledger& ledger, const JobPage& page) {
  absl::flat_hash_map<EndpointId, uint64_t> shares;
  for (const JobItem& item : page.items) ++shares[item.endpoint];
  absl::flat_hash_set<EndpointId> gone;
  for (const auto& [id, share] : shares) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Endpoint> endpoint, ledger.registry().Find(id));
    if (endpoint == nullptr) {
      gone.insert(id);
      continue;
    }
    const LaneState* lane = ledger.store().Lane(id);
    if (lane == nullptr) return absl::UnavailableError("the store cannot be read: hookd is restarting");
    const uint64_t backlog = endpoint->policy.backlog;
    if (backlog != 0 && lane->pending() + share > backlog) {
      return absl::ResourceExhaustedError("the backlog of an endpoint is full");
    }
  }
  return gone;
}

}  // namespace

absl::Status MakeDeliveries(Ledger& ledger, const JobPage& page, Job& job) {
  // All that can fail comes first: the page is made as a whole, or not at all.
  ASSIGN_OR_RETURN(const absl::flat_hash_set<EndpointId> gone, CheckBacklogs(ledger, page));
  const Origin origin = job.kind == JobKind::kRecover ? Origin::kRecover : Origin::kReplay;
  for (const JobItem& item : page.items) {
    ++job.matched;
    // The page was read before this commit: somebody may have retried it since.
    const bool replaced = job.kind == JobKind::kRecover && ledger.ReplacedLately(item.delivery.id);
    const bool over =
        item.event != nullptr && item.event->expires_ms != 0 && item.event->expires_ms <= ledger.now();
    if (item.event == nullptr || replaced || over || gone.contains(item.endpoint)) {
      ++job.skipped;
      continue;
    }
    std::optional<DeliveryId> replaces;
    if (job.kind == JobKind::kRecover) replaces = item.delivery.id;
    const absl::Status made = ledger
                                  .Redeliver(item.event, item.endpoint, origin, replaces, item.delivery.state,
                                             item.delivery.accepted_ms)
                                  .status();
    if (made.ok()) {
      ++job.done;
    } else if (absl::IsNotFound(made)) {
      ++job.skipped;
    } else {
      return made;
    }
  }
  return absl::OkStatus();
}

void StoreProgress(Ledger& ledger, const JobPage& page, Job& job) {
  job.phase = page.next.phase;
  job.position = page.next.position;
  job.updated_ms = ledger.now();
  if (page.last) {
    job.state = JobState::kDone;
    job.ended_ms = job.updated_ms;
  }
  ledger.Apply(JobChanged{job});
}

void EndJob(Ledger& ledger, JobState state, const std::string& error, Job& job) {
  job.state = state;
  job.error = error;
  job.updated_ms = job.ended_ms = ledger.now();
  ledger.Apply(JobChanged{job});
}

}  // namespace hookd
