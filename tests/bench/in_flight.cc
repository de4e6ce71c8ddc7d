// Many receivers that answer late: how many attempts are in flight at once, and what that takes of memory.
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/concat.h"
#include "tests/bench/benches.h"
#include "tests/bench/hookd_process.h"
#include "tests/bench/load.h"
#include "tests/bench/sink.h"
#include "tests/bench/stats.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::bench {
namespace {

constexpr size_t kHosts = 250;
constexpr size_t kInFlightGoal = 15'000;
constexpr double kMemoryGoalMib = 1024;
constexpr double kLimitSeconds = 120;
constexpr int64_t kTimeoutSeconds = 60;
constexpr double kPollSeconds = 0.05;
constexpr size_t kSubscribers = 50;  // a shard has whole ones
// Endpoints that have never succeeded have a quarter of the slots, divided between the shards.
constexpr size_t kSlotsEach = 6;
constexpr size_t kOtherDescriptors = 2000;

}  // namespace

std::vector<Figure> BenchInFlight(const Settings& settings) {
  const size_t slots = settings.in_flight * kSlotsEach;
  rlimit limit{};
  HOOKD_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "the limit can be read");
  if (limit.rlim_cur < slots + kOtherDescriptors) {
    std::printf("in flight: not run, %zu descriptors are needed, and the limit is %llu\n",
                slots + kOtherDescriptors, static_cast<unsigned long long>(limit.rlim_cur));
    return {};
  }
  const testing::TempDir dir;
  Sink sink(kHosts, Sink::Manner::kSlow);
  HookdProcess hookd(settings.binary, dir.path(), Concat("delivery:\n  max_in_flight: ", slots, "\n"));
  const double idle_mib = hookd.ResidentMebibytes();
  const size_t each = settings.in_flight / kSubscribers;
  const size_t events = each * kSubscribers;
  Load load;
  load.channels = each;
  std::vector<EndpointSet> sets;
  for (size_t i = 0; i < kSubscribers; ++i) {
    load.subscribers.push_back(Concat("slow-", i));
    hookd.CreateSubscriber(load.subscribers.back());
    EndpointSet set;
    set.subscriber = load.subscribers.back();
    set.count = each;
    set.timeout_seconds = kTimeoutSeconds;
    set.url = [&sink, first = i * each](size_t k) { return sink.Url(first + k); };
    sets.push_back(set);
  }
  hookd.CreateEndpoints(sets);
  Publish(hookd.channel(), load, events);
  uint64_t most = 0;
  double memory = 0;
  const double give_up = NowSeconds() + kLimitSeconds;
  while (hookd.Status().pending_deliveries() > 0) {
    HOOKD_CHECK(NowSeconds() < give_up, "all answers come");
    most = std::max(most, hookd.Status().attempts_in_flight());
    memory = std::max(memory, hookd.ResidentMebibytes());
    SleepSeconds(kPollSeconds);
  }
  HOOKD_CHECK(hookd.Status().deliveries_succeeded() == events, "each succeeds");
  std::printf("in flight: %zu receivers that answer after 29 s, %llu at once, %.0f MiB (%.0f when idle)\n",
              events, static_cast<unsigned long long>(most), memory, idle_mib);
  Figure at_once = MakeFigure("in flight at once", kCount, static_cast<double>(most));
  if (settings.in_flight >= kInFlightGoal) at_once = WithGoal(at_once, GoalKind::kAtLeast, kInFlightGoal);
  return {at_once, WithGoal(MakeFigure("memory, all of them in flight", kMebibytes, memory),
                            GoalKind::kAtMost, kMemoryGoalMib)};
}

}  // namespace hookd::bench
