// From publish to receiver, by the clock of the receiver, at a pace that hookd keeps up with.
#include <cstdio>
#include <utility>

#include "base/concat.h"
#include "tests/bench/benches.h"
#include "tests/bench/hookd_process.h"
#include "tests/bench/load.h"
#include "tests/bench/sink.h"
#include "tests/bench/stats.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::bench {
namespace {

constexpr size_t kEndpoints = 64;
constexpr size_t kHosts = 8;
constexpr double kWarmUpSeconds = 1;
constexpr double kP50GoalMs = 3;
constexpr double kP99GoalMs = 15;
constexpr char kSubscriber[] = "bench";

Latency Measure(const Settings& settings, v1::DeliveryMode mode) {
  const testing::TempDir dir;
  Sink sink(kHosts, Sink::Manner::kAnswers);
  HookdProcess hookd(settings.binary, dir.path());
  hookd.CreateSubscriber(kSubscriber);
  EndpointSet set;
  set.subscriber = kSubscriber;
  set.count = kEndpoints;
  set.mode = mode;
  set.url = [&](size_t i) { return sink.Url(i); };
  hookd.CreateEndpoints({set});
  Load load;
  load.subscribers = {kSubscriber};
  load.channels = kEndpoints;
  MeasureLatency(hookd, sink, load, settings.per_second, kWarmUpSeconds);
  return MeasureLatency(hookd, sink, load, settings.per_second, settings.seconds);
}

}  // namespace

std::vector<Figure> BenchLatency(const Settings& settings) {
  std::vector<Figure> figures;
  const std::pair<v1::DeliveryMode, const char*> modes[] = {{v1::DELIVERY_MODE_PARALLEL, "PARALLEL"},
                                                            {v1::DELIVERY_MODE_ORDERED, "ORDERED"}};
  for (const auto& [mode, name] : modes) {
    std::vector<Latency> rounds;
    for (size_t i = 0; i < settings.rounds; ++i) {
      const Latency latency = Measure(settings, mode);
      std::printf("latency, %s, round %zu: p50 %.2f ms, p99 %.2f ms, max %.2f ms; %zu of %zu not delivered\n",
                  name, i + 1, latency.p50, latency.p99, latency.max, latency.missing, latency.events);
      std::fflush(stdout);
      rounds.push_back(latency);
    }
    const std::string what = Concat("publish to receiver at ", settings.per_second, "/s, ", name);
    const auto figure = [&](const char* part, double Latency::*pick, double goal) {
      return WithGoal(MakeFigure(Concat(what, ", ", part), kMilliseconds,
                                 MedianOf(rounds, [&](const Latency& latency) { return latency.*pick; })),
                      GoalKind::kAtMost, goal);
    };
    figures.push_back(figure("p50", &Latency::p50, kP50GoalMs));
    figures.push_back(figure("p99", &Latency::p99, kP99GoalMs));
  }
  return figures;
}

}  // namespace hookd::bench
