#include <cctype>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/paging.h"
#include "hookd/v1/delivery_service.grpc.pb.h"

namespace hookd::cli {
namespace {

constexpr size_t kShownBodyBytes = 200;
const char* const kStatePrefix = "DELIVERY_STATE_";

struct Flags {
  std::string id;
  std::string endpoint;
  std::string state;
  int64_t limit = 100;
};

std::string StateText(v1::DeliveryState state) {
  const std::string name = v1::DeliveryState_Name(state);
  return name.empty() ? std::to_string(state) : name.substr(std::string(kStatePrefix).size());
}

std::string Outcome(const v1::Attempt& attempt) {
  if (attempt.error_kind().empty()) return "success";
  if (attempt.error_detail().empty()) return attempt.error_kind();
  return absl::StrCat(attempt.error_kind(), " (", OneLine(attempt.error_detail(), 80), ")");
}

void Show(const v1::Delivery& delivery) {
  PrintFields({{"id", delivery.id()},
               {"state", StateText(delivery.state())},
               {"reason", delivery.end_reason()},
               {"event", delivery.event_id()},
               {"type", delivery.event_type()},
               {"subscriber", delivery.subscriber_id()},
               {"endpoint", delivery.endpoint_id()},
               {"sequence", std::to_string(delivery.sequence())},
               {"accepted", TimeText(delivery.accept_time())},
               {"ended", TimeText(delivery.end_time())},
               {"next due", TimeText(delivery.next_due_time())},
               {"attempts", std::to_string(delivery.attempt_count())}});
  if (delivery.attempts().empty()) return;
  std::vector<std::vector<std::string>> rows;
  for (const v1::Attempt& attempt : delivery.attempts()) {
    rows.push_back({std::to_string(attempt.number()), TimeText(attempt.start_time()),
                    attempt.status() == 0 ? "-" : std::to_string(attempt.status()),
                    DurationText(attempt.phases().total()), Outcome(attempt),
                    OneLine(attempt.response_body(), kShownBodyBytes)});
  }
  PrintTable({"ATTEMPT", "STARTED", "STATUS", "TOOK", "OUTCOME", "RESPONSE"}, rows);
}

void Get(Session& session, const Flags& flags) {
  const auto stub = v1::DeliveryService::NewStub(session.Connect());
  grpc::ClientContext context;
  session.Prepare(context);
  v1::GetDeliveryRequest request;
  request.set_id(flags.id);
  v1::Delivery delivery;
  if (!session.Check(stub->GetDelivery(&context, request, &delivery))) return;
  if (session.json) return PrintJson(delivery);
  Show(delivery);
}

void List(Session& session, const Flags& flags) {
  v1::ListDeliveriesRequest request;
  request.set_endpoint_id(flags.endpoint);
  if (!flags.state.empty()) {
    v1::DeliveryState state = v1::DELIVERY_STATE_UNSPECIFIED;
    if (!v1::DeliveryState_Parse(kStatePrefix + absl::AsciiStrToUpper(flags.state), &state)) {
      return session.UsageError("--state is pending, succeeded, exhausted, expired or canceled");
    }
    request.set_state(state);
  }
  const auto stub = v1::DeliveryService::NewStub(session.Connect());
  v1::ListDeliveriesResponse all;
  const bool read = ReadPages<v1::ListDeliveriesRequest, v1::ListDeliveriesResponse>(
      session, request, flags.limit,
      [&stub](grpc::ClientContext* context, const auto& asked, auto* page) {
        return stub->ListDeliveries(context, asked, page);
      },
      [&all](const v1::ListDeliveriesResponse& page) {
        all.mutable_deliveries()->MergeFrom(page.deliveries());
        return page.deliveries_size();
      });
  if (!read) return;
  if (session.json) return PrintJson(all);
  std::vector<std::vector<std::string>> rows;
  for (const v1::Delivery& delivery : all.deliveries()) {
    rows.push_back({delivery.id(), StateText(delivery.state()), delivery.event_type(),
                    std::to_string(delivery.sequence()), std::to_string(delivery.attempt_count()),
                    TimeText(delivery.accept_time()), TimeText(delivery.next_due_time())});
  }
  PrintTable({"ID", "STATE", "TYPE", "SEQUENCE", "ATTEMPTS", "ACCEPTED", "NEXT DUE"}, rows);
}

}  // namespace

void AddDeliveryCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("deliveries", "events on their way to endpoints");
  noun.require_subcommand(1);
  auto flags = std::make_shared<Flags>();

  CLI::App* get = noun.add_subcommand("get", "show a delivery with all of its attempts");
  get->add_option("id", flags->id, "dlv_...")->required();
  get->callback([&session, flags] { Get(session, *flags); });

  CLI::App* list = noun.add_subcommand("list", "show deliveries of an endpoint, in a state, or both");
  list->add_option("--endpoint", flags->endpoint, "ep_...");
  list->add_option("--state", flags->state, "pending, succeeded, exhausted, expired or canceled");
  list->add_option("--limit", flags->limit, "at most so many; 0 = all")->check(CLI::NonNegativeNumber);
  list->callback([&session, flags] { List(session, *flags); });
}

}  // namespace hookd::cli
