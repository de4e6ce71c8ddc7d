#include "storage/log_files.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/concat.h"
#include "storage/rocksdb_store.h"

namespace hookd {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr size_t kSector = 512;
constexpr size_t kCommits = 20;

class LogFilesTest : public ::testing::Test {
 protected:
  LogFilesTest() {
    std::string pattern = ::testing::TempDir() + "/logs_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~LogFilesTest() override { fs::remove_all(path_); }

  absl::StatusOr<std::unique_ptr<DeliveryStore>> Open() {
    RocksDbOptions options;
    options.path = path_ + "/data";
    options.on_mended = [this](const std::string& note) { mended_.push_back(note); };
    return OpenRocksDbStore(options, RealClock());
  }

  // Commits 1 to kCommits, and one of `last` bytes. Where each begins in the log is in `begins_`.
  void Make(size_t last) {
    auto store = Open();
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)->Recover().ok());
    for (size_t i = 1; i <= kCommits; ++i) Commit(**store, i, std::to_string(i));
    Commit(**store, kCommits + 1, std::string(last, 'x'));
    store->reset();
    whole_ = Read(Log());
    ASSERT_GT(begins_.back() + last, 0u);
    ASSERT_EQ(begins_.size(), kCommits + 1);
  }
  void Commit(DeliveryStore& store, size_t number, const std::string& note) {
    begins_.push_back(fs::file_size(Log()));
    store.Apply(OperationsChanged{Operations{true, note, static_cast<WallMs>(number), false}});
    ASSERT_TRUE(store.Commit(static_cast<WallMs>(number)).ok());
  }
  // Of the operations, as the folder has them now; 0 = it is refused, and `refusal_` says why.
  size_t Newest() {
    mended_.clear();
    const auto store = Open();
    if (!store.ok()) {
      refusal_ = store.status();
      return 0;
    }
    const auto recovered = (*store)->Recover();
    if (!recovered.ok()) {
      refusal_ = recovered.status();
      return 0;
    }
    return static_cast<size_t>(recovered->operations.paused_ms);
  }
  // As it was made, but for its log.
  void Put(const std::string& log) {
    if (!fs::exists(path_ + "/made")) fs::copy(path_ + "/data", path_ + "/made", fs::copy_options::recursive);
    const std::string name = fs::path(Log()).filename();
    fs::remove_all(path_ + "/data");
    fs::copy(path_ + "/made", path_ + "/data", fs::copy_options::recursive);
    log_ = path_ + "/data/db/" + name;
    std::ofstream(log_, std::ios::binary) << log;
  }

  std::string Log() {
    if (!log_.empty()) return log_;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_ + "/data/db")) {
      if (entry.path().extension() == ".log") log_ = entry.path();
    }
    return log_;
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string Flipped(size_t byte, int bit) const {
    std::string log = whole_;
    log[byte] = static_cast<char>(log[byte] ^ (1 << bit));
    return log;
  }
  void ExpectRefused(size_t damaged) {
    EXPECT_EQ(Newest(), 0u);
    EXPECT_EQ(refusal_.code(), absl::StatusCode::kDataLoss) << refusal_;
    EXPECT_THAT(std::string(refusal_.message()),
                HasSubstr(Concat(Log(), " is damaged at byte ", damaged, ":")));
    EXPECT_TRUE(mended_.empty());
  }

  std::string path_;
  std::string log_;
  std::string whole_;
  std::vector<size_t> begins_;
  std::vector<std::string> mended_;
  absl::Status refusal_;
};

