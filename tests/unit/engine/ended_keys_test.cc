// Signing keys that have ended leave their records by themselves.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fakes/simulation.h"

namespace hookd::testing {
namespace {

using std::chrono::hours;

class EndedKeysTest : public ::testing::Test {
 protected:
  // With one that goes on, and one for each of `ends`.
  EndpointId Put(const std::vector<WallMs>& ends) {
    Endpoint endpoint;
    endpoint.subscriber_id = "acme";
    endpoint.url = "https://a.example/";
    endpoint.signing_keys = {{std::string(32, 'n')}};
    for (const WallMs end : ends) {
      endpoint.signing_keys.push_back({std::string(32, 'o'), SigningScheme::kV1, 1, end});
    }
    return simulation_.Put(endpoint);
  }
  // As of the disk.
  size_t Keys(EndpointId id) {
    const std::vector<SigningKey>& keys = simulation_.Find(id)->signing_keys;
    EXPECT_EQ(keys.front().key, std::string(32, 'n'));
    return keys.size();
  }
  void Keep() {
    simulation_.Change([](Ledger& ledger) { ledger.Keep(Retention(), false); });
  }

  Simulation simulation_{[](const Endpoint&, const Work&) { return Simulation::Answer{}; }};
  const WallMs start_ = simulation_.now.wall;
};

TEST_F(EndedKeysTest, GoWithTheFirstLookAfterTheirEnd) {
  const EndpointId id = Put({start_ + 3'600'000, start_ + 7'200'000});
  const EndpointId none = Put({});
  Keep();
  EXPECT_EQ(Keys(id), 3u);
  simulation_.Pass(hours(1) - Millis(1));
  Keep();
  EXPECT_EQ(Keys(id), 3u);
  simulation_.Pass(Millis(1));
  Keep();
  EXPECT_EQ(Keys(id), 2u);
  simulation_.Pass(hours(1));
  Keep();
  EXPECT_EQ(Keys(id), 1u);
  EXPECT_EQ(Keys(none), 1u);
}

TEST_F(EndedKeysTest, AlsoAfterARestart) {
  const EndpointId id = Put({start_ + 3'600'000});
  simulation_.Restart();
  simulation_.Pass(hours(2));
  EXPECT_EQ(Keys(id), 2u);
  Keep();
  EXPECT_EQ(Keys(id), 1u);
  EXPECT_EQ(simulation_.store().ReadEndpoint(id)->lane.endpoint_keys_end_ms, 0);
}

TEST_F(EndedKeysTest, NotThoseOfADeletedEndpoint) {
  const EndpointId id = Put({start_ + 3'600'000});
  const EndpointId stays = Put({start_ + 3'600'000});
  simulation_.Change([&](Ledger& ledger) { ledger.RemoveEndpoint(*simulation_.Find(id)); });
  simulation_.Pass(hours(1));
  Keep();
  EXPECT_EQ(Keys(stays), 1u);
  EXPECT_FALSE(simulation_.store().ReadEndpoint(id).ok());
}

TEST_F(EndedKeysTest, ManyTakeSeveralLooks) {
  std::vector<EndpointId> ids;
  for (size_t i = 0; i < kEndedKeysEachKeep + 10; ++i) ids.push_back(Put({start_ + 1'000}));
  const auto left = [&] {
    return std::count_if(ids.begin(), ids.end(), [this](EndpointId id) { return Keys(id) == 2; });
  };
  simulation_.Pass(hours(1));
  Keep();
  EXPECT_EQ(left(), 10);
  Keep();
  EXPECT_EQ(left(), 0);
}

TEST_F(EndedKeysTest, StayWhileTheClockIsSuspect) {
  const EndpointId id = Put({start_ + 3'600'000});
  Keep();
  simulation_.now.wall += 24LL * 3'600'000;  // a leap
  Keep();
  EXPECT_EQ(Keys(id), 2u);
}

}  // namespace
}  // namespace hookd::testing
