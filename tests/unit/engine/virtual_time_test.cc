// The promises about time of docs/delivery-semantics.md, in virtual time, to the second.
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "tests/fakes/simulation.h"

namespace hookd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Simulation;
using Answer = Simulation::Answer;

Endpoint MakeEndpoint(int number = 1) {
  Endpoint endpoint;
  endpoint.subscriber_id = "acme";
  endpoint.url = Concat("http://host", number, "/");
  return endpoint;
}

Simulation::Receiver Always(Answer answer) {
  return [answer](const Endpoint&, const Work&) { return answer; };
}

const Answer kRefuses{500, ErrorKind::kNone, "", {}};

TEST(VirtualTimeTest, ADeliverysHundredRetriesLastAsLongAsPromised) {
  Simulation simulation(Always(kRefuses));
  Endpoint endpoint = MakeEndpoint();
  endpoint.policy.disable.failures = 0;
  const EndpointId id = simulation.Put(endpoint);
  simulation.Publish();
  simulation.Publish();

  const Duration exhausted = hours(17) + minutes(37) + seconds(30);
  simulation.RunUntil(exhausted - seconds(1));
  EXPECT_EQ(simulation.sent.size(), 100u);
  EXPECT_EQ(simulation.Deliveries(id)[0].state, DeliveryState::kPending);
  simulation.RunUntil(exhausted);
  const std::vector<Delivery> deliveries = simulation.Deliveries(id);
  EXPECT_EQ(deliveries[0].state, DeliveryState::kExhausted);
  EXPECT_EQ(deliveries[0].attempt_count, 101u);
  EXPECT_EQ(simulation.sent[99].at, exhausted - minutes(15));
  EXPECT_EQ(simulation.sent[100].at, exhausted);
  ASSERT_EQ(simulation.sent.size(), 102u);  // the lane went on with the next at once
  EXPECT_EQ(simulation.sent[101].sequence, 2u);
}

TEST(VirtualTimeTest, AlertAndDisableComeWhenPromised) {
  Simulation simulation(Always(kRefuses));
  const EndpointId id = simulation.Put(MakeEndpoint());
  simulation.Publish();

  simulation.RunUntil(minutes(11) + seconds(14));
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kFailing), 0u);
  simulation.RunUntil(minutes(11) + seconds(15));
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kFailing), 1u);

  const Duration disabled = hours(7) + minutes(22) + seconds(30);
  simulation.RunUntil(disabled - seconds(1));
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kNone);
  simulation.RunUntil(disabled);
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kFailures);
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kDisabled), 1u);
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kFailing), 1u);  // once per incident
  EXPECT_EQ(simulation.sent.size(), 60u);
  simulation.RunUntil(hours(48));
  EXPECT_EQ(simulation.sent.size(), 60u);
  EXPECT_EQ(simulation.Deliveries(id)[0].state, DeliveryState::kPending);
}

