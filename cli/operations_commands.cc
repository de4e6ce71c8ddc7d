#include <iostream>
#include <memory>
#include <string>

#include <absl/strings/str_cat.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "hookd/v1/operations_service.grpc.pb.h"

namespace hookd::cli {
namespace {

std::string PausedText(const v1::ServerStatus& status) {
  if (!status.paused()) return "no";
  if (status.pause_reason().empty()) return "yes, everything";
  return absl::StrCat("yes, everything: ", OneLine(status.pause_reason(), 256));
}

std::string IntakeText(const std::string& closed) {
  if (closed.empty()) return "open";
  if (closed == "disk") return "closed: the disk is nearly full";
  if (closed == "stall") return "closed: the store cannot keep up";
  return absl::StrCat("closed: ", OneLine(closed, 256));
}

std::string SecretsText(const v1::ServerStatus& status) {
  std::string text = status.secrets_key().empty() ? "in clear" : "sealed under key " + status.secrets_key();
  for (const std::string& key : status.secrets_old_keys()) text += "; key " + key + " is still needed";
  return text;
}

void Show(const v1::ServerStatus& status) {
  PrintFields(
      {{"version", status.version()},
       {"started", TimeText(status.start_time())},
       {"uptime", DurationText(status.uptime())},
       {"draining", YesNo(status.draining())},
       {"paused", PausedText(status)},
       {"intake", IntakeText(status.intake_closed())},
       {"clock", status.clock_suspect() ? "leapt: nothing expires until hookctl confirm-clock" : "trusted"},
       {"auto-disable", status.auto_disable_suspended()
                            ? "suspended: more than half of the active hosts fail to connect"
                            : "active"},
       {"subscribers", std::to_string(status.subscribers())},
       {"endpoints", std::to_string(status.endpoints())},
       {"pending deliveries", std::to_string(status.pending_deliveries())},
       {"attempts in flight", std::to_string(status.attempts_in_flight())},
       {"events accepted", std::to_string(status.events_accepted())},
       {"deliveries succeeded", std::to_string(status.deliveries_succeeded())},
       {"attempts failed", std::to_string(status.attempts_failed())},
       {"last commit", std::to_string(status.last_commit())},
       {"bytes on disk", std::to_string(status.bytes_on_disk())},
       {"secrets", SecretsText(status)},
       {"storage format", std::to_string(status.storage_format())}});
}

// One call that answers with the status.
template <typename Request, typename Method>
void Call(Session& session, const Request& request, Method method) {
  v1::ServerStatus status;
  if (!Ask<v1::OperationsService>(session, method, request, status)) return;
  if (session.json) return PrintJson(status);
  Show(status);
}

// grpc.health.v1.Health/Check for the whole server. Its messages are not packaged for C++: the request is
// empty, and the answer is one enum field, {0x08, status}, with SERVING = 1.
void ShowHealth(Session& session) {
  grpc::GenericStub stub(session.Connect());
  grpc::ClientContext context;
  session.Prepare(context);
  grpc::CompletionQueue queue;
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  const auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, &queue);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (!session.Check(status)) return;
  grpc::Slice bytes;
  const bool serving = answer.DumpToSingleSlice(&bytes).ok() && bytes.size() == 2 && bytes.begin()[0] == 8 &&
                       bytes.begin()[1] == 1;
  const char* text = serving ? "SERVING" : "NOT_SERVING";
  if (session.json) {
    std::cout << "{\"status\": \"" << text << "\"}\n";
  } else {
    std::cout << text << "\n";
  }
  if (!serving) session.exit_code = kExitRefused;
}

}  // namespace

void AddEgressCommands(CLI::App& app, Session& session) {
  CLI::App* egress = app.add_subcommand("egress", "how requests leave hookd");
  egress->require_subcommand(1);
  egress->add_subcommand("addresses", "where requests come from, for receivers' firewalls")
      ->callback([&session] {
        v1::EgressAddresses answer;
        if (!Ask<v1::OperationsService>(session, &v1::OperationsService::Stub::GetEgressAddresses,
                                        v1::GetEgressAddressesRequest(), answer)) {
          return;
        }
        if (session.json) return PrintJson(answer);
        for (const std::string& address : answer.addresses()) std::cout << address << "\n";
      });
}

void AddOperationsCommands(CLI::App& app, Session& session) {
  using Stub = v1::OperationsService::Stub;
  app.add_subcommand("status", "what the server says about itself")->callback([&session] {
    Call(session, v1::GetStatusRequest(), &Stub::GetStatus);
  });
  app.add_subcommand("health", "SERVING (0) or NOT_SERVING (1)")->callback([&session] {
    ShowHealth(session);
  });
  auto pause = std::make_shared<v1::PauseDeliveriesRequest>();
  CLI::App* pausing = app.add_subcommand("pause", "start no attempt of any endpoint; events queue");
  pausing->add_option("--reason", *pause->mutable_reason(), "why, for people");
  pausing->callback([&session, pause] { Call(session, *pause, &Stub::PauseDeliveries); });
  app.add_subcommand("resume", "end that; what is paused itself stays paused")->callback([&session] {
    Call(session, v1::ResumeDeliveriesRequest(), &Stub::ResumeDeliveries);
  });
  app.add_subcommand("confirm-clock", "the wall clock leapt and is right now: expiry goes on")
      ->callback([&session] { Call(session, v1::ConfirmClockRequest(), &Stub::ConfirmClock); });
}

}  // namespace hookd::cli
