// Deliveries made later than their event, in virtual time.
#include <gtest/gtest.h>

#include "tests/fakes/simulation.h"

namespace hookd {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::Simulation;
using Answer = Simulation::Answer;

class RedeliverTest : public ::testing::Test {
 protected:
  RedeliverTest() {
    Endpoint endpoint;
    endpoint.subscriber_id = "acme";
    endpoint.url = "http://host/";
    endpoint.policy.max_retries = 0;
    id_ = simulation_.Put(endpoint);
  }

  void Pause(bool paused) {
    Endpoint endpoint = *simulation_.Find(id_);
    endpoint.paused = paused;
    simulation_.Put(endpoint);
  }
  Delivery At(size_t index) { return simulation_.Deliveries(id_).at(index); }
  absl::StatusOr<DeliveryId> Redeliver(const Delivery& old, const std::shared_ptr<const Event>& event) {
    absl::StatusOr<DeliveryId> made = absl::UnknownError("");
    simulation_.Change([&](Ledger& ledger) {
      made = ledger.Redeliver(event, id_, Origin::kRecover, old.id, old.state, old.accepted_ms);
    });
    return made;
  }
  absl::StatusOr<DeliveryId> Redeliver(const Delivery& old) {
    return Redeliver(old, *simulation_.store().ReadEvent(old.event));
  }
  void Keep() {
    const Retention retention{hours(48), hours(72), hours(960)};
    simulation_.Change([&](Ledger& ledger) { ledger.Keep(retention, false); });
    simulation_.RunUntil(simulation_.elapsed());
  }

  int status_ = 500;
  Simulation simulation_{[this](const Endpoint&, const Work&) { return Answer{status_, {}, "", {}}; }};
  EndpointId id_;
};

TEST_F(RedeliverTest, TimesOfALaneNeverGoBack) {
  simulation_.Publish();
  simulation_.RunUntil(seconds(1));
  const Delivery first = At(0);
  EXPECT_EQ(first.state, DeliveryState::kExhausted);
  simulation_.now.wall -= 60'000;
  const absl::StatusOr<DeliveryId> made = Redeliver(first);
  ASSERT_TRUE(made.ok()) << made.status();
  simulation_.now.wall += 90'000;
  ASSERT_TRUE(Redeliver(first).ok());
  simulation_.now.wall -= 50'000;
  simulation_.Publish();
  simulation_.RunUntil(seconds(2));
  const std::vector<Delivery> all = simulation_.Deliveries(id_);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[1].id, *made);
  EXPECT_EQ(all[1].origin, Origin::kRecover);
  for (size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(all[i].id.sequence, i + 1);
    EXPECT_GE(all[i].accepted_ms, all[i - 1].accepted_ms) << i;
  }
}

TEST_F(RedeliverTest, ItsAgeCountsFromWhenItWasMade) {
  simulation_.Publish();
  simulation_.RunUntil(hours(40));
  Pause(true);
  ASSERT_TRUE(Redeliver(At(0)).ok());
  simulation_.RunUntil(hours(87));
  Keep();  // the event is older than the retention of what is pending, and of payloads
  EXPECT_EQ(At(1).state, DeliveryState::kPending);
  EXPECT_TRUE(simulation_.store().ReadEvent(At(0).event).ok()) << "something pending needs it";
  simulation_.RunUntil(hours(89));
  Keep();
  EXPECT_EQ(At(1).state, DeliveryState::kExpired);
  EXPECT_EQ(At(1).reason, EndReason::kTooOld);
}

TEST_F(RedeliverTest, NothingIsMadeWithoutEndpointOrPayload) {
  simulation_.Publish();
  simulation_.RunUntil(hours(1));
  const Delivery old = At(0);
  const std::shared_ptr<const Event> event = *simulation_.store().ReadEvent(old.event);
  simulation_.RunUntil(hours(80));
  absl::StatusOr<DeliveryId> made = absl::UnknownError("");
  simulation_.Change([&](Ledger& ledger) {  // it goes in the commit that would need it
    ledger.Keep({hours(48), hours(72), hours(960)}, false);
    made = ledger.Redeliver(event, id_, Origin::kReplay, old.id, old.state, old.accepted_ms);
  });
  EXPECT_EQ(made.status().code(), absl::StatusCode::kNotFound) << made.status();
  EXPECT_EQ(simulation_.Deliveries(id_).size(), 1u);

  simulation_.Publish();
  simulation_.RunUntil(hours(81));
  const Delivery second = At(1);
  const std::shared_ptr<const Event> kept = *simulation_.store().ReadEvent(second.event);
  simulation_.Change([&](Ledger& ledger) { ledger.RemoveEndpoint(*simulation_.Find(id_)); });
  EXPECT_EQ(Redeliver(second, kept).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RedeliverTest, TheBacklogBoundHoldsForItToo) {
  simulation_.Publish();
  simulation_.RunUntil(seconds(1));
  const Delivery old = At(0);
  Endpoint endpoint = *simulation_.Find(id_);
  endpoint.paused = true;
  endpoint.policy.backlog = 2;
  simulation_.Put(endpoint);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Redeliver(old).ok());
  simulation_.RunUntil(seconds(2));
  EXPECT_EQ(At(1).state, DeliveryState::kExpired);
  EXPECT_EQ(At(1).reason, EndReason::kBacklogFull);
  EXPECT_EQ(At(2).state, DeliveryState::kPending);
  EXPECT_EQ(At(3).state, DeliveryState::kPending);
}

}  // namespace
}  // namespace hookd
