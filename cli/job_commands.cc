#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/ascii.h>

#include "base/concat.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/job_watch.h"
#include "cli/output.h"
#include "cli/paging.h"
#include "cli/progress.h"
#include "cli/time_range.h"
#include "cli/words.h"
#include "hookd/v1/delivery_service.pb.h"
#include "hookd/v1/job_service.grpc.pb.h"

namespace hookd::cli {
namespace {

using Stub = v1::JobService::Stub;

struct Flags {
  std::string id;
  std::string endpoint;
  std::string subscriber;
  std::string event;
  std::string host;
  std::string type;
  std::string state;
  std::string reason;
  TimeRange times;
  uint32_t rate = 0;
  bool dry_run = false;
  bool wait = false;
  bool progress = false;
  bool yes = false;
  bool running = false;
  int64_t limit = 100;
};

// Starts what `request` says; asks with `question` first, unless that is empty.
template <typename Request, typename Method>
void StartAny(Session& session, const Flags& flags, Request request, Method method,
              const std::string& question) {
  request.set_reason(flags.reason);
  v1::Job job;
  if (!question.empty() && !flags.dry_run && !flags.yes) {
    if (!CanConfirm(session, false, question)) return;
    request.set_dry_run(true);
    if (!Ask<v1::JobService>(session, method, request, job)) return;
    const std::string count = Grouped(std::max(job.expected(), job.matched()));
    if (!Confirm(session, false, Concat(question, ", about ", count))) return;
  }
  request.set_dry_run(flags.dry_run);
  if (!Ask<v1::JobService>(session, method, request, job)) return;
  if (!flags.wait || flags.dry_run) return ShowJob(session, job);
  std::cerr << "hookctl: " << job.id() << " runs; it goes on also if hookctl is stopped\n";
  WatchJob(session, flags.progress, job.id());
}

template <typename Request, typename Method>
void Start(Session& session, const Flags& flags, Request request, Method method,
           const std::string& question = "") {
  request.set_rate(flags.rate);
  request.set_endpoint_id(flags.endpoint);
  request.set_event_type(flags.type);
  StartAny(session, flags, std::move(request), method, question);
}

void Expire(Session& session, const Flags& flags) {
  if (flags.endpoint.empty() && flags.subscriber.empty()) {
    return session.UsageError("give --endpoint, --subscriber, or both");
  }
  v1::ExpireBacklogRequest request;
  request.set_subscriber_id(flags.subscriber);
  if (!flags.times.before.empty() &&
      !ReadPast(session, "--before", flags.times.before, *request.mutable_accept_time_before())) {
    return;
  }
  const std::string whose =
      flags.endpoint.empty() ? "subscriber " + flags.subscriber : "endpoint " + flags.endpoint;
  Start(session, flags, request, &Stub::ExpireBacklog, "end pending deliveries of " + whose);
}

void Recover(Session& session, const Flags& flags) {
  v1::RecoverDeliveriesRequest request;
  request.set_subscriber_id(flags.subscriber);
  request.set_host(flags.host);
  request.set_state(FromWord<v1::DeliveryState>(flags.state));
  const bool times = ReadRange(
      session, flags.times, [&request] { return request.mutable_accept_time_from(); },
      [&request] { return request.mutable_accept_time_before(); });
  if (times) Start(session, flags, request, &Stub::RecoverDeliveries);
}

void Replay(Session& session, const Flags& flags) {
  v1::ReplayEventsRequest request;
  const bool times = ReadRange(
      session, flags.times, [&request] { return request.mutable_accept_time_from(); },
      [&request] { return request.mutable_accept_time_before(); });
  if (times) Start(session, flags, request, &Stub::ReplayEvents);
}

void Purge(Session& session, const Flags& flags) {
  if (flags.event.empty() == flags.subscriber.empty()) {
    return session.UsageError("give --event or --subscriber, and not both");
  }
  const std::string question = "erase payloads and kept answers of ";
  if (!flags.event.empty()) {
    v1::PurgeEventRequest request;
    request.set_event_id(flags.event);
    return StartAny(session, flags, request, &Stub::PurgeEvent, question + "event " + flags.event);
  }
  v1::PurgeSubscriberRequest request;
  request.set_subscriber_id(flags.subscriber);
  request.set_rate(flags.rate);
  StartAny(session, flags, request, &Stub::PurgeSubscriber, question + "subscriber " + flags.subscriber);
}

void List(Session& session, const Flags& flags) {
  const auto stub = v1::JobService::NewStub(session.Connect());
  v1::ListJobsRequest request;
  request.set_running(flags.running);
  v1::ListJobsResponse all;
  const bool read = ReadPages<v1::ListJobsRequest, v1::ListJobsResponse>(
      session, request, flags.limit,
      [&stub](grpc::ClientContext* context, const auto& asked, auto* page) {
        return stub->ListJobs(context, asked, page);
      },
      [&all](const v1::ListJobsResponse& page) {
        all.mutable_jobs()->MergeFrom(page.jobs());
        return page.jobs_size();
      });
  if (!read) return;
  if (session.json) return PrintJson(all);
  std::vector<Row> rows;
  for (const v1::Job& job : all.jobs()) {
    rows.push_back({job.id(), Word(job.kind()), absl::AsciiStrToUpper(Word(job.state())),
                    std::to_string(job.matched()), std::to_string(job.done()), std::to_string(job.skipped()),
                    job.expected() == 0 ? "-" : std::to_string(job.expected()), TimeText(job.create_time()),
                    OneLine(job.reason(), 40)});
  }
  PrintTable({"ID", "KIND", "STATE", "LOOKED AT", "DONE", "LEFT ALONE", "EXPECTED", "CREATED", "REASON"},
             rows);
}

void Cancel(Session& session, const Flags& flags) {
  if (!Confirm(session, flags.yes, "cancel " + flags.id + "; what it has done stays")) return;
  v1::Job job;
  if (Ask<v1::JobService>(session, &Stub::CancelJob, ById<v1::CancelJobRequest>(flags.id), job)) {
    ShowJob(session, job);
  }
}

void AddRunOptions(CLI::App& command, Flags& flags) {
  command.add_option("--rate", flags.rate, "deliveries per second; 0 = 1,000");
  command.add_option("--reason", flags.reason, "why, for people");
  command.add_flag("--dry-run", flags.dry_run, "count, and start nothing");
  command.add_flag("--wait", flags.wait, "until it has ended");
  AddProgress(command, flags.progress);
}

void AddStarterOptions(CLI::App& command, Flags& flags) {
  command.add_option("--type", flags.type, "of the event, or a prefix as \"message:*\"");
  AddRunOptions(command, flags);
}

void AddStarters(CLI::App& noun, Session& session, const std::shared_ptr<Flags>& flags) {
  CLI::App* expire = noun.add_subcommand("expire", "end pending deliveries as EXPIRED");
  expire->add_option("--endpoint", flags->endpoint, "ep_...");
  expire->add_option("--subscriber", flags->subscriber, "the platform's own id");
  AddBefore(*expire, flags->times, "made");
  AddStarterOptions(*expire, *flags);
  AddYes(*expire, flags->yes);
  expire->callback([&session, flags] { Expire(session, *flags); });

  CLI::App* purge = noun.add_subcommand("purge", "erase payloads and kept answers now, from the files too");
  purge->add_option("--event", flags->event, "evt_...");
  purge->add_option("--subscriber", flags->subscriber, "the platform's own id");
  AddRunOptions(*purge, *flags);
  AddYes(*purge, flags->yes);
  purge->callback([&session, flags] { Purge(session, *flags); });

  CLI::App* recover = noun.add_subcommand("recover", "deliver again what ended EXHAUSTED or EXPIRED");
  recover->add_option("--endpoint", flags->endpoint, "ep_...");
  recover->add_option("--subscriber", flags->subscriber, "the platform's own id");
  recover->add_option("--host", flags->host, "of the URL, such as example.com or example.com:8443");
  AddFrom(*recover, flags->times, "made");
  AddBefore(*recover, flags->times, "made");
  recover->add_option("--state", flags->state, "that one alone")
      ->check(CLI::IsMember({"exhausted", "expired"}));
  AddStarterOptions(*recover, *flags);
  recover->callback([&session, flags] { Recover(session, *flags); });

  CLI::App* replay =
      noun.add_subcommand("replay", "deliver events again to an endpoint, or for the first time");
  replay->add_option("--endpoint", flags->endpoint, "ep_...")->required();
  AddFrom(*replay, flags->times, "accepted");
  replay->get_option("--from")->required();
  AddBefore(*replay, flags->times, "accepted");
  AddStarterOptions(*replay, *flags);
  replay->callback([&session, flags] { Replay(session, *flags); });
}

}  // namespace

void AddJobCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("jobs", "work on many deliveries");
  noun.require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  const auto verb = [&noun, flags](const char* name, const char* help) {
    CLI::App* command = noun.add_subcommand(name, help);
    command->add_option("id", flags->id, "job_...")->required();
    return command;
  };
  AddStarters(noun, session, flags);
  verb("get", "show a job")->callback([&session, flags] {
    v1::Job job;
    if (Ask<v1::JobService>(session, &Stub::GetJob, ById<v1::GetJobRequest>(flags->id), job)) {
      ShowJob(session, job);
    }
  });
  CLI::App* list = noun.add_subcommand("list", "show jobs, the newest first");
  list->add_flag("--running", flags->running, "those that run alone");
  list->add_option("--limit", flags->limit, "at most so many; 0 = all")->check(CLI::NonNegativeNumber);
  list->callback([&session, flags] { List(session, *flags); });
  CLI::App* cancel = verb("cancel", "stop a job; what it has done stays done");
  AddYes(*cancel, flags->yes);
  cancel->callback([&session, flags] { Cancel(session, *flags); });
  CLI::App* watch = verb("watch", "wait until a job has ended, and show it");
  AddProgress(*watch, flags->progress);
  watch->callback([&session, flags] { WatchJob(session, flags->progress, flags->id); });
}

}  // namespace hookd::cli
