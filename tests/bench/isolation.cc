// Healthy endpoints beside bad neighbours: what they suffer, by the latency from publish to receiver.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <utility>
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

constexpr double kWarmUpSeconds = 1;  // each healthy endpoint has delivered something then
constexpr size_t kHosts = 16;
constexpr size_t kMixedSubscribers = 10;
constexpr size_t kBlackHoleShare = 10;  // one in so many
constexpr size_t kEventsPerHole = 32;   // twice what a PARALLEL endpoint has in flight
constexpr size_t kOnePerSecond = 500;   // to a single healthy endpoint: a p99 needs some thousand samples
constexpr size_t kFloodDeliveries = 500'000;
constexpr size_t kGreedyEndpoints = 64;
constexpr double kGreed = 100;
constexpr double kRatioGoal = 1.5;
constexpr double kSlackGoalMs = 5;
// Attempts at black holes are not waited for when hookd ends.
constexpr char kSettings[] = "shutdown:\n  deadline: 0s\n";

using Scene = std::function<Latency(bool beside)>;

EndpointSet Endpoints(const std::string& subscriber, size_t count, const Sink& sink) {
  EndpointSet set;
  set.subscriber = subscriber;
  set.count = count;
  set.url = [&sink](size_t i) { return sink.Url(i); };
  return set;
}

Load LoadOf(std::vector<std::string> subscribers, size_t channels) {
  Load load;
  load.subscribers = std::move(subscribers);
  load.channels = channels;
  return load;
}

// Every subscriber has healthy endpoints and bad ones: the bad ones are flooded once, and if they are slow,
// more than fill all attempts that hookd has in flight by default.
Latency AmongBad(const Settings& settings, bool beside, Sink::Manner manner) {
  const size_t each = settings.mixed / kMixedSubscribers;
  const size_t holes = each / kBlackHoleShare;
  const size_t healthy = each - holes;
  const testing::TempDir dir;
  Sink sink(kHosts, Sink::Manner::kAnswers);
  const Sink black_hole(holes * kMixedSubscribers, manner);
  HookdProcess hookd(settings.binary, dir.path(), kSettings);
  std::vector<std::string> subscribers;
  std::vector<EndpointSet> sets;
  for (size_t i = 0; i < kMixedSubscribers; ++i) {
    subscribers.push_back(Concat("mixed-", i));
    hookd.CreateSubscriber(subscribers.back());
    sets.push_back(Endpoints(subscribers.back(), healthy, sink));
    EndpointSet dark = Endpoints(subscribers.back(), holes, black_hole);
    dark.first_channel = healthy;
    dark.url = [&black_hole, first = i * holes](size_t k) { return black_hole.Url(first + k); };
    sets.push_back(dark);
  }
  hookd.CreateEndpoints(sets);
  const Load load = LoadOf(subscribers, healthy);
  MeasureLatency(hookd, sink, load, settings.per_second, kWarmUpSeconds);
  if (beside) {
    Load flood = LoadOf(subscribers, holes);
    flood.first_channel = healthy;
    Publish(hookd.channel(), flood, holes * kMixedSubscribers * kEventsPerHole);
  }
  return MeasureLatency(hookd, sink, load, settings.per_second, settings.seconds);
}

Latency AmongBlackHoles(const Settings& settings, bool beside) {
  return AmongBad(settings, beside, Sink::Manner::kBlackHole);
}
Latency AmongSlow(const Settings& settings, bool beside) {
  return AmongBad(settings, beside, Sink::Manner::kSlow);
}
Latency AmongRefusing(const Settings& settings, bool beside) {
  return AmongBad(settings, beside, Sink::Manner::kRefuses);
}
Latency AmongEndless(const Settings& settings, bool beside) {
  return AmongBad(settings, beside, Sink::Manner::kEndless);
}

// One healthy endpoint; all others never answer, and have nothing yet that says so when the flood begins.
Latency AmongDead(const Settings& settings, bool beside) {
  const testing::TempDir dir;
  Sink sink(1, Sink::Manner::kAnswers);
  const Sink black_hole(settings.dead, Sink::Manner::kBlackHole);
  HookdProcess hookd(settings.binary, dir.path(), kSettings);
  hookd.CreateSubscriber("dead");
  hookd.CreateSubscriber("healthy");
  hookd.CreateEndpoints({Endpoints("dead", settings.dead, black_hole), Endpoints("healthy", 1, sink)});
  const Load load = LoadOf({"healthy"}, 1);
  MeasureLatency(hookd, sink, load, kOnePerSecond, kWarmUpSeconds);
  if (beside) Publish(hookd.channel(), LoadOf({"dead"}, settings.dead), settings.dead * kEventsPerHole);
  return MeasureLatency(hookd, sink, load, kOnePerSecond, settings.seconds);
}

// One subscriber has a single endpoint. Each event of the other goes to all of its endpoints; they are
// healthy, and there are more than can be delivered while it is measured.
Latency BesideWide(const Settings& settings, bool beside) {
  const testing::TempDir dir;
  Sink sink(1, Sink::Manner::kAnswers);
  Sink crowd(kHosts, Sink::Manner::kAnswers);
  HookdProcess hookd(settings.binary, dir.path(), kSettings);
  hookd.CreateSubscriber("wide");
  hookd.CreateSubscriber("single");
  EndpointSet wide = Endpoints("wide", settings.wide, crowd);
  wide.every_channel = true;
  hookd.CreateEndpoints({wide, Endpoints("single", 1, sink)});
  const Load load = LoadOf({"single"}, 1);
  MeasureLatency(hookd, sink, load, kOnePerSecond, kWarmUpSeconds);
  if (beside) {
    Load flood = LoadOf({"wide"}, 0);
    flood.deliveries_each = settings.wide;
    Publish(hookd.channel(), flood, std::max<size_t>(1, kFloodDeliveries / settings.wide));
  }
  const Latency latency = MeasureLatency(hookd, sink, load, kOnePerSecond, settings.seconds);
  if (beside && hookd.Status().pending_deliveries() == 0) {
    std::printf("  the flood ended before the measurement did: set --seconds lower\n");
  }
  return latency;
}

