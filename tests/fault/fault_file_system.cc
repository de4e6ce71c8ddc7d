#include "tests/fault/fault_file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/concat.h"

namespace hookd::fault {
namespace fs = std::filesystem;
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr uint64_t kSector = 512;

std::string FolderOf(const std::string& path) { return fs::path(path).parent_path(); }
std::string NameOf(const std::string& path) { return fs::path(path).filename(); }

// RocksDB's own log in plain words: nobody reads it to know what is stored.
bool IsChatter(const std::string& name) { return name.starts_with("LOG") || name == "LOCK"; }

std::optional<std::pair<dev_t, ino_t>> InodeOf(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  return std::make_pair(info.st_dev, info.st_ino);
}

std::string ReadFile(const std::string& path, uint64_t bytes) {
  std::ifstream file(path, std::ios::binary);
  std::string text(bytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(bytes));
  HOOKD_CHECK(static_cast<uint64_t>(file.gcount()) == bytes, path.c_str());
  return text;
}

uint64_t Draw(std::mt19937_64& random, uint64_t most) {
  return std::uniform_int_distribution<uint64_t>(0, most)(random);
}

}  // namespace

FaultFileSystem::Node::~Node() {
  if (!folder) unlink(link.c_str());
}

// What is written through RocksDB.
class TrackedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  TrackedFile(FaultFileSystem& disk, std::string path, FaultFileSystem::NodePtr node,
              std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)),
        disk_(disk),
        path_(std::move(path)),
        node_(std::move(node)) {}
  ~TrackedFile() override {
    absl::MutexLock lock(&disk_.mutex_);
    node_->open = false;
  }

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    Injected injected = disk_.Ask(FileOp::Kind::kAppend, path_, data.size());
    const Slice part =
        injected.status.ok() ? data : Slice(data.data(), std::min(injected.written, data.size()));
    IOStatus done = FSWritableFileOwnerWrapper::Append(part, options, debug);
    if (done.ok()) {
      absl::MutexLock lock(&disk_.mutex_);
      node_->written += part.size();
    }
    return injected.status.ok() ? done : injected.status;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus PositionedAppend(const Slice&, uint64_t, const IOOptions&, IODebugContext*) override {
    HOOKD_CHECK(false, "direct writes are not used");
    return {};
  }
  IOStatus PositionedAppend(const Slice&, uint64_t, const IOOptions&, const rocksdb::DataVerificationInfo&,
                            IODebugContext*) override {
    HOOKD_CHECK(false, "direct writes are not used");
    return {};
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    IOStatus done = FSWritableFileOwnerWrapper::Truncate(size, options, debug);
    absl::MutexLock lock(&disk_.mutex_);
    node_->written = size;
    node_->synced = std::min(node_->synced, size);
    return done;
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return Synced(); }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return Synced(); }
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();  // promises nothing
  }

 private:
  IOStatus Synced() {
    uint64_t covered = 0;
    {
      absl::MutexLock lock(&disk_.mutex_);
      covered = node_->written;
    }
    Injected injected = disk_.Ask(FileOp::Kind::kSync, path_);
    if (!injected.status.ok()) return injected.status;
    absl::MutexLock lock(&disk_.mutex_);
    if (!disk_.lies_) node_->synced = std::max(node_->synced, covered);
    return IOStatus::OK();
  }

  FaultFileSystem& disk_;
  const std::string path_;
  const FaultFileSystem::NodePtr node_;
};

class TrackedFolder final : public rocksdb::FSDirectoryWrapper {
 public:
  TrackedFolder(FaultFileSystem& disk, std::string path, std::unique_ptr<rocksdb::FSDirectory> folder)
      : FSDirectoryWrapper(std::move(folder)), disk_(disk), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return disk_.SyncFolder(path_); }
  // The real one may leave out what this machine's file system does not need.
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  FaultFileSystem& disk_;
  const std::string path_;
};

class WatchedReads final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  WatchedReads(FaultFileSystem& disk, std::string path, std::unique_ptr<rocksdb::FSRandomAccessFile> file)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), disk_(disk), path_(std::move(path)) {}

  IOStatus Read(uint64_t offset, size_t bytes, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) const override {
    Injected injected = disk_.Ask(FileOp::Kind::kRead, path_, bytes);
    if (!injected.status.ok()) return injected.status;
    return FSRandomAccessFileOwnerWrapper::Read(offset, bytes, options, result, scratch, debug);
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count, const IOOptions& options,
                     IODebugContext* debug) override {
    Injected injected = disk_.Ask(FileOp::Kind::kRead, path_, count);
    if (!injected.status.ok()) return injected.status;
    return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, debug);
  }

 private:
  FaultFileSystem& disk_;
  const std::string path_;
};

