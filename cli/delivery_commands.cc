#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/delivery_text.h"
#include "cli/output.h"
#include "cli/paging.h"
#include "cli/time_range.h"
#include "cli/words.h"
#include "hookd/v1/delivery_service.grpc.pb.h"

namespace hookd::cli {
namespace {

struct Flags {
  std::string id;
  bool verbose = false;
  v1::ListDeliveriesRequest list;
  std::string state;
  std::string status_class;
  std::string order;
  TimeRange times;
  int64_t limit = 100;
};

template <typename Request>
void Call(Session& session, const Flags& flags,
          grpc::Status (v1::DeliveryService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                            v1::Delivery*)) {
  v1::Delivery delivery;
  if (!Ask<v1::DeliveryService>(session, method, ById<Request>(flags.id), delivery)) return;
  if (session.json) return PrintJson(delivery);
  std::cout << DeliveryText(delivery, flags.verbose);
}

std::string LastOutcome(const v1::Delivery& delivery) {
  if (delivery.last_status() != 0) return std::to_string(delivery.last_status());
  return delivery.last_error_kind();
}

void List(Session& session, const Flags& flags) {
  v1::ListDeliveriesRequest request = flags.list;
  request.set_state(FromWord<v1::DeliveryState>(flags.state));
  if (!flags.status_class.empty()) request.set_status_class(flags.status_class[0] - '0');
  if (flags.order == "newest") request.set_order(v1::LIST_ORDER_NEWEST_FIRST);
  if (flags.order == "oldest") request.set_order(v1::LIST_ORDER_OLDEST_FIRST);
  const bool times = ReadRange(
      session, flags.times, [&request] { return request.mutable_accept_time_from(); },
      [&request] { return request.mutable_accept_time_before(); });
  if (!times) return;
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
  std::vector<Row> rows;
  for (const v1::Delivery& delivery : all.deliveries()) {
    rows.push_back({delivery.id(), StateText(delivery.state()), delivery.event_type(),
                    std::to_string(delivery.sequence()), std::to_string(delivery.attempt_count()),
                    LastOutcome(delivery), TimeText(delivery.accept_time()),
                    TimeText(delivery.next_due_time())});
  }
  PrintTable({"ID", "STATE", "TYPE", "SEQUENCE", "ATTEMPTS", "LAST", "ACCEPTED", "NEXT DUE"}, rows);
}

// "5xx" or "5"; what is wrong otherwise.
std::string CheckStatusClass(const std::string& text) {
  const bool digit = !text.empty() && text[0] >= '1' && text[0] <= '5';
  return digit && (text.size() == 1 || text.substr(1) == "xx") ? "" : "give 1xx, 2xx, 3xx, 4xx or 5xx";
}

void AddList(CLI::App& noun, Session& session, const std::shared_ptr<Flags>& flags) {
  CLI::App* list = noun.add_subcommand("list", "show deliveries of an endpoint, a subscriber, or in a state");
  list->add_option("--endpoint", *flags->list.mutable_endpoint_id(), "ep_...");
  list->add_option("--subscriber", *flags->list.mutable_subscriber_id(), "the platform's own id");
  list->add_option("--state", flags->state, "which they are in")
      ->check(CLI::IsMember(Words<v1::DeliveryState>()));
  list->add_option("--type", *flags->list.mutable_event_type(), "of the event, or a prefix as \"message:*\"");
  list->add_option("--status-class", flags->status_class, "of the last attempt's answer")
      ->check(CLI::Validator(CheckStatusClass, "{1xx,2xx,3xx,4xx,5xx}"));
  list->add_option("--error", *flags->list.mutable_error_kind(), "of the last attempt, such as timeout");
  AddFrom(*list, flags->times, "made");
  AddBefore(*list, flags->times, "made");
  list->add_option("--order", flags->order, "which come first: newest or oldest")
      ->check(CLI::IsMember({"newest", "oldest"}));
  list->add_option("--limit", flags->limit, "at most so many; 0 = all")->check(CLI::NonNegativeNumber);
  list->callback([&session, flags] { List(session, *flags); });
}

}  // namespace

void AddDeliveryCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("deliveries", "events on their way to endpoints");
  noun.require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  const auto verb = [&noun, flags](const char* name, const char* help) {
    CLI::App* command = noun.add_subcommand(name, help);
    command->add_option("id", flags->id, "dlv_...")->required();
    return command;
  };
  using Stub = v1::DeliveryService::Stub;

  CLI::App* get = verb("get", "show a delivery with all of its attempts, and what it waits for");
  get->add_flag("--verbose,-v", flags->verbose, "with headers and bodies");
  get->callback([&session, flags] { Call(session, *flags, &Stub::GetDelivery); });
  AddList(noun, session, flags);
  verb("retry", "a pending one is due now; of one that ended, a new delivery is made")
      ->callback([&session, flags] { Call(session, *flags, &Stub::RetryDelivery); });
  verb("cancel", "end a pending one")->callback([&session, flags] {
    Call(session, *flags, &Stub::CancelDelivery);
  });
  AddWatchCommand(noun, session);
}

}  // namespace hookd::cli
