#include "storage/restore.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/concat.h"
#include "base/status_macros.h"
#include "hookd/storage/v1/backup.pb.h"
#include "storage/backup_folder.h"
#include "storage/data_folder.h"
#include "storage/durable_file.h"
#include "storage/format.h"
#include "storage/key_codec.h"
#include "storage/key_list.h"
#include "storage/record_codec.h"
#include "storage/rocksdb_status.h"

namespace hookd {
namespace {

constexpr char kRestoringFile[] = "RESTORING";    // there while a restore runs; locked
constexpr char kRestoredFile[] = "RESTORED";      // until the folder has been opened
constexpr char kRestoredHead[] = "from backup ";  // it begins so; then the backup's id
constexpr char kPausedLine[] = "paused\n";        // its second line, if there is one
constexpr char kDatabase[] = "db";

// Numbers that were given after the backup was made must not be given again: an id is never reused, and a
// commit that somebody has seen does not come back. Endpoints' numbers have 48 bits.
constexpr uint64_t kCommitGap = uint64_t{1} << 40;
constexpr uint64_t kEndpointGap = uint64_t{1} << 24;
constexpr uint64_t kJobGap = uint64_t{1} << 20;

// The folder while it is being restored. Until Keep, its end takes away what was made.
class Unfinished {
 public:
  static absl::StatusOr<std::unique_ptr<Unfinished>> Begin(const std::string& path) {
    RETURN_IF_ERROR(CheckEmpty(path));
    RETURN_IF_ERROR(MakePrivateFolder(path));
    const std::string marker = Concat(path, "/", kRestoringFile);
    const int fd = open(marker.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return absl::ErrnoToStatus(errno, Concat("create ", marker));
    std::unique_ptr<Unfinished> unfinished(new Unfinished(path, fd));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      unfinished->kept_ = true;
      return absl::FailedPreconditionError(Concat("another restore into ", path, " runs"));
    }
    // Another restore may have ended between the two: what it made stays. The marker is this one's.
    if (absl::Status still = CheckEmpty(path); !still.ok()) {
      unfinished->Keep();
      return still;
    }
    unfinished->Clear();
    return unfinished;
  }

  ~Unfinished() {
    if (!kept_) {
      Clear();
      unlink(Concat(path_, "/", kRestoringFile).c_str());
    }
    close(fd_);
  }

  // Takes away what was made, but for the marker. The identity first: without it, it is no data folder.
  void Clear() {
    std::error_code ignored;
    for (const char* name : {kIdentityFile, kDatabase, kRestoredFile, kKeyListFile}) {
      std::filesystem::remove_all(Concat(path_, "/", name), ignored);
    }
  }

  void Keep() {
    kept_ = true;
    unlink(Concat(path_, "/", kRestoringFile).c_str());
  }

