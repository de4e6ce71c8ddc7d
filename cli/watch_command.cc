#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/match.h>
#include <google/protobuf/util/time_util.h>

#include "base/concat.h"
#include "cli/commands.h"
#include "cli/delivery_text.h"
#include "cli/delivery_watch.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/words.h"
#include "hookd/v1/operations_service.grpc.pb.h"

namespace hookd::cli {
namespace {

struct Flags {
  v1::WatchDeliveriesRequest request;
  std::vector<std::string> states;
  std::string type;
  std::string retry_for = "30s";
  uint64_t limit = 0;
};

bool HasType(const std::string& type, const std::string& wanted) {
  if (!absl::EndsWith(wanted, "*")) return wanted.empty() || type == wanted;
  return absl::StartsWith(type, wanted.substr(0, wanted.size() - 1));
}

// One line; the columns that have a fixed width come first.
std::string ChangeText(const v1::DeliveryChange& change) {
  std::string outcome = change.end_reason();
  if (!change.error_kind().empty()) outcome = change.error_kind();
  if (change.status() != 0) outcome = Concat(change.status(), outcome.empty() ? "" : " ", outcome);
  std::string state = StateText(change.state());
  state.resize(std::max<size_t>(state.size(), 9), ' ');
  const std::string next = TimeText(change.next_due_time());
  return Printable(Concat(TimeText(change.change_time()), "  ", state, "  ", change.delivery_id(), "  ",
                          change.endpoint_id(), "  ", change.event_type(), "  attempts ",
                          change.attempt_count(), outcome.empty() ? "" : "  ", outcome,
                          next.empty() ? "" : "  next ", next));
}

// What the changes of one answer show. With json, each line has the commit to resume after.
class Printer {
 public:
  // `after`: the commit that the first answer follows.
  Printer(const Session& session, const Flags& flags, uint64_t after)
      : session_(session), flags_(flags), complete_(after) {}

  // False: there is enough, or the output is lost.
  bool Take(const v1::WatchDeliveriesResponse& answer) {
    int last = answer.changes_size();  // that is shown
    while (last > 0 && !HasType(answer.changes(last - 1).event_type(), flags_.type)) --last;
    for (int i = 0; i < last; ++i) {
      const v1::DeliveryChange& change = answer.changes(i);
      if (!HasType(change.event_type(), flags_.type)) continue;
      // Only behind the last of them nothing of the answer is left.
      if (!Print(change, i + 1 == last ? answer.commit() : complete_)) return false;
      if (flags_.limit != 0 && ++shown_ == flags_.limit) return false;
    }
    complete_ = answer.commit();
    return true;
  }

 private:
  bool Print(const v1::DeliveryChange& change, uint64_t commit) const {
    if (!session_.json) {
      std::cout << ChangeText(change) << "\n" << std::flush;
      return std::cout.good();
    }
    v1::WatchDeliveriesResponse line;
    *line.add_changes() = change;
    line.set_commit(commit);
    return PrintJsonLine(line);
  }

  const Session& session_;
  const Flags& flags_;
  uint64_t shown_ = 0;
  uint64_t complete_;  // everything up to this commit was shown
};

void Watch(Session& session, const Flags& flags) {
  const auto retry_for = ParseDuration(flags.retry_for);
  if (!retry_for) return session.UsageError("--retry-for is such as 30s");
  v1::WatchDeliveriesRequest request = flags.request;
  for (const std::string& state : flags.states) request.add_states(FromWord<v1::DeliveryState>(state));
  if (request.after_commit() == 0) {
    // So that a break before the first answer loses nothing.
    v1::ServerStatus status;
    const auto stub = v1::OperationsService::NewStub(session.Connect());
    grpc::ClientContext context;
    session.Prepare(context);
    const grpc::Status asked = stub->GetStatus(&context, v1::GetStatusRequest(), &status);
    // A subscriber's token may not ask, but may watch.
    if (asked.error_code() != grpc::StatusCode::PERMISSION_DENIED && !session.Check(asked)) return;
    request.set_after_commit(status.last_commit());
  }
  Printer printer(session, flags, request.after_commit());
  const auto patience =
      std::chrono::milliseconds(google::protobuf::util::TimeUtil::DurationToMilliseconds(*retry_for));
  session.Check(WatchDeliveries(session.Connect(), request, patience, RealClock(),
                                [&printer](const auto& answer) { return printer.Take(answer); }));
}

}  // namespace

void AddWatchCommand(CLI::App& deliveries, Session& session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* watch = deliveries.add_subcommand("watch", "show changes of state as they happen, until Ctrl-C");
  watch->alias("tail");
  watch->add_option("--endpoint", *flags->request.mutable_endpoint_id(), "ep_...");
  watch->add_option("--subscriber", *flags->request.mutable_subscriber_id(), "the platform's own id");
  watch->add_option("--state", flags->states, "changes into it alone; repeat it")
      ->check(CLI::IsMember(Words<v1::DeliveryState>()));
  watch->add_option("--type", flags->type, "of the event, or a prefix as \"message:*\"");
  watch->add_option_function<uint64_t>(
      "--after-commit", [flags](uint64_t commit) { flags->request.set_after_commit(commit); },
      "changes of later commits, of the last 24 h; else from now on");
  watch->add_option("--limit", flags->limit, "end after so many changes; 0 = never");
  watch->add_option("--retry-for", flags->retry_for, "how long to try again without an answer")
      ->capture_default_str();
  watch->callback([&session, flags] { Watch(session, *flags); });
}

}  // namespace hookd::cli
