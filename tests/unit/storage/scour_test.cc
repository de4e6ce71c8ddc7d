// What is erased is in no file any more once it was scoured.
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "storage/rocksdb_store.h"

namespace hookd {
namespace {

constexpr WallMs kNow = 1'700'000'000'000;

class ScourTest : public ::testing::Test {
 protected:
  ScourTest() {
    std::string pattern = ::testing::TempDir() + "/scour_XXXXXX";
    path_ = mkdtemp(pattern.data());
    Open();
    Subscriber subscriber;
    subscriber.id = "acme";
    store_->Apply(SubscriberChanged{std::move(subscriber)});
  }
  ~ScourTest() override {
    store_.reset();
    std::filesystem::remove_all(path_);
  }

  void Open() {
    store_.reset();
    RocksDbOptions options;
    options.path = path_;
    absl::StatusOr<std::unique_ptr<DeliveryStore>> store = OpenRocksDbStore(options, RealClock());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    ASSERT_TRUE(store_->Recover().ok());
  }
  // Its payload is of `size` bytes that no compression makes smaller, and the mark.
  std::shared_ptr<const Event> Accept(const std::string& mark, size_t size) {
    auto event = std::make_shared<Event>();
    event->id = EventId::Make(kNow, ++events_, PartitionOf("acme"), 7);
    event->accepted_ms = kNow;
    event->subscriber_id = "acme";
    event->type = "t";
    event->payload = "\"" + mark;
    uint32_t noise = events_;
    while (event->payload.size() < size) {
      noise = noise * 1'664'525 + 1'013'904'223;
      event->payload.push_back(static_cast<char>('a' + (noise >> 24) % 26));
    }
    event->payload += "\"";
    Accepted fact;
    fact.event = event;
    store_->Apply(fact);
    EXPECT_TRUE(store_->Commit(kNow).ok());
    return event;
  }
  void Erase(const Event& event) {
    store_->Apply(EventErased{event.id, event.payload.size()});
    ASSERT_TRUE(store_->Commit(kNow).ok());
  }
  void Scour() {
    std::atomic<bool> stop{false};
    const absl::Status scoured = store_->Scour(Scoured::kPayloads, stop);
    ASSERT_TRUE(scoured.ok()) << scoured;
  }
  bool IsInAFile(const std::string& mark) const {
    std::error_code error;
    for (auto it = std::filesystem::recursive_directory_iterator(path_, error);
         it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
      if (!it->is_regular_file()) continue;
      std::ifstream file(it->path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      if (bytes.find(mark) != std::string::npos) return true;
    }
    return false;
  }
  // The database unlinks what is obsolete on threads of its own.
  bool Goes(const std::string& mark) const {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
    while (IsInAFile(mark)) {
      if (RealClock().Steady() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::string path_;
  uint16_t events_ = 0;
  std::unique_ptr<DeliveryStore> store_;
};

TEST_F(ScourTest, FromTablesBlobFilesAndLog) {
  std::vector<std::shared_ptr<const Event>> gone;
  for (const size_t size : {20u, 20'000u, 20'000u}) gone.push_back(Accept("MARKGONE", size));
  const auto small = Accept("MARKSTAYS", 30);
  const auto large = Accept("MARKSTAYS", 20'000);
  Open();  // tables and blob files of the log
  for (const size_t size : {20u, 20'000u}) gone.push_back(Accept("MARKGONE", size));  // in the log alone
  ASSERT_TRUE(IsInAFile("MARKGONE"));
  for (const auto& event : gone) Erase(*event);
  EXPECT_TRUE(IsInAFile("MARKGONE"));
  Scour();
  EXPECT_TRUE(Goes("MARKGONE"));
  EXPECT_EQ((*store_->ReadEvent(small->id))->payload, small->payload);
  EXPECT_EQ((*store_->ReadEvent(large->id))->payload, large->payload);
  Open();
  EXPECT_FALSE(IsInAFile("MARKGONE"));
  EXPECT_EQ((*store_->ReadEvent(large->id))->payload, large->payload);
}

TEST_F(ScourTest, AlsoWhenNothingIsLeft) {
  const auto small = Accept("MARKGONE", 20);
  const auto large = Accept("MARKGONE", 20'000);
  Open();
  Erase(*small);
  Erase(*large);
  Scour();
  EXPECT_TRUE(Goes("MARKGONE"));
  Scour();  // of an empty family
  Open();
  EXPECT_FALSE(IsInAFile("MARKGONE"));
  EXPECT_EQ(store_->Database().blob_files, 0u);
}

TEST_F(ScourTest, OnceStoppedItIsCanceled) {
  Erase(*Accept("MARKGONE", 20'000));
  std::atomic<bool> stop{true};
  EXPECT_EQ(store_->Scour(Scoured::kPayloads, stop).code(), absl::StatusCode::kCancelled);
  Scour();
  EXPECT_TRUE(Goes("MARKGONE"));
}

}  // namespace
}  // namespace hookd
