#include "storage/seal.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/escaping.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/concat.h"
#include "hookd/storage/v1/records.pb.h"
#include "storage/key_list.h"
#include "storage/record_codec.h"
#include "storage/rocksdb_store.h"
#include "tests/unit/storage/secret_keys.h"

namespace hookd {
namespace {

using storage::v1::SealedValue;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Key;
using testing::Keys;
using ::testing::Not;

TEST(SecretKeyTest, ReadsBase64AndHex) {
  const std::string hex(64, 'a');
  const absl::StatusOr<SecretKey> key = ParseSecretKey(hex + "\n");
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->bytes, Key('\xaa').bytes);
  const absl::StatusOr<SecretKey> same =
      ParseSecretKey("  " + absl::Base64Escape(std::string(32, '\xaa')) + "\r\n");
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(same->bytes, key->bytes);
  EXPECT_EQ(same->id(), key->id());
  EXPECT_NE(Key('a').id(), Key('b').id());
  EXPECT_EQ(KeyIdText(0x0a1b2c3d), "0a1b2c3d");
}

TEST(SecretKeyTest, RefusesWhatIsNoKeyAndDoesNotRepeatIt) {
  for (const std::string& text :
       {std::string(), std::string("MARK"), std::string(63, 'a'), std::string(62, 'a') + "zz",
        absl::Base64Escape(std::string(31, 'x')), absl::Base64Escape(std::string(33, 'x'))}) {
    const absl::Status status = ParseSecretKey(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("generate-key"));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("MARK")));
  }
  EXPECT_FALSE(CheckSecretKeys(Keys('a', "ba")).ok());
  EXPECT_TRUE(CheckSecretKeys(Keys('a', "bc")).ok());
}

TEST(SealTest, WithoutAKeyTheBytesAreInClear) {
  const Sealer clear;
  SealedValue value;
  clear.Seal("plain", "endpoint/1/url", value);
  EXPECT_EQ(value.key_id(), 0u);
  EXPECT_EQ(value.bytes(), "plain");
  EXPECT_EQ(*clear.Open(value, "elsewhere"), "plain");
  EXPECT_EQ(*Sealer(Keys('a')).Open(value, "elsewhere"), "plain");  // from before there was a key
}

TEST(SealTest, EachNonceIsFresh) {
  const Sealer sealer(Keys('a'));
  std::set<std::string> nonces;
  std::set<std::string> bytes;
  for (int i = 0; i < 1000; ++i) {
    SealedValue value;
    sealer.Seal("plain", "p", value);
    EXPECT_EQ(value.nonce().size(), 12u);
    EXPECT_EQ(value.bytes().size(), 5u + 16u);
    nonces.insert(value.nonce());
    bytes.insert(value.bytes());
  }
  EXPECT_EQ(nonces.size(), 1000u);
  EXPECT_EQ(bytes.size(), 1000u);
}

TEST(SealTest, OpensInItsOwnPlaceAloneAndUnchanged) {
  const Sealer sealer(Keys('a'));
  SealedValue value;
  sealer.Seal("plain", "endpoint/1/url", value);
  EXPECT_EQ(*sealer.Open(value, "endpoint/1/url"), "plain");
  EXPECT_EQ(sealer.Open(value, "endpoint/2/url").status().code(), absl::StatusCode::kDataLoss);
  for (size_t i = 0; i < value.bytes().size(); ++i) {
    SealedValue changed = value;
    (*changed.mutable_bytes())[i] = static_cast<char>((*changed.mutable_bytes())[i] ^ 1);
    EXPECT_EQ(sealer.Open(changed, "endpoint/1/url").status().code(), absl::StatusCode::kDataLoss) << i;
  }
  SealedValue cut = value;
  cut.mutable_bytes()->resize(15);
  EXPECT_EQ(sealer.Open(cut, "endpoint/1/url").status().code(), absl::StatusCode::kDataLoss);
  cut = value;
  cut.mutable_nonce()->pop_back();
  EXPECT_EQ(sealer.Open(cut, "endpoint/1/url").status().code(), absl::StatusCode::kDataLoss);
  SealedValue empty;
  sealer.Seal("", "p", empty);
  EXPECT_EQ(*sealer.Open(empty, "p"), "");
}

TEST(SealTest, OldKeysOpenAndDoNotSeal) {
  SealedValue value;
  Sealer(Keys('a')).Seal("plain", "p", value);
  const Sealer both(Keys('b', "a"));
  EXPECT_EQ(*both.Open(value, "p"), "plain");
  SealedValue anew;
  both.Seal("plain", "p", anew);
  EXPECT_EQ(anew.key_id(), Key('b').id());
  const absl::Status other = Sealer(Keys('c')).Open(value, "p").status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.message()), HasSubstr(KeyIdText(Key('a').id())));
}

