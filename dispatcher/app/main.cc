// hookd: takes events and delivers them to webhooks.
// Exit codes: 0 after an orderly stop; 1 could not start; 2 bad usage or configuration; 70 the store failed;
// 130 a second signal.
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "config/config_loader.h"
#include "config/value.h"
#include "dispatcher/app/alert_mail.h"
#include "dispatcher/app/application.h"
#include "dispatcher/app/backup.h"
#include "dispatcher/app/operator_token.h"
#include "dispatcher/app/profile_folders.h"
#include "dispatcher/app/secrets.h"
#include "dispatcher/app/signals.h"
#include "dispatcher/app/supervisor.h"

namespace hookd {
namespace {

constexpr int kExitStart = 1;
constexpr int kExitUsage = 2;

struct Flags {
  std::optional<std::string> config;
  std::optional<std::string> data_dir;
  std::optional<std::string> grpc_listen;
  std::optional<std::string> http_listen;
  std::optional<std::string> profiles_dir;
  std::optional<std::string> backup_folder;
  std::optional<std::string> restore_backup;
  bool allow_loopback = false;
  bool check_config = false;
  bool make_operator_token = false;
  bool list_backups = false;
  bool restore_paused = false;
};

// By the same rule that the file's value has to meet.
absl::Status Override(const std::string& flag, const std::optional<std::string>& text, const char* field,
                      google::protobuf::Message& section) {
  if (!text) return absl::OkStatus();
  const absl::Status set = config::SetValue(*section.GetDescriptor()->FindFieldByName(field), *text, section);
  if (set.ok()) return set;
  return absl::Status(set.code(), absl::StrCat(flag, ": ", set.message()));
}

absl::StatusOr<config::v1::Config> ReadConfig(const Flags& flags) {
  config::v1::Config config = DefaultConfig();
  if (flags.config) {
    ASSIGN_OR_RETURN(config, LoadConfig(*flags.config));
  }
  RETURN_IF_ERROR(Override("--data-dir", flags.data_dir, "data_dir", config));
  RETURN_IF_ERROR(Override("--grpc-listen", flags.grpc_listen, "listen", *config.mutable_grpc()));
  RETURN_IF_ERROR(Override("--http-listen", flags.http_listen, "listen", *config.mutable_http()));
  RETURN_IF_ERROR(Override("--profiles-dir", flags.profiles_dir, "dir", *config.mutable_profiles()));
  RETURN_IF_ERROR(Override("--backup-folder", flags.backup_folder, "folder", *config.mutable_backup()));
  if (flags.allow_loopback) config.mutable_egress()->set_allow_loopback(true);
  RETURN_IF_ERROR(CheckListening(config));
  return config;
}

// What something other than serving has to say.
int Print(const absl::StatusOr<std::string>& text, const char* end) {
  if (!text.ok()) {
    std::fprintf(stderr, "hookd: %s\n", text.status().ToString().c_str());
    return kExitStart;
  }
  std::printf("%s%s", text->c_str(), end);
  return 0;
}

// Memory holds secrets and payloads. The hard limit stays, for who needs a dump: prlimit --core=unlimited.
void LeaveNoCoreDump() {
  rlimit limit{};
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = 0;
  setrlimit(RLIMIT_CORE, &limit);
}

int Run(const Flags& flags) {
  const absl::StatusOr<config::v1::Config> config = ReadConfig(flags);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return kExitUsage;
  }
  if (flags.check_config) {
    for (const absl::Status& read : {ReadProfiles(*config).status(), ReadAlertMail(*config).status(),
                                     ReadBackupOptions(*config, HOOKD_VERSION).status()}) {
      if (read.ok()) continue;
      std::fprintf(stderr, "%s\n", std::string(read.message()).c_str());
      return kExitUsage;
    }
    if (const absl::Status keys = ReadSecretKeys(config->secrets()).status(); !keys.ok()) {
      std::fprintf(stderr, "%s\n", std::string(keys.message()).c_str());
      return kExitUsage;
    }
    std::puts("configuration is valid");
    return 0;
  }
  if (flags.make_operator_token) return Print(MakeOperatorToken(*config), "\n");
  if (flags.list_backups) return Print(BackupListText(*config), "");
  if (flags.restore_backup)
    return Print(RestoreFromBackup(*config, *flags.restore_backup, flags.restore_paused), "");
  LeaveNoCoreDump();
  std::signal(SIGPIPE, SIG_IGN);
  Signals signals;
  Supervisor supervisor;
  const auto application = Application::Start(*config, HOOKD_VERSION);
  if (!application.ok()) {
    std::fprintf(stderr, "hookd: %s\n", application.status().ToString().c_str());
    return kExitStart;
  }
  std::printf("hookd ready grpc=%s http=%s\n", (*application)->grpc_address().c_str(),
              (*application)->http_address().c_str());
  std::fflush(stdout);
  supervisor.Ready(
      absl::StrCat("grpc ", (*application)->grpc_address(), ", http ", (*application)->http_address()),
      [&application] { return (*application)->Alive(); });
  signals.WaitForStop([&] { (*application)->Reload(ReadConfig(flags)); });
  supervisor.Stopping();
  (*application)->Stop();
  return 0;
}

}  // namespace
}  // namespace hookd

int main(int argc, char** argv) {
  CLI::App app("hookd: takes events and delivers them to webhooks, at least once");
  hookd::Flags flags;
  app.add_option("--config", flags.config, "configuration file (YAML); every key has a default");
  app.add_option("--data-dir", flags.data_dir, "instead of data_dir of the configuration");
  app.add_option("--grpc-listen", flags.grpc_listen,
                 "IP:port, instead of grpc.listen; port 0 = any free one");
  app.add_option("--http-listen", flags.http_listen,
                 "IP:port, instead of http.listen; port 0 = any free one");
  app.add_option("--profiles-dir", flags.profiles_dir, "instead of profiles.dir");
  app.add_flag("--allow-loopback", flags.allow_loopback,
               "egress.allow_loopback: endpoints may lead to this machine; for development");
  app.add_flag("--make-operator-token", flags.make_operator_token,
               "make a token of role operator in the data folder, print it, and exit; hookd must not run");
  app.add_option("--backup-folder", flags.backup_folder, "instead of backup.folder");
  app.add_option("--restore-backup", flags.restore_backup,
                 "ID or latest: make data_dir from a backup of backup.folder, and exit; hookd must not run");
  app.add_flag("--restore-paused", flags.restore_paused,
               "with --restore-backup: hookd then sends nothing until hookctl resume");
  app.add_flag("--list-backups", flags.list_backups, "list the backups of backup.folder, and exit");
  app.add_flag("--check-config", flags.check_config, "check the configuration and exit: 0 valid, 2 not");
  app.set_version_flag("--version", "hookd " HOOKD_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : hookd::kExitUsage;
  }
  return hookd::Run(flags);
}
