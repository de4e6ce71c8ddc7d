#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/concat.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/manifest.h"
#include "cli/output.h"
#include "cli/paging.h"
#include "cli/parse.h"
#include "cli/plan.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"
#include "hookd/v1/subscriber_service.grpc.pb.h"

namespace hookd::cli {
namespace {

using Endpoints = v1::EndpointService;
using Subscribers = v1::SubscriberService;

struct Flags {
  std::string file;
  PlanOptions plan;
  bool dry_run = false;
  bool yes = false;
};

// Adds it to `current` if it exists. False: a call failed.
bool ReadCurrent(Session& session, const std::string& id, Current& current) {
  const auto subscribers = Subscribers::NewStub(session.Connect());
  CurrentSubscriber there;
  {
    grpc::ClientContext context;
    session.Prepare(context);
    const grpc::Status status =
        subscribers->GetSubscriber(&context, ById<v1::GetSubscriberRequest>(id), &there.subscriber);
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) return true;
    if (!session.Check(status)) return false;
  }
  const auto endpoints = Endpoints::NewStub(session.Connect());
  v1::ListEndpointsRequest request;
  request.set_subscriber_id(id);
  request.set_with_url_query(true);  // to be compared; it is not shown
  const bool read = ReadPages<v1::ListEndpointsRequest, v1::ListEndpointsResponse>(
      session, request, 0,
      [&endpoints](grpc::ClientContext* context, const auto& asked, auto* page) {
        return endpoints->ListEndpoints(context, asked, page);
      },
      [&there](const v1::ListEndpointsResponse& page) {
        there.endpoints.insert(there.endpoints.end(), page.endpoints().begin(), page.endpoints().end());
        return page.endpoints_size();
      });
  if (read) current.emplace(id, std::move(there));
  return read;
}

// Does the steps, one after the other.
class Applier {
 public:
  explicit Applier(Session& session) : session_(session) {}

  // False: a call failed; `session` has said so.
  bool Apply(const Step& step) { return step.is_endpoint ? ApplyEndpoint(step) : ApplySubscriber(step); }

  // Of the endpoints that were created, hookd's own secrets: shown this once.
  struct Created {
    std::string id;
    std::string subscriber_id;
    std::string label;
    std::string signing_secret;
  };
  const std::vector<Created>& created() const { return created_; }

 private:
  bool ApplySubscriber(const Step& step) {
    v1::Subscriber answer;
    if (step.action == Action::kCreate) {
      v1::CreateSubscriberRequest request;
      *request.mutable_subscriber() = step.subscriber;
      if (!Ask<Subscribers>(session_, &Subscribers::Stub::CreateSubscriber, request, answer)) return false;
    } else if (!step.paths.empty()) {
      v1::UpdateSubscriberRequest request;
      *request.mutable_subscriber() = step.subscriber;
      for (const std::string& path : step.paths) request.mutable_update_mask()->add_paths(path);
      if (!Ask<Subscribers>(session_, &Subscribers::Stub::UpdateSubscriber, request, answer)) return false;
    }
    if (!step.paused) return true;
    if (*step.paused) {
      return Ask<Subscribers>(session_, &Subscribers::Stub::PauseSubscriber,
                              ById<v1::PauseSubscriberRequest>(step.subscriber_id), answer);
    }
    return Ask<Subscribers>(session_, &Subscribers::Stub::ResumeSubscriber,
                            ById<v1::ResumeSubscriberRequest>(step.subscriber_id), answer);
  }

  bool ApplyEndpoint(const Step& step) {
    if (step.action == Action::kDelete) {
      google::protobuf::Empty nothing;
      return Ask<Endpoints>(session_, &Endpoints::Stub::DeleteEndpoint,
                            ById<v1::DeleteEndpointRequest>(step.endpoint_id), nothing);
    }
    std::string id = step.endpoint_id;
    if (step.action == Action::kCreate) {
      v1::CreateEndpointRequest request;
      *request.mutable_endpoint() = step.endpoint;
      v1::CreateEndpointResponse response;
      if (!Ask<Endpoints>(session_, &Endpoints::Stub::CreateEndpoint, request, response)) return false;
      id = response.endpoint().id();
      created_.push_back({id, step.subscriber_id, step.label, response.signing_secret()});
    } else if (!step.paths.empty() && !Update(step)) {
      return false;
    }
    return SetPaused(id, step.paused) && SetDisabled(id, step.disabled);
  }

  bool Update(const Step& step) {
    v1::UpdateEndpointRequest request;
    *request.mutable_endpoint() = step.endpoint;
    request.mutable_endpoint()->set_id(step.endpoint_id);
    for (const std::string& path : step.paths) request.mutable_update_mask()->add_paths(path);
    return ChangeState(&Endpoints::Stub::UpdateEndpoint, request);
  }