class WatchedSequentialReads final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  WatchedSequentialReads(FaultFileSystem& disk, std::string path,
                         std::unique_ptr<rocksdb::FSSequentialFile> file)
      : FSSequentialFileOwnerWrapper(std::move(file)), disk_(disk), path_(std::move(path)) {}

  IOStatus Read(size_t bytes, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) override {
    Injected injected = disk_.Ask(FileOp::Kind::kRead, path_, bytes);
    if (!injected.status.ok()) return injected.status;
    return FSSequentialFileOwnerWrapper::Read(bytes, options, result, scratch, debug);
  }

 private:
  FaultFileSystem& disk_;
  const std::string path_;
};

FaultFileSystem::FaultFileSystem(const std::string& root)
    : FileSystemWrapper(rocksdb::FileSystem::Default()), root_(root), links_(Concat(root, ".links")) {
  fs::create_directories(root_);
  fs::remove_all(links_);  // of one that was killed
  fs::create_directories(links_);
  absl::MutexLock lock(&mutex_);
  Rescan(root_);
  std::vector<std::string> paths;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root_)) {
    if (entry.is_directory()) Rescan(entry.path());
  }
  for (auto& [path, folder] : folders_) {
    folder.durable = folder.now;
    folder.since.clear();
    for (auto& [name, node] : folder.now) node->synced = node->written;
  }
}

FaultFileSystem::~FaultFileSystem() {
  {
    absl::MutexLock lock(&mutex_);
    folders_.clear();
  }
  std::error_code error;
  fs::remove_all(links_, error);
}

void FaultFileSystem::SetHook(Hook hook) {
  auto shared = hook == nullptr ? nullptr : std::make_shared<const Hook>(std::move(hook));
  absl::MutexLock lock(&hook_mutex_);
  hook_ = std::move(shared);
}

Injected FaultFileSystem::Ask(FileOp::Kind kind, const std::string& path, size_t bytes) {
  std::shared_ptr<const Hook> hook;
  {
    absl::MutexLock lock(&hook_mutex_);
    hook = hook_;
  }
  if (hook == nullptr || !Inside(path) || IsChatter(NameOf(path))) return {};
  return (*hook)({kind, path, bytes});
}

bool FaultFileSystem::Inside(const std::string& path) const {
  return path == root_ || path.starts_with(Concat(root_, "/"));
}

FaultFileSystem::NodePtr FaultFileSystem::Adopt(const std::string& path) {
  auto node = std::make_shared<Node>(Concat(links_, "/", next_link_++));
  if (fs::is_directory(path)) {
    node->folder = true;
    return node;
  }
  HOOKD_CHECK(link(path.c_str(), node->link.c_str()) == 0, path.c_str());
  node->written = fs::file_size(path);
  return node;
}

FaultFileSystem::NodePtr FaultFileSystem::Find(const std::string& path) {
  const auto folder = folders_.find(FolderOf(path));
  if (folder == folders_.end()) return nullptr;
  const auto it = folder->second.now.find(NameOf(path));
  return it == folder->second.now.end() ? nullptr : it->second;
}

void FaultFileSystem::Rescan(const std::string& path) {
  Folder& folder = folders_[path];
  std::map<std::pair<dev_t, ino_t>, NodePtr> known;
  for (const Names* names : {&folder.now, &folder.durable}) {
    for (const auto& [name, node] : *names) {
      if (const auto inode = InodeOf(node->link)) known.emplace(*inode, node);
    }
  }
  Names found;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename();
    if (IsChatter(name)) continue;
    const auto same = folder.now.find(name);
    if (entry.is_directory()) {
      found[name] = same == folder.now.end() ? Adopt(entry.path()) : same->second;
      continue;
    }
    const auto inode = InodeOf(entry.path());
    if (!inode) continue;
    const auto node = known.find(*inode);
    found[name] = node == known.end() ? Adopt(entry.path()) : node->second;
  }
  Changes changes;
  for (const auto& [name, node] : folder.now) {
    if (!found.contains(name)) changes.emplace_back(name, nullptr);
  }
  for (const auto& [name, node] : found) {
    const auto before = folder.now.find(name);
    if (before == folder.now.end() || before->second != node) changes.emplace_back(name, node);
  }
  if (!changes.empty()) Change(path, std::move(changes));
}

