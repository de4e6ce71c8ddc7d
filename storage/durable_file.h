// Small files that are there as a whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace hookd {

// Through `NAME.new`, fsync and rename, and the folder's fsync: a crash leaves the old file or the new one.
absl::Status WriteDurably(const std::string& folder, const std::string& name, std::string_view text);

// Makes it, and the folders above it, where they are missing; their names are durable.
absl::Status MakeFolder(const std::string& path);
// Likewise, for its owner alone.
absl::Status MakePrivateFolder(const std::string& path);

// Makes the names in it durable.
absl::Status SyncFolder(const std::string& path);

// Takes it away, and the folder's fsync.
absl::Status RemoveDurably(const std::string& folder, const std::string& name);

}  // namespace hookd
