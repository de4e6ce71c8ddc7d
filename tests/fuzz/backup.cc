// A folder of backups that somebody changed: what is wrong is told, a file that differs is never restored,
// and what failed leaves no data folder. The input: what is changed, 1 byte. 0: the rest is the backup's
// description; 1: bytes of that, each a place of 2 bytes and a value; 2: likewise of one of its files, 1
// byte.
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/stubs/logging.h>

#include "storage/backups.h"
#include "storage/rocksdb_store.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

namespace fs = std::filesystem;
using fuzz::Must;

// A store with a backup, in a folder of this process alone.
class World {
 public:
  World() {
    std::string name = (fs::temp_directory_path() / "hookd-fuzz-XXXXXX").string();
    Must(mkdtemp(name.data()) != nullptr, "there is room for a folder");
    path_ = name;
    RocksDbOptions options;
    options.path = path_ / "data";
    absl::StatusOr<std::unique_ptr<DeliveryStore>> store = OpenRocksDbStore(options, RealClock());
    Must(store.ok() && (*store)->Recover().ok(), "a store opens");
    store_ = *std::move(store);
    Subscriber subscriber;
    subscriber.id = "acme";
    store_->Apply(SubscriberChanged{subscriber});
    Must(store_->Commit(1).ok(), "a store writes");
    BackupOptions backup;
    backup.folder = path_ / "backups";
    backup.bytes_per_second = uint64_t{1} << 40;
    backups_ = MakeBackups(*store_, backup, RealClock());
    std::atomic<uint64_t> bytes{0};
    const absl::StatusOr<BackupInfo> made = backups_->Create(bytes);
    Must(made.ok() && made->id == 1, "a backup is made");
    for (const char* kind : {"private/1", "shared_checksum"}) {
      for (const fs::directory_entry& entry : fs::directory_iterator(path_ / "backups" / kind)) {
        files_.emplace_back(entry.path(), Read(entry.path()));
      }
    }
    Must(files_.size() > 2, "a backup has files");
    const fs::path description = path_ / "backups/meta/1";
    description_ = {description, Read(description)};
  }
  ~World() {
    backups_.reset();
    store_.reset();
    fs::remove_all(path_);
  }

  void Try(fuzz::Input input) {
    const uint8_t kind = input.Byte() % 3;
    const auto& [path, text] = kind < 2 ? description_ : files_[input.Byte() % files_.size()];
    const std::string changed = kind == 0 ? std::string(input.rest()) : Edited(text, input);
    Write(path, changed);
    Check(kind == 2 && changed != text);
    Write(path, text);
  }

 private:
  using File = std::pair<fs::path, std::string>;

  static std::string Read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void Write(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }
  static std::string Edited(std::string text, fuzz::Input& input) {
    while (!input.empty() && !text.empty()) {
      const size_t high = input.Byte();
      const size_t place = high << 8 | input.Byte();
      text[place % text.size()] = static_cast<char>(input.Byte());
    }
    return text;
  }

  // `differs`: one of the backup's files is not as it was.
  void Check(bool differs) {
    const std::string folder = path_ / "backups";
    const absl::StatusOr<std::vector<BackupInfo>> listed = ListBackups(folder);
    if (listed.ok()) {
      for (const BackupInfo& info : *listed) {
        Must(info.id > 0 && (info.format > 0 || !info.problem.empty()),
             "a backup is whole, or has a problem");
      }
    } else {
      Must(!listed.status().message().empty(), "what is wrong is told");
    }
    std::atomic<uint64_t> bytes{0};
    const absl::Status verified = backups_->Verify(1, bytes);
    const std::string restored = path_ / "restored";
    const absl::StatusOr<BackupInfo> restore = RestoreBackup(folder, 1, restored);
    Must(!differs || (!verified.ok() && !restore.ok()), "a file that differs is found");
    Must(restore.ok() || !fs::exists(fs::path(restored) / "HOOKD"), "what failed is no data folder");
    Must(!fs::exists(path_ / "backups" / "HOOKD"), "nothing is written elsewhere");
    fs::remove_all(restored);
  }

  fs::path path_;
  std::unique_ptr<DeliveryStore> store_;
  std::unique_ptr<Backups> backups_;
  File description_;
  std::vector<File> files_;
};

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const silenced = google::protobuf::SetLogHandler(nullptr);  // of texts that are not UTF-8
  static_cast<void>(silenced);
  static hookd::World world;
  world.Try(hookd::fuzz::Input(data, size));
  return 0;
}