 private:
  Unfinished(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  // What a restore makes, and nothing else, beside its marker.
  static absl::Status CheckEmpty(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return absl::OkStatus();
    const bool cut_off = std::filesystem::exists(Concat(path, "/", kRestoringFile), error) &&
                         !std::filesystem::exists(Concat(path, "/", kIdentityFile), error);
    static constexpr std::array<std::string_view, 7> kOurs = {
        kRestoringFile, kRestoredFile, "RESTORED.new", kKeyListFile, "SECRETS.new", "HOOKD.new", kDatabase};
    for (auto it = std::filesystem::directory_iterator(path, error);
         !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
      const std::string name = it->path().filename();
      bool ours = false;
      for (const std::string_view known : kOurs) ours = ours || name == known;
      if (!cut_off || !ours) {
        return absl::FailedPreconditionError(Concat(
            path, " is not empty: restore into an empty folder, and change data_dir or move the folder"));
      }
    }
    return error ? absl::ErrnoToStatus(error.value(), Concat("list ", path)) : absl::OkStatus();
  }

  const std::string path_;
  const int fd_;
  bool kept_ = false;
};

struct Restored {
  uint32_t backup = 0;
  bool paused = false;
};

std::string TextOf(const Restored& restored) {
  return Concat(kRestoredHead, restored.backup, "\n", restored.paused ? kPausedLine : "");
}

// Takes nothing but what TextOf gives: half of it does not say whether to send.
absl::StatusOr<Restored> ReadRestored(const std::string& marker) {
  std::ifstream file(marker, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  Restored restored;
  restored.paused = text.ends_with(kPausedLine);
  if (text.starts_with(kRestoredHead)) {
    std::from_chars(text.data() + sizeof(kRestoredHead) - 1, text.data() + text.size(), restored.backup);
  }
  if (restored.backup != 0 && text == TextOf(restored)) return restored;
  return absl::DataLossError(Concat(
      marker, " is damaged, and does not say whether to start paused: restore again, into an empty folder"));
}

// What was stopped stays so.
absl::StatusOr<Operations> PausedAfter(uint32_t backup, rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta,
                                       const records::StoreState& state) {
  std::string value;
  const rocksdb::Status read = db.Get(rocksdb::ReadOptions(), meta, keys::OperationsRow(), &value);
  Operations operations;
  if (!read.IsNotFound()) {
    RETURN_IF_ERROR(FromRocksDb(read, "begin an epoch"));
    ASSIGN_OR_RETURN(operations, records::DecodeOperations(value));
  }
  operations.paused = true;
  operations.pause_note = Concat("restored from backup ", backup);
  operations.paused_ms = state.wall_high_water_ms;
  return operations;
}

}  // namespace

absl::StatusOr<BackupInfo> RestoreBackup(const std::string& backups, uint32_t id, const std::string& data_dir,
                                         bool paused) {
  ASSIGN_OR_RETURN(const BackupFolder folder, BackupFolder::OpenToRead(backups));
  ASSIGN_OR_RETURN(std::unique_ptr<rocksdb::BackupEngineReadOnly> engine, OpenEngineToRead(backups, nullptr));
  ASSIGN_OR_RETURN(const rocksdb::BackupInfo found, FindBackup(*engine, id));
  storage::v1::BackupRecord record;
  if (!record.ParseFromString(found.app_metadata) || record.format() == 0) {
    return absl::DataLossError(Concat("backup ", found.backup_id, " does not say which format it has"));
  }
  if (record.format() > kStorageFormat) {
    return absl::FailedPreconditionError(Concat(
        "backup ", found.backup_id, " has storage format ", record.format(), ", this hookd reads up to ",
        kStorageFormat, ": restore it with hookd ", record.version(), " or a newer one"));
  }

  ASSIGN_OR_RETURN(const std::unique_ptr<Unfinished> unfinished, Unfinished::Begin(data_dir));
  const std::string db = Concat(data_dir, "/", kDatabase);
  const rocksdb::Status restored =
      engine->RestoreDBFromBackup(rocksdb::RestoreOptions(), found.backup_id, db, db);
  if (!restored.ok()) {
    absl::Status why = FromRocksDb(restored, "restore");
    if (restored.IsCorruption()) {
      // This version does not say which file it was.
      const rocksdb::Status named = engine->VerifyBackup(found.backup_id, true);
      why = absl::DataLossError(
          Concat("backup ", found.backup_id, ": ", (named.ok() ? restored : named).ToString()));
    }
    // The engine's thread goes on with the files that are left, and cannot without their folder.
    unfinished->Clear();
    engine.reset();
    return why;
  }
  // The database's identity: its next backup goes to the same folder as those before.
  RETURN_IF_ERROR(WriteDurably(db, "IDENTITY", record.data_folder()));
  if (!record.secrets().empty()) RETURN_IF_ERROR(WriteDurably(data_dir, kKeyListFile, record.secrets()));
  RETURN_IF_ERROR(WriteDurably(data_dir, kRestoredFile, TextOf({found.backup_id, paused})));
  // The last step: from now on it is a data folder.
  RETURN_IF_ERROR(WriteIdentity(data_dir, record.format()));
  unfinished->Keep();
  for (BackupInfo& info : BackupsIn(*engine)) {
    if (info.id == found.backup_id) return std::move(info);
  }
  return absl::InternalError("the backup is not there any more");
}

absl::StatusOr<uint32_t> BeginEpoch(const std::string& data_dir, rocksdb::DB& db,
                                    rocksdb::ColumnFamilyHandle* meta) {
  const std::string marker = Concat(data_dir, "/", kRestoredFile);
  if (access(marker.c_str(), F_OK) != 0) return 0;
  ASSIGN_OR_RETURN(const Restored restored, ReadRestored(marker));
  std::string value;
  const rocksdb::Status read = db.Get(rocksdb::ReadOptions(), meta, keys::State(), &value);
  records::StoreState state;
  if (!read.IsNotFound()) {
    RETURN_IF_ERROR(FromRocksDb(read, "begin an epoch"));
    ASSIGN_OR_RETURN(state, records::DecodeState(value));
  }
  ++state.epoch;
  state.commit += kCommitGap;
  state.next_endpoint_number += kEndpointGap;
  state.next_job += kJobGap;
  rocksdb::WriteBatch batch;
  batch.Put(meta, keys::State(), records::Encode(state));
  if (restored.paused) {
    ASSIGN_OR_RETURN(const Operations operations, PausedAfter(restored.backup, db, meta, state));
    batch.Put(meta, keys::OperationsRow(), records::Encode(operations));
  }
  rocksdb::WriteOptions durable;
  durable.sync = true;
  RETURN_IF_ERROR(FromRocksDb(db.Write(durable, &batch), "begin an epoch"));
  // A crash before this begins one more at the next opening, which harms nothing.
  RETURN_IF_ERROR(RemoveDurably(data_dir, kRestoredFile));
  return restored.backup;
}

}  // namespace hookd
