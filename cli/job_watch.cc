#include "cli/job_watch.h"

#include <chrono>
#include <iostream>
#include <optional>
#include <thread>

#include "cli/call.h"
#include "cli/job_text.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "hookd/v1/job_service.grpc.pb.h"

namespace hookd::cli {
namespace {

constexpr std::chrono::milliseconds kPollEvery{500};
constexpr std::chrono::seconds kWithoutAnswer{60};

}  // namespace

void ShowJob(Session& session, const v1::Job& job) {
  if (session.json) return PrintJson(job);
  std::cout << JobText(job);
}

void WatchJob(Session& session, bool show_progress, const std::string& id) {
  const Clock& clock = RealClock();
  const auto stub = v1::JobService::NewStub(session.Connect());
  Progress progress(show_progress, clock);
  v1::Job job;
  std::optional<uint64_t> first;
  SteadyTime answered = clock.Steady();
  for (;;) {
    grpc::ClientContext context;
    session.Prepare(context);
    const grpc::Status status = stub->GetJob(&context, ById<v1::GetJobRequest>(id), &job);
    if (status.ok()) {
      answered = clock.Steady();
      if (job.state() != v1::JOB_STATE_RUNNING) break;
      if (!first) first = job.matched();
      if (progress.Due()) progress.Show(JobProgressText(job, *first, progress.Elapsed()));
    } else if (!(MayTryAgain(status) || status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) ||
               clock.Steady() - answered > kWithoutAnswer) {
      session.Check(status);
      return;
    }
    std::this_thread::sleep_for(kPollEvery);
  }
  progress.End();
  ShowJob(session, job);
  if (job.state() != v1::JOB_STATE_DONE) session.exit_code = kExitRefused;
}

}  // namespace hookd::cli
