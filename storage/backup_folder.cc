#include "storage/backup_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/concat.h"
#include "base/status_macros.h"
#include "hookd/storage/v1/backup.pb.h"
#include "storage/durable_file.h"
#include "storage/rocksdb_status.h"

namespace hookd {
namespace {

constexpr char kIdentityFile[] = "HOOKD-BACKUPS";
constexpr char kHead[] = "hookd backups\nof ";

absl::StatusOr<bool> IsEmpty(const std::string& path) {
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator(path, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (it->path().filename().string() != Concat(kIdentityFile, ".new")) return false;
  }
  if (error) return absl::ErrnoToStatus(error.value(), Concat("list ", path));
  return true;
}

absl::Status CheckIdentity(int fd, const std::string& path, const std::string& data_folder) {
  char buffer[256];
  const ssize_t size = pread(fd, buffer, sizeof(buffer), 0);
  if (size < 0) return absl::ErrnoToStatus(errno, Concat("read ", path, "/", kIdentityFile));
  const std::string_view text(buffer, static_cast<size_t>(size));
  if (!text.starts_with(kHead)) {
    return absl::FailedPreconditionError(
        Concat(path, "/", kIdentityFile, " is damaged: choose an empty folder"));
  }
  if (text != Concat(kHead, data_folder, "\n")) {
    return absl::FailedPreconditionError(
        Concat(path, " holds the backups of another data folder: choose an empty folder for this one's"));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> OpenLocked(const std::string& path, int how) {
  const std::string identity = Concat(path, "/", kIdentityFile);
  const int fd = open(identity.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return absl::NotFoundError(Concat(path, " is no folder of hookd's backups"));
  if (fd < 0) return absl::ErrnoToStatus(errno, Concat("open ", identity));
  if (flock(fd, how | LOCK_NB) == 0) return fd;
  close(fd);
  return absl::FailedPreconditionError(
      Concat(path, " is in use: a backup, a verification or a restore runs; wait for its end"));
}

// The engine passes over those that it knows to be damaged.
absl::StatusOr<rocksdb::BackupInfo> FindNewest(const rocksdb::BackupEngineReadOnlyBase& engine) {
  std::vector<rocksdb::BackupID> damaged;
  engine.GetCorruptedBackups(&damaged);
  const rocksdb::BackupID newest = damaged.empty() ? 0 : *std::max_element(damaged.begin(), damaged.end());
  rocksdb::BackupInfo whole;
  const rocksdb::Status found = engine.GetLatestBackupInfo(&whole);
  if (!found.ok() && !found.IsNotFound()) return FromRocksDb(found, "the newest backup");
  if (found.ok() && newest < whole.backup_id) return whole;
  if (newest == 0) return absl::NotFoundError("there is no backup");
  return absl::DataLossError(Concat(
      "backup ", newest, ", the newest, is damaged: ",
      found.ok() ? Concat("name another one, the newest is ", whole.backup_id) : "there is no other one"));
}

}  // namespace

absl::StatusOr<BackupFolder> BackupFolder::OpenToWrite(const std::string& path,
                                                       const std::string& data_folder) {
  RETURN_IF_ERROR(MakePrivateFolder(path));
  if (access(Concat(path, "/", kIdentityFile).c_str(), F_OK) != 0) {
    ASSIGN_OR_RETURN(const bool empty, IsEmpty(path));
    if (!empty) {
      return absl::FailedPreconditionError(
          Concat(path, " is not empty and holds no backups of hookd: choose an empty folder"));
    }
    RETURN_IF_ERROR(WriteDurably(path, kIdentityFile, Concat(kHead, data_folder, "\n")));
  }
  ASSIGN_OR_RETURN(const int fd, OpenLocked(path, LOCK_EX));
  BackupFolder folder(fd);
  RETURN_IF_ERROR(CheckIdentity(fd, path, data_folder));
  return folder;
}

absl::StatusOr<BackupFolder> BackupFolder::OpenToRead(const std::string& path) {
  ASSIGN_OR_RETURN(const int fd, OpenLocked(path, LOCK_SH));
  return BackupFolder(fd);
}

BackupFolder::BackupFolder(BackupFolder&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

BackupFolder::~BackupFolder() {
  if (fd_ >= 0) close(fd_);
}

rocksdb::BackupEngineOptions EngineOptionsOf(const std::string& path,
                                             std::shared_ptr<rocksdb::RateLimiter> limiter) {
  rocksdb::BackupEngineOptions options(path);
  options.backup_rate_limiter = std::move(limiter);
  return options;
}

absl::Status CheckDescriptions(const std::string& path) {
  std::map<std::string, std::string, std::less<>> checksums;  // by the file's name
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator(Concat(path, "/meta"), error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    // What a kill left half written has another name, and is passed over.
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream description(it->path(), std::ios::binary);
    for (std::string line; std::getline(description, line);) {
      const size_t end = line.find(' ');
      if (end == std::string::npos || line.find('/') > end) continue;  // names no file
      const auto [known, added] = checksums.try_emplace(line.substr(0, end), line.substr(end));
      if (!added && known->second != line.substr(end)) {
        return absl::DataLossError(
            Concat(it->path().string(), ": ", known->first,
                   " has two checksums in the descriptions: this one, or another, is damaged; take "
                   "it out of the folder"));
      }
    }
  }
  return absl::OkStatus();  // without a folder there are none
}

absl::StatusOr<std::unique_ptr<rocksdb::BackupEngineReadOnly>> OpenEngineToRead(
    const std::string& path, std::shared_ptr<rocksdb::RateLimiter> limiter) {
  RETURN_IF_ERROR(CheckDescriptions(path));
  rocksdb::BackupEngineReadOnly* engine = nullptr;
  RETURN_IF_ERROR(FromRocksDb(rocksdb::BackupEngineReadOnly::Open(EngineOptionsOf(path, std::move(limiter)),
                                                                  rocksdb::Env::Default(), &engine),
                              Concat("open ", path)));
  return std::unique_ptr<rocksdb::BackupEngineReadOnly>(engine);
}

std::vector<BackupInfo> BackupsIn(const rocksdb::BackupEngineReadOnlyBase& engine) {
  std::vector<rocksdb::BackupInfo> found;
  engine.GetBackupInfo(&found);
  std::vector<BackupInfo> backups;
  for (const rocksdb::BackupInfo& backup : found) {
    if (backup.backup_id == 0) continue;  // a description that names no file: the engine tells nothing of it
    BackupInfo& info = backups.emplace_back();
    info.id = backup.backup_id;
    info.bytes = backup.size;
    info.files = backup.number_files;
    storage::v1::BackupRecord record;
    if (!record.ParseFromString(backup.app_metadata) || record.format() == 0) {
      info.problem = "it does not say which format it has";
      continue;
    }
    info.made_ms = record.made_ms();
    info.commit = record.commit();
    info.format = record.format();
    info.version = record.version();
    info.data_folder = record.data_folder();
  }
  std::vector<rocksdb::BackupID> damaged;
  engine.GetCorruptedBackups(&damaged);
  for (const rocksdb::BackupID id : damaged) {
    BackupInfo& info = backups.emplace_back();
    info.id = id;
    rocksdb::BackupInfo none;
    info.problem = engine.GetBackupInfo(id, &none).ToString();
  }
  std::sort(backups.begin(), backups.end(),
            [](const BackupInfo& a, const BackupInfo& b) { return a.id < b.id; });
  return backups;
}

absl::StatusOr<rocksdb::BackupInfo> FindBackup(const rocksdb::BackupEngineReadOnlyBase& engine, uint32_t id) {
  if (id == 0) return FindNewest(engine);
  rocksdb::BackupInfo backup;
  const rocksdb::Status found = engine.GetBackupInfo(id, &backup);
  if (found.ok()) return backup;
  if (!found.IsNotFound()) return FromRocksDb(found, Concat("backup ", id));
  std::string ids;
  for (const BackupInfo& info : BackupsIn(engine)) ids += Concat(ids.empty() ? "" : ", ", info.id);
  if (ids.empty()) return absl::NotFoundError("there is no backup");
  return absl::NotFoundError(Concat("there is no backup ", id, ": there are ", ids));
}

absl::StatusOr<std::vector<BackupInfo>> ListBackups(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(Concat(path, "/meta"), error)) {
    if (error) return absl::ErrnoToStatus(error.value(), Concat("list ", path));
    return std::vector<BackupInfo>();
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<rocksdb::BackupEngineReadOnly> engine,
                   OpenEngineToRead(path, nullptr));
  return BackupsIn(*engine);
}

}  // namespace hookd
