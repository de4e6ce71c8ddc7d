// A look at the database's logs before it is opened: its write-ahead logs and its manifest. RocksDB 7.8.3
// takes some damage for the end of a log, and drops what was acknowledged behind it without a word; and what
// a power loss leaves of the last write it takes for damage where sectors of it are missing.
#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace hookd {

// Of each log, the last record may be torn: it was not acknowledged, and is cut off where RocksDB would
// stumble over it. Gives a sentence for each that was cut. DATA_LOSS: a log is damaged otherwise, or the
// database has lost its file CURRENT; the message names the file, and nothing was written.
absl::StatusOr<std::vector<std::string>> MendLogs(const std::string& db_path);

}  // namespace hookd
