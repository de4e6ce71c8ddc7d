// Measures hookd from outside. hookd_bench --hookd PATH [--only
// throughput,latency,size,isolation,in-flight,lists,safety] [sizes] [--json FILE]
#include <sys/resource.h>

#include <cstdio>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <curl/curl.h>

#include "base/check.h"
#include "base/concat.h"
#include "tests/bench/benches.h"
#include "tests/bench/grpc_loop.h"
#include "tests/bench/report.h"

namespace hookd::bench {
namespace {

using Bench = std::vector<Figure> (*)(const Settings&);
constexpr std::pair<const char*, Bench> kBenches[] = {
    {"throughput", &BenchThroughput}, {"latency", &BenchLatency},    {"size", &BenchSize},
    {"isolation", &BenchIsolation},   {"in-flight", &BenchInFlight}, {"lists", &BenchLists},
    {"safety", &BenchSafety}};

// The receivers of a thousand dead endpoints each listen for themselves.
void RaiseDescriptorLimit() {
  rlimit limit{};
  HOOKD_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "the limit can be read");
  limit.rlim_cur = limit.rlim_max;
  HOOKD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "the soft limit can be raised to the hard one");
}

std::string Describe(const Settings& settings) {
  return Concat("\"events\": ", settings.events, ", \"rounds\": ", settings.rounds,
                ", \"per_second\": ", settings.per_second,
                ", \"seconds\": ", std::to_string(settings.seconds), ", \"endpoints\": ", settings.endpoints,
                ", \"active\": ", settings.active, ", \"pending\": ", settings.pending,
                ", \"size_rounds\": ", settings.size_rounds,
                ", \"isolation_rounds\": ", settings.isolation_rounds, ", \"mixed\": ", settings.mixed,
                ", \"dead\": ", settings.dead, ", \"wide\": ", settings.wide,
                ", \"backlog\": ", settings.backlog, ", \"history\": ", settings.history);
}

int Run(const Settings& settings, const std::set<std::string>& only, const std::string& json, About about) {
  std::vector<Figure> figures;
  for (const auto& [name, bench] : kBenches) {
    if (!only.empty() && only.count(name) == 0) continue;
    for (Figure& figure : bench(settings)) figures.push_back(std::move(figure));
  }
  PrintTable(figures);
  about.settings = Describe(settings);
  if (!json.empty()) WriteJson(json, about, figures);
  return 0;
}

}  // namespace
}  // namespace hookd::bench

int main(int argc, char** argv) {
  using hookd::bench::Settings;
  if (argc == 2 && std::string(argv[1]) == hookd::bench::kGrpcServerFlag)
    return hookd::bench::RunGrpcServer();
  CLI::App app("hookd against the bare libraries, at size, and beside bad neighbours");
  Settings settings;
  settings.self = "/proc/self/exe";
  std::vector<std::string> only;
  std::string json;
  hookd::bench::About about;
  app.add_option("--hookd", settings.binary, "the hookd to measure")->required();
  app.add_option("--unguarded", settings.unguarded,
                 "safety: hookd without guard and signature; default HOOKD_unguarded");
  app.add_option("--only", only,
                 "of throughput, latency, size, isolation, in-flight, lists and safety; default all")
      ->delimiter(',')
      ->check(CLI::IsMember({"throughput", "latency", "size", "isolation", "in-flight", "lists", "safety"}));
  app.add_option("--rounds", settings.rounds, "of throughput and latency; figures are their medians")
      ->check(CLI::Range(1, 99));
  app.add_option("--events", settings.events, "throughput: events per measurement")
      ->check(CLI::Range(640, 10'000'000));
  app.add_option("--per-second", settings.per_second, "latency and isolation: events per second")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--seconds", settings.seconds, "latency and isolation: for so long")
      ->check(CLI::Range(1.0, 600.0));
  app.add_option("--endpoints", settings.endpoints, "size: endpoints registered")
      ->check(CLI::Range(10, 10'000'000));
  app.add_option("--active", settings.active, "size: of them, those that have deliveries; in whole tens")
      ->check(CLI::Range(10, 1'000'000));
  app.add_option("--pending", settings.pending, "size: deliveries pending")
      ->check(CLI::Range(1000, 100'000'000));
  app.add_option("--size-rounds", settings.size_rounds, "size: alternating measurements")
      ->check(CLI::Range(1, 99));
  app.add_option("--isolation-rounds", settings.isolation_rounds, "isolation: alternating runs")
      ->check(CLI::Range(1, 99));
  app.add_option("--mixed", settings.mixed,
                 "isolation: endpoints, a tenth of them black holes; in whole hundreds")
      ->check(CLI::Range(100, 9000));
  app.add_option("--dead", settings.dead, "isolation: dead endpoints beside a healthy one")
      ->check(CLI::Range(1, 9000));
  app.add_option("--wide", settings.wide, "isolation: endpoints of the flooded subscriber")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--backlog", settings.backlog,
                 "isolation: pending deliveries of one endpoint beside a healthy one")
      ->check(CLI::Range(1000, 100'000'000));
  app.add_option("--in-flight", settings.in_flight, "in-flight: attempts at receivers that answer late")
      ->check(CLI::Range(100, 16'000));
  app.add_option("--history", settings.history, "lists: deliveries that have ended")
      ->check(CLI::Range(10'000, 100'000'000));
  app.add_option("--list-seconds", settings.list_seconds, "lists: asks for so long")
      ->check(CLI::Range(1.0, 600.0));
  app.add_option("--json", json, "where to write the figures for machines; the last one given counts")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--machine", about.machine, "for the JSON file");
  app.add_option("--date", about.date, "for the JSON file");
  app.add_option("--commit", about.commit, "for the JSON file");
  CLI11_PARSE(app, argc, argv);
  if (settings.unguarded.empty()) settings.unguarded = settings.binary + "_unguarded";
  curl_global_init(CURL_GLOBAL_DEFAULT);
  hookd::bench::RaiseDescriptorLimit();
  return hookd::bench::Run(settings, {only.begin(), only.end()}, json, std::move(about));
}