TEST_F(LogFilesTest, AWholeLogIsLeftAlone) {
  Make(100'000);
  const auto notes = MendLogs(path_ + "/data/db");
  ASSERT_TRUE(notes.ok()) << notes.status();
  EXPECT_TRUE(notes->empty());
  EXPECT_EQ(Read(Log()), whole_);
  EXPECT_EQ(Newest(), kCommits + 1);
}

TEST_F(LogFilesTest, AFolderWithoutADatabaseHasNoLogs) {
  const auto notes = MendLogs(path_ + "/nothing");
  ASSERT_TRUE(notes.ok()) << notes.status();
  EXPECT_TRUE(notes->empty());
}

// RocksDB takes a length that leads beyond the end of the file for its end, and drops all that follows.
TEST_F(LogFilesTest, ABitOfARecordThatOthersFollowIsRefused) {
  Make(100);
  const size_t begin = begins_[kCommits / 2];
  for (size_t byte = begin; byte < begin + 12; ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      SCOPED_TRACE(Concat("bit ", bit, " of byte ", byte));
      Put(Flipped(byte, bit));
      ExpectRefused(begin);
      if (HasFailure()) return;
    }
  }
}

TEST_F(LogFilesTest, ABitOfTheLastRecordIsRefused) {
  Make(30);
  for (size_t byte = begins_.back(); byte < whole_.size(); byte += 5) {
    SCOPED_TRACE(Concat("byte ", byte));
    Put(Flipped(byte, static_cast<int>(byte % 8)));
    ExpectRefused(begins_.back());
  }
  for (int bit = 0; bit < 16; ++bit) {
    SCOPED_TRACE(Concat("bit ", bit, " of its length"));
    Put(Flipped(begins_.back() + 4 + static_cast<size_t>(bit) / 8, bit % 8));
    ExpectRefused(begins_.back());
  }
}

TEST_F(LogFilesTest, ALogThatStopsInItsLastRecordLosesThatAlone) {
  Make(70'000);
  const size_t begin = begins_.back();
  for (const size_t size : {begin, begin + 1, begin + 6, begin + 7, begin + 8, begin + 600, size_t{32'768},
                            size_t{32'770}, size_t{40'000}, size_t{65'536}, whole_.size() - 1}) {
    SCOPED_TRACE(Concat(size, " of ", whole_.size(), " bytes"));
    Put(whole_.substr(0, size));
    EXPECT_EQ(Newest(), kCommits) << refusal_;
    EXPECT_TRUE(mended_.empty());
  }
}

TEST_F(LogFilesTest, SectorsThatAreMissingFromTheLastRecordAreATornWrite) {
  Make(70'000);
  const size_t begin = begins_.back();
  for (size_t first = begin; first < whole_.size(); first += 40 * kSector) {
    for (const size_t sectors : {1, 70}) {
      SCOPED_TRACE(Concat(sectors, " sectors from byte ", first));
      std::string log = whole_;
      const size_t from = std::max(begin, first / kSector * kSector);
      const size_t to = std::min(log.size(), (first / kSector + sectors) * kSector);
      std::fill(log.begin() + static_cast<ptrdiff_t>(from), log.begin() + static_cast<ptrdiff_t>(to), '\0');
      Put(log);
      EXPECT_EQ(Newest(), kCommits) << refusal_;
      ASSERT_EQ(mended_.size(), 1u);
      EXPECT_THAT(mended_.front(), HasSubstr(fs::path(Log()).filename().string()));
      EXPECT_EQ(Newest(), kCommits) << "and again, " << refusal_;
      EXPECT_TRUE(mended_.empty());
    }
  }
}

TEST_F(LogFilesTest, SectorsThatAreMissingBeforeTheLastRecordAreDamage) {
  Make(2'000);
  const size_t begin = begins_[kCommits / 2];
  std::string log = whole_;
  std::fill(log.begin() + static_cast<ptrdiff_t>(begin), log.begin() + static_cast<ptrdiff_t>(begin + 20),
            '\0');
  Put(log);
  ExpectRefused(begin);
}

TEST_F(LogFilesTest, ADatabaseWithoutItsCurrentIsNotBegunAnew) {
  Make(10);
  fs::remove(path_ + "/data/db/CURRENT");
  EXPECT_EQ(Newest(), 0u);
  EXPECT_EQ(refusal_.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(refusal_.message()), HasSubstr("/data/db/CURRENT is missing"));
  EXPECT_TRUE(fs::exists(Log()));
}

}  // namespace
}  // namespace hookd
