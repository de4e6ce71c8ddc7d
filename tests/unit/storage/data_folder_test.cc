#include "storage/data_folder.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/concat.h"
#include "storage/rocksdb_store.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;

class DataFolderTest : public ::testing::Test {
 protected:
  DataFolderTest() {
    std::string pattern = ::testing::TempDir() + "/folder_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~DataFolderTest() override { std::filesystem::remove_all(path_); }

  void Write(const std::string& name, const std::string& text) { std::ofstream(path_ + "/" + name) << text; }
  std::string Read(const std::string& name) {
    std::ifstream file(path_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  absl::StatusOr<std::unique_ptr<DeliveryStore>> Store() {
    RocksDbOptions options;
    options.path = path_;
    return OpenRocksDbStore(options, RealClock());
  }
  absl::Status Open() { return DataFolder::Open(path_).status(); }

  std::string path_;
};

TEST_F(DataFolderTest, MakesAMissingFolderItsOwn) {
  path_ += "/a/b";
  EXPECT_TRUE(Open().ok());
  EXPECT_EQ(Read("HOOKD"), "hookd data folder\nformat 1\n");
  EXPECT_TRUE(Open().ok());
}

TEST_F(DataFolderTest, RefusesAForeignFolderAndTouchesNothing) {
  Write("notes.txt", "mine");
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("not a hookd data folder"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/HOOKD"));
}

TEST_F(DataFolderTest, RefusesANewerFormatAndTouchesNothing) {
  const std::string newer = "hookd data folder\nformat 2\n";
  Write("HOOKD", newer);
  const absl::StatusOr<std::unique_ptr<DeliveryStore>> store = Store();
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("storage format 2, this hookd reads up to 1"));
  EXPECT_EQ(Read("HOOKD"), newer);
  EXPECT_FALSE(std::filesystem::exists(path_ + "/db"));
}

TEST_F(DataFolderTest, RefusesADamagedIdentity) {
  for (const char* text : {"", "hookd data folder", "hookd data folder\nformat x\n", "other\nformat 1\n",
                           "hookd data folder\nformat 0\n"}) {
    Write("HOOKD", text);
    EXPECT_EQ(Open().code(), absl::StatusCode::kFailedPrecondition) << text;
  }
}

TEST_F(DataFolderTest, RefusesAFolderInUse) {
  const absl::StatusOr<std::unique_ptr<DeliveryStore>> first = Store();
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::Status second = Store().status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.message()), HasSubstr("in use by another hookd"));
}

TEST_F(DataFolderTest, ACrashWhileMakingTheIdentityLeavesAFolderThatStillOpens) {
  Write("HOOKD.new", "hookd da");
  EXPECT_TRUE(Open().ok());
}

}  // namespace
}  // namespace hookd
