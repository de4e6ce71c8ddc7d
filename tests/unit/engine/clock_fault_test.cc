// The wall clock leaps, goes back and stands still. What is sent when does not depend on it.
#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/concat.h"
#include "tests/fakes/simulation.h"

namespace hookd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Simulation;
using Answer = Simulation::Answer;

constexpr WallMs kHour = 3'600'000;
constexpr WallMs kTenYears = 10 * 365 * 24 * kHour;
constexpr Duration kRun = hours(3);

// What the wall clock does: runs after each second.
using Fault = std::function<void(WallMs& wall, int64_t second)>;

struct Kind {
  const char* name;
  Fault fault;
};

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kinds = {
      {"ten years ahead", [](WallMs& wall, int64_t second) { wall += second == 100 ? kTenYears : 0; }},
      {"ten years back", [](WallMs& wall, int64_t second) { wall -= second == 100 ? kTenYears : 0; }},
      {"a day ahead and back again",
       [](WallMs& wall, int64_t second) {
         wall += second == 100 ? 24 * kHour : second == 1'000 ? -24 * kHour : 0;
       }},
      {"to and fro, an hour every minute",
       [](WallMs& wall, int64_t second) {
         if (second % 60 == 0) wall += second % 120 == 0 ? kHour : -kHour;
       }},
      {"stands still", [](WallMs& wall, int64_t second) { wall -= second > 100 ? 1'000 : 0; }},
      {"half as fast", [](WallMs& wall, int64_t) { wall -= 500; }},
      {"ten times as fast", [](WallMs& wall, int64_t) { wall += 9'000; }},
  };
  return kinds;
}

Answer OfHost(const Endpoint& endpoint, const Work& work) {
  if (endpoint.url.find("fails") != std::string::npos) return {500, ErrorKind::kStatus, "", seconds(1)};
  if (endpoint.url.find("busy") != std::string::npos && work.attempt % 2 == 1) {
    return {429, ErrorKind::kStatus, "40", seconds(0)};
  }
  return {200, ErrorKind::kNone, "", seconds(2)};
}

// An endpoint that fails, one that asks for time, one that keeps its rate, and what is published to all.
std::vector<Simulation::Sent> SentUnder(const Fault& fault, size_t* alerts = nullptr) {
  Simulation simulation(OfHost);
  for (const char* host : {"fails", "busy", "well"}) {
    Endpoint endpoint;
    endpoint.subscriber_id = "acme";
    endpoint.url = Concat("http://", host, ".example/");
    endpoint.policy.disable.failures = 0;
    endpoint.policy.backoff.jitter = 0;
    endpoint.policy.rate = {1, 2};
    simulation.Put(endpoint);
  }
  for (int64_t second = 0; seconds(second) < kRun; ++second) {
    if (second % 600 == 0) {
      for (int i = 0; i < 20; ++i) simulation.Publish();
    }
    simulation.RunUntil(seconds(second));
    fault(simulation.now.wall, second);
    simulation.Change([](Ledger&) {});  // as the housekeeper does
  }
  if (alerts != nullptr) *alerts = simulation.telemetry.alerts(AlertKind::kClock);
  return std::move(simulation.sent);
}

TEST(ClockFaultTest, AttemptsAreMadeWhenTheyWouldHaveBeen) {
  const std::vector<Simulation::Sent> expected = SentUnder([](WallMs&, int64_t) {});
  ASSERT_GT(expected.size(), 500u);
  for (const Kind& kind : Kinds()) {
    SCOPED_TRACE(kind.name);
    const std::vector<Simulation::Sent> sent = SentUnder(kind.fault);
    ASSERT_EQ(sent.size(), expected.size());
    for (size_t i = 0; i < sent.size(); ++i) {
      ASSERT_EQ(sent[i].endpoint, expected[i].endpoint) << i;
      ASSERT_EQ(sent[i].sequence, expected[i].sequence) << i;
      // A stored time is of milliseconds.
      ASSERT_LT(std::chrono::abs(sent[i].at - expected[i].at), std::chrono::milliseconds(2)) << i;
    }
  }
}

TEST(ClockFaultTest, OnlyALeapAheadIsToldAndOnce) {
  const std::vector<size_t> expected = {1, 0, 1, 0, 0, 0};  // of the first kinds
  for (size_t i = 0; i < expected.size(); ++i) {
    size_t alerts = 0;
    SentUnder(Kinds()[i].fault, &alerts);
    EXPECT_EQ(alerts, expected[i]) << Kinds()[i].name;
  }
}

// A start under a clock that is wrong: nothing waits for years, and each endpoint has one attempt at once at
// most.
TEST(ClockFaultTest, AStartUnderAWrongClockNeitherWaitsNorStorms) {
  for (const WallMs leap : {kTenYears, -kTenYears, -kHour}) {
    SCOPED_TRACE(Concat("by ", leap, " ms"));
    Simulation simulation([](const Endpoint&, const Work&) {
      return Answer{500, ErrorKind::kStatus, "", {}};
    });
    constexpr size_t kEndpoints = 50;
    for (size_t i = 0; i < kEndpoints; ++i) {
      Endpoint endpoint;
      endpoint.subscriber_id = "acme";
      endpoint.url = Concat("http://host", i, ".example/");
      endpoint.policy.disable.failures = 0;
      endpoint.policy.backoff.jitter = 0;
      endpoint.policy.retry_after_max = Millis(0);
      simulation.Put(endpoint);
    }
    for (int i = 0; i < 5; ++i) simulation.Publish();
    simulation.RunUntil(hours(12));
    const size_t before = simulation.sent.size();
    simulation.now.wall += leap;
    simulation.Restart();
    // The longest wait of the policy.
    simulation.RunUntil(hours(12) + minutes(15) + seconds(1));
    const size_t after = simulation.sent.size() - before;
    EXPECT_GE(after, kEndpoints);
    EXPECT_LE(after, 2 * kEndpoints);
  }
}

}  // namespace
}  // namespace hookd
