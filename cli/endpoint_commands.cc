#include <memory>
#include <string>
#include <vector>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/endpoint_flags.h"
#include "cli/endpoint_text.h"
#include "cli/output.h"
#include "cli/paging.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"

namespace hookd::cli {
namespace {

// One call that answers with the endpoint.
template <typename Request, typename Method>
void Call(Session& session, const Request& request, Method method) {
  v1::Endpoint endpoint;
  if (!Ask<v1::EndpointService>(session, method, request, endpoint)) return;
  if (session.json) return PrintJson(endpoint);
  ShowEndpoint(endpoint);
}

void Create(Session& session, const EndpointFlags& flags) {
  v1::CreateEndpointRequest request;
  if (const std::string wrong = FillEndpoint(flags, *request.mutable_endpoint()); !wrong.empty()) {
    return session.UsageError(wrong);
  }
  request.mutable_endpoint()->set_subscriber_id(flags.subscriber);
  request.set_require_verification(flags.require_verification);
  v1::CreateEndpointResponse response;
  if (!Ask<v1::EndpointService>(session, &v1::EndpointService::Stub::CreateEndpoint, request, response))
    return;
  if (session.json) return PrintJson(response);
  ShowEndpoint(response.endpoint());
  PrintFields({{"signing secret (shown this once)", response.signing_secret()}});
}

void Update(Session& session, const EndpointFlags& flags) {
  if (flags.disable_after.has_value() != flags.disable_on_gone.has_value()) {
    return session.UsageError("give --disable-after and --disable-on-gone together: an update sets both");
  }
  if (flags.disable_on_429 && !flags.disable_after) {
    return session.UsageError(
        "give --disable-after and --disable-on-gone with --disable-on-429: an update sets all");
  }
  v1::UpdateEndpointRequest request;
  if (const std::string wrong = FillEndpoint(flags, *request.mutable_endpoint()); !wrong.empty()) {
    return session.UsageError(wrong);
  }
  request.mutable_endpoint()->set_id(flags.id);
  for (const std::string& path : MaskPaths(flags)) request.mutable_update_mask()->add_paths(path);
  if (request.update_mask().paths().empty()) return session.UsageError("nothing to change: give an option");
  request.set_require_verification(flags.require_verification);
  Call(session, request, &v1::EndpointService::Stub::UpdateEndpoint);
}

void List(Session& session, const EndpointFlags& flags) {
  const auto stub = v1::EndpointService::NewStub(session.Connect());
  v1::ListEndpointsRequest request;
  request.set_subscriber_id(flags.subscriber);
  request.set_with_url_query(flags.show_query);
  v1::ListEndpointsResponse all;
  const bool read = ReadPages<v1::ListEndpointsRequest, v1::ListEndpointsResponse>(
      session, request, flags.limit,
      [&stub](grpc::ClientContext* context, const auto& asked, auto* page) {
        return stub->ListEndpoints(context, asked, page);
      },
      [&all](const v1::ListEndpointsResponse& page) {
        all.mutable_endpoints()->MergeFrom(page.endpoints());
        return page.endpoints_size();
      });
  if (!read) return;
  if (session.json) return PrintJson(all);
  std::vector<Row> rows;
  for (const v1::Endpoint& endpoint : all.endpoints()) {
    rows.push_back({endpoint.id(), endpoint.subscriber_id(), OneLine(endpoint.url(), 60),
                    ModeName(endpoint.policy().mode()), YesNo(endpoint.paused()),
                    YesNo(endpoint.has_disabled()), std::to_string(endpoint.health().pending()),
                    std::to_string(endpoint.health().retrying()),
                    std::to_string(endpoint.health().consecutive_failures())});
  }
  PrintTable({"ID", "SUBSCRIBER", "URL", "MODE", "PAUSED", "DISABLED", "PENDING", "RETRYING", "FAILURES"},
             rows);
}

void Delete(Session& session, const EndpointFlags& flags) {
  if (!Confirm(session, flags.yes, "delete endpoint " + flags.id + "; what is pending is canceled")) return;
  google::protobuf::Empty nothing;
  Ask<v1::EndpointService>(session, &v1::EndpointService::Stub::DeleteEndpoint,
                           ById<v1::DeleteEndpointRequest>(flags.id), nothing);
}

template <typename Request>
Request WithReason(const EndpointFlags& flags) {
  Request request = ById<Request>(flags.id);
  request.set_reason(flags.reason);
  return request;
}

}  // namespace

void AddEndpointCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("endpoints", "URLs of subscribers");
  noun.require_subcommand(1);
  auto flags = std::make_shared<EndpointFlags>();
  const auto verb = [&noun, flags](const char* name, const char* help) {
    CLI::App* command = noun.add_subcommand(name, help);
    command->add_option("id", flags->id, "ep_...")->required();
    return command;
  };

