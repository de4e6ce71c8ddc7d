#include <sys/random.h>

#include <iostream>
#include <memory>
#include <string>

#include <absl/strings/escaping.h>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/job_text.h"
#include "cli/job_watch.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "hookd/v1/operations_service.grpc.pb.h"

namespace hookd::cli {
namespace {

constexpr size_t kKeyBytes = 32;

struct Flags {
  v1::RekeySecretsRequest request;
  bool wait = false;
  bool progress = false;
};

void GenerateKey(Session& session) {
  std::string key(kKeyBytes, '\0');
  if (getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) {
    return session.UsageError("the system gives no random bytes");
  }
  std::cout << absl::Base64Escape(key) << "\n";
}

void Rekey(Session& session, const Flags& flags) {
  v1::Job job;
  if (!Ask<v1::OperationsService>(session, &v1::OperationsService::Stub::RekeySecrets, flags.request, job)) {
    return;
  }
  if (!flags.wait || flags.request.dry_run()) return ShowJob(session, job);
  std::cerr << "hookctl: " << job.id() << " runs; it goes on also if hookctl is stopped\n";
  WatchJob(session, flags.progress, job.id());
}

}  // namespace

void AddSecretCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("secrets", "the key that stored secrets are sealed under");
  noun.require_subcommand(1);
  noun.add_subcommand("generate-key", "print a new key for secrets.key_file; the server is not asked")
      ->callback([&session] { GenerateKey(session); });
  auto flags = std::make_shared<Flags>();
  CLI::App* rekey = noun.add_subcommand("rekey", "seal every stored secret under the newest key");
  rekey->add_option_function<uint32_t>(
      "--rate", [flags](uint32_t rate) { flags->request.set_rate(rate); }, "endpoints per second; 0 = 1,000");
  rekey->add_option("--reason", *flags->request.mutable_reason(), "why, for people");
  rekey->add_flag_callback(
      "--dry-run", [flags] { flags->request.set_dry_run(true); }, "count what remains, and start nothing");
  rekey->add_flag("--wait", flags->wait, "until it has ended");
  AddProgress(*rekey, flags->progress);
  rekey->callback([&session, flags] { Rekey(session, *flags); });
}

}  // namespace hookd::cli
