// What the store on disk leaves behind: rows that nothing reads any more are a leak that no reader shows.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include "base/check.h"
#include "base/clock.h"
#include "storage/rocksdb_store.h"
#include "tests/conformance/fact_builders.h"

namespace hookd {
namespace {

class RocksDbRowsTest : public testing::Test {
 protected:
  RocksDbRowsTest() {
    std::string path = (std::filesystem::temp_directory_path() / "hookd-rows-XXXXXX").string();
    HOOKD_CHECK(mkdtemp(path.data()) != nullptr, "a folder for the test");
    folder_ = path;
    RocksDbOptions options;
    options.path = folder_ / "data";
    auto store = OpenRocksDbStore(options, RealClock());
    HOOKD_CHECK(store.ok() && (*store)->Recover().ok(), "a fresh store");
    store_ = *std::move(store);
  }
  ~RocksDbRowsTest() override {
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  DeliveryEnded EndOf(const Event& event, Sequence sequence, RemadePtr remade, DeliveryState state) {
    DeliveryEnded fact;
    fact.delivery = MakeDeliveryId(event.id, remade, endpoint_->id, sequence);
    fact.event = event.id;
    fact.remade = std::move(remade);
    fact.event_type = event.type;
    fact.subscriber_id = event.subscriber_id;
    fact.state = state;
    fact.reason = EndReason::kCanceledByPerson;
    fact.at_ms = kT0;
    return fact;
  }

  // Closes the store. Rows of each family that has any; in `meta` by the first byte of the key.
  std::map<std::string, int> Rows() {
    store_.reset();
    const std::string path = folder_ / "data" / "db";
    std::vector<std::string> names;
    HOOKD_CHECK(rocksdb::DB::ListColumnFamilies({}, path, &names).ok(), "the families");
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const std::string& name : names) descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    HOOKD_CHECK(rocksdb::DB::OpenForReadOnly({}, path, descriptors, &handles, &opened).ok(), "the database");
    const std::unique_ptr<rocksdb::DB> db(opened);
    std::map<std::string, int> rows;
    for (size_t i = 0; i < names.size(); ++i) {
      const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}, handles[i]));
      for (it->SeekToFirst(); it->Valid(); it->Next()) {
        ++rows[names[i] == "meta" ? names[i] + " " + it->key().ToString().substr(0, 1) : names[i]];
      }
    }
    for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
    return rows;
  }

  const std::shared_ptr<const Endpoint> endpoint_ = MakeEndpoint("acme", 1);
  std::filesystem::path folder_;
  std::unique_ptr<DeliveryStore> store_;
};

TEST_F(RocksDbRowsTest, NothingIsLeftOfWhatWasDroppedAndDeleted) {
  DeliveryStore& store = *store_;
  store.Apply(SubscriberChanged{MakeSubscriber("acme")});
  store.Apply(EndpointChanged{endpoint_});
  store.Apply(JobChanged{MakeJob(1)});
  const DeliveryState failing[] = {DeliveryState::kExhausted, DeliveryState::kExpired,
                                   DeliveryState::kCanceled};
  Sequence sequence = 1;
  for (const DeliveryState state : failing) {
    const auto event = MakeEvent("acme", kT0 + 5, static_cast<uint16_t>(sequence));
    const Sequence first = sequence++;
    store.Apply(Accepted{event, {{endpoint_->id, first}}, std::nullopt});
    AttemptRecorded attempt;
    attempt.delivery = MakeDeliveryId(event->id, nullptr, endpoint_->id, first);
    attempt.event = event->id;
    attempt.event_type = event->type;
    attempt.subscriber_id = "acme";
    attempt.attempt = MakeAttempt(1, ErrorKind::kStatus);
    attempt.cursor = sequence;
    store.Apply(attempt);
    DeliveryEnded end = EndOf(*event, first, nullptr, state);
    end.was_parked = true;
    end.attempt_count = 1;
    store.Apply(end);
    const auto remade =
        std::make_shared<Remade>(Remade{kT0 + 2 * kBucketMs, Origin::kRetry, attempt.delivery});
    const Sequence second = sequence++;
    store.Apply(Redelivered{event, {endpoint_->id, second}, remade, state, kT0 + 5});
    store.Apply(EndOf(*event, second, remade, state));
  }
  ASSERT_TRUE(store.Commit(kT0 + 2 * kBucketMs).ok());

  for (const BucketView& bucket : store.Buckets()) store.Apply(BucketDropped{bucket.bucket, true});
  store.Apply(EndpointDeleted{endpoint_->id, "acme"});
  store.Apply(LaneRemoved{endpoint_->id});
  store.Apply(SubscriberDeleted{"acme"});
  store.Apply(JobDeleted{1});
  ASSERT_TRUE(store.Commit(kT0 + 100 * kBucketMs).ok());
  // The state, and the hour of the last commit.
  EXPECT_EQ(Rows(), (std::map<std::string, int>{{"meta c", 1}, {"meta s", 1}}));
}

