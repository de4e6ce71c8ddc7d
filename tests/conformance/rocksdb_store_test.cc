#include "storage/rocksdb_store.h"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/clock.h"
#include "storage/memory_store.h"
#include "tests/conformance/delivery_store_suite.h"
#include "tests/conformance/random_walk.h"

namespace hookd {
namespace {

// A data folder of its own, removed with the harness (the store goes before it). Small bounds, so that a walk
// flushes and compacts.
class RocksDbHarness final : public StoreHarness {
 public:
  // `sealed`: payloads and what is kept of exchanges.
  explicit RocksDbHarness(bool sealed = false) : sealed_(sealed) {
    std::string path = (std::filesystem::temp_directory_path() / "hookd-conformance-XXXXXX").string();
    HOOKD_CHECK(mkdtemp(path.data()) != nullptr, "a folder for the test");
    folder_ = path;
  }
  ~RocksDbHarness() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::unique_ptr<DeliveryStore> Open() override {
    RocksDbOptions options;
    options.path = folder_ / "data";
    options.wal_bytes = 8u << 20;
    options.block_cache_bytes = 4u << 20;
    options.seal_payloads = sealed_;
    if (sealed_) options.secrets.newest.emplace().bytes.fill('k');
    auto store = OpenRocksDbStore(options, RealClock());
    HOOKD_CHECK(store.ok(), store.status().ToString().c_str());
    return *std::move(store);
  }
  std::unique_ptr<DeliveryStore> Reopen(std::unique_ptr<DeliveryStore> store) override {
    store.reset();
    return Open();
  }

 private:
  const bool sealed_;
  std::filesystem::path folder_;
};

INSTANTIATE_TEST_SUITE_P(
    RocksDb, DeliveryStoreSuite,
    testing::Values(StoreParam{"rocksdb", [] { return std::make_unique<RocksDbHarness>(); }},
                    StoreParam{"sealed", [] { return std::make_unique<RocksDbHarness>(true); }}),
    testing::PrintToStringParamName());

class MemoryHarness final : public StoreHarness {
 public:
  std::unique_ptr<DeliveryStore> Open() override { return MakeMemoryStore(); }
  std::unique_ptr<DeliveryStore> Reopen(std::unique_ptr<DeliveryStore> store) override {
    return static_cast<const MemoryStore&>(*store).Reopen();
  }
};

TEST(StoresTest, AllStoresAgreeOnOneWalk) {
  MemoryHarness memory;
  RocksDbHarness rocksdb;
  RocksDbHarness sealed(true);
  WalkTogether({&memory, &rocksdb, &sealed}, 20'251'009, 3'000);
}

TEST(RocksDbStoreTest, SaysWhatTheDatabaseHolds) {
  RocksDbHarness harness;
  std::unique_ptr<DeliveryStore> store = harness.Open();
  ASSERT_TRUE(store->Recover().ok());
  const DatabaseStats empty = store->Database();
  EXPECT_EQ(empty.table_files, 0u);
  EXPECT_EQ(empty.blob_files, 0u);
  store->Apply(SubscriberChanged{MakeSubscriber("acme")});
  for (uint16_t i = 0; i < 16; ++i) {
    Accepted accepted;
    accepted.event = MakeEvent("acme", kT0, i, std::string(64u << 10, 'x'));
    store->Apply(accepted);
  }
  ASSERT_TRUE(store->Commit(kT0).ok());
  EXPECT_GT(store->Database().memtable_bytes, empty.memtable_bytes + (1u << 20));

  store = harness.Reopen(std::move(store));  // which makes tables of the log
  const DatabaseStats reopened = store->Database();
  EXPECT_GE(reopened.table_files, 2u);  // of subscribers and events
  EXPECT_GE(reopened.blob_files, 1u);
  EXPECT_LT(reopened.memtable_bytes, 1u << 20);
  EXPECT_EQ(reopened.stalls, 0u);
  EXPECT_EQ(reopened.background_errors, 0u);
}

}  // namespace
}  // namespace hookd
