#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "hookd/storage/v1/backup.pb.h"
#include "storage/backup_folder.h"
#include "storage/backup_pace.h"
#include "storage/format.h"
#include "storage/key_list.h"
#include "storage/rocksdb_status.h"
#include "storage/rocksdb_store.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {
namespace {

// Of the backups' file system: on a disk of their own next to nothing, on the data folder's what keeps the
// intake open (storage.disk_low_percent by default).
constexpr uint64_t kFreePercent = 1;
constexpr uint64_t kFreePercentOnOneDisk = 15;
constexpr std::chrono::milliseconds kPurgePoll{50};
constexpr uint64_t kSpaceLookBytes = 16u << 20;  // copied between two looks at the disk

bool OnOneDisk(const std::string& a, const std::string& b) {
  struct stat of_a;
  struct stat of_b;
  return stat(a.c_str(), &of_a) == 0 && stat(b.c_str(), &of_b) == 0 && of_a.st_dev == of_b.st_dev;
}

absl::Status CheckRoom(std::string_view field, const std::string& folder, uint64_t free_percent,
                       std::string_view advice) {
  ASSIGN_OR_RETURN(const DiskSpace disk, SpaceOf(folder));
  if (disk.free_bytes / 100 * 100 >= disk.total_bytes / 100 * free_percent) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      Concat(field, ": less than ", free_percent, " % of the disk of ", folder, " is free: ", advice));
}

// Empty where there is no such file.
absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.good() && !file.eof()) return absl::InternalError(Concat("read ", path));
  return text;
}

// Ends with CANCELLED what was stopped; RocksDB says "incomplete".
absl::Status EndOf(const rocksdb::Status& status, std::string_view what) {
  if (status.IsIncomplete()) return absl::CancelledError(Concat(what, ": stopped"));
  if (status.IsNotFound()) return absl::DataLossError(Concat(what, ": ", status.ToString()));
  return FromRocksDb(status, what);
}

}  // namespace

class RocksDbBackups final : public Backups {
 public:
  RocksDbBackups(RocksDbStore& store, BackupOptions options, const Clock& clock)
      : store_(store), options_(std::move(options)), clock_(clock) {}

  absl::StatusOr<BackupInfo> Create(std::atomic<uint64_t>& bytes) override {
    std::string identity;
    RETURN_IF_ERROR(FromRocksDb(store_.db_->GetDbIdentity(identity), "identity of the database"));
    ASSIGN_OR_RETURN(const BackupFolder folder, BackupFolder::OpenToWrite(options_.folder, identity));
    const uint64_t free_percent = MinFreePercent();
    RETURN_IF_ERROR(MakeRoom(free_percent));
    RETURN_IF_ERROR(CheckDisks(free_percent));
    // While a backup lists and copies files none of them goes; a purge that ended meanwhile would say that
    // what it erased is gone.
    std::unique_lock<std::mutex> files(store_.files_mutex_, std::try_to_lock);
    while (!files.owns_lock()) {
      if (stop_) return absl::CancelledError("backup: stopped");
      std::this_thread::sleep_for(kPurgePoll);
      files.try_lock();
    }

    storage::v1::BackupRecord record;
    record.set_format(kStorageFormat);
    record.set_version(options_.version);
    record.set_data_folder(identity);
    record.set_commit(store_.LastCommit());
    record.set_made_ms(clock_.Wall());
    // Before the files: a key that is taken off the list meanwhile may still be needed by what they hold.
    ASSIGN_OR_RETURN(std::string secrets, ReadWhole(Concat(store_.folder_.path(), "/", kKeyListFile)));
    record.set_secrets(std::move(secrets));

    // The first step that finds the disk too full says so; the engine only hears that it shall stop.
    absl::Mutex full_mutex;
    absl::Status full;
    uint64_t looked = 0;
    const auto stopped = [&] {
      if (stop_) return true;
      absl::MutexLock lock(&full_mutex);
      const uint64_t copied = bytes.load(std::memory_order_relaxed);
      if (full.ok() && copied - looked >= kSpaceLookBytes) {
        looked = copied;
        full = CheckDisks(free_percent);
        if (!full.ok()) StopEngine();
      }
      return !full.ok();
    };
    const auto pace = std::make_shared<BackupPace>(
        options_.bytes_per_second, rocksdb::RateLimiter::Mode::kWritesOnly, clock_, bytes, stopped);
    ASSIGN_OR_RETURN(const std::unique_ptr<rocksdb::BackupEngine> engine, OpenEngine(pace));
    const Running running(*this, engine.get());
    if (stop_) return absl::CancelledError("backup: stopped");
    rocksdb::BackupID id = 0;
    // Without a flush: the logs are copied too, up to storage.wal_bytes, and replayed by the restored folder.
    const absl::Status made =
        EndOf(engine->CreateNewBackupWithMetadata(rocksdb::CreateBackupOptions(), store_.db_.get(),
                                                  record.SerializeAsString(), &id),
              "backup");
    {
      absl::MutexLock lock(&full_mutex);
      if (!full.ok()) return full;
    }
    RETURN_IF_ERROR(made);
    // The backup is made, whatever becomes of that: what stays goes with the next one.
    Purge(*engine).IgnoreError();
    for (BackupInfo& info : BackupsIn(*engine)) {
      if (info.id == id) return std::move(info);
    }
    return absl::InternalError("the new backup is not there");
  }

