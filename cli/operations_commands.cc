#include <iostream>
#include <string>

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "hookd/v1/operations_service.grpc.pb.h"

namespace hookd::cli {
namespace {

void ShowStatus(Session& session) {
  const auto stub = v1::OperationsService::NewStub(session.Connect());
  grpc::ClientContext context;
  session.Prepare(context);
  v1::ServerStatus status;
  if (!session.Check(stub->GetStatus(&context, {}, &status))) return;
  if (session.json) return PrintJson(status);
  PrintFields({{"version", status.version()},
               {"started", TimeText(status.start_time())},
               {"uptime", DurationText(status.uptime())},
               {"draining", YesNo(status.draining())},
               {"subscribers", std::to_string(status.subscribers())},
               {"endpoints", std::to_string(status.endpoints())},
               {"pending deliveries", std::to_string(status.pending_deliveries())},
               {"attempts in flight", std::to_string(status.attempts_in_flight())},
               {"events accepted", std::to_string(status.events_accepted())},
               {"deliveries succeeded", std::to_string(status.deliveries_succeeded())},
               {"attempts failed", std::to_string(status.attempts_failed())},
               {"last commit", std::to_string(status.last_commit())},
               {"bytes on disk", std::to_string(status.bytes_on_disk())},
               {"storage format", std::to_string(status.storage_format())}});
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

void AddOperationsCommands(CLI::App& app, Session& session) {
  app.add_subcommand("status", "what the server says about itself")->callback([&session] {
    ShowStatus(session);
  });
  app.add_subcommand("health", "SERVING (0) or NOT_SERVING (1)")->callback([&session] {
    ShowHealth(session);
  });
}

}  // namespace hookd::cli
