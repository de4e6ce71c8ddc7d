#include "storage/migrations.h"

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/format.h"
#include "storage/rocksdb_status.h"

namespace hookd {

const std::vector<Migration>& Migrations() {
  static const auto& steps = *new std::vector<Migration>{};
  HOOKD_CHECK(steps.size() + 1 == kStorageFormat, "a raised format has a step that leads to it");
  return steps;
}

absl::Status Migrate(const std::vector<Migration>& steps, DataFolder& folder, rocksdb::DB& db,
                     const std::vector<rocksdb::ColumnFamilyHandle*>& families) {
  HOOKD_CHECK(folder.format() >= 1 && folder.format() <= steps.size() + 1,
              "an opened folder's format is known");
  while (folder.format() <= steps.size()) {
    const uint32_t next = folder.format() + 1;
    const absl::Status done = steps[folder.format() - 1](db, families);
    if (!done.ok()) {
      return absl::Status(done.code(),
                          Concat("migrate to storage format ", next, ": ", std::string(done.message())));
    }
    RETURN_IF_ERROR(FromRocksDb(db.SyncWAL(), "migrate"));
    RETURN_IF_ERROR(folder.SetFormat(next));
  }
  return absl::OkStatus();
}

}  // namespace hookd