constexpr const char* kMarks[] = {"MARKURL",     "MARKHEADER",   "MARKSIGNING",
                                  "MARKPRIVATE", "MARKPASSWORD", "MARKCLIENT"};

class SealedFolderTest : public ::testing::Test {
 protected:
  SealedFolderTest() {
    std::string pattern = ::testing::TempDir() + "/sealed_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~SealedFolderTest() override {
    store_.reset();
    std::filesystem::remove_all(path_);
  }

  absl::Status Open(SecretKeys keys) {
    store_.reset();
    RocksDbOptions options;
    options.path = path_;
    options.secrets = std::move(keys);
    absl::StatusOr<std::unique_ptr<DeliveryStore>> store = OpenRocksDbStore(options, RealClock());
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    return store_->Recover().status();
  }
  void Put(uint64_t number) {
    auto endpoint = std::make_shared<Endpoint>();
    endpoint->id = EndpointId::Make(PartitionOf("acme"), number);
    endpoint->subscriber_id = "acme";
    endpoint->url = "https://example.com/?key=MARKURL";
    endpoint->headers = {{"X-Plain", "open", false}, {"X-Key", "MARKHEADER", true}};
    endpoint->signing_keys = {{"MARKPRIVATE", SigningScheme::kV1a}, {"MARKSIGNING"}};
    if (number % 2 == 0) {
      endpoint->authorization.basic =
          std::make_shared<const BasicCredentials>(BasicCredentials{"me", "MARKPASSWORD"});
    } else {
      endpoint->authorization.oauth2 = std::make_shared<const OAuth2Credentials>(
          OAuth2Credentials{"https://login.example/", "me", "MARKCLIENT", {}, "", false});
    }
    Subscriber subscriber;
    subscriber.id = "acme";
    store_->Apply(SubscriberChanged{std::move(subscriber)});
    store_->Apply(EndpointChanged{std::move(endpoint)});
    ASSERT_TRUE(store_->Commit(1).ok());
  }
  void ExpectWhole(uint64_t number) {
    const absl::StatusOr<StoredEndpoint> read =
        store_->ReadEndpoint(EndpointId::Make(PartitionOf("acme"), number));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->endpoint->url, "https://example.com/?key=MARKURL");
    EXPECT_EQ(read->endpoint->headers[1].value, "MARKHEADER");
    EXPECT_EQ(read->endpoint->signing_keys,
              (std::vector<SigningKey>{{"MARKPRIVATE", SigningScheme::kV1a}, {"MARKSIGNING"}}));
  }
  size_t Stale() { return store_->StaleSecrets(EndpointId{}, 1000)->stale.size(); }
  // Files of the folder that hold the text.
  size_t Files(const std::string& text) const {
    size_t found = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      if (bytes.find(text) != std::string::npos) ++found;
    }
    return found;
  }
  // Name and bytes of every file, but the database's own log.
  std::map<std::string, std::string> Snapshot() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      files[entry.path()] = {std::istreambuf_iterator<char>(file), {}};
    }
    return files;
  }

  std::string path_;
  std::unique_ptr<DeliveryStore> store_;
};

TEST_F(SealedFolderTest, NoSecretIsInAnyFile) {
  ASSERT_TRUE(Open(Keys('a')).ok());
  Put(1);
  ExpectWhole(1);
  for (const char* mark : kMarks) EXPECT_EQ(Files(mark), 0u) << mark;
  ASSERT_TRUE(Open(Keys('a')).ok());  // which makes tables of the log
  ExpectWhole(1);
  for (const char* mark : kMarks) EXPECT_EQ(Files(mark), 0u) << mark;
  EXPECT_GT(Files("acme"), 0u);  // the search finds what is there
}

TEST_F(SealedFolderTest, AWrongKeyIsToldAndNothingIsWritten) {
  ASSERT_TRUE(Open(Keys('a')).ok());
  Put(1);
  store_.reset();
  const auto before = Snapshot();
  for (const SecretKeys& keys : {Keys('b'), Keys('b', "c"), SecretKeys{}}) {
    const absl::Status status = Open(keys);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(Concat("holds secrets under key ", KeyIdText(Key('a').id()))));
    EXPECT_THAT(std::string(status.message()), HasSubstr("secrets.old_key_files"));
    EXPECT_EQ(Snapshot(), before);
  }
  ASSERT_TRUE(Open(Keys('a')).ok());
  ExpectWhole(1);
}

