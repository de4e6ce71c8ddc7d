// Lists of deliveries: every index, both directions, every filter, and what happens while somebody pages.
#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/conformance/delivery_store_suite.h"
#include "tests/conformance/describe.h"
#include "tests/conformance/list_world.h"

namespace hookd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Two ids with one FNV-1a hash.
constexpr char kTwin[] = "8yn0iYCKYHlIj4-BwPqk";
constexpr char kOtherTwin[] = "GReLUrM4wMqfg9yzV3KQ";

constexpr DeliveryState kStates[] = {DeliveryState::kPending, DeliveryState::kSucceeded,
                                     DeliveryState::kExhausted, DeliveryState::kExpired,
                                     DeliveryState::kCanceled};

class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  size_t Below(size_t bound) { return random_() % bound; }
  template <typename T>
  const T& Of(const std::vector<T>& values) {
    return values[Below(values.size())];
  }

 private:
  std::mt19937_64 random_;
};

// Four subscribers, two of them twins, with two endpoints each, over some hours.
class Crowd {
 public:
  Crowd(DeliveryStore& store, uint64_t seed) : world(store), dice(seed) {
    for (const char* id : {"acme", "globex", kTwin, kOtherTwin}) {
      const std::string subscriber = id;
      subscribers.push_back(subscriber);
      // Of two subscribers with one partition ids are numbered on.
      for (const uint64_t number : {1, 2}) {
        endpoints.push_back(world.AddEndpoint(subscriber, 10 * subscribers.size() + number));
      }
    }
  }

