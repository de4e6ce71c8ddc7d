// From each storage format to the next: docs/storage-format.md says when a format is raised.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <absl/status/status.h>
#include <rocksdb/db.h>

#include "storage/data_folder.h"

namespace hookd {

// Rewrites what the next format wants otherwise, in all families that there are (a new one is empty). May run
// again over what it has done, as a crash may cut it off.
using Migration =
    std::function<absl::Status(rocksdb::DB& db, const std::vector<rocksdb::ColumnFamilyHandle*>& families)>;

// The first leads from format 1 to 2, and so on; the last to kStorageFormat.
const std::vector<Migration>& Migrations();

// Brings the folder to the format that `steps` lead to. Each step is on disk before the folder's format says
// so: a crash leaves the format before it, and the next opening goes on there.
absl::Status Migrate(const std::vector<Migration>& steps, DataFolder& folder, rocksdb::DB& db,
                     const std::vector<rocksdb::ColumnFamilyHandle*>& families);

}  // namespace hookd
