// Seeded lives of ledger, scheduler and store. HOOKD_SIM_SEEDS=1000 HOOKD_SIM_FIRST=1 says which;
// HOOKD_REPORT names a file for what was tried and found.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/fakes/under_asan.h"
#include "tests/sim/world.h"

namespace hookd::sim {
namespace {

constexpr uint64_t kSeeds = testing::kUnderAsan ? 2 : 6;  // a life takes ten times as long

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void Report(uint64_t lived, size_t failed, const Verdict& all) {
  const char* path = std::getenv("HOOKD_REPORT");
  if (path == nullptr) return;
  std::ofstream out(path);
  out << "{\"name\": \"sim\", \"tried\": " << lived << ", \"found\": " << failed
      << ", \"counts\": {\"events\": " << all.events << ", \"deliveries\": " << all.deliveries
      << ", \"attempts\": " << all.attempts << ", \"kills\": " << all.kills
      << ", \"repeated\": " << all.repeated << "}}\n";
}

TEST(SimTest, EveryLifeKeepsThePromises) {
  const uint64_t seeds = FromEnvironment("HOOKD_SIM_SEEDS", kSeeds);
  const uint64_t first = FromEnvironment("HOOKD_SIM_FIRST", 1);
  Verdict all;
  size_t failed = 0;
  uint64_t lived = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const Verdict verdict = Live({.seed = seed});
    for (const std::string& fault : verdict.faults) {
      ADD_FAILURE() << "seed " << seed << ", " << fault
                    << "\n  replay: HOOKD_SIM_SEEDS=1 HOOKD_SIM_FIRST=" << seed
                    << " build/release/tests/sim_test";
    }
    failed += verdict.faults.empty() ? 0 : 1;
    ++lived;
    all.events += verdict.events;
    all.deliveries += verdict.deliveries;
    all.attempts += verdict.attempts;
    all.kills += verdict.kills;
    all.repeated += verdict.repeated;
    if (failed >= 10) break;
  }
  std::printf("%llu seeds of 2 days: %zu events, %zu deliveries, %zu attempts, %zu kills, %zu repeated\n",
              static_cast<unsigned long long>(lived), all.events, all.deliveries, all.attempts, all.kills,
              all.repeated);
  Report(lived, failed, all);
}

TEST(SimTest, ASeedIsReplayedExactly) {
  const Options options{.seed = 7, .days = 1};
  const Verdict once = Live(options);
  EXPECT_GT(once.attempts, 0u);
  EXPECT_EQ(Live(options).fingerprint, once.fingerprint);
}

TEST(SimTest, AJudgeSeesWhatIsLost) {
  const Verdict verdict = Live({.seed = 3, .days = 1, .forget_last_publish = true});
  EXPECT_FALSE(verdict.faults.empty());
}

}  // namespace
}  // namespace hookd::sim