  bool SetPaused(const std::string& id, std::optional<bool> paused) {
    if (!paused) return true;
    return *paused ? ChangeState(&Endpoints::Stub::PauseEndpoint, WithReason<v1::PauseEndpointRequest>(id))
                   : ChangeState(&Endpoints::Stub::ResumeEndpoint, WithReason<v1::ResumeEndpointRequest>(id));
  }

  bool SetDisabled(const std::string& id, std::optional<bool> disabled) {
    if (!disabled) return true;
    return *disabled
               ? ChangeState(&Endpoints::Stub::DisableEndpoint, WithReason<v1::DisableEndpointRequest>(id))
               : ChangeState(&Endpoints::Stub::EnableEndpoint, WithReason<v1::EnableEndpointRequest>(id));
  }

  template <typename Request>
  static Request WithReason(const std::string& id) {
    Request request = ById<Request>(id);
    request.set_reason("hookctl apply");
    return request;
  }

  template <typename Method, typename Request>
  bool ChangeState(Method method, const Request& request) {
    v1::Endpoint answer;
    return Ask<Endpoints>(session_, method, request, answer);
  }

  Session& session_;
  std::vector<Created> created_;
};

void PrintCreated(const std::vector<Applier::Created>& created) {
  std::vector<Row> rows;
  for (const auto& one : created) rows.push_back({one.id, one.subscriber_id, one.label, one.signing_secret});
  if (rows.empty()) return;
  std::cout << "\n";
  PrintTable({"CREATED", "SUBSCRIBER", "NAME", "SIGNING SECRET (SHOWN THIS ONCE)"}, rows);
}

// The plan's document, with what was created and how far it was done.
void PrintResultJson(const std::vector<Step>& plan, const std::vector<Applier::Created>& created,
                     size_t applied) {
  google::protobuf::Struct document = PlanJson(plan);
  auto& fields = *document.mutable_fields();
  fields["applied"].set_number_value(static_cast<double>(applied));
  auto& list = *fields["created"].mutable_list_value();
  for (const auto& one : created) {
    auto& entry = *list.add_values()->mutable_struct_value()->mutable_fields();
    entry["endpoint_id"].set_string_value(one.id);
    entry["subscriber_id"].set_string_value(one.subscriber_id);
    entry["label"].set_string_value(one.label);
    entry["signing_secret"].set_string_value(one.signing_secret);
  }
  PrintJson(document);
}

void Apply(Session& session, const std::vector<Step>& plan) {
  Applier applier(session);
  size_t applied = 0;
  while (applied < plan.size() && applier.Apply(plan[applied])) ++applied;
  if (session.json) {
    PrintResultJson(plan, applier.created(), applied);
  } else {
    PrintCreated(applier.created());
  }
  if (applied < plan.size()) {
    std::cerr << "hookctl: stopped at " << (plan[applied].is_endpoint ? "an endpoint" : "subscriber")
              << " of " << Printable(plan[applied].subscriber_id) << ": " << applied << " of " << plan.size()
              << " were applied and stay; the same command goes on\n";
  } else if (!session.json) {
    std::cout << applied << " applied\n";
  }
}

void Run(Session& session, const Flags& flags) {
  const absl::StatusOr<std::string> text = ReadFile(flags.file);
  if (!text.ok()) return session.UsageError(std::string(text.status().message()));
  const std::string name = flags.file == "-" ? "standard input" : flags.file;
  const absl::StatusOr<Manifest> manifest = ParseManifest(*text, name);
  if (!manifest.ok()) return session.UsageError(std::string(manifest.status().message()));
  Current current;
  for (const WantedSubscriber& subscriber : manifest->subscribers) {
    if (!ReadCurrent(session, subscriber.id, current)) return;
  }
  const absl::StatusOr<std::vector<Step>> plan = MakePlan(*manifest, current, flags.plan);
  if (!plan.ok()) return session.UsageError(std::string(plan.status().message()));
  if (!session.json) std::cout << PlanText(*plan) << std::flush;
  if (flags.dry_run || plan->empty()) {
    if (session.json) PrintResultJson(*plan, {}, 0);
    if (!plan->empty()) session.exit_code = kExitDiffers;
    return;
  }
  if (session.json && !flags.yes) std::cerr << PlanText(*plan);  // a person is asked about it
  if (Confirm(session, flags.yes, "apply this")) Apply(session, *plan);
}

}  // namespace

void AddApplyCommand(CLI::App& app, Session& session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* apply = app.add_subcommand("apply", "bring subscribers and endpoints to what a file describes");
  apply->add_option("-f,--file", flags->file, "YAML or JSON; - = standard input")->required();
  apply->add_flag("--dry-run", flags->dry_run, "show the difference, change nothing; 5 when there is one");
  apply->add_flag("--prune", flags->plan.prune, "delete endpoints of its subscribers that it does not name");
  apply->add_flag("--secrets", flags->plan.secrets,
                  "send secrets again: hookd does not show whether they differ");
  AddYes(*apply, flags->yes);
  apply->callback([&session, flags] { Run(session, *flags); });
}

}  // namespace hookd::cli
