#include "dispatcher/app/backup.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include "base/status_macros.h"

namespace hookd {
namespace {

absl::Status NoFolder() {
  return absl::InvalidArgumentError("backup.folder: is not configured: give --config, or --backup-folder");
}

std::string TimeText(WallMs ms) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMillis(ms), absl::UTCTimeZone());
}

std::string Line(const BackupInfo& info) {
  if (!info.problem.empty()) return absl::StrCat(info.id, "  cannot be restored: ", info.problem, "\n");
  return absl::StrCat(info.id, "  ", TimeText(info.made_ms), "  ", info.bytes, " bytes  commit ", info.commit,
                      "  format ", info.format, "  hookd ", info.version, "\n");
}

// One lies in the other.
bool Within(const std::string& inner, const std::string& outer) {
  std::error_code error;
  const auto in = std::filesystem::weakly_canonical(std::filesystem::absolute(inner, error), error);
  const auto out = std::filesystem::weakly_canonical(std::filesystem::absolute(outer, error), error);
  return std::mismatch(out.begin(), out.end(), in.begin(), in.end()).first == out.end();
}

}  // namespace

absl::StatusOr<BackupOptions> ReadBackupOptions(const config::v1::Config& config,
                                                const std::string& version) {
  BackupOptions options;
  options.folder = config.backup().folder();
  options.keep = static_cast<uint32_t>(config.backup().keep());
  options.bytes_per_second = static_cast<uint64_t>(config.backup().rate().bytes());
  options.version = version;
  options.data_free_percent = 100 - static_cast<uint64_t>(config.storage().disk_high_percent());
  if (options.folder.empty()) {
    if (config.backup().every().seconds() == 0) return options;
    return absl::InvalidArgumentError(
        "backup.every: is set, but backup.folder is not: say where they are kept");
  }
  if (Within(options.folder, config.data_dir()) || Within(config.data_dir(), options.folder)) {
    return absl::InvalidArgumentError(
        "backup.folder: and data_dir lie one in the other: choose a folder of its own, best on another disk");
  }
  return options;
}

absl::StatusOr<std::string> BackupListText(const config::v1::Config& config) {
  if (config.backup().folder().empty()) return NoFolder();
  ASSIGN_OR_RETURN(const std::vector<BackupInfo> backups, ListBackups(config.backup().folder()));
  std::string text;
  for (const BackupInfo& info : backups) text += Line(info);
  return text;
}

absl::StatusOr<std::string> RestoreFromBackup(const config::v1::Config& config, const std::string& id,
                                              bool paused) {
  if (config.backup().folder().empty()) return NoFolder();
  RETURN_IF_ERROR(ReadBackupOptions(config, "").status());
  uint32_t number = 0;
  if (id != "latest" && (!absl::SimpleAtoi(id, &number) || number == 0)) {
    return absl::InvalidArgumentError("--restore-backup: is a number from 1, or latest");
  }
  ASSIGN_OR_RETURN(const BackupInfo info,
                   RestoreBackup(config.backup().folder(), number, config.data_dir(), paused));
  return absl::StrCat("restored into ", config.data_dir(), ": backup ", Line(info));
}

}  // namespace hookd
