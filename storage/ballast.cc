#include "storage/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/data_folder.h"

namespace hookd {
namespace {

constexpr uint64_t kBlock = 512;  // the unit of st_blocks, whatever the file system

bool IsWhole(int fd, uint64_t bytes) {
  struct stat info;
  return fstat(fd, &info) == 0 && static_cast<uint64_t>(info.st_size) == bytes &&
         static_cast<uint64_t>(info.st_blocks) * kBlock >= bytes;
}

}  // namespace

bool FreeBallast(const std::string& path) { return unlink(path.c_str()) == 0; }

absl::Status KeepBallast(const std::string& path, uint64_t bytes) {
  if (bytes == 0) {
    FreeBallast(path);
    return absl::OkStatus();
  }
  const int old = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool whole = old >= 0 && IsWhole(old, bytes);
  if (old >= 0) close(old);
  if (whole) return absl::OkStatus();
  FreeBallast(path);  // of another size, or half made

  ASSIGN_OR_RETURN(const DiskSpace disk, SpaceOf(std::filesystem::path(path).parent_path()));
  if (disk.free_bytes / 2 < bytes) return absl::OkStatus();
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, Concat("create ", path));
  const int error = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  close(fd);
  if (error == 0) return absl::OkStatus();
  FreeBallast(path);
  if (error == ENOSPC) return absl::OkStatus();  // somebody else took the room meanwhile
  return absl::ErrnoToStatus(error, Concat("allocate ", path, ": set storage.ballast to 0 to do without"));
}

}  // namespace hookd
