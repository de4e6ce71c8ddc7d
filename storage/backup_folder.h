// The folder of backups: whose it is, that one process changes it at a time, and RocksDB's engine in it.
// Layout: `HOOKD-BACKUPS` (identity, locked), and RocksDB's `meta/`, `private/` and `shared_checksum/`.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <rocksdb/utilities/backup_engine.h>

#include "storage/backups.h"

namespace hookd {

// Holds the folder's lock as long as it lives.
class BackupFolder {
 public:
  // To change it. Makes an empty or missing folder that of `data_folder`'s backups. FAILED_PRECONDITION: it
  // is somebody else's, or in use.
  static absl::StatusOr<BackupFolder> OpenToWrite(const std::string& path, const std::string& data_folder);
  // To read it; others may read too. NOT_FOUND: there is none.
  static absl::StatusOr<BackupFolder> OpenToRead(const std::string& path);

  BackupFolder(BackupFolder&& other) noexcept;
  BackupFolder& operator=(BackupFolder&&) = delete;
  ~BackupFolder();

 private:
  explicit BackupFolder(int fd) : fd_(fd) {}
  int fd_;
};

// Of the engine; `limiter` may be null.
rocksdb::BackupEngineOptions EngineOptionsOf(const std::string& path,
                                             std::shared_ptr<rocksdb::RateLimiter> limiter);

// Before an engine is opened: 7.8.3 aborts where descriptions give one file two checksums. DATA_LOSS names
// the description.
absl::Status CheckDescriptions(const std::string& path);

absl::StatusOr<std::unique_ptr<rocksdb::BackupEngineReadOnly>> OpenEngineToRead(
    const std::string& path, std::shared_ptr<rocksdb::RateLimiter> limiter);

// Oldest first, those too that are damaged.
std::vector<BackupInfo> BackupsIn(const rocksdb::BackupEngineReadOnlyBase& engine);
// `id` 0 = the newest. NOT_FOUND names those that there are; DATA_LOSS: it is damaged, and of the newest also
// which is the newest that may be whole.
absl::StatusOr<rocksdb::BackupInfo> FindBackup(const rocksdb::BackupEngineReadOnlyBase& engine, uint32_t id);

}  // namespace hookd
