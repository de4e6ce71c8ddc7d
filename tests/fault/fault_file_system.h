// A disk for RocksDB over real files that knows what a power loss would leave of them, and fails on demand.
// It syncs nothing really: what it knows is all that a test asks for, and a real sync takes as long as
// everybody's writes to the machine's disk.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

namespace hookd::fault {

struct FileOp {
  enum class Kind { kCreate, kAppend, kSync, kRead, kRename, kDelete, kSyncFolder };
  Kind kind;
  std::string path;  // of kRename: the new one
  size_t bytes = 0;  // of kAppend and kRead
};

// What an operation comes to instead. An append that fails has written its first `written` bytes.
struct Injected {
  rocksdb::IOStatus status;
  size_t written = 0;
};

// What is left of bytes and names that were not synced when the power went.
struct Loss {
  enum class Data {
    kNone,    // no byte
    kPrefix,  // some, from the front
    kHoles,   // some sectors; the others are zeros
  };
  enum class Names {
    kNone,  // a folder is as it was at its last fsync
    kSome,  // the first of what was done to it since then is kept: journals keep the order
  };
  Data data = Data::kNone;
  Names names = Names::kNone;
};

// Everything under `root`, which is there, counts as synced at the beginning. Thread-safe.
class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultFileSystem(const std::string& root);
  ~FaultFileSystem() override;

  // Runs before each operation, on the thread that wants it, with no lock held; null = nothing happens.
  using Hook = std::function<Injected(const FileOp&)>;
  void SetHook(Hook hook);

  // Makes `to` what a power loss at this moment would leave of `root`. What is done afterwards is not in it.
  void LosePower(const std::string& to, Loss loss, std::mt19937_64& random);

  // The disk acknowledges what it has not written: for the proof that the harness sees a loss.
  void LieAboutSyncs() { lies_ = true; }

  // hookd's own fsyncs, which do not pass through here: of a file or folder, once it is done.
  void SyncedOutside(const std::string& path);

  static const char* kClassName() { return "FaultFileSystem"; }
  const char* Name() const override { return kClassName(); }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* result,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;

 private:
  friend class TrackedFile;
  friend class TrackedFolder;
  friend class WatchedReads;
  friend class WatchedSequentialReads;

  // A file, under whatever names. Its bytes are read through a link of its own, which nobody else removes.
  struct Node {
    explicit Node(std::string path) : link(std::move(path)) {}
    ~Node();
    const std::string link;
    bool folder = false;
    bool open = false;     // for writing
    uint64_t written = 0;  // bytes
    uint64_t synced = 0;   // of them
  };
  using NodePtr = std::shared_ptr<Node>;
  using Names = std::map<std::string, NodePtr>;
  // Names that change at once; null = it is gone.
  using Changes = std::vector<std::pair<std::string, NodePtr>>;
  struct Folder {
    Names now;
    Names durable;
    std::vector<Changes> since;  // from `durable` to `now`
  };

  Injected Ask(FileOp::Kind kind, const std::string& path, size_t bytes = 0);
  bool Inside(const std::string& path) const;
  NodePtr Adopt(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  NodePtr Find(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes in what came into a folder otherwise than through here.
  void Rescan(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Change(const std::string& folder, Changes changes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Enter(const std::string& path, NodePtr node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Apply(const Changes& changes, Names& names);
  void FolderSynced(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  rocksdb::IOStatus SyncFolder(const std::string& path);
  void Leave(const std::string& from, const std::string& to, Loss loss, std::mt19937_64& random)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void LeaveFile(const Node& node, const std::string& to, Loss::Data data, std::mt19937_64& random);
  rocksdb::IOStatus Track(const std::string& path, bool anew,
                          std::unique_ptr<rocksdb::FSWritableFile>* result);

  const std::string root_;
  const std::string links_;  // the folder of the nodes' links
  bool lies_ = false;
  absl::Mutex hook_mutex_;
  std::shared_ptr<const Hook> hook_ ABSL_GUARDED_BY(hook_mutex_);
  absl::Mutex mutex_;
  std::map<std::string, Folder> folders_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_link_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hookd::fault
