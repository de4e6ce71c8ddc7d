// What a step of a job does in its commit.
#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/model.h"
#include "dispatcher/engine/job_list.h"
#include "dispatcher/engine/ledger.h"

namespace hookd {

// A recovery or a replay: makes the page's deliveries, and adds to the job's counts. RESOURCE_EXHAUSTED: an
// endpoint's backlog has no room for its share; nothing was made then. On the committer's thread.
absl::Status MakeDeliveries(Ledger& ledger, const JobPage& page, Job& job);

// The job is at the end of the page: stores it so. The page's counts are in it already.
void StoreProgress(Ledger& ledger, const JobPage& page, Job& job);

// Ends the job, and stores it so.
void EndJob(Ledger& ledger, JobState state, const std::string& error, Job& job);

}  // namespace hookd
