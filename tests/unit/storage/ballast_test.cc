#include "storage/ballast.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "storage/rocksdb_store.h"

namespace hookd {
namespace {

constexpr uint64_t kMiB = 1u << 20;

class BallastTest : public testing::Test {
 protected:
  BallastTest() {
    std::string pattern = testing::TempDir() + "/ballast_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~BallastTest() override {
    umount2(path_.c_str(), MNT_DETACH);
    std::filesystem::remove_all(path_);
  }

  std::string file() const { return path_ + "/ballast"; }
  // 0 = there is none.
  uint64_t Allocated() const {
    struct stat info;
    return stat(file().c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_blocks) * 512 : 0;
  }
  uint64_t Free() const { return std::filesystem::space(path_).available; }
  bool MountSmallDisk() { return mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=64m") == 0; }
  absl::StatusOr<std::unique_ptr<DeliveryStore>> Store(uint64_t ballast) {
    RocksDbOptions options;
    options.path = path_ + "/data";
    options.wal_bytes = 4 * kMiB;
    options.ballast_bytes = ballast;
    return OpenRocksDbStore(options, RealClock());
  }

  std::string path_;
};

TEST_F(BallastTest, IsReallyAllocatedAndFollowsItsSize) {
  ASSERT_TRUE(KeepBallast(file(), 3 * kMiB).ok());
  EXPECT_GE(Allocated(), 3 * kMiB);
  ASSERT_TRUE(KeepBallast(file(), 2 * kMiB).ok());
  EXPECT_EQ(std::filesystem::file_size(file()), 2 * kMiB);
  EXPECT_LT(Allocated(), 3 * kMiB);
  std::filesystem::resize_file(file(), 0);  // half made, or copied without its blocks
  std::filesystem::resize_file(file(), 2 * kMiB);
  ASSERT_TRUE(KeepBallast(file(), 2 * kMiB).ok());
  EXPECT_GE(Allocated(), 2 * kMiB);
  ASSERT_TRUE(KeepBallast(file(), 0).ok());
  EXPECT_FALSE(std::filesystem::exists(file()));
  EXPECT_FALSE(FreeBallast(file()));
}

TEST_F(BallastTest, IsLeftOutWhereTwiceAsMuchIsNotFree) {
  ASSERT_TRUE(KeepBallast(file(), std::filesystem::space(path_).capacity).ok());
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(BallastTest, AStoreOnAFullDiskOpensByGivingItUp) {
  if (!MountSmallDisk()) GTEST_SKIP() << "needs to mount a small disk: " << std::strerror(errno);
  const std::string ballast = path_ + "/data/ballast";
  const uint64_t before = Free();
  {
    auto store = Store(16 * kMiB);
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE(std::filesystem::exists(ballast));
    EXPECT_LE(Free(), before - 16 * kMiB);
    ASSERT_TRUE((*store)->Recover().ok());
    (*store)->Apply(OperationsChanged{Operations{true, "kept", 1, false}});
    ASSERT_TRUE((*store)->Commit(1).ok());
  }
  {
    std::ofstream filler(path_ + "/filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  ASSERT_LT(Free(), 4096u);
  auto store = Store(16 * kMiB);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_FALSE(std::filesystem::exists(ballast));
  const auto recovered = (*store)->Recover();
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->operations.pause_note, "kept");
  store->reset();
  std::filesystem::remove(path_ + "/filler");
  ASSERT_TRUE(Store(16 * kMiB).ok());  // there is room again
  EXPECT_TRUE(std::filesystem::exists(ballast));
}

}  // namespace
}  // namespace hookd
