// hookctl endpoints rotate-secret.
#include <memory>
#include <optional>
#include <string>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/endpoint_text.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"

namespace hookd::cli {
namespace {

struct RotateFlags {
  std::string id;
  std::string scheme = "v1";
  std::optional<std::string> overlap;
  std::optional<std::string> secret_file;
};

void Rotate(Session& session, const RotateFlags& flags) {
  v1::RotateSecretRequest request;
  request.set_id(flags.id);
  request.set_scheme(flags.scheme == "v1a" ? v1::SIGNING_SCHEME_V1A : v1::SIGNING_SCHEME_V1);
  if (flags.overlap) {
    const auto overlap = ParseDuration(*flags.overlap);
    if (!overlap) return session.UsageError("--overlap is such as 24h; 0s = the old ones end now");
    *request.mutable_overlap() = *overlap;
  }
  if (flags.secret_file) {
    absl::StatusOr<std::string> secret = ReadSecret(*flags.secret_file);
    if (!secret.ok()) return session.UsageError(std::string(secret.status().message()));
    request.set_secret(*std::move(secret));
  }
  v1::RotateSecretResponse response;
  if (!Ask<v1::EndpointService>(session, &v1::EndpointService::Stub::RotateSecret, request, response)) return;
  if (session.json) return PrintJson(response);
  Fields fields = {{"endpoint", response.endpoint().id()}};
  AddSigningKeys(response.endpoint(), fields);
  if (!response.signing_secret().empty()) {
    fields.emplace_back("signing secret (shown this once)", response.signing_secret());
  }
  if (!response.public_key().empty()) fields.emplace_back("public key", response.public_key());
  PrintFields(fields);
}

}  // namespace

void AddRotateCommand(CLI::App& noun, Session& session) {
  auto flags = std::make_shared<RotateFlags>();
  CLI::App& command = *noun.add_subcommand(
      "rotate-secret", "sign with a new secret, and for a while with the old ones too; shows it once");
  command.add_option("id", flags->id, "ep_...")->required();
  command.add_option("--scheme", flags->scheme, "v1 (HMAC-SHA256, the default) or v1a (Ed25519)")
      ->check(CLI::IsMember({"v1", "v1a"}));
  command.add_option("--overlap", flags->overlap,
                     "how long the old ones of the scheme still sign: 24h by default; 0s = they end now");
  command.add_option(
      "--secret-file", flags->secret_file,
      "the new one, instead of one that hookd makes: \"whsec_\" or \"whsk_\" and base64; - = standard "
      "input");
  command.callback([&session, flags] { Rotate(session, *flags); });
}

}  // namespace hookd::cli