void FaultFileSystem::Apply(const Changes& changes, Names& names) {
  for (const auto& [name, node] : changes) {
    if (node == nullptr) {
      names.erase(name);
    } else {
      names[name] = node;
    }
  }
}

void FaultFileSystem::Change(const std::string& path, Changes changes) {
  Folder& folder = folders_[path];
  Apply(changes, folder.now);
  folder.since.push_back(std::move(changes));
}

void FaultFileSystem::Enter(const std::string& path, NodePtr node) {
  Change(FolderOf(path), {{NameOf(path), std::move(node)}});
}

void FaultFileSystem::FolderSynced(const std::string& path) {
  if (lies_) return;
  Folder& folder = folders_[path];
  folder.durable = folder.now;
  folder.since.clear();
}

IOStatus FaultFileSystem::SyncFolder(const std::string& path) {
  Injected injected = Ask(FileOp::Kind::kSyncFolder, path);
  if (!injected.status.ok()) return injected.status;
  absl::MutexLock lock(&mutex_);
  FolderSynced(path);
  return IOStatus::OK();
}

void FaultFileSystem::SyncedOutside(const std::string& path) {
  if (lies_ || !Inside(path)) return;
  absl::MutexLock lock(&mutex_);
  if (fs::is_directory(path)) {
    Rescan(path);
    FolderSynced(path);
    return;
  }
  if (!folders_.contains(FolderOf(path))) return;
  Rescan(FolderOf(path));
  if (const NodePtr node = Find(path)) {
    node->written = fs::file_size(path);
    node->synced = node->written;
  }
}

IOStatus FaultFileSystem::NewSequentialFile(const std::string& path, const FileOptions& options,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                            IODebugContext* debug) {
  IOStatus opened = target()->NewSequentialFile(path, options, result, debug);
  if (opened.ok()) *result = std::make_unique<WatchedSequentialReads>(*this, path, std::move(*result));
  return opened;
}

IOStatus FaultFileSystem::NewRandomAccessFile(const std::string& path, const FileOptions& options,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                              IODebugContext* debug) {
  IOStatus opened = target()->NewRandomAccessFile(path, options, result, debug);
  if (opened.ok()) *result = std::make_unique<WatchedReads>(*this, path, std::move(*result));
  return opened;
}

IOStatus FaultFileSystem::Track(const std::string& path, bool anew,
                                std::unique_ptr<rocksdb::FSWritableFile>* result) {
  if (!Inside(path) || IsChatter(NameOf(path))) return IOStatus::OK();
  NodePtr node;
  {
    absl::MutexLock lock(&mutex_);
    node = anew ? nullptr : Find(path);
    if (node == nullptr) {
      node = Adopt(path);
      Enter(path, node);
    }
    node->open = true;
  }
  *result = std::make_unique<TrackedFile>(*this, path, std::move(node), std::move(*result));
  return IOStatus::OK();
}

IOStatus FaultFileSystem::NewWritableFile(const std::string& path, const FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* result,
                                          IODebugContext* debug) {
  Injected injected = Ask(FileOp::Kind::kCreate, path);
  if (!injected.status.ok()) return injected.status;
  // A new inode: what was there before may be what a power loss leaves.
  if (Inside(path) && !IsChatter(NameOf(path))) unlink(path.c_str());
  IOStatus opened = target()->NewWritableFile(path, options, result, debug);
  return opened.ok() ? Track(path, true, result) : opened;
}

IOStatus FaultFileSystem::ReopenWritableFile(const std::string& path, const FileOptions& options,
                                             std::unique_ptr<rocksdb::FSWritableFile>* result,
                                             IODebugContext* debug) {
  Injected injected = Ask(FileOp::Kind::kCreate, path);
  if (!injected.status.ok()) return injected.status;
  IOStatus opened = target()->ReopenWritableFile(path, options, result, debug);
  return opened.ok() ? Track(path, false, result) : opened;
}