TEST(VirtualTimeTest, BackoffAlertAndDisableComeWhenPromisedOverRestarts) {
  Simulation killed(Always(kRefuses));
  Simulation quiet(Always(kRefuses));
  Endpoint lasting = MakeEndpoint(2);
  lasting.policy.disable.failures = 0;
  EndpointId ids[2];
  for (Simulation* simulation : {&killed, &quiet}) {
    ids[0] = simulation->Put(MakeEndpoint());
    ids[1] = simulation->Put(lasting);
    simulation->Publish();
  }
  const Duration alert = minutes(11) + seconds(15);
  const Duration disabled = hours(7) + minutes(22) + seconds(30);
  const Duration exhausted = hours(17) + minutes(37) + seconds(30);
  int kills = 0;
  const auto run = [&](Duration until) {
    while (killed.elapsed() < until) {
      killed.RunUntil(std::min<Duration>(killed.elapsed() + minutes(7) + seconds(1), until));
      killed.Restart();
      ++kills;
    }
  };
  run(alert - seconds(1));
  EXPECT_EQ(killed.telemetry.alerts(AlertKind::kFailing), 0u);
  run(alert);
  EXPECT_EQ(killed.telemetry.alerts(AlertKind::kFailing), 2u);
  run(disabled - seconds(1));
  EXPECT_EQ(killed.Find(ids[0])->disabled, DisableReason::kNone);
  run(disabled);
  EXPECT_EQ(killed.Find(ids[0])->disabled, DisableReason::kFailures);
  EXPECT_EQ(killed.Find(ids[1])->disabled, DisableReason::kNone);
  run(exhausted - seconds(1));
  EXPECT_EQ(killed.Deliveries(ids[1])[0].state, DeliveryState::kPending);
  run(exhausted);
  EXPECT_EQ(killed.Deliveries(ids[1])[0].state, DeliveryState::kExhausted);
  run(hours(24));
  EXPECT_GT(kills, 200);
  EXPECT_EQ(killed.telemetry.alerts(AlertKind::kFailing), 2u);  // once per incident
  EXPECT_EQ(killed.telemetry.alerts(AlertKind::kDisabled), 1u);

  // Each attempt when it would have been without the kills.
  quiet.RunUntil(hours(24));
  ASSERT_EQ(killed.sent.size(), quiet.sent.size());
  for (const EndpointId id : ids) {
    std::vector<Duration> with;
    std::vector<Duration> without;
    for (const Simulation::Sent& sent : killed.sent) {
      if (sent.endpoint == id) with.push_back(sent.at);
    }
    for (const Simulation::Sent& sent : quiet.sent) {
      if (sent.endpoint == id) without.push_back(sent.at);
    }
    EXPECT_EQ(with, without);
  }
}

TEST(VirtualTimeTest, EnabledAgainTheRowStartsAfreshAndTheAttemptsGoOn) {
  bool well = false;
  Simulation simulation([&](const Endpoint&, const Work&) { return well ? Answer{} : kRefuses; });
  const EndpointId id = simulation.Put(MakeEndpoint());
  for (int i = 0; i < 20; ++i) simulation.Publish();
  simulation.RunUntil(hours(8));
  ASSERT_EQ(simulation.Find(id)->disabled, DisableReason::kFailures);

  well = true;
  simulation.sent.clear();
  Endpoint enabled = *simulation.Find(id);
  enabled.disabled = DisableReason::kNone;
  simulation.Change([&](Ledger& ledger) { ledger.PutEndpoint(std::make_shared<Endpoint>(enabled), true); });
  EXPECT_EQ(simulation.store().Lane(id)->consecutive_failures, 0u);
  simulation.RunUntil(hours(9));
  ASSERT_EQ(simulation.sent.size(), 20u);
  EXPECT_EQ(simulation.sent[0].attempt, 61u);
  for (Sequence n = 1; n <= 20; ++n) EXPECT_EQ(simulation.sent[n - 1].sequence, n);  // in order
  // And at the endpoint's rate: a burst of 5, then 5/s.
  EXPECT_EQ(simulation.sent[19].at - simulation.sent[0].at, seconds(3));
}

TEST(VirtualTimeTest, SixtyFailuresWithinAnHourDoNotDisable) {
  Simulation simulation(Always(kRefuses));
  Endpoint endpoint = MakeEndpoint();
  endpoint.policy.backoff = LinearBackoff(seconds(1), seconds(1), 0);
  endpoint.policy.max_retries = 1000;
  const EndpointId id = simulation.Put(endpoint);
  for (int i = 0; i < 10; ++i) simulation.Publish();
  simulation.RunUntil(hours(1) - seconds(1));
  EXPECT_GT(simulation.sent.size(), 3000u);
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kNone);
  simulation.RunUntil(hours(1) + seconds(1));
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kFailures);
}

