// Held channels, muted types, plans and strict subscribers, through the whole engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/profiles/profiles.h"
#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::SmallProfiles;
using ::testing::StartsWith;

class EngineProfilesTest : public EngineTest {
 protected:
  EngineProfilesTest() {
    Close();
    options_.profiles = SmallProfiles();
    Open(MakeMemoryStore());
  }

  void MakeSubscriber(const std::string& plan, bool strict = false) {
    Subscriber subscriber;
    subscriber.id = "acme";
    subscriber.profile = "small";
    subscriber.plan = plan;
    subscriber.strict = strict;
    ASSERT_TRUE(engine_->CreateSubscriber(subscriber).ok());
  }
  void Change(const std::function<void(Subscriber&)>& change) {
    ASSERT_TRUE(engine_
                    ->UpdateSubscriber("acme",
                                       [&change](Subscriber& subscriber) {
                                         change(subscriber);
                                         return absl::OkStatus();
                                       })
                    .ok());
  }
  void Hold(const std::vector<std::string>& channels) {
    Change([&channels](Subscriber& subscriber) { subscriber.held_channels = channels; });
  }
  PublishOutcome PublishTo(const std::string& channel, const std::string& payload) {
    NewEvent event = MakeEvent(payload);
    event.event.channel = channel;
    return Publish({std::move(event)}).at(0);
  }
  std::optional<WaitKind> Why(EndpointId endpoint, Sequence sequence) {
    const std::vector<Delivery> deliveries = Deliveries(endpoint);
    for (const Delivery& delivery : deliveries) {
      if (delivery.id.sequence != sequence) continue;
      const absl::StatusOr<DeliveryView> view = engine_->GetDelivery(delivery.id);
      EXPECT_TRUE(view.ok()) << view.status();
      if (!view->waiting) return std::nullopt;
      detail_ = view->waiting->detail;
      return view->waiting->kind;
    }
    return std::nullopt;
  }
  bool Shows(const std::function<bool(const LaneGauges&)>& wanted) {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
    while (RealClock().Steady() < deadline) {
      if (wanted(engine_->Survey())) return true;
      std::this_thread::yield();
    }
    return false;
  }

  std::string detail_;
};

TEST_F(EngineProfilesTest, AHeldChannelStartsNothingAndDrainsInOrder) {
  CreateSubscriber();
  const EndpointId one = CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) { it.channels = {"a"}; });
  const EndpointId two = CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) { it.channels = {"b"}; });
  Hold({"a"});
  for (const char* payload : {"1", "2", "3"}) PublishTo("a", payload);
  PublishTo("b", "4");
  EXPECT_TRUE(receiver_.WaitForCount(1));
  EXPECT_THAT(Bodies(), ElementsAre("4"));
  EXPECT_EQ(Why(one, 1), WaitKind::kChannel);
  EXPECT_EQ(detail_, "its channel is held: a");
  EXPECT_TRUE(Shows([&](const LaneGauges&) { return !Why(two, 1); }));  // once it is recorded
  // It counts as one that is held back by somebody, not as trouble.
  EXPECT_TRUE(Shows([](const LaneGauges& seen) { return seen.paused == 1 && seen.oldest_accepted_ms == 0; }));
  Hold({});
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("4", "1", "2", "3"));
}

TEST_F(EngineProfilesTest, AHoldLastsOverARestartAndIsNoPause) {
  CreateSubscriber();
  const EndpointId endpoint =
      CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) { it.channels = {"a"}; });
  Hold({"a"});
  PublishTo("a", "1");
  Crash();
  EXPECT_EQ(Why(endpoint, 1), WaitKind::kChannel);
  EXPECT_FALSE(engine_->GetSubscriber("acme")->subscriber.paused);
  // A person's pause is another thing: it goes before, and its end does not release the channel.
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, true, "a look").ok());
  EXPECT_EQ(Why(endpoint, 1), WaitKind::kPaused);
  Change([](Subscriber& subscriber) { subscriber.held_channels.clear(); });
  EXPECT_EQ(Why(endpoint, 1), WaitKind::kPaused);
  Hold({"a"});
  ASSERT_TRUE(engine_->SetEndpointPaused(endpoint, false, "").ok());
  EXPECT_EQ(Why(endpoint, 1), WaitKind::kChannel);
  EXPECT_TRUE(Bodies().empty());
  Hold({});
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("1"));
}

TEST_F(EngineProfilesTest, AnEndpointOfMoreChannelsGoesOnAndOneMadeLaterIsHeld) {
  CreateSubscriber();
  CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) { it.channels = {"a", "b"}; });
  Hold({"a"});
  PublishTo("a", "1");
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("1"));
  const EndpointId later = CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) { it.channels = {"a"}; });
  PublishTo("a", "2");
  EXPECT_EQ(Why(later, 1), WaitKind::kChannel);
}

