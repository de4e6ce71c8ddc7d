// What hookd tells about itself, in virtual time: which events, when, and of which incident.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "dispatcher/core/operational_event.h"
#include "tests/fakes/simulation.h"

namespace hookd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::Simulation;
using Answer = Simulation::Answer;

const Answer kRefuses{503, ErrorKind::kStatus, "", {}};

class OperationalEventsTest : public ::testing::Test {
 protected:
  OperationalEventsTest()
      : simulation([this](const Endpoint& endpoint, const Work&) {
          if (endpoint.subscriber_id == kOperationsSubscriber) return operations_answer;
          return well ? Answer{} : kRefuses;
        }) {}

  void Operate() {
    Subscriber subscriber;
    subscriber.id = std::string(kOperationsSubscriber);
    simulation.Change([&](Ledger& ledger) { ledger.PutSubscriber(subscriber); });
  }
  EndpointId Put(DeliveryPolicy policy = {}) {
    Endpoint endpoint;
    endpoint.subscriber_id = "acme";
    endpoint.url = "https://hooks.example.com:8443/in?key=s3cret";
    endpoint.description = "the shop";
    endpoint.policy = std::move(policy);
    return simulation.Put(endpoint);
  }
  EndpointId Listen(std::vector<std::string> types) {
    Endpoint endpoint;
    endpoint.subscriber_id = std::string(kOperationsSubscriber);
    endpoint.url = "http://platform/";
    endpoint.event_types = std::move(types);
    endpoint.policy.rate.per_second = 0;
    return simulation.Put(endpoint);
  }
  std::vector<OperationalEvent> Told() {
    EventQuery query;
    query.subscriber_id = std::string(kOperationsSubscriber);
    query.delivered_only = false;
    query.limit = 10'000;
    std::vector<OperationalEvent> told;
    const EventPage page = *simulation.store().ListEvents(query);
    for (const auto& event : page.events) {
      EXPECT_EQ(event->payload.find("s3cret"), std::string::npos);
      told.push_back(*ParseOperationalPayload(event->payload));
    }
    return told;
  }
  std::vector<std::string> Types() {
    std::vector<std::string> types;
    for (const OperationalEvent& event : Told()) types.push_back(event.type);
    return types;
  }

  bool well = false;
  Answer operations_answer;
  Simulation simulation;
};

TEST_F(OperationalEventsTest, AnIncidentFromItsFirstEventToItsLast) {
  Operate();
  DeliveryPolicy policy;
  policy.mail_subscriber = true;
  const EndpointId id = Put(policy);
  const WallMs begin = simulation.now.wall;
  simulation.Publish();
  simulation.RunUntil(minutes(11) + seconds(14));
  EXPECT_THAT(Types(), ElementsAre());
  simulation.RunUntil(minutes(12));
  std::vector<OperationalEvent> told = Told();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].type, "endpoint.failing");
  EXPECT_EQ(told[0].at_ms, begin + 675'000);
  EXPECT_EQ(told[0].endpoint, id);
  EXPECT_EQ(told[0].subscriber_id, "acme");
  EXPECT_EQ(told[0].host, "hooks.example.com:8443");
  EXPECT_EQ(told[0].description, "the shop");
  EXPECT_EQ(told[0].incident, IncidentId(id, begin));
  EXPECT_EQ(told[0].failures, 10u);
  EXPECT_EQ(told[0].failing_since_ms, begin);
  EXPECT_EQ(told[0].last_status, 503);
  EXPECT_EQ(told[0].last_error, ErrorKind::kStatus);
  EXPECT_TRUE(told[0].mail_subscriber);

  simulation.RunUntil(hours(8));
  told = Told();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[1].type, "endpoint.disabled");
  EXPECT_EQ(told[1].at_ms, begin + 26'550'000);
  EXPECT_EQ(told[1].disabled, DisableReason::kFailures);
  EXPECT_EQ(told[1].incident, told[0].incident);

  well = true;
  Endpoint enabled = *simulation.Find(id);
  enabled.disabled = DisableReason::kNone;
  enabled.state_note = "mended";
  simulation.Change([&](Ledger& ledger) { ledger.PutEndpoint(std::make_shared<Endpoint>(enabled), true); });
  simulation.RunUntil(hours(9));
  told = Told();
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[2].type, "endpoint.enabled");
  EXPECT_EQ(told[2].disabled, DisableReason::kFailures);
  EXPECT_EQ(told[2].message, "mended");
  EXPECT_EQ(told[2].incident, told[0].incident);
  EXPECT_EQ(simulation.Deliveries(id)[0].state, DeliveryState::kSucceeded);
}

TEST_F(OperationalEventsTest, RecoveryIsToldOnceAndASecondIncidentIsAnother) {
  Operate();
  DeliveryPolicy policy;
  policy.alert_after = 2;
  Put(policy);
  for (int incident = 0; incident < 2; ++incident) {
    well = false;
    simulation.Publish();
    simulation.RunUntil(simulation.elapsed() + minutes(2));
    well = true;
    simulation.RunUntil(simulation.elapsed() + minutes(10));
    simulation.Publish();
    simulation.RunUntil(simulation.elapsed() + minutes(10));
  }
  const std::vector<OperationalEvent> told = Told();
  ASSERT_THAT(Types(), ElementsAre("endpoint.failing", "endpoint.recovered", "endpoint.failing",
                                   "endpoint.recovered"));
  EXPECT_EQ(told[0].incident, told[1].incident);
  EXPECT_EQ(told[2].incident, told[3].incident);
  EXPECT_NE(told[0].incident, told[2].incident);
}

