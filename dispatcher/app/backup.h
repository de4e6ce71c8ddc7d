// Backups as the configuration says, and restoring one with hookd stopped.
#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "hookd/config/v1/config.pb.h"
#include "storage/backups.h"

namespace hookd {

// INVALID_ARGUMENT: the folder and the data folder lie one in the other, or there is none and backups shall
// be made by themselves. An empty folder = no backups.
absl::StatusOr<BackupOptions> ReadBackupOptions(const config::v1::Config& config, const std::string& version);

// For people: one line for each backup of backup.folder.
absl::StatusOr<std::string> BackupListText(const config::v1::Config& config);

// From backup.folder into data_dir, as RestoreBackup. `id` is a number, or "latest". For people: what was
// done.
absl::StatusOr<std::string> RestoreFromBackup(const config::v1::Config& config, const std::string& id,
                                              bool paused);

}  // namespace hookd
