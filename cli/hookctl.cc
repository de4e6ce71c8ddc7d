#include "cli/hookctl.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>

#include "base/concat.h"
#include "cli/commands.h"
#include "cli/parse.h"
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
    token_file_ = add_option("--token-file", token_path_, "a file with the token that calls carry (hkt_...)");
    ca_file_ = add_option("--ca-file", ca_path_,
                          "TLS: the authorities (PEM) that the server's certificate is checked against")
                   ->envname("HOOKD_CA_FILE");
    cert_file_ = add_option("--cert-file", cert_path_, "TLS: this client's certificate (PEM)")
                     ->envname("HOOKD_CERT_FILE");
    key_file_ = add_option("--key-file", key_path_, "TLS: its private key (PEM)")->envname("HOOKD_KEY_FILE");
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
    AddBackupCommands(*this, session);
    AddAuditCommands(*this, session);
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
    if (got_subcommand("config")) return;  // it tells about the settings, and uses none
    ReadToken(profile);
    ReadTls(profile);
  }

  // Of the flag, the environment, or the profile, in this order.
  void ReadToken(const Profile& profile) {
    const char* from_environment = std::getenv("HOOKD_TOKEN");
    if (token_file_->count() == 0 && from_environment != nullptr && *from_environment != '\0') {
      session_.token = CheckedToken(from_environment, "HOOKD_TOKEN");
      return;
    }
    const std::string path = token_file_->count() > 0 ? token_path_ : profile.token_file.value_or("");
    if (!path.empty()) session_.token = CheckedToken(Contents(path, "--token-file"), path);
  }

  void ReadTls(const Profile& profile) {
    const auto read = [](const CLI::Option* option, const std::string& given,
                         const std::optional<std::string>& otherwise, const char* name) {
      const std::string path = option->count() > 0 ? given : otherwise.value_or("");
      return path.empty() ? std::string() : Contents(path, name);
    };
    session_.ca_pem = read(ca_file_, ca_path_, profile.ca_file, "--ca-file");
    session_.cert_pem = read(cert_file_, cert_path_, profile.cert_file, "--cert-file");
    session_.key_pem = read(key_file_, key_path_, profile.key_file, "--key-file");
    if (session_.cert_pem.empty() != session_.key_pem.empty()) {
      throw CLI::ValidationError("--cert-file: a certificate and its key go together, give both or none");
    }
    if (session_.ca_pem.empty() && !session_.cert_pem.empty()) {
      throw CLI::ValidationError("--ca-file: is missing: without it there is no TLS");
    }
  }

  static std::string Contents(const std::string& path, const char* name) {
    absl::StatusOr<std::string> text = ReadFile(path);
    if (!text.ok()) throw CLI::ValidationError(Concat(name, ": ", std::string(text.status().message())));
    return *std::move(text);
  }

  // Errors never show it.
  static std::string CheckedToken(std::string_view text, const std::string& source) {
    const absl::string_view token = absl::StripAsciiWhitespace({text.data(), text.size()});
    const bool visible = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!absl::StartsWith(token, "hkt_") || !visible) {
      throw CLI::ValidationError(Concat(source, ": holds no token: that is hkt_ and 81 characters"));
    }
    return std::string(token);
  }

  Session& session_;
  std::string output_text_ = "table";
  CLI::Option* server_ = nullptr;
  CLI::Option* output_ = nullptr;
  CLI::Option* deadline_ = nullptr;
  std::string token_path_;
  std::string ca_path_;
  std::string cert_path_;
  std::string key_path_;
  CLI::Option* token_file_ = nullptr;
  CLI::Option* ca_file_ = nullptr;
  CLI::Option* cert_file_ = nullptr;
  CLI::Option* key_file_ = nullptr;
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