TEST_F(EngineProfilesTest, MutedTypesMakeNoDelivery) {
  CreateSubscriber();
  CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) { it.muted_event_types = {"ack"}; });
  EXPECT_EQ(Publish("1", "", "ack").deliveries, 0u);
  EXPECT_EQ(Publish("2", "", "ack").not_fanned_out, "");
  EXPECT_EQ(Publish("3", "", "message").deliveries, 1u);
}

TEST_F(EngineProfilesTest, AGatedTypeIsKeptAndGoesNowhere) {
  MakeSubscriber("free");
  const EndpointId endpoint = CreateEndpoint();
  const PublishOutcome gated = Publish("1", "key", "ack");
  ASSERT_TRUE(gated.status.ok()) << gated.status;
  EXPECT_EQ(gated.deliveries, 0u);
  EXPECT_EQ(gated.not_fanned_out,
            "profile small has ack in the plans paid, gold; the subscriber's is \"free\"");
  EXPECT_TRUE(engine_->GetEvent(gated.event).ok());
  EXPECT_EQ(Publish("2", "", "message").deliveries, 1u);
  EXPECT_EQ(Publish("3", "", "not in the catalogue").deliveries, 1u);
  // The next publish knows another plan.
  Change([](Subscriber& subscriber) { subscriber.plan = "gold"; });
  const PublishOutcome taken = Publish("4", "", "ack");
  EXPECT_EQ(taken.deliveries, 1u);
  EXPECT_EQ(taken.not_fanned_out, "");
  EXPECT_TRUE(Publish("1", "key", "ack").duplicate);
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("2", "3", "4"));
  // A replay gives what the plan has now.
  Change([](Subscriber& subscriber) { subscriber.plan = "free"; });
  Job job;
  job.kind = JobKind::kReplay;
  job.endpoint = endpoint;
  job.rate = 1000;
  job.from_ms = 1;
  EXPECT_EQ(engine_->StartJob(job, /*dry_run=*/true)->matched, 2u);
  Change([](Subscriber& subscriber) { subscriber.plan = "paid"; });
  EXPECT_EQ(engine_->StartJob(job, /*dry_run=*/true)->matched, 4u);
}

TEST_F(EngineProfilesTest, NothingIsSaidWhereNoEndpointMatches) {
  MakeSubscriber("free");
  CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) { it.event_types = {"message"}; });
  EXPECT_EQ(Publish("1", "", "ack").not_fanned_out, "");
}

TEST_F(EngineProfilesTest, AStrictSubscribersEventsAreHeldToTheCatalogue) {
  MakeSubscriber("paid", /*strict=*/true);
  CreateEndpoint();
  const absl::Status unknown = Publish("1", "", "unknown").status;
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.message()),
              StartsWith("type: unknown is not in the catalogue of profile small"));
  const absl::Status bad = Publish(R"({"id": ""})", "", "message").status;
  EXPECT_THAT(std::string(bad.message()), HasSubstr("schema of message in profile small"));
  EXPECT_THAT(std::string(bad.message()), HasSubstr("at /id: "));
  EXPECT_EQ(Publish(R"({"id": "m"})", "", "message").deliveries, 1u);
  WaitUntilDone();
  // Off again at once.
  Change([](Subscriber& subscriber) { subscriber.strict = false; });
  EXPECT_TRUE(Publish("1", "", "unknown").status.ok());
}

TEST_F(EngineProfilesTest, ThePublishingThreadKnowsWhoIsStrict) {
  MakeSubscriber("paid", /*strict=*/true);
  NewEvent bad = MakeEvent("{}", "", "message");
  EXPECT_EQ(engine_->CheckContent(bad).code(), absl::StatusCode::kInvalidArgument);
  NewEvent good = MakeEvent(R"({"id": "m"})", "", "message");
  ASSERT_TRUE(engine_->CheckContent(good).ok());
  EXPECT_EQ(good.checked, options_.profiles->Find("small"));
  EXPECT_TRUE(Publish({good}).at(0).status.ok());
  Change([](Subscriber& subscriber) { subscriber.strict = false; });
  EXPECT_TRUE(engine_->CheckContent(bad).ok());
  Change([](Subscriber& subscriber) { subscriber.strict = true; });
  // After a start it is found out at the first publish, by the committer.
  Crash();
  EXPECT_TRUE(engine_->CheckContent(bad).ok());
  EXPECT_EQ(Publish({bad}).at(0).status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine_->CheckContent(bad).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(EngineProfilesTest, WithoutItsProfileAStrictSubscriberPublishesNothing) {
  MakeSubscriber("paid", /*strict=*/true);
  CreateEndpoint();
  std::unique_ptr<DeliveryStore> left = static_cast<MemoryStore&>(*store_).Reopen();
  Close();
  options_.profiles = std::make_shared<Profiles>();
  Open(std::move(left));
  const absl::Status refused = Publish(R"({"id": "m"})", "", "message").status;
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("its profile small is not loaded"));
  // One that is not strict goes on, without gates.
  Change([](Subscriber& subscriber) {
    subscriber.strict = false;
    subscriber.plan = "free";
  });
  EXPECT_EQ(Publish("1", "", "ack").deliveries, 1u);
}

}  // namespace
}  // namespace hookd
