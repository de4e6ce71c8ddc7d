// A job on the screen.
#pragma once

#include <string>

#include "cli/session.h"
#include "hookd/v1/job_service.pb.h"

namespace hookd::cli {

void ShowJob(Session& session, const v1::Job& job);

// Waits until the job has ended, and shows it; a restart of the server is waited for. What the job does goes
// on without us.
void WatchJob(Session& session, bool progress, const std::string& id);

}  // namespace hookd::cli
