// Lists of events, and the deliveries of one.
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

// Two subscribers; events for both endpoints of one, for one, for none, several in a millisecond, some made
// anew later.
class Events {
 public:
  explicit Events(DeliveryStore& store) : world(store) {
    a = world.AddEndpoint("acme", 1);
    b = world.AddEndpoint("acme", 2);
    foreign = world.AddEndpoint("globex", 3);
    for (int i = 0; i < 40; ++i) {
      const WallMs at = kT0 + (i / 3) * (i % 5 == 0 ? 700'000 : 1);
      now_ms = std::max(now_ms, at);
      // Within a millisecond the order of ids is not that of endpoints.
      std::vector<EndpointId> to = {b, a};
      if (i % 4 == 1) to = {b};
      if (i % 4 == 2) to = {a};
      if (i % 7 == 0) to = {};
      world.Publish("acme", now_ms, to, i % 6 == 0 ? "number:update" : kEventType, std::string(50, '1'));
      if (!to.empty() && i % 3 == 0) world.End(world.Newest(to[0]), DeliveryState::kExhausted);
      if (!to.empty() && i % 9 == 0) remade.push_back(world.Redeliver(world.Newest(to[0]), now_ms + 5));
      now_ms += i % 9 == 0 ? 5 : 0;
      world.Publish("globex", now_ms, {foreign});
    }
    world.Commit();
  }

  ListWorld world;
  EndpointId a;
  EndpointId b;
  EndpointId foreign;
  std::vector<DeliveryId> remade;
  WallMs now_ms = kT0;
};

TEST_P(DeliveryStoreSuite, EventsAreListedOnceAndInTheirOrder) {
  Events events(store());
  ASSERT_GE(events.remade.size(), 3u);
  for (const size_t page : {1, 2, 7, 1'000}) {
    for (const std::string type : {"", "number:*", "message:in:new", "none"}) {
      for (const auto& [from, before] : {std::pair<WallMs, WallMs>{0, 0},
                                         {kT0 + 1, 0},
                                         {0, events.now_ms / 2 + kT0 / 2},
                                         {kT0 + kBucketMs, kT0 + 2 * kBucketMs},
                                         {kT0 + 5, kT0 + 5}}) {
        EventQuery query;
        query.subscriber_id = "acme";
        query.event_type = type;
        query.accepted_from_ms = from;
        query.accepted_before_ms = before;
        for (const EndpointId endpoint : {EndpointId{0}, events.a, events.b}) {
          if (endpoint.value != 0) query.endpoint = endpoint;
          EXPECT_EQ(events.world.Walk(query, page), events.world.Expected(query));
        }
        query.endpoint.reset();
        query.delivered_only = false;
        EXPECT_EQ(events.world.Walk(query, page), events.world.Expected(query));
      }
    }
  }
  EventQuery nobody;
  nobody.subscriber_id = "nobody";
  EXPECT_THAT(events.world.Walk(nobody, 10), IsEmpty());
  nobody.delivered_only = false;
  EXPECT_THAT(events.world.Walk(nobody, 10), IsEmpty());
}

TEST_P(DeliveryStoreSuite, EventsFollowOnBehindAnyOfThem) {
  Events events(store());
  for (const bool delivered_only : {true, false}) {
    EventQuery query;
    query.subscriber_id = "acme";
    query.delivered_only = delivered_only;
    for (const auto& event : events.world.events()) {
      query.after = event->id;
      ASSERT_EQ(events.world.Walk(query, 3), events.world.Expected(query));
    }
    const auto none = store().ListEvents(query);
    EXPECT_FALSE(none->more);
    EXPECT_GE(none->last, query.after);
    const auto fresh = events.world.Publish("acme", events.now_ms, {events.a});
    events.world.Commit();
    query.after = none->last;
    EXPECT_THAT(events.world.Walk(query, 3), ElementsAre(fresh->id));
  }
}

TEST_P(DeliveryStoreSuite, APageOfEventsEndsAtItsBytesButHoldsOne) {
  ListWorld world(store());
  const EndpointId a = world.AddEndpoint("acme", 1);
  for (int i = 0; i < 6; ++i)
    world.Publish("acme", kT0 + i, {a}, kEventType, "\"" + std::string(998, 'x') + "\"");
  world.Commit();
  EventQuery query;
  query.subscriber_id = "acme";
  for (const bool delivered_only : {true, false}) {
    query.delivered_only = delivered_only;
    query.max_bytes = 2'500;
    EXPECT_EQ(store().ListEvents(query)->events.size(), 2u);
    EXPECT_TRUE(store().ListEvents(query)->more);
    EXPECT_EQ(world.Walk(query, 100).size(), 6u);
    query.max_bytes = 1;
    EXPECT_EQ(store().ListEvents(query)->events.size(), 1u);
    EXPECT_EQ(world.Walk(query, 100).size(), 6u);
  }
  const auto page = store().ListEvents(query);
  EXPECT_EQ(Describe(*page->events[0]), Describe(*world.events()[0]));
}

TEST_P(DeliveryStoreSuite, DeliveriesOfAnEventTellAlsoThoseMadeLater) {
  Events events(store());
  for (const auto& event : events.world.events()) {
    EXPECT_EQ(*store().DeliveriesOf(*event, 100), events.world.ExpectedOf(*event));
  }
  // Made anew in later hours, and twice: the newest stay.
  const DeliveryId first = events.remade.front();
  const auto event = *store().ReadEvent(store().ReadDelivery(first)->event);
  events.world.Attempt(first, 200);
  const DeliveryId second = events.world.Redeliver(first, events.now_ms + 3 * kBucketMs);
  events.world.Attempt(second, 200);
  const DeliveryId third = events.world.Redeliver(second, events.now_ms + 9 * kBucketMs);
  events.world.Commit();
  const std::vector<DeliveryId> all = *store().DeliveriesOf(*event, 100);
  EXPECT_EQ(all, events.world.ExpectedOf(*event));
  ASSERT_GE(all.size(), 4u);
  EXPECT_EQ(all.back(), third);
  EXPECT_THAT(*store().DeliveriesOf(*event, 2), ElementsAre(second, third));
  EXPECT_THAT(*store().DeliveriesOf(*MakeEvent("nobody", kT0, 1), 2), IsEmpty());
}

TEST_P(DeliveryStoreSuite, WhatRetentionDroppedIsInNoList) {
  ListWorld world(store());
  const EndpointId a = world.AddEndpoint("acme", 1);
  std::vector<DeliveryId> ids;
  for (const int hour : {0, 1, 2, 3}) {
    for (int i = 0; i < 3; ++i) {
      world.Publish("acme", kT0 + hour * kBucketMs + i, {a});
      ids.push_back(world.Newest(a));
      world.End(ids.back(), DeliveryState::kExpired);
    }
  }
  // Of the hour that keeps its history alone, and of the next: made anew in the last hour.
  const DeliveryId again = world.Redeliver(ids[4], kT0 + 3 * kBucketMs + 10);
  world.Attempt(again, 200);
  world.Commit();
  store().Apply(BucketDropped{BucketOf(kT0), true});
  store().Apply(BucketDropped{BucketOf(kT0) + 1, false});
  world.Commit();
  const auto event_of_again = world.events()[4];
  for (const bool newest_first : {false, true}) {
    for (const bool by_state : {false, true}) {
      DeliveryQuery query;
      query.subscriber_id = "acme";
      query.newest_first = newest_first;
      if (by_state) query.state = DeliveryState::kExpired;
      EXPECT_EQ(world.Walk(query, 2), world.Expected(query));
      EXPECT_EQ(world.Walk(query, 2).size(), by_state ? 9u : 10u);
    }
  }
  EventQuery events;
  events.subscriber_id = "acme";
  for (const bool delivered_only : {true, false}) {
    events.delivered_only = delivered_only;
    EXPECT_EQ(world.Walk(events, 2), world.Expected(events));
    EXPECT_EQ(world.Walk(events, 2).size(), 6u);
  }
  EXPECT_THAT(*store().DeliveriesOf(*event_of_again, 10), ElementsAre(ids[4], again));
  // The hour of the newer one goes first, or that of the event.
  store().Apply(BucketDropped{BucketOf(kT0) + 3, true});
  world.Commit();
  EXPECT_THAT(*store().DeliveriesOf(*event_of_again, 10), ElementsAre(ids[4]));
  store().Apply(BucketDropped{BucketOf(kT0) + 1, true});
  world.Commit();
  EXPECT_THAT(*store().DeliveriesOf(*event_of_again, 10), IsEmpty());
}

}  // namespace
}  // namespace hookd
