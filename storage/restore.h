// What comes after a restore (storage/backups.h).
#pragma once

#include <string>

#include <absl/status/status.h>
#include <rocksdb/db.h>

namespace hookd {

// At the first opening after a restore: another epoch of hookd-sequence, and numbers far above those that may
// have been given after the backup was made. Does nothing in a folder that was not restored.
absl::Status BeginEpoch(const std::string& data_dir, rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta);

}  // namespace hookd