TEST(VirtualTimeTest, GoneDisablesAtOnceAndTheDeliveryStaysPending) {
  Simulation simulation(Always({410, ErrorKind::kNone, "", {}}));
  const EndpointId id = simulation.Put(MakeEndpoint());
  simulation.Publish();
  simulation.RunUntil(seconds(0));
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kGone);
  EXPECT_EQ(simulation.Deliveries(id)[0].state, DeliveryState::kPending);
}

TEST(VirtualTimeTest, TooManyRequestsNeverDisables) {
  Simulation simulation(Always({429, ErrorKind::kNone, "", {}}));
  Endpoint endpoint = MakeEndpoint();
  const EndpointId id = simulation.Put(endpoint);
  simulation.Publish();
  simulation.RunUntil(hours(20));
  EXPECT_EQ(simulation.Deliveries(id)[0].state, DeliveryState::kExhausted);
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kNone);
}

TEST(VirtualTimeTest, RetryAfterHoldsTheWholeEndpoint) {
  int answers = 0;
  Simulation simulation([&](const Endpoint&, const Work&) {
    return ++answers == 1 ? Answer{503, ErrorKind::kNone, "120", {}} : Answer{};
  });
  Endpoint endpoint = MakeEndpoint();
  endpoint.policy.mode = DeliveryMode::kParallel;
  simulation.Put(endpoint);
  simulation.Publish();
  simulation.RunUntil(seconds(1));
  simulation.Publish();
  simulation.RunUntil(hours(1));
  ASSERT_EQ(simulation.sent.size(), 3u);
  EXPECT_EQ(simulation.sent[1].at, seconds(120));
  EXPECT_EQ(simulation.sent[2].at, seconds(120));
}

TEST(VirtualTimeTest, OurOwnTroubleSpendsNoRetryAndDisablesNothing) {
  bool local = true;
  Simulation simulation([&](const Endpoint&, const Work&) {
    return local ? Answer{0, ErrorKind::kLocal, "", {}} : Answer{};
  });
  Endpoint endpoint = MakeEndpoint();
  endpoint.policy.max_retries = 1;
  const EndpointId id = simulation.Put(endpoint);
  simulation.Publish();
  simulation.RunUntil(hours(30));
  EXPECT_EQ(simulation.Deliveries(id)[0].state, DeliveryState::kPending);
  EXPECT_EQ(simulation.store().Lane(id)->consecutive_failures, 0u);
  local = false;
  simulation.RunUntil(hours(31));
  EXPECT_EQ(simulation.Deliveries(id)[0].state, DeliveryState::kSucceeded);
}

TEST(VirtualTimeTest, WhileMostHostsCannotBeReachedNoneIsDisabled) {
  bool outage = true;
  Simulation simulation([&](const Endpoint& endpoint, const Work&) {
    if (endpoint.url == "http://host1/") return kRefuses;
    return outage ? Answer{0, ErrorKind::kConnect, "", {}} : Answer{};
  });
  std::vector<EndpointId> ids;
  for (int i = 1; i <= 6; ++i) {
    Endpoint endpoint = MakeEndpoint(i);
    endpoint.policy.max_retries = 1000;
    endpoint.policy.backoff = LinearBackoff(minutes(2), minutes(2), 0);
    ids.push_back(simulation.Put(endpoint));
  }
  simulation.Publish();
  simulation.RunUntil(hours(10));
  for (const EndpointId id : ids) EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kNone);
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kOutage), 1u);
  outage = false;  // the others are well again; the first still refuses, but after the outage
  simulation.Publish();
  simulation.RunUntil(hours(11));
  EXPECT_EQ(simulation.Find(ids[0])->disabled, DisableReason::kFailures);
  EXPECT_EQ(simulation.Find(ids[1])->disabled, DisableReason::kNone);
}

