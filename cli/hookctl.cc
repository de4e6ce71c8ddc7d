#include "cli/hookctl.h"

#include <cstdlib>

#include "base/concat.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/settings.h"

namespace hookd::cli {
namespace {

// Tells where a setting comes from, which `config show` shows.
std::string SourceOf(const CLI::Option& option, const std::string& profile, bool in_profile) {
  if (option.count() > 0) {
    const char* value = option.get_envname().empty() ? nullptr : std::getenv(option.get_envname().c_str());
    return value != nullptr && option.results().back() == value ? "flag or " + option.get_envname() : "flag";
  }
  return in_profile ? "profile " + profile : "default";
}

// The command line's root. Settings are put together after parsing, before the command runs: flags and the
// environment go before the profile.
class Hookctl : public CLI::App {
 public:
  Hookctl(Session& session, const std::string& version)
      : CLI::App("hookctl: works with a hookd server", "hookctl"), session_(session) {
    server_ = add_option("--server", session.server, "HOST:PORT")->envname("HOOKD_SERVER");
    server_->capture_default_str();
    output_ = add_option("--output", output_text_, "for people or for programs")
                  ->envname("HOOKCTL_OUTPUT")
                  ->check(CLI::IsMember({"table", "json"}))
                  ->capture_default_str();
    deadline_ = add_option("--deadline", session.timeout_seconds, "seconds that one call may take")
                    ->envname("HOOKCTL_DEADLINE")
                    ->check(CLI::PositiveNumber)
                    ->capture_default_str();
    add_option("--profile", session.profile, "of the configuration file: see hookctl config list")
        ->envname("HOOKCTL_PROFILE");
    set_version_flag("--version", "hookctl " + version);
    require_subcommand(1);
    fallthrough();
    AddSubscriberCommands(*this, session);
    AddEndpointCommands(*this, session);
    AddDeliveryCommands(*this, session);
    AddEventCommands(*this, session);
    AddJobCommands(*this, session);
    AddCaptureCommands(*this, session);
    AddApplyCommand(*this, session);
    AddProfileCommands(*this, session);
    AddOperationsCommands(*this, session);
    AddEgressCommands(*this, session);
    AddTokenCommands(*this, session);
    AddSecretCommands(*this, session);
    AddConfigCommands(*this, session);
    AddCompletionCommand(*this);
  }

 private:
  void pre_callback() override {
    if (got_subcommand("completion")) return;  // a broken file must not break the shell
    const absl::StatusOr<SettingsFile> file = LoadSettings();
    if (!file.ok()) throw CLI::ValidationError(std::string(file.status().message()));
    if (session_.profile.empty()) session_.profile = file->default_profile;
    Profile profile;
    if (!session_.profile.empty()) {
      const auto found = file->profiles.find(session_.profile);
      if (found == file->profiles.end()) {
        throw CLI::ValidationError(
            Concat("--profile: ", SettingsPath(), " has no profile ", session_.profile));
      }
      profile = found->second;
    }
    const auto source = [this](const CLI::Option* option, bool in_profile) {
      return SourceOf(*option, session_.profile, in_profile);
    };
    session_.sources = {{"server", source(server_, profile.server.has_value())},
                        {"output", source(output_, profile.output.has_value())},
                        {"deadline", source(deadline_, profile.deadline_seconds.has_value())}};
    if (server_->count() == 0 && profile.server) session_.server = *profile.server;
    if (output_->count() == 0 && profile.output) output_text_ = *profile.output;
    if (deadline_->count() == 0 && profile.deadline_seconds) {
      session_.timeout_seconds = *profile.deadline_seconds;
    }
    session_.json = output_text_ == "json";
  }

  Session& session_;
  std::string output_text_ = "table";
  CLI::Option* server_ = nullptr;
  CLI::Option* output_ = nullptr;
  CLI::Option* deadline_ = nullptr;
};

}  // namespace

int RunHookctl(int argc, const char* const* argv, const std::string& version) {
  Session session;
  Hookctl app(session, version);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return session.exit_code;
}

}  // namespace hookd::cli
