#include "storage/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <absl/status/status.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/durable_file.h"
#include "storage/format.h"

namespace hookd {
namespace {

constexpr char kIdentityFile[] = "HOOKD";
constexpr char kIdentityLine[] = "hookd data folder";

absl::Status SystemError(const std::string& what) { return absl::ErrnoToStatus(errno, what); }

absl::Status WriteIdentity(const std::string& path) {
  return WriteDurably(path, kIdentityFile, Concat(kIdentityLine, "\nformat ", kStorageFormat, "\n"));
}

absl::Status CheckIdentity(int fd, const std::string& path) {
  char buffer[256];
  const ssize_t size = pread(fd, buffer, sizeof(buffer), 0);
  if (size < 0) return SystemError(Concat("read ", path, "/", kIdentityFile));
  const std::string_view text(buffer, static_cast<size_t>(size));
  const std::string head = Concat(kIdentityLine, "\nformat ");
  uint32_t format = 0;
  if (!text.starts_with(head) ||
      std::from_chars(text.data() + head.size(), text.data() + text.size(), format).ec != std::errc()) {
    return absl::FailedPreconditionError(
        Concat(path, "/", kIdentityFile, " is damaged: restore the folder from a backup"));
  }
  if (format > kStorageFormat) {
    return absl::FailedPreconditionError(Concat(path, " has storage format ", format,
                                                ", this hookd reads up to ", kStorageFormat,
                                                ": run the hookd that wrote it, or a newer one"));
  }
  if (format < 1) {
    return absl::FailedPreconditionError(Concat(path, " has storage format ", format, ", which never was"));
  }
  return absl::OkStatus();
}

// The names of what a crashed first start may leave behind are no sign of a foreign folder.
absl::StatusOr<bool> IsEmpty(const std::string& path) {
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator(path, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (it->path().filename() != Concat(kIdentityFile, ".new")) return false;
  }
  if (error) return absl::ErrnoToStatus(error.value(), Concat("list ", path));
  return true;
}

}  // namespace

absl::StatusOr<DiskSpace> SpaceOf(const std::string& path) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(path, error);
  if (error) return absl::ErrnoToStatus(error.value(), Concat("space of ", path));
  DiskSpace disk;
  disk.total_bytes = space.capacity;
  disk.free_bytes = space.available;
  return disk;
}

absl::StatusOr<DataFolder> DataFolder::Open(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return absl::ErrnoToStatus(error.value(), Concat("create ", path));
  const std::string identity = Concat(path, "/", kIdentityFile);
  if (access(identity.c_str(), F_OK) != 0) {
    ASSIGN_OR_RETURN(const bool empty, IsEmpty(path));
    if (!empty) {
      return absl::FailedPreconditionError(
          Concat(path, " is not empty and not a hookd data folder: choose an empty one"));
    }
    RETURN_IF_ERROR(WriteIdentity(path));
  }
  const int fd = open(identity.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError(Concat("open ", identity));
  DataFolder folder(path, fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        Concat(path, " is in use by another hookd: stop it first, or choose another folder"));
  }
  RETURN_IF_ERROR(CheckIdentity(fd, path));
  return folder;
}

DataFolder::DataFolder(DataFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_fd_(std::exchange(other.lock_fd_, -1)) {}

DataFolder::~DataFolder() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

}  // namespace hookd