  void Step() {
    now_ms += static_cast<WallMs>(dice.Below(3) == 0 ? 0 : dice.Below(900'000));
    const size_t who = dice.Below(subscribers.size());
    const std::vector<EndpointId> two = {endpoints[2 * who], endpoints[2 * who + 1]};
    switch (dice.Below(4)) {
      case 0:
        world.Publish(subscribers[who], now_ms, two, dice.Of(types));
        break;
      case 1:
        world.Publish(subscribers[who], now_ms, {two[dice.Below(2)]}, dice.Of(types));
        break;
      case 2:
        world.Publish(subscribers[who], now_ms, {}, dice.Of(types));
        break;
      default:
        break;
    }
    for (int i = 0; i < 3 && !world.ids().empty(); ++i) Move(dice.Of(world.ids()));
  }

  void Move(const DeliveryId& id) {
    if (!world.IsPending(id)) {
      if (dice.Below(4) == 0) world.Redeliver(id, now_ms);
      return;
    }
    switch (dice.Below(6)) {
      case 0:
        world.End(id, DeliveryState::kExhausted);
        break;
      case 1:
        world.End(id, DeliveryState::kExpired);
        break;
      case 2:
        world.End(id, DeliveryState::kCanceled);
        break;
      case 3:
        world.Attempt(id, 204);
        break;
      case 4:
        world.Attempt(id, 503);
        break;
      default:
        world.Attempt(id, dice.Below(2) == 0 ? 0 : 404);
        break;
    }
  }

  DeliveryQuery Query() {
    DeliveryQuery query;
    if (dice.Below(2) == 0) query.endpoint = dice.Of(endpoints);
    if (dice.Below(2) == 0) query.subscriber_id = dice.Of(subscribers);
    if (dice.Below(3) != 0 || (!query.endpoint && query.subscriber_id.empty())) {
      query.state = kStates[dice.Below(std::size(kStates))];
    }
    if (dice.Below(3) == 0) query.accepted_from_ms = SomeTime();
    if (dice.Below(3) == 0) query.accepted_before_ms = SomeTime();
    if (dice.Below(4) == 0)
      query.event_type = dice.Of(std::vector<std::string>{"message:*", types[0], "*", "x"});
    if (dice.Below(5) == 0) query.status_class = static_cast<int>(2 + dice.Below(4));
    if (dice.Below(5) == 0) {
      query.error =
          dice.Of(std::vector<ErrorKind>{ErrorKind::kNone, ErrorKind::kStatus, ErrorKind::kTimeout});
    }
    query.not_replaced = dice.Below(4) == 0;
    query.newest_first = dice.Below(2) == 0;
    return query;
  }

  WallMs SomeTime() {
    // Now and then a whole hour, or exactly when something was made.
    const WallMs ms = kT0 + static_cast<WallMs>(dice.Below(static_cast<size_t>(now_ms - kT0 + 1'000)));
    return dice.Below(3) == 0                              ? ms / kBucketMs * kBucketMs
           : dice.Below(2) == 0 && !world.events().empty() ? dice.Of(world.events())->accepted_ms
                                                           : ms;
  }

  ListWorld world;
  Dice dice;
  std::vector<std::string> subscribers;
  std::vector<EndpointId> endpoints;
  const std::vector<std::string> types = {"message:in:new", "message:out:failed", "number:update"};
  WallMs now_ms = kT0;
};

std::string Say(const DeliveryQuery& query) {
  std::string text = query.newest_first ? "newest first" : "oldest first";
  if (query.endpoint) text += ", " + query.endpoint->ToString();
  if (!query.subscriber_id.empty()) text += ", of " + query.subscriber_id;
  if (query.state) text += ", " + std::string(ToString(*query.state));
  text += ", from " + std::to_string(query.accepted_from_ms) + " before " +
          std::to_string(query.accepted_before_ms) + ", type '" + query.event_type + "', class " +
          std::to_string(query.status_class) + ", error " +
          (query.error ? std::string(ToString(*query.error)) : "any");
  return text + (query.not_replaced ? ", not replaced" : "");
}

TEST_P(DeliveryStoreSuite, EveryListSaysWhatTheDeliveriesSay) {
  Crowd crowd(store(), 4'711);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 60; ++i) crowd.Step();
    crowd.world.Commit();
    if (round == 2) {
      crowd.world.Delete(crowd.endpoints[1]);
      crowd.world.Delete(crowd.endpoints[4]);
      crowd.world.Commit();
      break;
    }
  }
  size_t listed = 0;
  for (int i = 0; i < 600; ++i) {
    const DeliveryQuery query = crowd.Query();
    const std::vector<DeliveryId> expected = crowd.world.Expected(query);
    const size_t page = crowd.dice.Of(std::vector<size_t>{1, 2, 7, 1'000});
    ASSERT_EQ(crowd.world.Walk(query, page), expected) << Say(query) << ", pages of " << page;
    listed += expected.size();
  }
  EXPECT_GE(listed, 3'000u);  // most lists are not empty
}

TEST_P(DeliveryStoreSuite, ListedDeliveriesAreThoseThatReadsTell) {
  Crowd crowd(store(), 4'712);
  for (int i = 0; i < 100; ++i) crowd.Step();
  crowd.world.Commit();
  for (int i = 0; i < 100; ++i) {
    const auto page = store().ListDeliveries(crowd.Query());
    ASSERT_TRUE(page.ok()) << page.status();
    for (const Delivery& listed : page->deliveries) {
      Delivery read = *store().ReadDelivery(listed.id);
      read.attempts.clear();
      ASSERT_EQ(Describe(listed), Describe(read));
    }
  }
}

// What fits before and after, fits all the time: it must be there, once.
TEST_P(DeliveryStoreSuite, NothingIsHiddenOrRepeatedByWhatMovesBetweenPages) {
  Crowd crowd(store(), 4'713);
  for (int i = 0; i < 60; ++i) crowd.Step();
  crowd.world.Commit();
  for (int i = 0; i < 40; ++i) {
    DeliveryQuery query = crowd.Query();
    query.limit = 1 + crowd.dice.Below(4);
    const std::vector<DeliveryId> before = crowd.world.Expected(query);
    std::vector<DeliveryId> listed;
    for (int pages = 0;; ++pages) {
      const auto page = store().ListDeliveries(query);
      ASSERT_TRUE(page.ok()) << page.status();
      for (const Delivery& delivery : page->deliveries) listed.push_back(delivery.id);
      query.position = page->next_position;
      if (query.position.empty()) break;
      if (pages < 20) crowd.Step();
      crowd.world.Commit();
    }
    const std::vector<DeliveryId> after = crowd.world.Expected(query);
    const std::set<DeliveryId> once(listed.begin(), listed.end());
    ASSERT_EQ(once.size(), listed.size()) << "repeated: " << Say(query);
    for (const DeliveryId& id : before) {
      const bool still = std::find(after.begin(), after.end(), id) != after.end();
      ASSERT_TRUE(!still || once.contains(id)) << Say(query) << ": " << testing::PrintToString(id);
    }
    // In the order of the query: what is still there is where it belongs.
    std::vector<DeliveryId> of_after;
    std::copy_if(after.begin(), after.end(), std::back_inserter(of_after),
                 [&](const DeliveryId& id) { return once.contains(id); });
    std::erase_if(listed, [&](const DeliveryId& id) {
      return std::find(after.begin(), after.end(), id) == after.end();
    });
    ASSERT_EQ(listed, of_after) << Say(query);
  }
}

TEST_P(DeliveryStoreSuite, TwinsOfOneHashAreToldApart) {
  ListWorld world(store());
  const EndpointId mine = world.AddEndpoint(kTwin, 1);
  const EndpointId other = world.AddEndpoint(kOtherTwin, 2);
  ASSERT_EQ(StableHash(kTwin), StableHash(kOtherTwin));
  for (int i = 0; i < 4; ++i) {
    world.Publish(kTwin, kT0 + i, {mine});
    world.Publish(kOtherTwin, kT0 + i, {other});
    if (i == 1) world.End(world.Newest(mine), DeliveryState::kExpired);
    if (i == 1) world.End(world.Newest(other), DeliveryState::kExpired);
    if (i == 2) world.Attempt(world.Newest(other), 200);
  }
  world.Commit();
  DeliveryQuery query;
  query.subscriber_id = kTwin;
  for (const size_t page : {1, 2, 7}) {
    EXPECT_EQ(world.Walk(query, page).size(), 4u);
    DeliveryQuery expired = query;
    expired.state = DeliveryState::kExpired;
    EXPECT_THAT(world.Walk(expired, page), ElementsAre(DeliveryId{BucketOf(kT0), mine, 2}));
    EventQuery events;
    events.subscriber_id = kOtherTwin;
    EXPECT_EQ(world.Walk(events, page), world.Expected(events));
    events.delivered_only = false;
    EXPECT_EQ(world.Walk(events, page).size(), 4u);
  }
}

TEST_P(DeliveryStoreSuite, AQueryNeedsSomethingToGoBy) {
  DeliveryQuery query;
  query.event_type = "message:*";
  query.accepted_from_ms = kT0;
  EXPECT_EQ(store().ListDeliveries(query).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(DeliveryStoreSuite, PositionsBelongToTheirQuery) {
  ListWorld world(store());
  const EndpointId a = world.AddEndpoint("acme", 1);
  const EndpointId b = world.AddEndpoint("acme", 2);
  for (int i = 0; i < 3; ++i) {
    for (const EndpointId endpoint : {a, b}) {
      for (const int end : {0, 1, 2}) {
        world.Publish("acme", kT0 + i, {endpoint});
        if (end == 1) world.Attempt(world.Newest(endpoint), 200);
        if (end == 2) world.End(world.Newest(endpoint), DeliveryState::kExpired);
      }
    }
  }
  world.Commit();
  std::vector<DeliveryQuery> queries;
  for (const bool newest_first : {false, true}) {
    for (const auto& state :
         {std::optional<DeliveryState>(), std::optional(DeliveryState::kPending),
          std::optional(DeliveryState::kSucceeded), std::optional(DeliveryState::kExpired)}) {
      for (const int by : {0, 1, 2, 3}) {
        DeliveryQuery query;
        query.newest_first = newest_first;
        query.state = state;
        query.limit = 1;
        if (by == 1) query.endpoint = a;
        if (by == 2) query.endpoint = b;
        if (by == 3) query.subscriber_id = "acme";
        if (by != 0 || state) queries.push_back(query);
      }
    }
  }
  std::mt19937_64 random(7);
  for (size_t i = 0; i < queries.size(); ++i) {
    const std::string good = store().ListDeliveries(queries[i])->next_position;
    ASSERT_FALSE(good.empty()) << Say(queries[i]);
    for (size_t j = 0; j < queries.size(); ++j) {
      DeliveryQuery query = queries[j];
      query.position = good;
      EXPECT_EQ(store().ListDeliveries(query).ok(), i == j) << Say(queries[i]) << " / " << Say(query);
    }
    // Made up: refused, or just a place. Never a crash, and the walk ends.
    for (int k = 0; k < 200; ++k) {
      DeliveryQuery query = queries[i];
      query.position = good;
      for (size_t n = 1 + random() % 44; n > 0; --n) {
        query.position[good.size() - 1 - random() % 44] =
            "0123456789abcdef"[k < 3 ? 15 * (k % 2) : random() % 16];
      }
      const auto page = store().ListDeliveries(query);
      if (!page.ok()) {
        EXPECT_EQ(page.status().code(), absl::StatusCode::kInvalidArgument);
        continue;
      }
      query.position = page->next_position;
      if (!query.position.empty()) world.Walk(query, 7);
    }
  }
}

// More rows than one page may look at.
TEST_P(DeliveryStoreSuite, AFilterThatTakesLittleStillGetsToTheEnd) {
  ListWorld world(store());
  const EndpointId busy = world.AddEndpoint("acme", 1);
  const EndpointId quiet = world.AddEndpoint("acme", 2);
  const EndpointId foreign = world.AddEndpoint("globex", 3);
  std::vector<DeliveryId> odd;
  for (int i = 0; i < 6'000; ++i) {
    const WallMs at = kT0 + int64_t{i} * 500;
    world.Publish("acme", at, {busy}, i % 2'000 == 999 ? "number:update" : kEventType);
    if (i % 2'000 == 999) odd.push_back(world.Newest(busy));
    if (i % 3 == 0) world.Attempt(world.Newest(busy), 503);
    if (i % 3 == 1) world.Attempt(world.Newest(busy), 200);
    if (i % 3 == 2) world.End(world.Newest(busy), DeliveryState::kExhausted);
    world.Publish("globex", at, {foreign});
    world.End(world.Newest(foreign), DeliveryState::kExhausted);
    if (i % 500 == 0) world.Commit();
  }
  world.Publish("acme", kT0 + 4'000'000, {quiet});
  world.End(world.Newest(quiet), DeliveryState::kExhausted);
  const DeliveryId last = world.Newest(quiet);
  world.Commit();
  for (const bool newest_first : {false, true}) {
    DeliveryQuery query;
    query.newest_first = newest_first;
    query.event_type = "number:*";
    std::vector<DeliveryId> expected = odd;
    if (newest_first) std::reverse(expected.begin(), expected.end());
    query.subscriber_id = "acme";
    EXPECT_EQ(world.Walk(query, 100), expected);
    query.subscriber_id.clear();
    query.endpoint = busy;
    EXPECT_EQ(world.Walk(query, 100), expected);
    query.event_type.clear();
    query.subscriber_id.clear();
    query.endpoint = quiet;
    query.state = DeliveryState::kExhausted;
    EXPECT_THAT(world.Walk(query, 100), ElementsAre(last));
    query.endpoint.reset();
    query.subscriber_id = "nobody";
    EXPECT_THAT(world.Walk(query, 100), IsEmpty());
  }
}

// An endpoint, and a subscriber, whose deliveries lie thousands of hours apart, with others' in every hour.
TEST_P(DeliveryStoreSuite, EmptyHoursAreJumpedOver) {
  constexpr int kHours = 4'000;
  ListWorld world(store());
  // On both sides of it in the order of ids and of hashes.
  const EndpointId mine = world.AddEndpoint("acme", 500);
  std::vector<std::pair<std::string, EndpointId>> others;
  for (int i = 0; i < 6; ++i) {
    const std::string name = "other" + std::to_string(i);
    others.emplace_back(name, world.AddEndpoint(name, 1 + static_cast<uint64_t>(i)));
  }
  std::vector<DeliveryId> expected;
  for (int hour = 0; hour < kHours; ++hour) {
    const auto& [name, endpoint] = others[static_cast<size_t>(hour) % others.size()];
    const WallMs at = kT0 + hour * kBucketMs;
    world.Publish(name, at, {endpoint});
    world.Attempt(world.Newest(endpoint), 200);
    if (hour == 1 || hour == kHours / 2 || hour == kHours - 2) {
      world.Publish("acme", at + 1, {mine});
      world.Attempt(world.Newest(mine), 200);
      expected.push_back(world.Newest(mine));
    }
    if (hour % 500 == 0) world.Commit();
  }
  world.Commit();
  EventQuery events;
  events.subscriber_id = "acme";
  EXPECT_EQ(world.Walk(events, 2), world.Expected(events));
  events.endpoint = mine;
  EXPECT_EQ(world.Walk(events, 2), world.Expected(events));
  for (const bool newest_first : {false, true}) {
    if (newest_first) std::reverse(expected.begin(), expected.end());
    DeliveryQuery query;
    query.newest_first = newest_first;
    query.endpoint = mine;
    EXPECT_EQ(world.Walk(query, 100), expected);
    query.state = DeliveryState::kSucceeded;
    EXPECT_EQ(world.Walk(query, 100), expected);
    query.endpoint.reset();
    query.state.reset();
    query.subscriber_id = "acme";
    EXPECT_EQ(world.Walk(query, 100), expected);
  }
}

}  // namespace
}  // namespace hookd
