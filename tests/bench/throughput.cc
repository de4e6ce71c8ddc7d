// End to end and ingest, as ratios to what libcurl, RocksDB and gRPC reach by themselves in the same run.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "base/check.h"
#include "tests/bench/benches.h"
#include "tests/bench/ceilings.h"
#include "tests/bench/end_to_end.h"
#include "tests/bench/grpc_loop.h"
#include "tests/bench/hookd_process.h"
#include "tests/bench/load.h"
#include "tests/bench/stats.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::bench {
namespace {

constexpr size_t kInFlight = 64;
constexpr double kEndToEndGoal = 0.5;
constexpr double kIngestGoal = 0.5;
constexpr double kCpuGoal = 1.5;
constexpr size_t kMinRounds = 3;

struct Round {
  Rate curl;
  Rate end_to_end;  // publishing keeps pace with the deliveries
  Rate burst;       // everything is published as fast as it is accepted, and drained
  Rate ingest;
  double batch = 0;  // items per commit while ingesting
  Rate rocksdb;
  Rate grpc;
};

// The CPU of the three libraries' loops together, per event.
double BareCpu(const Round& round) {
  return round.curl.cpu_us_each + round.rocksdb.cpu_us_each + round.grpc.cpu_us_each;
}

// Nothing is sent meanwhile: what is measured is acceptance alone.
Rate Ingest(const std::string& binary, const std::string& url, size_t events, double& batch) {
  const testing::TempDir dir;
  HookdProcess hookd(binary, dir.path());
  RegisterBench(hookd, url);
  hookd.PauseSubscriber(kBenchSubscriber);
  const Load load = BenchLoad();
  Publish(hookd.channel(), load, events / 10);
  const HookdProcess::Commits before = hookd.CommitTotals();
  const double cpu = hookd.CpuSeconds();
  const double took = Publish(hookd.channel(), load, events);
  const double used = hookd.CpuSeconds() - cpu;
  const HookdProcess::Commits after = hookd.CommitTotals();
  batch = (after.items - before.items) / (after.count - before.count);
  return {static_cast<double>(events) / took, used / static_cast<double>(events) * 1e6};
}

Rate BareRocksDb(size_t messages, double batch) {
  const testing::TempDir dir;
  return RocksDbLoop(dir.path() / "db", messages, std::max<size_t>(1, static_cast<size_t>(batch + 0.5)),
                     kBenchPayloadBytes);
}

void Print(size_t number, const Round& round) {
  std::printf(
      "round %zu: libcurl %.0f/s, end to end %.0f/s (%.2f), in one burst %.0f/s (%.2f), RocksDB %.0f/s, "
      "ingest %.0f/s (%.2f), %.0f per commit, gRPC %.0f/s\n",
      number, round.curl.per_second, round.end_to_end.per_second,
      round.end_to_end.per_second / round.curl.per_second, round.burst.per_second,
      round.burst.per_second / round.curl.per_second, round.rocksdb.per_second, round.ingest.per_second,
      round.ingest.per_second / round.rocksdb.per_second, round.batch, round.grpc.per_second);
  std::printf("  CPU us: hookd %.1f; libcurl %.1f + RocksDB %.1f + gRPC %.1f = %.1f; ratio %.2f\n",
              round.end_to_end.cpu_us_each, round.curl.cpu_us_each, round.rocksdb.cpu_us_each,
              round.grpc.cpu_us_each, BareCpu(round), round.end_to_end.cpu_us_each / BareCpu(round));
  std::fflush(stdout);
}

void WarnIfDoubtful(const std::vector<Round>& rounds) {
  if (rounds.size() < kMinRounds) {
    std::printf("WARNING: fewer than %zu rounds: do not rely on the ratios\n", kMinRounds);
  }
  for (const auto& [name, pick] :
       {std::pair("bare libcurl", &Round::curl), std::pair("bare RocksDB", &Round::rocksdb),
        std::pair("bare gRPC", &Round::grpc)}) {
    std::vector<double> rates;
    for (const Round& round : rounds) rates.push_back((round.*pick).per_second);
    WarnIfUnsteady(name, rates);
  }
}

std::vector<Figure> Figures(const std::vector<Round>& rounds) {
  const auto rate = [&](const std::string& name, Rate Round::*pick) {
    return MakeFigure(name, kPerSecond,
                      MedianOf(rounds, [&](const Round& round) { return (round.*pick).per_second; }),
                      MedianOf(rounds, [&](const Round& round) { return (round.*pick).cpu_us_each; }));
  };
  const auto ratio = [&](Rate Round::*of, Rate Round::*to) {
    return MedianOf(rounds,
                    [&](const Round& round) { return (round.*of).per_second / (round.*to).per_second; });
  };
  const auto against = [](Figure figure, double reached, const char* of, double goal) {
    return WithGoal(WithRatio(std::move(figure), reached, of), GoalKind::kAtLeast, goal);
  };
  const double cpu = MedianOf(rounds, [](const Round& round) { return round.end_to_end.cpu_us_each; });
  const double cpu_ratio =
      MedianOf(rounds, [](const Round& round) { return round.end_to_end.cpu_us_each / BareCpu(round); });
  return {
      rate("bare libcurl multi loop", &Round::curl),
      against(rate("hookd, end to end", &Round::end_to_end), ratio(&Round::end_to_end, &Round::curl),
              "bare libcurl", kEndToEndGoal),
      against(rate("hookd, end to end in one burst", &Round::burst), ratio(&Round::burst, &Round::curl),
              "bare libcurl", kEndToEndGoal),
      rate("bare RocksDB loop", &Round::rocksdb),
      against(rate("hookd, ingest alone", &Round::ingest), ratio(&Round::ingest, &Round::rocksdb),
              "bare RocksDB", kIngestGoal),
      rate("bare gRPC loop (CPU: the server's)", &Round::grpc),
      MakeFigure("CPU of libcurl + RocksDB + gRPC", kMicroseconds, MedianOf(rounds, BareCpu)),
      WithGoal(WithRatio(MakeFigure("hookd, CPU per delivery", kMicroseconds, cpu), cpu_ratio,
                         "libcurl + RocksDB + gRPC"),
               GoalKind::kAtMost, kCpuGoal),
  };
}

}  // namespace

std::vector<Figure> BenchThroughput(const Settings& settings) {
  const auto nginx = testing::NginxFixture::Start(kBenchReceiver);
  HOOKD_CHECK(nginx.ok(), nginx.status().ToString().c_str());
  const std::string url = (*nginx)->Url("/hook");
  const size_t events = settings.events;
  CurlLoop(url, events / 10, kInFlight, kBenchPayloadBytes);
  std::vector<Round> rounds;
  for (size_t i = 0; i < settings.rounds; ++i) {
    Round round;
    round.curl = CurlLoop(url, events, kInFlight, kBenchPayloadBytes);
    round.end_to_end = EndToEnd({settings.binary, url, ""}, events, kBenchMaxPending);
    round.burst = EndToEnd({settings.binary, url, ""}, events, 0);
    round.ingest = Ingest(settings.binary, url, events, round.batch);
    round.rocksdb = BareRocksDb(events, round.batch);
    round.grpc = GrpcLoop(settings.self, events, kBenchPayloadBytes);
    Print(i + 1, round);
    rounds.push_back(round);
  }
  WarnIfDoubtful(rounds);
  return Figures(rounds);
}

}  // namespace hookd::bench