TEST(VirtualTimeTest, TokenServersThatCannotBeReachedAreAnOutageToo) {
  ErrorKind of_server = ErrorKind::kConnect;
  Simulation simulation([&](const Endpoint&, const Work&) {
    return Answer{0, ErrorKind::kToken, "", {}, of_server};
  });
  std::vector<EndpointId> ids;
  for (int i = 1; i <= 6; ++i) {
    Endpoint endpoint = MakeEndpoint(i);
    endpoint.policy.max_retries = 1000;
    endpoint.policy.backoff = LinearBackoff(minutes(2), minutes(2), 0);
    ids.push_back(simulation.Put(endpoint));
  }
  simulation.Publish();
  simulation.RunUntil(hours(10));
  for (const EndpointId id : ids) EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kNone);
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kOutage), 1u);
  of_server = ErrorKind::kNone;  // they answer, and refuse: that is no outage
  simulation.RunUntil(hours(11));
  for (const EndpointId id : ids) EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kFailures);
}

TEST(VirtualTimeTest, FirstAttemptsAndRetriesShareTheRate) {
  Simulation simulation(Always(kRefuses));
  Endpoint endpoint = MakeEndpoint();
  endpoint.policy.mode = DeliveryMode::kParallel;
  endpoint.policy.backoff = LinearBackoff(seconds(1), seconds(1), 0);
  simulation.Put(endpoint);
  for (int i = 0; i < 50; ++i) simulation.Publish();
  simulation.RunUntil(seconds(60));
  for (size_t i = 10; i < simulation.sent.size(); ++i) {
    EXPECT_GE(simulation.sent[i].at - simulation.sent[i - 5].at, seconds(1)) << i;
  }
  EXPECT_LE(simulation.sent.size(), 5u + 5 * 60);
  EXPECT_GE(simulation.sent.size(), 5u * 60 - 5);
}

TEST(VirtualTimeTest, ExpiresAtEndsTheDeliveryBetweenItsRetries) {
  Simulation simulation(Always(kRefuses));
  const EndpointId id = simulation.Put(MakeEndpoint());
  simulation.Publish("", simulation.now.wall + 100'000);
  simulation.Publish();
  simulation.RunUntil(seconds(99));
  EXPECT_EQ(simulation.sent.size(), 4u);  // at 0, 15, 45, 90
  simulation.RunUntil(seconds(100));
  const Delivery first = simulation.Deliveries(id)[0];
  EXPECT_EQ(first.state, DeliveryState::kExpired);
  EXPECT_EQ(first.reason, EndReason::kExpiresAt);
  EXPECT_EQ(simulation.sent.back().sequence, 2u);
}

TEST(VirtualTimeTest, AFullBacklogKeepsItsNewestAndSaysSoAtEightyPercent) {
  Simulation simulation(Always(kRefuses));
  Endpoint endpoint = MakeEndpoint();
  endpoint.paused = true;
  endpoint.policy.backlog = 10;
  const EndpointId id = simulation.Put(endpoint);
  for (int i = 0; i < 7; ++i) simulation.Publish();
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kBacklog), 0u);
  for (int i = 0; i < 18; ++i) simulation.Publish();
  simulation.RunUntil(seconds(1));
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kBacklog), 1u);
  const std::vector<Delivery> deliveries = simulation.Deliveries(id);
  ASSERT_EQ(deliveries.size(), 25u);
  for (const Delivery& delivery : deliveries) {
    const bool kept = delivery.id.sequence > 15;
    EXPECT_EQ(delivery.state, kept ? DeliveryState::kPending : DeliveryState::kExpired)
        << delivery.id.sequence;
    EXPECT_EQ(delivery.reason, kept ? EndReason::kNone : EndReason::kBacklogFull);
  }
}

