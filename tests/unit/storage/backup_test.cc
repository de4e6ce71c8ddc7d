// Backups while the store is open, their checks, and what a restored folder says.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include "base/clock.h"
#include "base/concat.h"
#include "storage/backup_folder.h"
#include "storage/column_families.h"
#include "storage/format.h"
#include "storage/rocksdb_store.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
namespace fs = std::filesystem;

constexpr WallMs kNow = 1'700'000'000'000;

class BackupTest : public ::testing::Test {
 protected:
  BackupTest() {
    std::string pattern = ::testing::TempDir() + "/backup_XXXXXX";
    path_ = mkdtemp(pattern.data());
    Open("data");
  }
  ~BackupTest() override {
    backups_.reset();
    store_.reset();
    fs::remove_all(path_);
  }

  std::string In(const std::string& name) const { return Concat(path_, "/", name); }
  std::string Message(const absl::Status& status) { return std::string(status.message()); }

  RocksDbOptions StoreOptions(const std::string& name) {
    RocksDbOptions options;
    options.path = In(name);
    options.secrets = secrets_;
    return options;
  }
  void Open(const std::string& name) {
    backups_.reset();
    store_.reset();
    absl::StatusOr<std::unique_ptr<DeliveryStore>> store = OpenRocksDbStore(StoreOptions(name), RealClock());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    const auto recovered = store_->Recover();
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    recovered_ = *recovered;
    Use({});
  }
  // Options of the backups but for their folder.
  void Use(BackupOptions options) {
    options.folder = In("backups");
    options.version = "9.9";
    backups_ = MakeBackups(*store_, options, RealClock());
  }
  void Subscribe(const std::string& id) {
    Subscriber subscriber;
    subscriber.id = id;
    store_->Apply(SubscriberChanged{std::move(subscriber)});
    ASSERT_TRUE(store_->Commit(kNow).ok());
  }
  // Payloads that no compression makes smaller: they go to blob files.
  void Accept(size_t events, size_t size) {
    for (size_t i = 0; i < events; ++i) {
      auto event = std::make_shared<Event>();
      event->id = EventId::Make(kNow, ++events_, PartitionOf("acme"), 7);
      event->accepted_ms = kNow;
      event->subscriber_id = "acme";
      event->type = "t";
      uint32_t noise = events_;
      while (event->payload.size() < size) {
        noise = noise * 1'664'525 + 1'013'904'223;
        event->payload.push_back(static_cast<char>(noise >> 24));
      }
      Accepted fact;
      fact.event = event;
      store_->Apply(fact);
    }
    ASSERT_TRUE(store_->Commit(kNow).ok());
  }
  // Tables of what is in the log.
  void Reopen() { Open("data"); }
  bool Has(const std::string& subscriber) { return store_->ReadSubscriber(subscriber).ok(); }

  BackupInfo Make() {
    bytes_ = 0;
    const absl::StatusOr<BackupInfo> made = backups_->Create(bytes_);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *made : BackupInfo();
  }
  std::vector<std::string> FilesOf(const std::string& folder) {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) files.push_back(entry.path().string());
    }
    return files;
  }
  // The first file of backup 1 whose name ends so, with another byte in its middle.
  std::string Damage(const std::string& suffix) {
    for (const std::string& file : FilesOf(In("backups"))) {
      if (!file.ends_with(suffix) || fs::file_size(file) == 0) continue;
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      const auto middle = static_cast<std::streamoff>(fs::file_size(file) / 2);
      stream.seekg(middle);
      const char byte = static_cast<char>(stream.get());
      stream.seekp(middle);
      stream.put(static_cast<char>(byte ^ 0x40));
      return file;
    }
    ADD_FAILURE() << "no file *" << suffix;
    return "";
  }

  std::string path_;
  SecretKeys secrets_;
  std::unique_ptr<DeliveryStore> store_;
  DeliveryStore::Recovered recovered_;
  std::unique_ptr<Backups> backups_;
  std::atomic<uint64_t> bytes_{0};
  uint16_t events_ = 0;
};

