#include <memory>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "cli/commands.h"
#include "cli/endpoint_flags.h"
#include "cli/output.h"
#include "cli/paging.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"

namespace hookd::cli {
namespace {

std::string RangesText(const v1::DeliveryPolicy& policy) {
  return absl::StrJoin(policy.success_codes(), ",", [](std::string* out, const v1::StatusRange& range) {
    absl::StrAppend(out, range.first(), "-", range.last());
  });
}

std::string ModeText(const v1::DeliveryPolicy& policy) {
  if (policy.mode() == v1::DELIVERY_MODE_PARALLEL) {
    return absl::StrCat("parallel, ", policy.max_in_flight(), " in flight");
  }
  return "ordered";
}

void ShowFields(const v1::Endpoint& endpoint) {
  const v1::DeliveryPolicy& policy = endpoint.policy();
  const v1::EndpointHealth& health = endpoint.health();
  std::vector<std::pair<std::string, std::string>> fields = {
      {"id", endpoint.id()},
      {"subscriber", endpoint.subscriber_id()},
      {"description", endpoint.description()},
      {"url", endpoint.url()},
      {"event types", absl::StrJoin(endpoint.event_types(), " ")},
      {"channels", absl::StrJoin(endpoint.channels(), " ")},
  };
  for (const v1::Header& header : endpoint.headers()) {
    fields.emplace_back("header",
                        absl::StrCat(header.name(), ": ", header.secret() ? "(secret)" : header.value()));
  }
  const std::vector<std::pair<std::string, std::string>> rest = {
      {"mode", ModeText(policy)},
      {"timeout", DurationText(policy.timeout())},
      {"success", RangesText(policy)},
      {"max retries", std::to_string(policy.max_retries())},
      {"backoff",
       absl::StrCat(DurationText(policy.backoff().linear().step()), " x n, at most ",
                    DurationText(policy.backoff().linear().cap()), ", jitter ", policy.backoff().jitter())},
      {"rate limit",
       policy.rate_limit().per_second() == 0
           ? "none"
           : absl::StrCat(policy.rate_limit().per_second(), "/s, burst ", policy.rate_limit().burst())},
      {"paused", YesNo(endpoint.paused())},
      {"pending", absl::StrCat(health.pending(), " (", health.retrying(), " wait for a retry)")},
      {"failures in a row", std::to_string(health.consecutive_failures())},
      {"failing since", TimeText(health.failing_since())},
      {"last success", TimeText(health.last_success())},
      {"next sequence", std::to_string(health.next_sequence())},
      {"created", TimeText(endpoint.create_time())},
      {"updated", TimeText(endpoint.update_time())},
  };
  fields.insert(fields.end(), rest.begin(), rest.end());
  PrintFields(fields);
}

// One call that answers with the endpoint.
template <typename Request, typename Method>
void Call(Session& session, const Request& request, Method method) {
  const auto stub = v1::EndpointService::NewStub(session.Connect());
  grpc::ClientContext context;
  session.Prepare(context);
  v1::Endpoint endpoint;
  if (!session.Check((stub.get()->*method)(&context, request, &endpoint))) return;
  if (session.json) return PrintJson(endpoint);
  ShowFields(endpoint);
}

void Create(Session& session, const EndpointFlags& flags) {
  v1::CreateEndpointRequest request;
  if (const std::string wrong = FillEndpoint(flags, *request.mutable_endpoint()); !wrong.empty()) {
    return session.UsageError(wrong);
  }
  request.mutable_endpoint()->set_subscriber_id(flags.subscriber);
  const auto stub = v1::EndpointService::NewStub(session.Connect());
  grpc::ClientContext context;
  session.Prepare(context);
  v1::CreateEndpointResponse response;
  if (!session.Check(stub->CreateEndpoint(&context, request, &response))) return;
  if (session.json) return PrintJson(response);
  ShowFields(response.endpoint());
  PrintFields({{"signing secret (shown this once)", response.signing_secret()}});
}

void Update(Session& session, const EndpointFlags& flags) {
  v1::UpdateEndpointRequest request;
  if (const std::string wrong = FillEndpoint(flags, *request.mutable_endpoint()); !wrong.empty()) {
    return session.UsageError(wrong);
  }
  request.mutable_endpoint()->set_id(flags.id);
  for (const std::string& path : MaskPaths(flags)) request.mutable_update_mask()->add_paths(path);
  if (request.update_mask().paths().empty()) return session.UsageError("nothing to change: give an option");
  Call(session, request, &v1::EndpointService::Stub::UpdateEndpoint);
}

void List(Session& session, const EndpointFlags& flags) {
  const auto stub = v1::EndpointService::NewStub(session.Connect());
  v1::ListEndpointsRequest request;
  request.set_subscriber_id(flags.subscriber);
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
  std::vector<std::vector<std::string>> rows;
  for (const v1::Endpoint& endpoint : all.endpoints()) {
    rows.push_back({endpoint.id(), endpoint.subscriber_id(), OneLine(endpoint.url(), 60),
                    endpoint.policy().mode() == v1::DELIVERY_MODE_PARALLEL ? "parallel" : "ordered",
                    YesNo(endpoint.paused()), std::to_string(endpoint.health().pending()),
                    std::to_string(endpoint.health().retrying()),
                    std::to_string(endpoint.health().consecutive_failures())});
  }
  PrintTable({"ID", "SUBSCRIBER", "URL", "MODE", "PAUSED", "PENDING", "RETRYING", "FAILURES"}, rows);
}

void Delete(Session& session, const EndpointFlags& flags) {
  const auto stub = v1::EndpointService::NewStub(session.Connect());
  grpc::ClientContext context;
  session.Prepare(context);
  v1::DeleteEndpointRequest request;
  request.set_id(flags.id);
  google::protobuf::Empty nothing;
  session.Check(stub->DeleteEndpoint(&context, request, &nothing));
}

template <typename Request>
Request ById(const EndpointFlags& flags) {
  Request request;
  request.set_id(flags.id);
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
  create->callback([&session, flags] { Create(session, *flags); });

  verb("get", "show an endpoint")->callback([&session, flags] {
    Call(session, ById<v1::GetEndpointRequest>(*flags), &v1::EndpointService::Stub::GetEndpoint);
  });

  CLI::App* list = noun.add_subcommand("list", "show endpoints, by id");
  list->add_option("--subscriber", flags->subscriber, "of this one alone");
  list->add_option("--limit", flags->limit, "at most so many; 0 = all")->check(CLI::NonNegativeNumber);
  list->callback([&session, flags] { List(session, *flags); });

  CLI::App* update = verb("update", "change what the options give");
  AddEndpointOptions(*update, *flags);
  update->add_option("--reset", flags->reset, "a field that takes its default, such as policy.timeout");
  update->callback([&session, flags] { Update(session, *flags); });

  verb("delete", "delete an endpoint; what is pending is canceled")->callback([&session, flags] {
    Delete(session, *flags);
  });
  verb("pause", "start no attempt; events queue")->callback([&session, flags] {
    Call(session, ById<v1::PauseEndpointRequest>(*flags), &v1::EndpointService::Stub::PauseEndpoint);
  });
  verb("resume", "send what queued, in order and at the endpoint's rate")->callback([&session, flags] {
    Call(session, ById<v1::ResumeEndpointRequest>(*flags), &v1::EndpointService::Stub::ResumeEndpoint);
  });
}

}  // namespace hookd::cli