  absl::Status Verify(uint32_t id, std::atomic<uint64_t>& bytes) override {
    ASSIGN_OR_RETURN(const BackupFolder folder, BackupFolder::OpenToRead(options_.folder));
    // The engine asks for whole buffers, whatever the file holds: more than it reads.
    std::atomic<uint64_t> asked{0};
    uint64_t size = 0;
    const auto stopped = [&] {
      bytes = std::min(asked.load(std::memory_order_relaxed), size);
      return stop_.load();
    };
    const auto pace = std::make_shared<BackupPace>(
        options_.bytes_per_second, rocksdb::RateLimiter::Mode::kReadsOnly, clock_, asked, stopped);
    // The kind that can be stopped; nothing is written through it.
    ASSIGN_OR_RETURN(const std::unique_ptr<rocksdb::BackupEngine> engine, OpenEngine(pace));
    const Running running(*this, engine.get());
    if (stop_) return absl::CancelledError("verification: stopped");
    ASSIGN_OR_RETURN(const rocksdb::BackupInfo found, FindBackup(*engine, id));
    size = found.size;
    const absl::Status whole =
        EndOf(engine->VerifyBackup(found.backup_id, true), Concat("backup ", found.backup_id));
    if (whole.ok()) bytes = size;
    return whole;
  }

  absl::StatusOr<std::vector<BackupInfo>> List() const override {
    absl::MutexLock lock(&list_mutex_);
    return ListBackups(options_.folder);
  }

  void Stop() override {
    stop_ = true;
    StopEngine();
  }

 private:
  // Makes the engine known to Stop as long as it lives.
  class Running {
   public:
    Running(RocksDbBackups& owner, rocksdb::BackupEngine* engine) : owner_(owner) { Set(engine); }
    ~Running() { Set(nullptr); }

   private:
    void Set(rocksdb::BackupEngine* engine) {
      absl::MutexLock lock(&owner_.engine_mutex_);
      owner_.engine_ = engine;
    }
    RocksDbBackups& owner_;
  };

  absl::StatusOr<std::unique_ptr<rocksdb::BackupEngine>> OpenEngine(
      std::shared_ptr<rocksdb::RateLimiter> pace) {
    RETURN_IF_ERROR(CheckDescriptions(options_.folder));
    rocksdb::BackupEngine* engine = nullptr;
    RETURN_IF_ERROR(FromRocksDb(rocksdb::BackupEngine::Open(EngineOptionsOf(options_.folder, std::move(pace)),
                                                            rocksdb::Env::Default(), &engine),
                                Concat("open ", options_.folder)));
    return std::unique_ptr<rocksdb::BackupEngine>(engine);
  }

  absl::Status Purge(rocksdb::BackupEngine& engine) {
    absl::MutexLock purge(&list_mutex_);
    return FromRocksDb(engine.PurgeOldBackups(options_.keep), "remove old backups");
  }

  // Before the folder's disk is held to be full: no backup would be made any more that could remove it.
  absl::Status MakeRoom(uint64_t free_percent) {
    if (CheckFolder(free_percent).ok()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::unique_ptr<rocksdb::BackupEngine> engine, OpenEngine(nullptr));
    return Purge(*engine);
  }

  absl::Status CheckFolder(uint64_t free_percent) const {
    return CheckRoom("backup.folder", options_.folder, free_percent, "make room, or keep fewer backups");
  }

  absl::Status CheckDisks(uint64_t free_percent) const {
    RETURN_IF_ERROR(CheckFolder(free_percent));
    return CheckRoom("data_dir", store_.folder_.path(), options_.data_free_percent,
                     "a backup keeps what the database is done with; make room, or raise backup.rate");
  }

  uint64_t MinFreePercent() const {
    if (options_.min_free_percent != 0) return options_.min_free_percent;
    return OnOneDisk(options_.folder, store_.folder_.path()) ? kFreePercentOnOneDisk : kFreePercent;
  }

  void StopEngine() {
    absl::MutexLock lock(&engine_mutex_);
    if (engine_ != nullptr) engine_->StopBackup();
  }

  RocksDbStore& store_;
  const BackupOptions options_;
  const Clock& clock_;
  std::atomic<bool> stop_{false};
  mutable absl::Mutex list_mutex_;  // nobody lists while old ones are removed
  absl::Mutex engine_mutex_;
  rocksdb::BackupEngine* engine_ ABSL_GUARDED_BY(engine_mutex_) = nullptr;
};

std::unique_ptr<Backups> MakeBackups(DeliveryStore& store, BackupOptions options, const Clock& clock) {
  auto* const rocks = dynamic_cast<RocksDbStore*>(&store);
  HOOKD_CHECK(rocks != nullptr, "backups are of a store on disk");
  return std::make_unique<RocksDbBackups>(*rocks, std::move(options), clock);
}

}  // namespace hookd