TEST_F(BackupTest, HoldsWhatWasCommittedBeforeAndNothingLater) {
  Subscribe("before");
  const uint64_t commit = store_->LastCommit();
  const BackupInfo made = Make();
  EXPECT_EQ(made.id, 1u);
  EXPECT_EQ(made.commit, commit);
  EXPECT_EQ(made.format, kStorageFormat);
  EXPECT_EQ(made.version, "9.9");
  EXPECT_EQ(made.problem, "");
  EXPECT_GT(made.bytes, 0u);
  Subscribe("after");

  const absl::StatusOr<BackupInfo> restored = RestoreBackup(In("backups"), 1, In("new"));
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->id, 1u);
  for (const char* made_here : {"backups", "new"}) {
    EXPECT_EQ(fs::status(In(made_here)).permissions(), fs::perms::owner_all) << "payloads are in clear";
  }
  Open("new");
  EXPECT_TRUE(Has("before"));
  EXPECT_FALSE(Has("after"));
  Open("data");
  EXPECT_TRUE(Has("after"));
}

TEST_F(BackupTest, ARestoreBeginsAnEpochAndReusesNoNumber) {
  Subscribe("acme");
  EXPECT_EQ(recovered_.epoch, 1u);
  const uint64_t commit = store_->LastCommit();
  Make();
  ASSERT_TRUE(RestoreBackup(In("backups"), 0, In("new")).ok());
  for (int opened = 0; opened < 2; ++opened) {
    Open("new");
    EXPECT_EQ(recovered_.epoch, 2u) << "at opening " << opened;
    EXPECT_EQ(store_->LastCommit(), commit + (uint64_t{1} << 40));
    EXPECT_EQ(recovered_.next_endpoint_number, 1 + (uint64_t{1} << 24));
    EXPECT_EQ(recovered_.next_job, 1 + (uint64_t{1} << 20));
  }
  // Backups of the restored folder go on in the same place, and a restore of one is the third epoch.
  EXPECT_EQ(Make().id, 2u);
  ASSERT_TRUE(RestoreBackup(In("backups"), 2, In("newer")).ok());
  Open("newer");
  EXPECT_EQ(recovered_.epoch, 3u);
}

TEST_F(BackupTest, ARestoredFolderMayStartPaused) {
  Subscribe("acme");
  Make();
  ASSERT_TRUE(RestoreBackup(In("backups"), 1, In("new"), true).ok());
  for (int opened = 0; opened < 2; ++opened) {
    Open("new");
    EXPECT_TRUE(recovered_.operations.paused);
    EXPECT_EQ(recovered_.operations.pause_note, "restored from backup 1");
    EXPECT_EQ(recovered_.operations.paused_ms, kNow);
    EXPECT_EQ(recovered_.epoch, 2u);
  }
  store_->Apply(OperationsChanged{});
  ASSERT_TRUE(store_->Commit(kNow).ok());
  Open("new");
  EXPECT_FALSE(recovered_.operations.paused);
}

TEST_F(BackupTest, WhetherToStartPausedIsNotGuessed) {
  Subscribe("acme");
  Make();
  ASSERT_TRUE(RestoreBackup(In("backups"), 1, In("new"), true).ok());
  for (const char* damaged : {"", "from backup 1", "from backup 1\npau", "from backup x\n", "paused\n",
                              "from backup 1\npaused\npaused\n"}) {
    std::ofstream(In("new/RESTORED")) << damaged;
    const absl::Status refused = OpenRocksDbStore(StoreOptions("new"), RealClock()).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << damaged << refused;
    EXPECT_THAT(Message(refused), HasSubstr("whether to start paused"));
    EXPECT_TRUE(fs::exists(In("new/RESTORED")));
  }
  std::ofstream(In("new/RESTORED")) << "from backup 1\npaused\n";
  Open("new");
  EXPECT_TRUE(recovered_.operations.paused);
  EXPECT_EQ(recovered_.epoch, 2u) << "the refused openings began none";
}