IOStatus FaultFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                       std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext* debug) {
  IOStatus opened = target()->NewDirectory(path, options, result, debug);
  if (opened.ok() && Inside(path)) {
    *result = std::make_unique<TrackedFolder>(*this, fs::path(path).lexically_normal(), std::move(*result));
  }
  return opened;
}

IOStatus FaultFileSystem::CreateDir(const std::string& path, const IOOptions& options,
                                    IODebugContext* debug) {
  IOStatus made = target()->CreateDir(path, options, debug);
  absl::MutexLock lock(&mutex_);
  if (made.ok() && Inside(path)) {
    folders_[path];
    Enter(path, Adopt(path));
  }
  return made;
}

IOStatus FaultFileSystem::CreateDirIfMissing(const std::string& path, const IOOptions& options,
                                             IODebugContext* debug) {
  if (fs::is_directory(path)) return IOStatus::OK();
  return CreateDir(path, options, debug);
}

IOStatus FaultFileSystem::DeleteFile(const std::string& path, const IOOptions& options,
                                     IODebugContext* debug) {
  Injected injected = Ask(FileOp::Kind::kDelete, path);
  if (!injected.status.ok()) return injected.status;
  absl::MutexLock lock(&mutex_);
  IOStatus done = target()->DeleteFile(path, options, debug);
  if (done.ok() && Inside(path)) Change(FolderOf(path), {{NameOf(path), nullptr}});
  return done;
}

IOStatus FaultFileSystem::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                     IODebugContext* debug) {
  Injected injected = Ask(FileOp::Kind::kRename, to);
  if (!injected.status.ok()) return injected.status;
  absl::MutexLock lock(&mutex_);
  IOStatus done = target()->RenameFile(from, to, options, debug);
  if (!done.ok() || !Inside(from) || !Inside(to)) return done;
  HOOKD_CHECK(FolderOf(from) == FolderOf(to), "a rename within one folder");
  if (NodePtr node = Find(from)) {
    Change(FolderOf(to), {{NameOf(from), nullptr}, {NameOf(to), std::move(node)}});
  }
  return done;
}

IOStatus FaultFileSystem::LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                                   IODebugContext* debug) {
  absl::MutexLock lock(&mutex_);
  IOStatus done = target()->LinkFile(from, to, options, debug);
  if (!done.ok() || !Inside(from) || !Inside(to)) return done;
  if (NodePtr node = Find(from)) Enter(to, std::move(node));
  return done;
}

void FaultFileSystem::LosePower(const std::string& to, Loss loss, std::mt19937_64& random) {
  absl::MutexLock lock(&mutex_);
  Leave(root_, to, loss, random);
}

void FaultFileSystem::Leave(const std::string& from, const std::string& to, Loss loss,
                            std::mt19937_64& random) {
  fs::create_directories(to);
  const Folder& folder = folders_[from];
  Names names = folder.durable;
  if (loss.names == Loss::Names::kSome) {
    const uint64_t kept = Draw(random, folder.since.size());
    for (uint64_t i = 0; i < kept; ++i) Apply(folder.since[i], names);
  }
  for (const auto& [name, held] : names) {
    const Node& node = *held;
    const std::string target = Concat(to, "/", name);
    if (node.folder) {
      Leave(Concat(from, "/", name), target, loss, random);
    } else {
      LeaveFile(node, target, loss.data, random);
    }
  }
}

void FaultFileSystem::LeaveFile(const Node& node, const std::string& to, Loss::Data data,
                                std::mt19937_64& random) {
  if (!node.open && node.synced == node.written && fs::path(to).extension() == ".sst") {
    HOOKD_CHECK(link(node.link.c_str(), to.c_str()) == 0, to.c_str());
    return;
  }
  uint64_t size = node.synced;
  if (data != Loss::Data::kNone) size += Draw(random, node.written - node.synced);
  std::string text = ReadFile(node.link, size);
  if (data == Loss::Data::kHoles) {
    for (uint64_t at = node.synced; at < size; at = (at / kSector + 1) * kSector) {
      if (Draw(random, 1) == 0) continue;
      const uint64_t end = std::min(size, (at / kSector + 1) * kSector);
      std::fill(text.begin() + static_cast<ptrdiff_t>(at), text.begin() + static_cast<ptrdiff_t>(end), '\0');
    }
  }
  std::ofstream(to, std::ios::binary) << text;
}

}  // namespace hookd::fault
