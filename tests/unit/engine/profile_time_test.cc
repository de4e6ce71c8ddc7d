// The times that the profiles' texts promise, of the files in config/profiles, in virtual time and to the
// second. Without jitter, but for the last test.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "base/profile.h"
#include "config/profile_loader.h"
#include "tests/fakes/simulation.h"

namespace hookd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::Simulation;
using Answer = Simulation::Answer;

const Answer kRefuses{500, ErrorKind::kNone, "", {}};

Profile Load(const std::string& name) {  // tests run in the repository's root
  absl::StatusOr<Profile> profile =
      LoadProfile(Concat("config/profiles/", name, ".yaml"), [](const Profile&) { return absl::OkStatus(); });
  EXPECT_TRUE(profile.ok()) << profile.status();
  return *std::move(profile);
}

Endpoint MakeEndpoint(const Profile& profile, bool jitter = false) {
  Endpoint endpoint;
  endpoint.subscriber_id = "acme";
  endpoint.url = "https://receiver.example/";
  endpoint.policy = profile.policy;
  if (!jitter) endpoint.policy.backoff.jitter = 0;
  return endpoint;
}

// What the setting does while it is on.
Endpoint With(const Profile& profile, const std::string& name) {
  Endpoint endpoint = MakeEndpoint(profile);
  for (const ProfileSetting& setting : profile.settings) {
    if (setting.name != name) continue;
    if (setting.when_on.mode) endpoint.policy.mode = *setting.when_on.mode;
    if (setting.when_on.max_retries) endpoint.policy.max_retries = *setting.when_on.max_retries;
    return endpoint;
  }
  ADD_FAILURE() << profile.name << " has no setting " << name;
  return endpoint;
}

Simulation::Receiver Always(Answer answer) {
  return [answer](const Endpoint&, const Work&) { return answer; };
}

std::vector<Duration> Times(const Simulation& simulation, Sequence sequence) {
  std::vector<Duration> times;
  for (const Simulation::Sent& sent : simulation.sent) {
    if (sent.sequence == sequence) times.push_back(sent.at);
  }
  return times;
}

// One delivery that is always refused: its attempts, and when the last one was.
void ExpectExhausted(Endpoint endpoint, Duration last, size_t attempts) {
  endpoint.policy.disable.failures = 0;
  Simulation simulation(Always(kRefuses));
  const EndpointId id = simulation.Put(endpoint);
  simulation.Publish();
  if (last > Duration{}) {
    simulation.RunUntil(last - seconds(1));
    EXPECT_EQ(simulation.Deliveries(id)[0].state, DeliveryState::kPending);
    EXPECT_EQ(simulation.sent.size(), attempts - 1);
  }
  simulation.RunUntil(last);
  EXPECT_EQ(simulation.Deliveries(id)[0].state, DeliveryState::kExhausted);
  EXPECT_EQ(simulation.sent.size(), attempts);
  EXPECT_EQ(simulation.sent.back().at, last);
}

TEST(ProfileTimeTest, WassengerGivesUpAfterAHundredRetries) {
  ExpectExhausted(MakeEndpoint(Load("wassenger")), hours(17) + minutes(37) + seconds(30), 101);
}

TEST(ProfileTimeTest, ChatApiTriesOnceAndTwentyTimesIfGuaranteed) {
  const Profile profile = Load("chat-api");
  ExpectExhausted(MakeEndpoint(profile), seconds(0), 1);
  ExpectExhausted(With(profile, "guaranteed_hooks"), minutes(47) + seconds(30), 20);
}

TEST(ProfileTimeTest, CbotAndWhizardTryForADay) {
  ExpectExhausted(MakeEndpoint(Load("cbot")), hours(24) + minutes(6), 241);
  ExpectExhausted(MakeEndpoint(Load("whizard")), hours(24) + minutes(6), 241);
}

TEST(ProfileTimeTest, WammTriesSixTimesAndGoesOn) {
  ExpectExhausted(MakeEndpoint(Load("wamm")), minutes(3) + seconds(45), 6);

  Simulation simulation(
      [](const Endpoint&, const Work& work) { return work.sequence == 1 ? kRefuses : Answer{}; });
  simulation.Put(MakeEndpoint(Load("wamm")));
  simulation.Publish();
  simulation.Publish();
  simulation.RunUntil(hours(1));
  EXPECT_THAT(Times(simulation, 1),
              ElementsAre(seconds(0), seconds(15), seconds(45), seconds(90), seconds(150), seconds(225)));
  EXPECT_THAT(Times(simulation, 2), ElementsAre(seconds(225)));
}

TEST(ProfileTimeTest, StandardTriesTenTimesInThreeDays) {
  ExpectExhausted(MakeEndpoint(Load("standard")), hours(75) + minutes(35) + seconds(5), 10);
}

