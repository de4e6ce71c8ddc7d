// The data folder: whose it is, which format it has, and that only one process uses it.
#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "storage/delivery_store.h"

namespace hookd {

// Of the file system of `path`.
absl::StatusOr<DiskSpace> SpaceOf(const std::string& path);

inline constexpr char kIdentityFile[] = "HOOKD";

// Makes `path`, a folder, a data folder of that format, durably. The file's name appears with its whole text.
absl::Status WriteIdentity(const std::string& path, uint32_t format);

// Holds the folder's lock as long as it lives. Layout: `HOOKD` (identity and format, locked), `db/`
// (RocksDB), `SECRETS` (storage/key_list.h) and `ballast` (storage/ballast.h).
class DataFolder {
 public:
  // Makes an empty or missing folder hookd's. FAILED_PRECONDITION, and nothing is touched, when the folder is
  // somebody else's, of a newer format, or in use. A crash in here leaves either no identity or a whole one.
  static absl::StatusOr<DataFolder> Open(const std::string& path);

  DataFolder(DataFolder&& other) noexcept;
  DataFolder& operator=(DataFolder&&) = delete;
  ~DataFolder();

  // As the folder says; at least 1, and at most kStorageFormat.
  uint32_t format() const { return format_; }
  // Durably; the lock is held all the time.
  absl::Status SetFormat(uint32_t format);

  const std::string& path() const { return path_; }
  std::string db_path() const { return path_ + "/db"; }
  std::string ballast_path() const { return path_ + "/ballast"; }

 private:
  DataFolder(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}
  std::string path_;
  int lock_fd_;
  uint32_t format_ = 0;
};

}  // namespace hookd