// What docs/storage-format.md says is written, and no more.
TEST_F(RocksDbRowsTest, EachDeliveryLeavesItsRows) {
  DeliveryStore& store = *store_;
  store.Apply(EndpointChanged{endpoint_});
  const auto event = MakeEvent("acme", kT0 + 5, 1);
  store.Apply(Accepted{event, {{endpoint_->id, 1}}, std::nullopt});
  ASSERT_TRUE(store.Commit(kT0).ok());
  store.Apply(EndOf(*event, 1, nullptr, DeliveryState::kExpired));
  const auto remade = std::make_shared<Remade>(
      Remade{kT0 + kBucketMs, Origin::kRetry, MakeDeliveryId(event->id, nullptr, endpoint_->id, 1)});
  store.Apply(Redelivered{event, {endpoint_->id, 2}, remade, DeliveryState::kExpired, kT0 + 5});
  ASSERT_TRUE(store.Commit(kT0).ok());
  EXPECT_EQ(Rows(), (std::map<std::string, int>{
                        {"changes", 2},  // commits
                        {"endpoints", 1},
                        {"events", 1},
                        {"history", 5},  // d, s, t of the first; t, e of the second
                        {"lanes", 1},
                        {"meta b", 2},
                        {"meta c", 2},
                        {"meta s", 1},
                        {"queue", 1},
                        {"subscribers", 1},  // the endpoint's
                    }));
}

// Its bucket was dropped before the event's: a row of the index would stay for ever.
TEST_F(RocksDbRowsTest, ReplacingWhatIsForgottenWritesNoRowOfIt) {
  DeliveryStore& store = *store_;
  store.Apply(EndpointChanged{endpoint_});
  const auto event = MakeEvent("acme", kT0 + 5, 1);
  store.Apply(Accepted{event, {{endpoint_->id, 1}}, std::nullopt});
  const auto remade = std::make_shared<Remade>(Remade{kT0 + kBucketMs, Origin::kReplay, std::nullopt});
  store.Apply(Redelivered{event, {endpoint_->id, 2}, remade});
  store.Apply(EndOf(*event, 2, remade, DeliveryState::kCanceled));
  store.Apply(BucketDropped{BucketOf(kT0 + kBucketMs), true});
  const auto again = std::make_shared<Remade>(
      Remade{kT0 + 2 * kBucketMs, Origin::kRetry, DeliveryId{BucketOf(kT0 + kBucketMs), endpoint_->id, 2}});
  store.Apply(Redelivered{event, {endpoint_->id, 3}, again, DeliveryState::kCanceled, kT0 + kBucketMs});
  ASSERT_TRUE(store.Commit(kT0).ok());
  EXPECT_EQ(Rows()["history"], 4);  // t of the first and the third, e of the second and the third
}

}  // namespace
}  // namespace hookd
