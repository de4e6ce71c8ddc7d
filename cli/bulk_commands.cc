#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/str_join.h>

#include "base/concat.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/output.h"
#include "cli/time_range.h"
#include "cli/words.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"

namespace hookd::cli {
namespace {

struct Flags {
  v1::ChangeEndpointsRequest request;
  std::string disabled_for;
  TimeRange times;
  bool yes = false;
};

// What takes part, for the question: "subscriber acme, host example.com".
std::string FilterText(const Flags& flags) {
  std::vector<std::string> parts;
  const auto add = [&parts](const char* name, const std::string& value) {
    if (!value.empty()) parts.push_back(Concat(name, " ", value));
  };
  add("subscriber", flags.request.subscriber_id());
  add("host", flags.request.host());
  add("disabled for", flags.disabled_for);
  add("disabled from", flags.times.from);
  add("disabled before", flags.times.before);
  return absl::StrJoin(parts, ", ");
}

// Page after page into `all`. False when a call failed; `all` has what was done before.
bool Change(Session& session, v1::ChangeEndpointsRequest request, v1::ChangeEndpointsResponse& all) {
  all.Clear();
  const auto stub = v1::EndpointService::NewStub(session.Connect());
  do {
    grpc::ClientContext context;
    session.Prepare(context);
    v1::ChangeEndpointsResponse page;
    if (!session.Check(stub->ChangeEndpoints(&context, request, &page))) return false;
    all.mutable_endpoint_ids()->MergeFrom(page.endpoint_ids());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return true;
}

void Run(Session& session, const Flags& flags, v1::EndpointAction action) {
  v1::ChangeEndpointsRequest request = flags.request;
  request.set_action(action);
  request.set_disable_reason(FromWord<v1::DisableReason>(flags.disabled_for));
  const bool times = ReadRange(
      session, flags.times, [&request] { return request.mutable_disable_time_from(); },
      [&request] { return request.mutable_disable_time_before(); });
  if (!times) return;
  const std::string filter = FilterText(flags);
  if (filter.empty()) {
    return session.UsageError("give --subscriber, --host, --disabled-for, --from or --before");
  }
  v1::ChangeEndpointsResponse all;
  const bool asks = action == v1::ENDPOINT_ACTION_DISABLE && !request.dry_run();
  if (asks && !flags.yes) {
    if (!CanConfirm(session, false, "disable the endpoints of " + filter)) return;
    v1::ChangeEndpointsRequest count = request;
    count.set_dry_run(true);
    if (!Change(session, count, all)) return;
    const std::string question =
        Concat("disable ", Grouped(all.endpoint_ids().size()), " endpoints of ", filter);
    if (!Confirm(session, false, question)) return;
  }
  const bool complete = Change(session, request, all);
  if (session.json) {
    PrintJson(all);
  } else {
    for (const std::string& id : all.endpoint_ids()) std::cout << Printable(id) << "\n";
  }
  std::cerr << "hookctl: " << Word(action) << ": " << Grouped(all.endpoint_ids().size())
            << (request.dry_run() ? " endpoints would change\n" : " endpoints changed\n");
  if (!complete) std::cerr << "hookctl: not all: the same command goes on where it stopped\n";
}

}  // namespace

void AddBulkCommands(CLI::App& endpoints, Session& session) {
  CLI::App& bulk = *endpoints.add_subcommand("bulk", "change every endpoint that all given filters take");
  bulk.require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  const auto verb = [&](const char* help, v1::EndpointAction action) {
    CLI::App* command = bulk.add_subcommand(Word(action), help);
    command->add_option("--subscriber", *flags->request.mutable_subscriber_id(), "of this one");
    command->add_option("--host", *flags->request.mutable_host(),
                        "of the URL: example.com or example.com:8443");
    command->add_option("--disabled-for", flags->disabled_for, "disabled for this reason")
        ->check(CLI::IsMember(Words<v1::DisableReason>()));
    AddFrom(*command, flags->times, "disabled");
    AddBefore(*command, flags->times, "disabled");
    command->add_option("--reason", *flags->request.mutable_reason(), "why, for people");
    command->add_flag_callback(
        "--dry-run", [flags] { flags->request.set_dry_run(true); }, "show which, and change nothing");
    if (action == v1::ENDPOINT_ACTION_DISABLE) AddYes(*command, flags->yes);
    command->callback([&session, flags, action] { Run(session, *flags, action); });
  };
  verb("end their disablement and row of failures", v1::ENDPOINT_ACTION_ENABLE);
  verb("start no attempt until they are enabled; events queue", v1::ENDPOINT_ACTION_DISABLE);
  verb("start no attempt; events queue", v1::ENDPOINT_ACTION_PAUSE);
  verb("send what queued; does not enable", v1::ENDPOINT_ACTION_RESUME);
}

}  // namespace hookd::cli