TEST(VirtualTimeTest, RetentionEndsWhatIsTooOldAndThenItsTracesGo) {
  Simulation simulation(Always({}));
  Endpoint endpoint = MakeEndpoint();
  endpoint.paused = true;
  const EndpointId id = simulation.Put(endpoint);
  simulation.Publish();
  const DeliveryId first = simulation.Deliveries(id)[0].id;
  const Retention retention{hours(48), hours(72), hours(96)};
  const auto keep = [&] { simulation.Change([&](Ledger& ledger) { ledger.Keep(retention, false); }); };

  simulation.RunUntil(hours(47));
  simulation.Publish();
  keep();
  simulation.RunUntil(hours(49));
  EXPECT_EQ(simulation.Read(first).state, DeliveryState::kPending);
  keep();
  simulation.RunUntil(hours(49) + seconds(1));
  EXPECT_EQ(simulation.Read(first).state, DeliveryState::kExpired);
  EXPECT_EQ(simulation.Read(first).reason, EndReason::kTooOld);
  EXPECT_EQ(simulation.Deliveries(id)[1].state, DeliveryState::kPending);

  const EventId event = simulation.Read(first).event;
  EXPECT_TRUE(simulation.store().ReadEvent(event).ok());
  simulation.RunUntil(hours(49 + 73));
  keep();
  EXPECT_TRUE(absl::IsNotFound(simulation.store().ReadEvent(event).status()));
  EXPECT_TRUE(simulation.store().ReadDelivery(first).ok());
  simulation.RunUntil(hours(49 + 98));
  keep();
  EXPECT_TRUE(absl::IsNotFound(simulation.store().ReadDelivery(first).status()));
}

TEST(VirtualTimeTest, ALeapOfTheWallClockStopsExpiryUntilAnOperatorConfirmsIt) {
  Simulation simulation(Always({}));
  Endpoint endpoint = MakeEndpoint();
  endpoint.paused = true;
  const EndpointId id = simulation.Put(endpoint);
  simulation.Publish();
  const Retention retention{hours(48), hours(72), hours(96)};
  const auto keep = [&] { simulation.Change([&](Ledger& ledger) { ledger.Keep(retention, false); }); };
  keep();
  simulation.now.wall += 10LL * 365 * 24 * 3'600'000;
  keep();
  simulation.RunUntil(seconds(2));
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kClock), 1u);
  EXPECT_EQ(simulation.Deliveries(id)[0].state, DeliveryState::kPending);

  simulation.Change([](Ledger& ledger) {
    Operations operations = ledger.operations();
    operations.clock_suspect = false;
    ledger.SetOperations(operations);
  });
  keep();
  simulation.RunUntil(seconds(4));
  EXPECT_EQ(simulation.Deliveries(id)[0].state, DeliveryState::kExpired);
}

TEST(VirtualTimeTest, AThousandDeadEndpointsDoNotSlowAHealthyOne) {
  SchedulerLimits limits;
  limits.max_in_flight = 64;
  Simulation simulation(
      [](const Endpoint& endpoint, const Work&) {
        return endpoint.description == "dead" ? Answer{0, ErrorKind::kTimeout, "", seconds(30)}
                                              : Answer{200, ErrorKind::kNone, "", milliseconds(5)};
      },
      limits);
  for (int i = 0; i < 1000; ++i) {
    Endpoint dead = MakeEndpoint(i);
    dead.description = "dead";
    dead.event_types = {"t"};
    simulation.Put(dead);
  }
  Endpoint healthy = MakeEndpoint(1001);
  healthy.policy.rate.per_second = 0;
  const EndpointId id = simulation.Put(healthy);
  // It has shown that it is well before the others appear.
  for (int round = 0; round < 120; ++round) {
    simulation.Publish();
    simulation.RunUntil(simulation.elapsed() + seconds(1));
  }
  int late = 0;
  int first = 0;
  for (const auto& one : simulation.sent) {
    if (one.endpoint != id) continue;
    const Duration delay = one.at - seconds(one.sequence - 1);
    if (one.sequence == 1) first = static_cast<int>(delay / seconds(1));
    if (delay > milliseconds(1) && one.sequence > 1) ++late;
  }
  // Only its very first delivery has to wait among others that have never succeeded.
  EXPECT_LE(first, 120);
  EXPECT_EQ(late, 0);
}

}  // namespace
}  // namespace hookd
