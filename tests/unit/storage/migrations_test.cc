// From format to format, and folders of a hookd that had fewer or more kinds of rows.
#include "storage/migrations.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/concat.h"
#include "storage/column_families.h"
#include "storage/format.h"
#include "storage/rocksdb_store.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class MigrationsTest : public ::testing::Test {
 protected:
  MigrationsTest() {
    std::string pattern = ::testing::TempDir() + "/migrations_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~MigrationsTest() override { std::filesystem::remove_all(path_); }

  RocksDbOptions Options() {
    RocksDbOptions options;
    options.path = path_;
    return options;
  }
  absl::StatusOr<std::unique_ptr<DeliveryStore>> Store() {
    auto store = OpenRocksDbStore(Options(), RealClock());
    if (!store.ok()) return store.status();
    if (absl::Status status = (*store)->Recover().status(); !status.ok()) return status;
    return store;
  }
  std::string Identity() {
    std::ifstream file(path_ + "/HOOKD");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // The database as any hookd has made it, by the names of its families.
  template <typename Take>
  void WithDatabase(const Take& take) {
    rocksdb::DBOptions options;
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies(options, path_ + "/db", &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const std::string& name : names) descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(options, path_ + "/db", descriptors, &handles, &db).ok());
    const std::unique_ptr<rocksdb::DB> owned(db);
    take(*db, names, handles);
    for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
    ASSERT_TRUE(db->Close().ok());
  }

  std::string path_;
};

TEST_F(MigrationsTest, StepsFollowEachOtherAndEachIsOnDiskBeforeItsFormatIs) {
  ASSERT_TRUE(Store().ok());
  std::vector<std::string> ran;
  bool broken = true;
  const std::vector<Migration> steps = {
      [&](rocksdb::DB& db, const auto& families) {
        ran.push_back("1 to 2");
        return db.Put(rocksdb::WriteOptions(), families[0], "a", "2").ok() ? absl::OkStatus()
                                                                           : absl::InternalError("put");
      },
      [&](rocksdb::DB& db, const auto& families) {
        ran.push_back("2 to 3");
        std::string value;
        EXPECT_TRUE(db.Get(rocksdb::ReadOptions(), families[0], "a", &value).ok())
            << "the step before is there";
        return broken ? absl::InternalError("the disk") : absl::OkStatus();
      }};
  {
    absl::StatusOr<DataFolder> folder = DataFolder::Open(path_);
    ASSERT_TRUE(folder.ok());
    EXPECT_EQ(folder->format(), 1u);
    WithDatabase([&](rocksdb::DB& db, const auto&, const auto& families) {
      const absl::Status failed = Migrate(steps, *folder, db, families);
      EXPECT_EQ(failed.code(), absl::StatusCode::kInternal);
      EXPECT_THAT(std::string(failed.message()), HasSubstr("migrate to storage format 3: the disk"));
    });
    EXPECT_EQ(folder->format(), 2u);
    EXPECT_EQ(Identity(), "hookd data folder\nformat 2\n");
    // The lock went over to the new file.
    EXPECT_THAT(std::string(DataFolder::Open(path_).status().message()),
                HasSubstr("in use by another hookd"));
  }
  // Today's hookd reads format 1 alone; a migrated folder is not opened by an older one.
  const absl::Status older = DataFolder::Open(path_).status();
  EXPECT_EQ(older.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(older.message()),
              HasSubstr("run the hookd that wrote it, or a newer one; a backup"));
  EXPECT_THAT(ran, ElementsAre("1 to 2", "2 to 3"));
}

TEST_F(MigrationsTest, ThereIsOneStepForEachFormat) { EXPECT_EQ(Migrations().size() + 1, kStorageFormat); }

// A hookd that had no tokens yet: its folder lacks the family, and is opened all the same.
TEST_F(MigrationsTest, AFamilyThatIsNewIsMadeInAnOldFolder) {
  {
    auto store = Store();
    ASSERT_TRUE(store.ok()) << store.status();
    Subscriber subscriber;
    subscriber.id = "acme";
    (*store)->Apply(SubscriberChanged{subscriber});
    ASSERT_TRUE((*store)->Commit(1).ok());
  }
  WithDatabase([](rocksdb::DB& db, const auto& names, const auto& families) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (names[i] != "tokens") continue;
      ASSERT_TRUE(db.DropColumnFamily(families[i]).ok());
    }
  });
  auto store = Store();
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->ReadSubscriber("acme").ok());
  EXPECT_TRUE((*store)->ListTokens("", 0, 10)->empty());
  AccessToken token;
  token.id = 5;
  token.role = TokenRole::kViewer;
  (*store)->Apply(TokenMade{token});
  ASSERT_TRUE((*store)->Commit(2).ok());
  store->reset();
  store = Store();
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->ListTokens("", 0, 10)->size(), 1u);
}

TEST_F(MigrationsTest, AFamilyThatNobodyKnowsIsRefusedAndLeftAlone) {
  ASSERT_TRUE(Store().ok());
  WithDatabase([](rocksdb::DB& db, const auto&, const auto&) {
    rocksdb::ColumnFamilyHandle* made = nullptr;
    ASSERT_TRUE(db.CreateColumnFamily(rocksdb::ColumnFamilyOptions(), "hologram", &made).ok());
    ASSERT_TRUE(db.DestroyColumnFamilyHandle(made).ok());
  });
  const absl::Status refused = Store().status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("(hologram): run the hookd that wrote it"));
  WithDatabase([](rocksdb::DB&, const auto& names, const auto&) { EXPECT_EQ(names.back(), "hologram"); });
}

}  // namespace
}  // namespace hookd
