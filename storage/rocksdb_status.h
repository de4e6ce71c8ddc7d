// The one translation of RocksDB's errors.
#pragma once

#include <string_view>

#include <absl/status/status.h>
#include <rocksdb/status.h>

namespace hookd {

// `what` names the operation. Corruption is DATA_LOSS, no space RESOURCE_EXHAUSTED, everything else INTERNAL.
absl::Status FromRocksDb(const rocksdb::Status& status, std::string_view what);

// DATA_LOSS: a key is none that its family's rows have.
absl::Status UnknownRow();

}  // namespace hookd
