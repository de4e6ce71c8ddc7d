#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/concat.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "hookd/v1/backup_service.grpc.pb.h"

namespace hookd::cli {
namespace {

using Stub = v1::BackupService::Stub;

constexpr std::chrono::milliseconds kPollEvery{500};

struct Flags {
  v1::VerifyBackupRequest verify;
  bool wait = false;
  bool progress = false;
  std::string id;
  std::string from;
  std::string to;
  std::string config;
  std::string hookd;
  bool paused = false;
};

std::string Verb(const v1::BackupRun& run) {
  if (run.kind() == v1::BACKUP_RUN_KIND_VERIFY) return run.running() ? "verifying" : "verification";
  return run.running() ? "making" : "backup";
}

void Show(Session& session, const v1::BackupRun& run) {
  if (session.json) return PrintJson(run);
  const bool verify = run.kind() == v1::BACKUP_RUN_KIND_VERIFY;
  std::string state = "nothing since the start";
  if (run.kind() != v1::BACKUP_RUN_KIND_UNSPECIFIED) {
    state = run.running() ? "running" : run.error().empty() ? "done" : "failed";
  }
  PrintFields({{"kind", run.kind() == v1::BACKUP_RUN_KIND_UNSPECIFIED ? ""
                        : verify                                      ? "verification"
                                                                      : "backup"},
               {"state", state},
               {"backup", run.id() == 0 ? "" : std::to_string(run.id())},
               {"started", TimeText(run.start_time())},
               {"took", run.has_duration() ? ShortDuration(run.duration()) : ""},
               {verify ? "bytes read" : "bytes copied", run.has_start_time() ? Grouped(run.bytes()) : ""},
               {"error", OneLine(run.error(), 1024)}});
}

// Until it has ended; it goes on without us.
void Watch(Session& session, const Flags& flags, v1::BackupRun run) {
  const v1::BackupRun first = run;
  Progress progress(flags.progress, RealClock());
  while (run.running()) {
    if (progress.Due()) progress.Show(Concat(Verb(run), ": ", Grouped(run.bytes()), " bytes"));
    std::this_thread::sleep_for(kPollEvery);
    if (!Ask<v1::BackupService>(session, &Stub::GetBackupRun, v1::GetBackupRunRequest(), run)) return;
    const bool same = run.kind() == first.kind() &&
                      run.start_time().seconds() == first.start_time().seconds() &&
                      run.start_time().nanos() == first.start_time().nanos();
    if (!same) {
      progress.End();
      std::cerr << "hookctl: hookd was restarted meanwhile, or does something else by now: see hookctl "
                   "backup list\n";
      session.exit_code = kExitRefused;
      return;
    }
  }
  progress.End();
  Show(session, run);
  if (!run.error().empty()) session.exit_code = kExitRefused;
}

template <typename Request, typename Method>
void Start(Session& session, const Flags& flags, const Request& request, Method method) {
  v1::BackupRun run;
  if (!Ask<v1::BackupService>(session, method, request, run)) return;
  if (!flags.wait) return Show(session, run);
  Watch(session, flags, run);
}

void List(Session& session) {
  v1::ListBackupsResponse answer;
  if (!Ask<v1::BackupService>(session, &Stub::ListBackups, v1::ListBackupsRequest(), answer)) return;
  if (session.json) return PrintJson(answer);
  std::vector<Row> rows;
  for (const v1::Backup& backup : answer.backups()) {
    rows.push_back({std::to_string(backup.id()), TimeText(backup.create_time()), Grouped(backup.bytes()),
                    Grouped(backup.files()), std::to_string(backup.last_commit()),
                    std::to_string(backup.storage_format()), backup.version(),
                    backup.problem().empty() ? "-" : OneLine(backup.problem(), 256)});
  }
  PrintTable({"ID", "MADE", "BYTES", "FILES", "LAST COMMIT", "FORMAT", "HOOKD", "PROBLEM"}, rows);
}

// The one beside hookctl, else the PATH's.
std::string FindHookd() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path beside = self.parent_path() / "hookd";
  return !error && std::filesystem::exists(beside, error) ? beside.string() : "hookd";
}

// Restoring is hookd's work, in its data folder, on this machine. Comes back only if it cannot be started.
void Restore(Session& session, const Flags& flags) {
  if (flags.config.empty() && (flags.from.empty() || flags.to.empty())) {
    return session.UsageError("give --from and --to, or --config with hookd's configuration");
  }
  const std::string hookd = flags.hookd.empty() ? FindHookd() : flags.hookd;
  std::vector<std::string> words = {hookd, "--restore-backup", flags.id};
  for (const auto& [flag, value] : {std::pair<const char*, const std::string*>{"--config", &flags.config},
                                    {"--backup-folder", &flags.from},
                                    {"--data-dir", &flags.to}}) {
    if (!value->empty()) words.insert(words.end(), {flag, *value});
  }
  if (flags.paused) words.push_back("--restore-paused");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::cout.flush();
  execvp(hookd.c_str(), arguments.data());
  std::cerr << "hookctl: cannot run " << hookd << ": " << std::strerror(errno)
            << ": give its path with --hookd\n";
  session.exit_code = kExitFailed;
}

}  // namespace

void AddBackupCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("backup", "copies of the data folder, made while hookd runs");
  noun.require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  CLI::App* create = noun.add_subcommand("create", "make one, in hookd's backup.folder");
  create->add_flag("--wait", flags->wait, "until it has ended");
  AddProgress(*create, flags->progress);
  create->callback(
      [&session, flags] { Start(session, *flags, v1::CreateBackupRequest(), &Stub::CreateBackup); });
  noun.add_subcommand("list", "what there is, oldest first")->callback([&session] { List(session); });
  CLI::App* verify = noun.add_subcommand("verify", "compare every file of one with its checksum");
  verify->add_option_function<uint32_t>(
      "id", [flags](uint32_t id) { flags->verify.set_id(id); }, "its number; the newest if not given");
  verify->add_flag("--wait", flags->wait, "until it has ended");
  AddProgress(*verify, flags->progress);
  verify->callback([&session, flags] { Start(session, *flags, flags->verify, &Stub::VerifyBackup); });
  noun.add_subcommand("status", "what runs, or ran last")->callback([&session] {
    v1::BackupRun run;
    if (Ask<v1::BackupService>(session, &Stub::GetBackupRun, v1::GetBackupRunRequest(), run))
      Show(session, run);
  });
  CLI::App* restore =
      noun.add_subcommand("restore", "make a data folder of one, on this machine, with hookd stopped");
  restore->add_option("id", flags->id, "its number, or latest")->required();
  restore->add_option("--from", flags->from, "the folder of backups; backup.folder of --config if not given");
  restore->add_option("--to", flags->to, "an empty or new folder; data_dir of --config if not given");
  restore->add_option("--config", flags->config, "hookd's configuration file");
  restore->add_flag("--paused", flags->paused, "hookd then sends nothing until hookctl resume");
  restore->add_option("--hookd", flags->hookd,
                      "the program, if it is neither beside hookctl nor on the PATH");
  restore->callback([&session, flags] { Restore(session, *flags); });
}

}  // namespace hookd::cli
