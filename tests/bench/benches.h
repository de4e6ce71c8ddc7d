// The benchmarks, one topic each. Every one starts its own hookd on fresh data and returns its figures.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/bench/report.h"

namespace hookd::bench {

// How large a run is; docs/benchmarks.md says what each stands for.
struct Settings {
  std::string self;       // path of this program
  std::string binary;     // path of hookd
  std::string unguarded;  // path of hookd_unguarded
  size_t rounds = 3;
  size_t events = 40'000;  // per measurement of throughput

  size_t per_second = 1000;  // of the paced load, whose latency is measured
  double seconds = 4;

  size_t size_rounds = 5;
  size_t endpoints = 10'000;
  size_t active = 1000;
  size_t pending = 200'000;

  size_t isolation_rounds = 5;
  size_t mixed = 500;  // endpoints, a tenth of them black holes
  size_t dead = 1000;
  size_t wide = 5000;        // endpoints of the subscriber that is flooded
  size_t backlog = 100'000;  // of one endpoint beside a healthy one

  size_t in_flight = 2000;  // attempts at receivers that answer late

  size_t history = 200'000;  // deliveries that have ended
  double list_seconds = 20;  // of asking, beside the paced load
};

// Events per second and CPU, beside the bare libraries.
std::vector<Figure> BenchThroughput(const Settings& settings);
// From publish to receiver at a steady pace.
std::vector<Figure> BenchLatency(const Settings& settings);
// Many endpoints registered, few active, many deliveries pending; beside the active ones alone.
std::vector<Figure> BenchSize(const Settings& settings);
// Healthy endpoints beside bad neighbours, and without them.
std::vector<Figure> BenchIsolation(const Settings& settings);
// Receivers that answer late, all in flight at once.
std::vector<Figure> BenchInFlight(const Settings& settings);
// Pages of lists and details out of a long history, while others are delivered.
std::vector<Figure> BenchLists(const Settings& settings);

// What the address guard, signatures and TLS cost.
std::vector<Figure> BenchSafety(const Settings& settings);

}  // namespace hookd::bench