// One endpoint of another subscriber has a backlog, and drains it meanwhile.
Latency BesideBacklog(const Settings& settings, bool beside) {
  const testing::TempDir dir;
  Sink sink(1, Sink::Manner::kAnswers);
  Sink crowd(1, Sink::Manner::kAnswers);
  HookdProcess hookd(settings.binary, dir.path(), kSettings);
  hookd.CreateSubscriber("deep");
  hookd.CreateSubscriber("single");
  EndpointSet deep = Endpoints("deep", 1, crowd);
  deep.backlog = 0;
  hookd.CreateEndpoints({deep, Endpoints("single", 1, sink)});
  const Load load = LoadOf({"single"}, 1);
  if (beside) {
    hookd.PauseSubscriber("deep");
    Publish(hookd.channel(), LoadOf({"deep"}, 1), settings.backlog);
  }
  MeasureLatency(hookd, sink, load, kOnePerSecond, kWarmUpSeconds);
  if (beside) hookd.ResumeSubscriber("deep");
  return MeasureLatency(hookd, sink, load, kOnePerSecond, settings.seconds);
}

// Ten subscribers publish a tenth each; another one publishes a hundred times that.
Latency BesideGreedy(const Settings& settings, bool beside) {
  const testing::TempDir dir;
  Sink sink(kHosts, Sink::Manner::kAnswers);
  Sink crowd(kHosts, Sink::Manner::kAnswers);
  HookdProcess hookd(settings.binary, dir.path(), kSettings);
  std::vector<std::string> subscribers;
  std::vector<EndpointSet> sets;
  for (size_t i = 0; i < kMixedSubscribers; ++i) {
    subscribers.push_back(Concat("fair-", i));
    hookd.CreateSubscriber(subscribers.back());
    sets.push_back(Endpoints(subscribers.back(), kGreedyEndpoints, sink));
  }
  hookd.CreateSubscriber("greedy");
  sets.push_back(Endpoints("greedy", kGreedyEndpoints, crowd));
  hookd.CreateEndpoints(sets);
  const Load load = LoadOf(subscribers, kGreedyEndpoints);
  MeasureLatency(hookd, sink, load, kOnePerSecond, kWarmUpSeconds);
  const double rate = static_cast<double>(kOnePerSecond / kMixedSubscribers) * kGreed;
  std::thread greedy;
  if (beside) {
    greedy = std::thread([&, start = NowSeconds()] {
      const auto pace = [&](size_t sent) {
        SleepSeconds(start + static_cast<double>(sent) / rate - NowSeconds());
      };
      Publish(hookd.channel(), LoadOf({"greedy"}, kGreedyEndpoints),
              static_cast<size_t>(rate * settings.seconds), pace);
    });
  }
  const Latency latency = MeasureLatency(hookd, sink, load, kOnePerSecond, settings.seconds);
  if (greedy.joinable()) greedy.join();
  return latency;
}

// Alternating runs alone and beside; the medians of their p99.
std::vector<Figure> Compare(const Settings& settings, const std::string& name, const Scene& scene) {
  std::vector<Latency> alone;
  std::vector<Latency> beside;
  for (size_t i = 0; i < settings.isolation_rounds; ++i) {
    for (const bool bad : {false, true}) {
      const Latency latency = scene(bad);
      std::printf("%s, %s, run %zu: p50 %.2f ms, p99 %.2f ms, max %.2f ms; %zu of %zu not delivered\n",
                  name.c_str(), bad ? "beside" : "alone", i + 1, latency.p50, latency.p99, latency.max,
                  latency.missing, latency.events);
      std::fflush(stdout);
      (bad ? beside : alone).push_back(latency);
    }
  }
  const auto p99 = [](const Latency& latency) { return latency.p99; };
  const double before = MedianOf(alone, p99);
  const double after = MedianOf(beside, p99);
  return {MakeFigure(Concat("p99 alone: ", name), kMilliseconds, before),
          WithGoal(MakeFigure(Concat("p99 beside: ", name), kMilliseconds, after), GoalKind::kAtMost,
                   std::max(kRatioGoal * before, before + kSlackGoalMs))};
}

}  // namespace

std::vector<Figure> BenchIsolation(const Settings& settings) {
  const std::pair<std::string, Latency (*)(const Settings&, bool)> scenes[] = {
      {"a tenth black holes", &AmongBlackHoles},
      {"a tenth slow", &AmongSlow},
      {"a tenth refusing", &AmongRefusing},
      {"a tenth endless", &AmongEndless},
      {Concat(settings.dead, " dead endpoints"), &AmongDead},
      {Concat("a flooded subscriber of ", settings.wide, " endpoints"), &BesideWide},
      {Concat("a backlog of ", settings.backlog), &BesideBacklog},
      {"a greedy subscriber", &BesideGreedy}};
  std::vector<Figure> figures;
  for (const auto& [name, scene] : scenes) {
    for (Figure& figure :
         Compare(settings, name, [&, run = scene](bool bad) { return run(settings, bad); })) {
      figures.push_back(std::move(figure));
    }
  }
  return figures;
}

}  // namespace hookd::bench
