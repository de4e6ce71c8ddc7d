// What comes after a restore (storage/backups.h).
#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>
#include <rocksdb/db.h>

namespace hookd {

// At the first opening after a restore: another epoch of hookd-sequence, and numbers far above those that may
// have been given after the backup was made. Gives the backup's id; in a folder that was not restored 0, and
// does nothing. DATA_LOSS: what the restore left does not say whether to start paused; it stays.
absl::StatusOr<uint32_t> BeginEpoch(const std::string& data_dir, rocksdb::DB& db,
                                    rocksdb::ColumnFamilyHandle* meta);

}  // namespace hookd
