#include "storage/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
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

constexpr char kIdentityLine[] = "hookd data folder";

absl::Status SystemError(const std::string& what) { return absl::ErrnoToStatus(errno, what); }

std::string IdentityText(uint32_t format) { return Concat(kIdentityLine, "\nformat ", format, "\n"); }

// The format.
absl::StatusOr<uint32_t> CheckIdentity(int fd, const std::string& path) {
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
    return absl::FailedPreconditionError(
        Concat(path, " has storage format ", format, ", this hookd reads up to ", kStorageFormat,
               ": run the hookd that wrote it, or a newer one; a backup made "
               "before the upgrade can be restored"));
  }
  if (format < 1) {
    return absl::FailedPreconditionError(Concat(path, " has storage format ", format, ", which never was"));
  }
  return format;
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

// Another process may have put a new file in the place of the one that was opened, before it was locked.
bool IsStillThere(int fd, const std::string& path) {
  struct stat opened;
  struct stat named;
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

}  // namespace

absl::Status WriteIdentity(const std::string& path, uint32_t format) {
  return WriteDurably(path, kIdentityFile, IdentityText(format));
}

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
  RETURN_IF_ERROR(MakeFolder(path));
  const std::string identity = Concat(path, "/", kIdentityFile);
  if (access(identity.c_str(), F_OK) != 0) {
    ASSIGN_OR_RETURN(const bool empty, IsEmpty(path));
    if (!empty) {
      return absl::FailedPreconditionError(
          Concat(path, " is not empty and not a hookd data folder: choose an empty one"));
    }
    RETURN_IF_ERROR(WriteIdentity(path, kStorageFormat));
  }
  const int fd = open(identity.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError(Concat("open ", identity));
  DataFolder folder(path, fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 || !IsStillThere(fd, identity)) {
    return absl::FailedPreconditionError(
        Concat(path, " is in use by another hookd: stop it first, or choose another folder"));
  }
  ASSIGN_OR_RETURN(folder.format_, CheckIdentity(fd, path));
  return folder;
}

DataFolder::DataFolder(DataFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_fd_(std::exchange(other.lock_fd_, -1)), format_(other.format_) {}

absl::Status DataFolder::SetFormat(uint32_t format) {
  // The new file is locked before it has the name: nobody comes in between.
  const std::string target = Concat(path_, "/", kIdentityFile);
  const std::string temporary = Concat(target, ".new");
  const int fd = open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return SystemError(Concat("create ", temporary));
  DataFolder next(path_, fd);
  const std::string text = IdentityText(format);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 ||
      write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()) || fsync(fd) != 0) {
    return SystemError(Concat("write ", temporary));
  }
  if (rename(temporary.c_str(), target.c_str()) != 0) return SystemError(Concat("rename to ", target));
  RETURN_IF_ERROR(SyncFolder(path_));
  std::swap(lock_fd_, next.lock_fd_);
  format_ = format;
  return absl::OkStatus();
}

DataFolder::~DataFolder() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

}  // namespace hookd
