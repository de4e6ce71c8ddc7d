#include "storage/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/concat.h"
#include "base/status_macros.h"

namespace hookd {
namespace {

absl::Status SystemError(const std::string& what) { return absl::ErrnoToStatus(errno, what); }

}  // namespace

absl::Status MakePrivateFolder(const std::string& path) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(path, error);
  if (made && !error) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  return error ? absl::ErrnoToStatus(error.value(), Concat("create ", path)) : absl::OkStatus();
}

absl::Status SyncFolder(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError(Concat("open ", path));
  const int failed = fsync(fd);
  close(fd);
  return failed == 0 ? absl::OkStatus() : SystemError(Concat("fsync ", path));
}

absl::Status WriteDurably(const std::string& folder, const std::string& name, std::string_view text) {
  const std::string target = Concat(folder, "/", name);
  const std::string temporary = Concat(target, ".new");
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return SystemError(Concat("create ", temporary));
  const bool written =
      write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  const absl::Status status = written ? absl::OkStatus() : SystemError(Concat("write ", temporary));
  close(fd);
  RETURN_IF_ERROR(status);
  if (rename(temporary.c_str(), target.c_str()) != 0) return SystemError(Concat("rename to ", target));
  return SyncFolder(folder);
}

absl::Status RemoveDurably(const std::string& folder, const std::string& name) {
  const std::string path = Concat(folder, "/", name);
  if (unlink(path.c_str()) != 0) return SystemError(Concat("remove ", path));
  return SyncFolder(folder);
}

}  // namespace hookd