TEST_F(SealedFolderTest, ADamagedListIsTold) {
  ASSERT_TRUE(Open(Keys('a')).ok());
  store_.reset();
  for (const char* text : {"", "other\n", "hookd secret keys\nkey x 00 00\n", "hookd secret keys\nkey 1\n"}) {
    std::ofstream(Concat(path_, "/", kKeyListFile)) << text;
    EXPECT_EQ(Open(Keys('a')).code(), absl::StatusCode::kDataLoss) << text;
  }
}

TEST_F(SealedFolderTest, WhatIsInClearIsReadAndSealedWhenItIsStoredAgain) {
  ASSERT_TRUE(Open(SecretKeys{}).ok());
  Put(1);
  Put(2);
  EXPECT_EQ(Stale(), 0u);
  EXPECT_GT(Files("MARKURL"), 0u);
  EXPECT_FALSE(std::filesystem::exists(Concat(path_, "/", kKeyListFile)));
  ASSERT_TRUE(Open(Keys('a')).ok());
  EXPECT_EQ(Stale(), 2u);
  ExpectWhole(1);
  Put(1);
  EXPECT_EQ(Stale(), 1u);
  Put(2);
  EXPECT_EQ(Stale(), 0u);
  ExpectWhole(2);
  EXPECT_GT(Files("MARKURL"), 0u);  // until it is compacted
  std::atomic<bool> stop{false};
  ASSERT_TRUE(store_->Scour(Scoured::kSecrets, stop).ok());
  for (const char* mark : kMarks) EXPECT_EQ(Files(mark), 0u) << mark;
  ExpectWhole(1);
}

TEST_F(SealedFolderTest, AnOldKeyStaysNeededUntilItIsForgotten) {
  ASSERT_TRUE(Open(Keys('a')).ok());
  Put(1);
  ASSERT_TRUE(Open(Keys('b', "a")).ok());
  EXPECT_EQ(store_->Secrets().newest, Key('b').id());
  EXPECT_THAT(store_->Secrets().old, ElementsAre(Key('a').id()));
  EXPECT_EQ(Stale(), 1u);
  ExpectWhole(1);
  EXPECT_EQ(Open(Keys('b')).code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(Open(Keys('b', "a")).ok());
  Put(1);
  EXPECT_EQ(Stale(), 0u);
  ASSERT_TRUE(store_->ForgetOldKeys().ok());
  EXPECT_THAT(store_->Secrets().old, IsEmpty());
  ASSERT_TRUE(Open(Keys('b')).ok());
  ExpectWhole(1);
  // Back to clear, if that is wanted: the key is an old one then.
  SecretKeys clear;
  clear.old = {Key('b')};
  ASSERT_TRUE(Open(clear).ok());
  EXPECT_EQ(store_->Secrets().newest, 0u);
  EXPECT_EQ(Stale(), 1u);
  Put(1);
  ASSERT_TRUE(store_->ForgetOldKeys().ok());
  ASSERT_TRUE(Open(SecretKeys{}).ok());
  ExpectWhole(1);
}

TEST_F(SealedFolderTest, AStartReadsTheEndpointsOfActiveLanes) {
  ASSERT_TRUE(Open(Keys('a')).ok());
  Put(1);
  auto event = std::make_shared<Event>();
  event->id = EventId::Make(1, 1, PartitionOf("acme"), 7);
  event->accepted_ms = 1;
  event->subscriber_id = "acme";
  Accepted fact;
  fact.event = event;
  fact.deliveries = {{EndpointId::Make(PartitionOf("acme"), 1), 1}};
  store_->Apply(fact);
  ASSERT_TRUE(store_->Commit(1).ok());
  ASSERT_TRUE(Open(Keys('b', "a")).ok());
  ExpectWhole(1);
}

TEST_F(SealedFolderTest, PagesOfStaleSecretsEndWhereTheEndpointsDo) {
  ASSERT_TRUE(Open(SecretKeys{}).ok());
  for (uint64_t i = 1; i <= 5; ++i) Put(i);
  ASSERT_TRUE(Open(Keys('a')).ok());
  StalePage page = *store_->StaleSecrets(EndpointId{}, 2);
  EXPECT_EQ(page.stale.size(), 2u);
  EXPECT_TRUE(page.more);
  page = *store_->StaleSecrets(page.last, 2);
  EXPECT_TRUE(page.more);
  page = *store_->StaleSecrets(page.last, 2);
  EXPECT_EQ(page.stale.size(), 1u);
  EXPECT_FALSE(page.more);
}

}  // namespace
}  // namespace hookd
