#include <cstdio>
#include <memory>
#include <string>

#include <absl/strings/str_join.h>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/endpoint_text.h"
#include "cli/output.h"
#include "cli/tool_text.h"
#include "cli/words.h"
#include "hookd/v1/tool_service.grpc.pb.h"

namespace hookd::cli {
namespace {

struct Flags {
  v1::VerifyEndpointRequest request;
  std::string method;
};

void Verify(Session& session, Flags& flags) {
  if (!flags.method.empty()) flags.request.set_method(FromWord<v1::VerificationMethod>(flags.method));
  v1::VerifyEndpointResponse response;
  if (!Ask<v1::ToolService>(session, &v1::ToolService::Stub::VerifyEndpoint, flags.request, response)) return;
  if (!response.verified()) session.exit_code = kExitRefused;
  if (session.json) return PrintJson(response);
  PrintFields({{"verified", YesNo(response.verified())},
               {"method", Word(response.method())},
               {"expected", Printable(response.expected())},
               {"received", Printable(response.received())},
               {"endpoint", response.endpoint().has_disabled()
                                ? "disabled (" + Word(response.endpoint().disabled().reason()) + ")"
                                : std::string("enabled")}});
  if (response.verified()) return;
  std::printf("\n%s", TestResultText(response.exchange()).c_str());
}

}  // namespace

void AddVerifyCommand(CLI::App& endpoints, Session& session) {
  CLI::App& verify = *endpoints.add_subcommand(
      "verify",
      "ask the receiver to prove that it wants the webhooks; enables an unverified endpoint; exit code 1 "
      "unless it proves it");
  auto flags = std::make_shared<Flags>();
  verify.add_option("id", *flags->request.mutable_id(), "ep_...")->required();
  verify.add_option("--method", flags->method, absl::StrJoin(Words<v1::VerificationMethod>(), ", "))
      ->check(CLI::IsMember(Words<v1::VerificationMethod>()));
  verify.add_option("--verify-token", *flags->request.mutable_verify_token(),
                    "hub_challenge: sent as hub.verify_token");
  verify.callback([&session, flags] { Verify(session, *flags); });
}

}  // namespace hookd::cli