  CLI::App* create = noun.add_subcommand("create", "make an endpoint; shows its signing secret once");
  create->add_option("--subscriber", flags->subscriber, "whose it is")->required();
  AddEndpointOptions(*create, *flags);
  create->get_option("--url")->required();
  create->add_option("--delivery-profile", flags->profile,
                     "the profile that it is made from; without it the subscriber's");
  create->add_flag("--require-verification", flags->require_verification,
                   "disabled until endpoints verify has proven it");
  create->callback([&session, flags] { Create(session, *flags); });

  CLI::App* get = verb("get", "show an endpoint");
  get->add_flag("--show-query", flags->show_query, "show the URL's query as it is");
  get->callback([&session, flags] {
    auto request = ById<v1::GetEndpointRequest>(flags->id);
    request.set_with_url_query(flags->show_query);
    Call(session, request, &v1::EndpointService::Stub::GetEndpoint);
  });

  CLI::App* list = noun.add_subcommand("list", "show endpoints, by id");
  list->add_option("--subscriber", flags->subscriber, "of this one alone");
  list->add_option("--limit", flags->limit, "at most so many; 0 = all")->check(CLI::NonNegativeNumber);
  list->add_flag("--show-query", flags->show_query, "show the URLs' queries as they are");
  list->callback([&session, flags] { List(session, *flags); });

  CLI::App* update = verb("update", "change what the options give");
  AddEndpointOptions(*update, *flags);
  update->add_option("--reset", flags->reset, "a field that takes its default, such as policy.timeout");
  update->add_flag("--require-verification", flags->require_verification,
                   "with another --url: disabled until endpoints verify has proven it");
  update->callback([&session, flags] { Update(session, *flags); });

  CLI::App* remove = verb("delete", "delete an endpoint; what is pending is canceled");
  AddYes(*remove, flags->yes);
  remove->callback([&session, flags] { Delete(session, *flags); });
  const auto state = [&session, &verb, flags](const char* name, const char* help, auto request, auto method) {
    CLI::App* command = verb(name, help);
    command->add_option("--reason", flags->reason, "why, for people");
    command->callback(
        [&session, flags, method] { Call(session, WithReason<decltype(request)>(*flags), method); });
  };
  using Stub = v1::EndpointService::Stub;
  state("enable", "end a disablement and the row of failures", v1::EnableEndpointRequest(),
        &Stub::EnableEndpoint);
  state("disable", "start no attempt until it is enabled; events queue", v1::DisableEndpointRequest(),
        &Stub::DisableEndpoint);
  state("pause", "start no attempt; events queue", v1::PauseEndpointRequest(), &Stub::PauseEndpoint);
  state("resume", "send what queued, in order and at the endpoint's rate; does not enable",
        v1::ResumeEndpointRequest(), &Stub::ResumeEndpoint);
  AddRotateCommand(noun, session);
  AddBulkCommands(noun, session);
  AddStatisticsCommand(noun, session, false);
  AddTopCommand(noun, session);
  AddTestCommand(noun, session);
  AddVerifyCommand(noun, session);
}

}  // namespace hookd::cli