TEST_F(BackupTest, TheFirstOpeningAfterARestoreSaysWhatOf) {
  EXPECT_EQ(recovered_.restored_backup, 0u);
  Make();
  Make();
  ASSERT_TRUE(RestoreBackup(In("backups"), 2, In("new")).ok());
  Open("new");
  EXPECT_EQ(recovered_.restored_backup, 2u);
  Open("new");
  EXPECT_EQ(recovered_.restored_backup, 0u);
}

TEST_F(BackupTest, TheSecondCopiesOnlyWhatIsNew) {
  Accept(100, 100'000);
  Reopen();
  const BackupInfo first = Make();
  const uint64_t first_bytes = bytes_;
  EXPECT_GT(first_bytes, 10'000'000u);
  const BackupInfo second = Make();
  EXPECT_EQ(second.id, 2u);
  EXPECT_GT(second.bytes, 10'000'000u) << "it is whole by itself";
  EXPECT_LT(bytes_, 100'000u) << "what lists the files, and the log";
  Accept(10, 100'000);
  Reopen();
  const BackupInfo third = Make();
  EXPECT_GT(bytes_, 1'000'000u);
  EXPECT_LT(bytes_, 1'200'000u);
  const absl::StatusOr<std::vector<BackupInfo>> listed = backups_->List();
  ASSERT_TRUE(listed.ok());
  ASSERT_THAT(*listed, SizeIs(3));
  EXPECT_EQ(listed->front().id, first.id);
  EXPECT_EQ(listed->back().id, third.id);
}

TEST_F(BackupTest, KeepsSoManyAndForgetsTheOldest) {
  BackupOptions options;
  options.keep = 2;
  Use(options);
  for (int i = 0; i < 4; ++i) {
    Subscribe(Concat("s", i));
    Make();
  }
  const absl::StatusOr<std::vector<BackupInfo>> listed = backups_->List();
  ASSERT_TRUE(listed.ok());
  ASSERT_THAT(*listed, SizeIs(2));
  EXPECT_EQ((*listed)[0].id, 3u);
  EXPECT_EQ((*listed)[1].id, 4u);
  const absl::Status gone = RestoreBackup(In("backups"), 1, In("new")).status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(gone), HasSubstr("there are 3, 4"));
  EXPECT_FALSE(fs::exists(In("new")));
  EXPECT_TRUE(backups_->Verify(3, bytes_).ok());
  EXPECT_TRUE(RestoreBackup(In("backups"), 3, In("new")).ok());
}

TEST_F(BackupTest, ADamagedFileIsNamedAndNotRestored) {
  for (const std::string suffix : {".blob", ".sst", ".log"}) {
    SCOPED_TRACE(suffix);
    Accept(3, 50'000);
    Reopen();
    Subscribe(Concat("acme", suffix));  // in the log
    const BackupInfo made = Make();
    ASSERT_TRUE(backups_->Verify(1, bytes_).ok());
    EXPECT_EQ(bytes_, made.bytes);
    const std::string file = Damage(suffix);
    const absl::Status damaged = backups_->Verify(1, bytes_);
    EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss) << damaged;
    EXPECT_THAT(Message(damaged), HasSubstr(fs::path(file).filename().string()));
    const absl::Status refused = RestoreBackup(In("backups"), 1, In("new")).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << refused;
    EXPECT_THAT(Message(refused), HasSubstr(fs::path(file).filename().string().substr(0, 6)));
    EXPECT_THAT(FilesOf(In("new")), SizeIs(0)) << "nothing that could be opened is left";
    fs::remove_all(In("backups"));
  }
}

TEST_F(BackupTest, AMissingFileIsNamedInTheList) {
  Accept(3, 50'000);
  Reopen();
  Make();
  for (const std::string& file : FilesOf(In("backups"))) {
    if (file.ends_with(".blob")) fs::remove(file);
  }
  const absl::StatusOr<std::vector<BackupInfo>> listed = backups_->List();
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_THAT(listed->front().problem, HasSubstr(".blob"));
  EXPECT_EQ(backups_->Verify(1, bytes_).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(RestoreBackup(In("backups"), 1, In("new")).status().code(), absl::StatusCode::kDataLoss);
  // The next one is whole again.
  EXPECT_EQ(Make().id, 2u);
  EXPECT_TRUE(backups_->Verify(2, bytes_).ok());
}

TEST_F(BackupTest, TheNewestIsNotPassedOverBecauseItIsDamaged) {
  Accept(3, 50'000);
  Reopen();
  Make();
  const std::vector<std::string> before = FilesOf(In("backups"));
  Accept(3, 50'000);
  Reopen();
  Make();
  for (const std::string& file : FilesOf(In("backups"))) {
    if (file.ends_with(".blob") && std::find(before.begin(), before.end(), file) == before.end()) {
      fs::remove(file);
    }
  }
  const absl::Status refused = RestoreBackup(In("backups"), 0, In("new")).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << refused;
  EXPECT_THAT(Message(refused), HasSubstr("backup 2, the newest, is damaged"));
  EXPECT_THAT(Message(refused), HasSubstr("the newest is 1"));
  EXPECT_FALSE(fs::exists(In("new")));
  EXPECT_TRUE(RestoreBackup(In("backups"), 1, In("new")).ok());
  for (const std::string& file : before) {
    if (file.ends_with(".blob")) fs::remove(file);
  }
  EXPECT_THAT(Message(RestoreBackup(In("backups"), 0, In("newer")).status()), HasSubstr("there is no other"));
}

TEST_F(BackupTest, ADescriptionThatNamesNoFileIsNoBackup) {
  Subscribe("a");
  Make();
  Make();
  std::ofstream(In("backups/meta/1")) << "1700000000\n7\nmetadata 0801\n0\n";
  const absl::StatusOr<std::vector<BackupInfo>> listed = ListBackups(In("backups"));
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().id, 2u);
  EXPECT_FALSE(backups_->Verify(1, bytes_).ok());
  EXPECT_FALSE(RestoreBackup(In("backups"), 1, In("restored")).ok());
  EXPECT_FALSE(fs::exists(In("restored/HOOKD")));
}

TEST_F(BackupTest, AFileWithTwoChecksumsIsDamage) {
  Subscribe("a");
  Make();
  std::ofstream(In("backups/meta/1")) << "1700000000\n7\nmetadata 0801\n2\nprivate/1/CURRENT crc32 1\n"
                                         "private/1/CURRENT crc32 2\n";
  const absl::Status listed = ListBackups(In("backups")).status();
  EXPECT_EQ(listed.code(), absl::StatusCode::kDataLoss) << listed;
  EXPECT_THAT(Message(listed), HasSubstr("meta/1: private/1/CURRENT has two checksums"));
  EXPECT_EQ(backups_->Verify(1, bytes_).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(RestoreBackup(In("backups"), 1, In("restored")).status().code(), absl::StatusCode::kDataLoss);
  fs::rename(In("backups/meta/1"), In("backups/meta/1.tmp"));
  EXPECT_TRUE(ListBackups(In("backups")).ok()) << "that is what a kill leaves half written";
}

TEST_F(BackupTest, WhatACrashLeftBehindIsCleanedUpAndTheEarlierOnesAreWhole) {
  Subscribe("acme");
  Make();
  // As a SIGKILL between two files leaves it.
  fs::create_directories(In("backups/private/2"));
  std::ofstream(In("backups/private/2/000007.log")) << "half";
  std::ofstream(In("backups/shared_checksum/000099_sABC_12.sst.tmp")) << "half a table";
  std::ofstream(In("backups/meta/2.tmp")) << "170000";
  EXPECT_TRUE(backups_->Verify(1, bytes_).ok());
  const absl::StatusOr<std::vector<BackupInfo>> listed = backups_->List();
  ASSERT_TRUE(listed.ok());
  EXPECT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(Make().id, 2u);
  EXPECT_FALSE(fs::exists(In("backups/shared_checksum/000099_sABC_12.sst.tmp")));
  EXPECT_TRUE(backups_->Verify(1, bytes_).ok());
  EXPECT_TRUE(backups_->Verify(2, bytes_).ok());
  EXPECT_TRUE(RestoreBackup(In("backups"), 1, In("new")).ok());
}

TEST_F(BackupTest, StopEndsASlowOneAndLeavesTheEarlierWhole) {
  Make();
  Accept(50, 100'000);
  Reopen();
  BackupOptions slow;
  slow.bytes_per_second = 64u << 10;  // 80 s
  Use(slow);
  absl::Status status;
  std::thread making([&] { status = backups_->Create(bytes_).status(); });
  while (bytes_ < 100'000) std::this_thread::yield();
  // The store goes on meanwhile.
  Subscribe("meanwhile");
  backups_->Stop();
  making.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  EXPECT_LT(bytes_, 2'000'000u);
  EXPECT_EQ(backups_->Create(bytes_).status().code(), absl::StatusCode::kCancelled)
      << "whatever begins later";
  EXPECT_EQ(backups_->Verify(1, bytes_).code(), absl::StatusCode::kCancelled);
  Use({});
  EXPECT_TRUE(backups_->Verify(1, bytes_).ok());
  EXPECT_EQ(Make().id, 2u);
}

TEST_F(BackupTest, APurgeComesAfterABackupThatHoldsItsFiles) {
  Accept(20, 100'000);
  Reopen();
  BackupOptions slow;
  slow.bytes_per_second = 256u << 10;
  Use(slow);
  std::thread making([&] { (void)backups_->Create(bytes_); });
  while (bytes_ < 100'000) std::this_thread::yield();
  std::atomic<bool> stop{false};
  EXPECT_EQ(store_->Scour(Scoured::kPayloads, stop).code(), absl::StatusCode::kUnavailable);
  backups_->Stop();
  making.join();
  EXPECT_TRUE(store_->Scour(Scoured::kPayloads, stop).ok());
}

TEST_F(BackupTest, AFolderBelongsToOneDataFolderAndOneProcess) {
  Make();
  Open("other");
  const absl::Status others = backups_->Create(bytes_).status();
  EXPECT_EQ(others.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(others), HasSubstr("of another data folder"));
  Open("data");
  {
    const auto reading = BackupFolder::OpenToRead(In("backups"));
    ASSERT_TRUE(reading.ok());
    EXPECT_THAT(Message(backups_->Create(bytes_).status()), HasSubstr("in use"));
    EXPECT_TRUE(backups_->Verify(1, bytes_).ok()) << "readers do not mind each other";
  }
  EXPECT_EQ(Make().id, 2u);
  fs::remove_all(In("backups"));
  fs::create_directories(In("backups"));
  std::ofstream(In("backups/notes.txt")) << "mine";
  EXPECT_THAT(Message(backups_->Create(bytes_).status()), HasSubstr("not empty"));
  EXPECT_THAT(FilesOf(In("backups")), SizeIs(1));
}

TEST_F(BackupTest, RestoresOnlyIntoNothing) {
  Make();
  const absl::Status used = RestoreBackup(In("backups"), 1, In("data")).status();
  EXPECT_EQ(used.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(used), HasSubstr("is not empty"));
  fs::create_directories(In("photos"));
  std::ofstream(In("photos/cat.jpg")) << "meow";
  EXPECT_EQ(RestoreBackup(In("backups"), 1, In("photos")).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(FilesOf(In("photos")), SizeIs(1));
  const absl::Status none = RestoreBackup(In("photos"), 1, In("new")).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kNotFound) << none;
}

TEST_F(BackupTest, ARestoreThatWasCutOffIsNoDataFolderAndMayBeMadeAgain) {
  Subscribe("acme");
  Make();
  // As a SIGKILL leaves it.
  fs::create_directories(In("new/db"));
  std::ofstream(In("new/RESTORING")) << "";
  std::ofstream(In("new/db/000007.sst")) << "half";
  const absl::Status refused = OpenRocksDbStore(StoreOptions("new"), RealClock()).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  ASSERT_TRUE(RestoreBackup(In("backups"), 1, In("new")).ok());
  EXPECT_FALSE(fs::exists(In("new/RESTORING")));
  Open("new");
  EXPECT_TRUE(Has("acme"));
}

TEST_F(BackupTest, AWrongKeyIsFoundBeforeAnythingIsOpened) {
  SecretKey key;
  key.bytes.fill(7);
  secrets_.newest = key;
  Open("sealed");
  Make();
  ASSERT_TRUE(RestoreBackup(In("backups"), 1, In("new")).ok());
  for (const std::string& file : FilesOf(In("backups"))) {
    std::ifstream stream(file, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    EXPECT_EQ(text.find(std::string(32, '\7')), std::string::npos) << file << " holds the key";
  }
  secrets_.newest.reset();
  const absl::Status wrong = OpenRocksDbStore(StoreOptions("new"), RealClock()).status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(wrong), HasSubstr("which is not configured"));
  secrets_.newest = key;
  Open("new");
  EXPECT_EQ(recovered_.epoch, 2u) << "the refused opening began none";
}

TEST_F(BackupTest, ANearlyFullDiskIsLeftAlone) {
  Make();
  BackupOptions options;
  options.min_free_percent = 100;
  Use(options);
  const absl::Status full = backups_->Create(bytes_).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(full), HasSubstr("backup.folder: less than 100 % of the disk"));
  EXPECT_TRUE(backups_->Verify(1, bytes_).ok());
}

// Where files are kept for it that are not needed any more.
TEST_F(BackupTest, ItEndsWhenTheDataFoldersDiskIsNearlyFull) {
  BackupOptions options;
  options.data_free_percent = 100;
  Use(options);
  const absl::Status full = backups_->Create(bytes_).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(full), HasSubstr("data_dir: less than 100 % of the disk"));
  Use({});
  EXPECT_EQ(Make().id, 1u);
}

TEST_F(BackupTest, OnAFullDiskWhatHasNoUseGoesFirst) {
  for (int i = 0; i < 3; ++i) Make();
  fs::create_directories(In("backups/private/4"));
  std::ofstream(In("backups/private/4/000007.log")) << "half";
  std::ofstream(In("backups/shared_checksum/000099_sABC_12.sst.tmp")) << "half a table";
  BackupOptions options;
  options.min_free_percent = 100;
  options.keep = 1;
  Use(options);
  EXPECT_EQ(backups_->Create(bytes_).status().code(), absl::StatusCode::kResourceExhausted);
  const absl::StatusOr<std::vector<BackupInfo>> listed = backups_->List();
  ASSERT_TRUE(listed.ok());
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().id, 3u);
  EXPECT_FALSE(fs::exists(In("backups/shared_checksum/000099_sABC_12.sst.tmp")));
  EXPECT_FALSE(fs::exists(In("backups/private/4/000007.log")));
  EXPECT_TRUE(backups_->Verify(3, bytes_).ok());
}

TEST_F(BackupTest, OneThatIsMadeIsMadeThoughAnOldOneCannotGo) {
  Make();
  Accept(10, 100'000);
  Reopen();
  BackupOptions options;
  options.keep = 1;
  options.bytes_per_second = 1u << 20;
  Use(options);
  absl::StatusOr<BackupInfo> made;
  std::thread making([&] { made = backups_->Create(bytes_); });
  while (bytes_ < 100'000) std::this_thread::yield();
  // What says what the first one holds cannot be unlinked from now on.
  fs::remove(In("backups/meta/1"));
  fs::create_directories(In("backups/meta/1"));
  making.join();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->id, 2u);
  fs::remove(In("backups/meta/1"));
  const absl::Status whole = backups_->Verify(2, bytes_);
  EXPECT_TRUE(whole.ok()) << whole;
}

// A limit is kept, and nothing is flushed: the log comes along.
TEST_F(BackupTest, GoesAsFastAsItMay) {
  Accept(10, 100'000);
  Reopen();
  BackupOptions slow;
  slow.bytes_per_second = 1u << 20;
  Use(slow);
  const SteadyTime began = RealClock().Steady();
  Make();
  EXPECT_GT(bytes_, 1'000'000u);
  EXPECT_GE(RealClock().Steady() - began, std::chrono::milliseconds(800));
}

}  // namespace
}  // namespace hookd
