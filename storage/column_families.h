// The column families: their names are format, their options are tuning (reasons in docs/storage-format.md).
#pragma once

#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include "storage/rocksdb_store.h"

namespace hookd {

// Indexes into the handles; the order is the order of ColumnFamilies().
enum Family : size_t {
  kDefault,  // RocksDB insists on it; empty
  kMeta,
  kSubscribers,
  kEndpoints,
  kLanes,
  kQueue,
  kParked,
  kEvents,
  kHistory,
  kIdempotency,
  kChanges,
  kTokens,
  kAudit,
  kFamilyCount
};

rocksdb::DBOptions DatabaseOptions(const RocksDbOptions& options);
std::vector<rocksdb::ColumnFamilyDescriptor> ColumnFamilies(const RocksDbOptions& options);

}  // namespace hookd
