#include "dispatcher/engine/registry.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "storage/memory_store.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() { EXPECT_TRUE(store_.Recover().ok()); }

  static Subscriber MakeSubscriber(const std::string& id) {
    Subscriber subscriber;
    subscriber.id = id;
    return subscriber;
  }
  static std::shared_ptr<const Endpoint> MakeEndpoint(const std::string& subscriber, uint64_t number,
                                                      std::vector<std::string> channels = {}) {
    auto endpoint = std::make_shared<Endpoint>();
    endpoint->id = EndpointId::Make(PartitionOf(subscriber), number);
    endpoint->subscriber_id = subscriber;
    endpoint->channels = std::move(channels);
    return endpoint;
  }
  void Store(const Fact& fact) {
    store_.Apply(fact);
    EXPECT_TRUE(store_.Commit(1).ok());
  }
  // Two subscribers in the store, with an endpoint each.
  void StoreTwo() {
    for (const char* id : {"a", "b"}) {
      Store(SubscriberChanged{MakeSubscriber(id)});
      Store(EndpointChanged{MakeEndpoint(id, id[0])});
    }
  }
  std::vector<uint64_t> Match(const std::string& subscriber, const std::string& channel) {
    std::vector<uint64_t> numbers;
    for (const auto& endpoint : Registry::Match(**registry_.Find(subscriber), "t", channel)) {
      numbers.push_back(endpoint->id.value & 0xffff);
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }

  MemoryStore store_;
  Registry registry_{store_, 4'000};  // two accounts of one endpoint each
};

TEST_F(RegistryTest, AccountsComeFromTheStore) {
  StoreTwo();
  EXPECT_EQ(*registry_.Find("nobody"), nullptr);
  const Registry::Account* account = *registry_.Find("a");
  ASSERT_NE(account, nullptr);
  EXPECT_EQ(account->endpoints.size(), 1u);
  const EndpointId of_b = EndpointId::Make(PartitionOf("b"), 'b');
  EXPECT_EQ((*registry_.Find(of_b))->subscriber_id, "b");
  EXPECT_EQ(*registry_.Find(EndpointId{77}), nullptr);
}

TEST_F(RegistryTest, WhatTheOpenBatchRemovedIsGoneThoughTheStoreStillShowsIt) {
  StoreTwo();
  const EndpointId id = EndpointId::Make(PartitionOf("a"), 'a');
  ASSERT_NE(*registry_.Find(id), nullptr);
  registry_.Remove(id);
  EXPECT_EQ(*registry_.Find(id), nullptr);
  registry_.Remove("a");
  EXPECT_EQ(*registry_.Find("a"), nullptr);
  registry_.Put(MakeSubscriber("a"));
  EXPECT_THAT((*registry_.Find("a"))->endpoints, IsEmpty());
}

TEST_F(RegistryTest, BeyondItsBoundTheAccountsNotUsedForLongestGo) {
  StoreTwo();
  Store(SubscriberChanged{MakeSubscriber("c")});
  Store(EndpointChanged{MakeEndpoint("c", 'c')});
  for (const char* id : {"a", "b", "a", "c"}) ASSERT_TRUE(registry_.Find(id).ok());
  registry_.Trim();
  // Now only the registry would know.
  registry_.Put(MakeEndpoint("a", 1));
  registry_.Trim();
  EXPECT_EQ((*registry_.Find("b"))->endpoints.size(), 1u);
}

TEST_F(RegistryTest, FiltersByChannelThroughAnIndexThatFollowsChanges) {
  registry_.Put(MakeSubscriber("a"));
  registry_.Put(MakeEndpoint("a", 1));
  registry_.Put(MakeEndpoint("a", 2, {"x", "y", "x"}));
  registry_.Put(MakeEndpoint("a", 3, {"y"}));
  EXPECT_THAT(Match("a", "x"), ElementsAre(1, 2));
  EXPECT_THAT(Match("a", "y"), ElementsAre(1, 2, 3));
  EXPECT_THAT(Match("a", ""), ElementsAre(1));
  registry_.Put(MakeEndpoint("a", 2, {"z"}));
  registry_.Put(MakeEndpoint("a", 1, {"x"}));
  EXPECT_THAT(Match("a", "x"), ElementsAre(1));
  EXPECT_THAT(Match("a", "z"), ElementsAre(2));
  registry_.Remove(EndpointId::Make(PartitionOf("a"), 3));
  EXPECT_THAT(Match("a", "y"), IsEmpty());
}

}  // namespace
}  // namespace hookd