TEST_F(OperationalEventsTest, ArePublishedToWhoeverListens) {
  Operate();
  const EndpointId listener = Listen({"endpoint.*"});
  DeliveryPolicy policy;
  policy.alert_after = 1;
  Put(policy);
  simulation.Publish();
  simulation.RunUntil(seconds(1));
  const std::vector<Delivery> deliveries = simulation.Deliveries(listener);
  ASSERT_EQ(deliveries.size(), 1u);
  EXPECT_EQ(deliveries[0].event_type, "endpoint.failing");
  EXPECT_EQ(deliveries[0].state, DeliveryState::kSucceeded);
}

TEST_F(OperationalEventsTest, WhatAPersonDoesIsToldToo) {
  Operate();
  const EndpointId id = Put();
  Endpoint endpoint = *simulation.Find(id);
  endpoint.disabled = DisableReason::kPerson;
  endpoint.state_note = "moving house";
  simulation.Change([&](Ledger& ledger) { ledger.PutEndpoint(std::make_shared<Endpoint>(endpoint)); });
  endpoint.description = "the new shop";
  simulation.Change([&](Ledger& ledger) { ledger.PutEndpoint(std::make_shared<Endpoint>(endpoint)); });
  const std::vector<OperationalEvent> told = Told();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].type, "endpoint.disabled");
  EXPECT_EQ(told[0].disabled, DisableReason::kPerson);
  EXPECT_EQ(told[0].message, "moving house");
  EXPECT_EQ(told[0].incident, "");
}

TEST_F(OperationalEventsTest, GoneIsToldAtOnce) {
  Operate();
  Endpoint endpoint;
  endpoint.subscriber_id = "acme";
  endpoint.url = "http://gone/";
  Simulation gone([](const Endpoint&, const Work&) { return Answer{410, ErrorKind::kNone, "", {}}; });
  Subscriber subscriber;
  subscriber.id = std::string(kOperationsSubscriber);
  gone.Change([&](Ledger& ledger) { ledger.PutSubscriber(subscriber); });
  gone.Put(endpoint);
  gone.Publish();
  gone.RunUntil(seconds(0));
  EventQuery query;
  query.subscriber_id = subscriber.id;
  query.delivered_only = false;
  const EventPage page = *gone.store().ListEvents(query);
  ASSERT_EQ(page.events.size(), 1u);
  EXPECT_EQ(ParseOperationalPayload(page.events[0]->payload)->disabled, DisableReason::kGone);
}

TEST_F(OperationalEventsTest, ExhaustionIsToldWhereSomebodyTakesItAndNeverOfItself) {
  Operate();
  DeliveryPolicy policy;
  policy.max_retries = 0;
  policy.alert_after = 0;
  policy.disable.failures = 0;
  policy.rate.per_second = 0;
  const EndpointId id = Put(policy);
  simulation.Publish();
  simulation.RunUntil(seconds(1));
  EXPECT_THAT(Types(), ElementsAre());  // nobody takes it

  const EndpointId listener = Listen({"delivery.exhausted"});
  Endpoint failing = *simulation.Find(listener);
  failing.policy = policy;
  simulation.Put(failing);
  operations_answer = kRefuses;
  for (int i = 0; i < 3; ++i) simulation.Publish();
  simulation.RunUntil(seconds(2));
  const std::vector<OperationalEvent> told = Told();
  ASSERT_EQ(told.size(), 3u);
  const std::vector<Delivery> deliveries = simulation.Deliveries(id);
  EXPECT_EQ(told[0].type, "delivery.exhausted");
  EXPECT_EQ(told[0].delivery_id, deliveries[1].id.ToString());
  EXPECT_EQ(told[0].event_id, deliveries[1].event.ToString());
  EXPECT_EQ(simulation.Deliveries(listener).size(), 3u);
}

TEST_F(OperationalEventsTest, ABacklogThatFillsIsTold) {
  Operate();
  DeliveryPolicy policy;
  policy.backlog = 10;
  Put(policy);
  for (int i = 0; i < 9; ++i) simulation.Publish();
  ASSERT_THAT(Types(), ElementsAre("endpoint.backlog"));
  EXPECT_EQ(Told()[0].message, "8 deliveries are pending, of at most 10");
}

TEST_F(OperationalEventsTest, WithoutTheSubscriberNothingIsKept) {
  DeliveryPolicy policy;
  policy.alert_after = 1;
  Put(policy);
  simulation.Publish();
  simulation.RunUntil(seconds(1));
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kFailing), 1u);
  Operate();
  EXPECT_THAT(Types(), ElementsAre());

  simulation.Change([&](Ledger& ledger) { ledger.RemoveSubscriber(std::string(kOperationsSubscriber)); });
  well = true;
  simulation.RunUntil(minutes(5));
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kRecovered), 1u);
}

}  // namespace
}  // namespace hookd
