#include "storage/rocksdb_status.h"

#include "base/concat.h"

namespace hookd {

absl::Status FromRocksDb(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) return absl::OkStatus();
  const std::string message = Concat(what, ": ", status.ToString());
  if (status.IsNotFound()) return absl::NotFoundError(message);
  if (status.IsCorruption()) return absl::DataLossError(message);
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(message);
  return absl::InternalError(message);
}

absl::Status UnknownRow() { return absl::DataLossError("an unknown row in a family that is listed"); }

}  // namespace hookd