// A receiver that is down for everybody: one chat of its own, so that its waits are what paces it.
TEST(ProfileTimeTest, WassengerAlertsAtTenFailuresAndDisablesAtSixty) {
  Simulation simulation(Always(kRefuses));
  const EndpointId id = simulation.Put(MakeEndpoint(Load("wassenger")));
  simulation.Publish("chat");

  simulation.RunUntil(minutes(11) + seconds(14));
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kFailing), 0u);
  simulation.RunUntil(minutes(11) + seconds(15));
  EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kFailing), 1u);

  const Duration disabled = hours(7) + minutes(22) + seconds(30);
  simulation.RunUntil(disabled - seconds(1));
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kNone);
  simulation.RunUntil(disabled);
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kFailures);
  EXPECT_EQ(simulation.sent.size(), 60u);
  EXPECT_EQ(simulation.Deliveries(id)[0].state, DeliveryState::kPending);
}

// Many chats fail sixty times within minutes: the hour decides.
TEST(ProfileTimeTest, WassengerDisablesNobodyWithinAnHour) {
  Simulation simulation(Always(kRefuses));
  const EndpointId id = simulation.Put(MakeEndpoint(Load("wassenger")));
  for (int chat = 0; chat < 40; ++chat) simulation.Publish(Concat("chat-", chat));
  simulation.RunUntil(hours(1) - seconds(1));
  EXPECT_GT(simulation.sent.size(), 60u);
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kNone);
  simulation.RunUntil(hours(1) + minutes(4));  // the first failures behind it
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kFailures);
}

// One event that its receiver never takes, among chats that do well, disables nothing and ends by itself.
TEST(ProfileTimeTest, WassengersOneBadEventUsesUpItsRetriesWhileOtherChatsGoOn) {
  Simulation simulation(
      [](const Endpoint&, const Work& work) { return work.sequence == 1 ? kRefuses : Answer{}; });
  const EndpointId id = simulation.Put(MakeEndpoint(Load("wassenger")));
  simulation.Publish("bad");
  for (int minute = 0; minute < 18 * 60; ++minute) {
    simulation.RunUntil(minutes(minute));
    simulation.Publish("good");
  }
  simulation.RunUntil(hours(18));
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kNone);
  EXPECT_EQ(Times(simulation, 1).size(), 101u);
  EXPECT_EQ(Times(simulation, 1).back(), hours(17) + minutes(37) + seconds(30));
  for (const Delivery& delivery : simulation.Deliveries(id)) {
    EXPECT_EQ(delivery.state,
              delivery.id.sequence == 1 ? DeliveryState::kExhausted : DeliveryState::kSucceeded);
  }
}

TEST(ProfileTimeTest, WassengerSendsNoMoreThanFiveInAnySecond) {
  Simulation simulation(Always({}));
  simulation.Put(MakeEndpoint(Load("wassenger")));
  for (int chat = 0; chat < 100; ++chat) simulation.Publish(Concat("chat-", chat));
  simulation.RunUntil(hours(1));
  ASSERT_EQ(simulation.sent.size(), 100u);
  for (size_t i = 5; i < simulation.sent.size(); ++i) {
    EXPECT_GE(simulation.sent[i].at - simulation.sent[i - 5].at, seconds(1));
  }
  EXPECT_LE(simulation.sent.back().at, seconds(20));
}

TEST(ProfileTimeTest, TheOthersSendAtOnceAndNeverDisable) {
  for (const char* name : {"cbot", "whizard", "wamm", "chat-api"}) {
    Simulation simulation(Always({410, ErrorKind::kNone, "3600", {}}));
    const EndpointId id = simulation.Put(MakeEndpoint(Load(name)));
    for (int i = 0; i < 100; ++i) simulation.Publish();
    simulation.RunUntil(hours(26) * 10);
    EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kNone) << name;
    for (const Delivery& delivery : simulation.Deliveries(id)) {
      EXPECT_EQ(delivery.state, DeliveryState::kExhausted) << name;
    }
    EXPECT_EQ(simulation.telemetry.alerts(AlertKind::kFailing), 0u) << name;
  }
}

TEST(ProfileTimeTest, StandardDisablesAtOnceWhenGone) {
  Simulation simulation(Always({410, ErrorKind::kNone, "", {}}));
  const EndpointId id = simulation.Put(MakeEndpoint(Load("standard")));
  simulation.Publish();
  simulation.RunUntil(seconds(0));
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kGone);
}

TEST(ProfileTimeTest, StandardDisablesAfterThreeDaysWithoutASuccess) {
  Simulation simulation(Always(kRefuses));
  const EndpointId id = simulation.Put(MakeEndpoint(Load("standard")));
  for (int hour = 0; hour < 72; ++hour) {
    simulation.RunUntil(hours(hour));
    simulation.Publish();
  }
  simulation.RunUntil(hours(72) - seconds(1));
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kNone);
  simulation.RunUntil(hours(73));
  EXPECT_EQ(simulation.Find(id)->disabled, DisableReason::kFailures);
}

TEST(ProfileTimeTest, JitterAddsATenthAtMost) {
  Simulation simulation(Always(kRefuses));
  simulation.Put(MakeEndpoint(Load("wamm"), true));
  simulation.Publish();
  simulation.RunUntil(hours(1));
  const std::vector<Duration> times = Times(simulation, 1);
  ASSERT_EQ(times.size(), 6u);
  for (size_t n = 1; n < times.size(); ++n) {
    EXPECT_GE(times[n] - times[n - 1], seconds(15 * n));
    EXPECT_LE(times[n] - times[n - 1], milliseconds(16'500 * n));
  }
}

}  // namespace
}  // namespace hookd
