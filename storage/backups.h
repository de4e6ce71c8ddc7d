// Backups of a data folder: what they are, making and checking them while the store is open, and restoring
// them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/clock.h"

namespace hookd {

// With everything that it takes to be restored, but the keys that secrets are sealed under.
struct BackupInfo {
  uint32_t id = 0;  // from 1, ascending
  WallMs made_ms = 0;
  uint64_t bytes = 0;  // of its files; most of them are shared with other backups
  uint32_t files = 0;
  uint64_t commit = 0;  // the newest when it began: it holds all up to this one, and perhaps more
  uint32_t format = 0;
  std::string version;      // the hookd that made it
  std::string data_folder;  // the identity of its database
  std::string problem;      // why it cannot be restored; empty = nothing is known to be wrong
};

// All methods but Create and Verify, of which one runs at a time, may be called from any thread at any time.
class Backups {
 public:
  virtual ~Backups() = default;

  // Copies what the folder does not hold yet, and forgets the oldest backups beyond those to keep. `bytes`
  // counts what was copied. Holds no commit up: nothing is flushed for it, but files that the database has no
  // use for any more stay until it has ended. CANCELLED: Stop; FAILED_PRECONDITION: the folder is somebody
  // else's, or in use by another process; RESOURCE_EXHAUSTED: its disk, or the data folder's, is nearly full.
  // Where its disk is so at the beginning, what is beyond those to keep, or half made, is removed first. A
  // backup that failed, or was cut off by a crash, leaves those before it as they were.
  virtual absl::StatusOr<BackupInfo> Create(std::atomic<uint64_t>& bytes) = 0;

  // Reads every file of a backup. NOT_FOUND; DATA_LOSS names the file that is damaged or missing; CANCELLED.
  virtual absl::Status Verify(uint32_t id, std::atomic<uint64_t>& bytes) = 0;

  // Oldest first. A folder that is not there yet has none.
  virtual absl::StatusOr<std::vector<BackupInfo>> List() const = 0;

  // What runs ends with CANCELLED within a second, and whatever begins later does so at once.
  virtual void Stop() = 0;
};

struct BackupOptions {
  std::string folder;                     // made if it is missing; not in the data folder
  uint32_t keep = 7;                      // at least 1
  uint64_t bytes_per_second = 64u << 20;  // copied or read
  std::string version;                    // of this hookd
  // A backup ends as failed with less free on its disk. 0 = 1, or 15 where that is the data folder's disk.
  uint64_t min_free_percent = 0;
  // And with less free on the data folder's disk, where it keeps files that the database is done with. 0 = it
  // does not look.
  uint64_t data_free_percent = 0;
};

// Oldest first, without the store being open. A folder that is not there has none.
absl::StatusOr<std::vector<BackupInfo>> ListBackups(const std::string& folder);

// Into `data_dir`, which is missing, empty, or what a restore that was cut off has left. `id` 0 = the newest,
// which is not passed over where it is damaged: DATA_LOSS names it, and the newest that may be whole.
// Every file is compared with its checksum on the way. NOT_FOUND; FAILED_PRECONDITION: the backup's format is
// newer than ours, `data_dir` holds anything, or one of the two is in use; DATA_LOSS names the file that is
// damaged. After an error `data_dir` is no data folder, and the same call may be made again. `paused`: its
// hookd starts as after Operations.paused, so that somebody can look before anything is sent.
absl::StatusOr<BackupInfo> RestoreBackup(const std::string& folder, uint32_t id, const std::string& data_dir,
                                         bool paused = false);

}  // namespace hookd
