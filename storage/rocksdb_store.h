// The DeliveryStore on disk.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "base/clock.h"
#include "storage/backups.h"
#include "storage/delivery_store.h"
#include "storage/secret_keys.h"

namespace rocksdb {
class Env;
}

namespace hookd {

struct RocksDbOptions {
  std::string path;               // the data folder
  size_t wal_bytes = 128u << 20;  // bounds restart time and the space that a reopening needs
  size_t block_cache_bytes = 64u << 20;
  size_t ballast_bytes = 0;    // of a file that is given up when the disk is too full to open; 0 = none
  SecretKeys secrets = {};     // have passed CheckSecretKeys
  bool seal_payloads = false;  // and what is kept of exchanges; from now on, under keys that these seal
  // A background error happened: the store is poisoned, and the process must stop. Runs on a thread of the
  // database.
  std::function<void(absl::Status)> on_failure;
  // Told, while it opens, of what a power loss had torn and opening has mended: a sentence each.
  std::function<void(const std::string&)> on_mended = nullptr;
  rocksdb::Env* env =
      nullptr;  // the disk, for tests of what a bad one does; outlives the store; null = the machine's
};

// Opens or makes the data folder. FAILED_PRECONDITION: it is somebody else's, of a newer format, or in use;
// or holds
// secrets under a key that is not given: nothing was written then; DATA_LOSS: it is damaged. The folder stays
// locked until the store is destroyed. `clock` outlives the store.
absl::StatusOr<std::unique_ptr<DeliveryStore>> OpenRocksDbStore(const RocksDbOptions& options,
                                                                const Clock& clock);

// Of a store that OpenRocksDbStore made, which outlives them, as does `clock`.
std::unique_ptr<Backups> MakeBackups(DeliveryStore& store, BackupOptions options, const Clock& clock);

}  // namespace hookd
