#include "storage/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/concat.h"
#include "base/status_macros.h"

namespace hookd {
namespace {

absl::Status SystemError(const std::string& what) { return absl::ErrnoToStatus(errno, what); }

}  // namespace

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  std::vector<std::filesystem::path> missing;
  for (std::filesystem::path at = std::filesystem::absolute(path, error).lexically_normal();
       !error && !std::filesystem::exists(at, error) && at.has_relative_path(); at = at.parent_path()) {
    missing.push_back(at);
  }
  for (auto at = missing.rbegin(); !error && at != missing.rend(); ++at) {
    if (at->filename().empty()) continue;  // of a path that ends with a slash
    std::filesystem::create_directory(*at, error);
    if (!error) RETURN_IF_ERROR(SyncFolder(at->parent_path()));
  }
  return error ? absl::ErrnoToStatus(error.value(), Concat("create ", path)) : absl::OkStatus();
}

absl::Status MakePrivateFolder(const std::string& path) {
  std::error_code error;
  const bool there = std::filesystem::exists(path, error);
  RETURN_IF_ERROR(MakeFolder(path));
  if (!there) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
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
