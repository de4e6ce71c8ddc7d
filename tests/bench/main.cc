// End to end and ingest, as ratios to what libcurl and RocksDB reach by themselves in the same run.
// hookd_bench --hookd PATH [--events N] [--rounds N] [--json FILE]
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <curl/curl.h>

#include "base/check.h"
#include "base/concat.h"
#include "tests/bench/ceilings.h"
#include "tests/bench/hookd_process.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::bench {
namespace {

constexpr size_t kEndpoints = 64;
constexpr size_t kInFlight = 64;
constexpr size_t kPayloadBytes = 1024;
constexpr size_t kPerMessage = 64;
constexpr size_t kMaxPending = 8192;  // of the steady run: 128 per endpoint
constexpr char kNginx[] = R"(
  access_log off;
  server {
    listen 127.0.0.1:@PORT@ backlog=4096;
    keepalive_requests 100000000;
    location / { return 204; }
  })";

struct Round {
  Rate curl;
  Rate end_to_end;  // publishing keeps pace with the deliveries
  Rate burst;       // everything is published as fast as it is accepted, and drained
  Rate ingest;
  double batch = 0;  // events per commit while ingesting
  Rate rocksdb;
};

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Rate EndToEnd(const std::string& binary, const std::string& url, size_t events, size_t max_pending) {
  const testing::TempDir dir;
  HookdProcess hookd(binary, dir.path());
  hookd.CreateSubscriber("bench");
  hookd.CreateEndpoints("bench", url, kEndpoints);
  hookd.Publish("bench", events / 10, kPerMessage, kEndpoints, kPayloadBytes,
                0);  // connections are open after this
  hookd.WaitUntilDelivered();
  const uint64_t before = hookd.Status().deliveries_succeeded();
  const double cpu = hookd.CpuSeconds();
  const double start = Now();
  hookd.Publish("bench", events, kPerMessage, kEndpoints, kPayloadBytes, max_pending);
  hookd.WaitUntilDelivered();
  const double took = Now() - start;
  const v1::ServerStatus status = hookd.Status();
  HOOKD_CHECK(status.deliveries_succeeded() - before == events && status.attempts_failed() == 0,
              "every event was delivered at the first attempt");
  return {static_cast<double>(events) / took, (hookd.CpuSeconds() - cpu) / static_cast<double>(events) * 1e6};
}

// Endpoints are paused: what is measured is acceptance alone.
Rate Ingest(const std::string& binary, const std::string& url, size_t events, double& batch) {
  const testing::TempDir dir;
  HookdProcess hookd(binary, dir.path());
  hookd.CreateSubscriber("bench");
  for (const std::string& id : hookd.CreateEndpoints("bench", url, kEndpoints)) hookd.Pause(id);
  hookd.Publish("bench", events / 10, kPerMessage, kEndpoints, kPayloadBytes, 0);
  const HookdProcess::Commits before = hookd.CommitTotals();
  const double cpu = hookd.CpuSeconds();
  const double took = hookd.Publish("bench", events, kPerMessage, kEndpoints, kPayloadBytes, 0);
  const double used = hookd.CpuSeconds() - cpu;
  const HookdProcess::Commits after = hookd.CommitTotals();
  batch = (after.items - before.items) / (after.count - before.count);
  return {static_cast<double>(events) / took, used / static_cast<double>(events) * 1e6};
}

Rate BareRocksDb(size_t messages, double batch) {
  const testing::TempDir dir;
  return RocksDbLoop(dir.path() / "db", messages, std::max<size_t>(1, static_cast<size_t>(batch + 0.5)),
                     kPayloadBytes);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Row {
  std::string name;
  double per_second;
  double cpu_us;
  std::string of;
  double ratio;
  double goal;
};

void PrintTable(const std::vector<Row>& rows) {
  std::printf("\n%-34s %12s %14s %8s %8s\n", "median of the rounds", "per second", "CPU us each", "ratio",
              "goal");
  for (const Row& row : rows) {
    std::printf("%-34s %12.0f %14.1f", row.name.c_str(), row.per_second, row.cpu_us);
    if (row.goal > 0) {
      std::printf(" %8.2f %8.2f %s of %s", row.ratio, row.goal, row.ratio >= row.goal ? "met   " : "MISSED",
                  row.of.c_str());
    }
    std::printf("\n");
  }
}

struct About {
  std::string machine;
  std::string date;
  std::string commit;
};

void WriteJson(const std::string& path, const About& about, const std::vector<Row>& rows, size_t events,
               size_t rounds) {
  std::ofstream out(path);
  out << "{\"machine\": \"" << about.machine << "\", \"date\": \"" << about.date << "\", \"commit\": \""
      << about.commit << "\", \"events\": " << events << ", \"rounds\": " << rounds
      << ", \"payload_bytes\": " << kPayloadBytes << ", \"endpoints\": " << kEndpoints << ", \"results\": [";
  for (size_t i = 0; i < rows.size(); ++i) {
    out << (i > 0 ? ", " : "") << "{\"name\": \"" << rows[i].name
        << "\", \"per_second\": " << rows[i].per_second << ", \"cpu_us_each\": " << rows[i].cpu_us;
    if (rows[i].goal > 0) out << ", \"ratio\": " << rows[i].ratio << ", \"goal\": " << rows[i].goal;
    out << "}";
  }
  out << "]}\n";
}

int Run(const std::string& binary, size_t events, size_t rounds, const std::string& json,
        const About& about) {
  absl::StatusOr<std::unique_ptr<testing::NginxFixture>> nginx = testing::NginxFixture::Start(kNginx);
  if (!nginx.ok()) {
    std::fprintf(stderr, "nginx: %s\n", nginx.status().ToString().c_str());
    return 1;
  }
  const std::string url = (*nginx)->Url("/hook");
  CurlLoop(url, events / 10, kInFlight, kPayloadBytes);
  std::vector<Round> all;
  for (size_t i = 0; i < rounds; ++i) {
    Round round;
    round.curl = CurlLoop(url, events, kInFlight, kPayloadBytes);
    round.end_to_end = EndToEnd(binary, url, events, kMaxPending);
    round.burst = EndToEnd(binary, url, events, 0);
    round.ingest = Ingest(binary, url, events, round.batch);
    round.rocksdb = BareRocksDb(events, round.batch);
    std::printf(
        "round %zu: libcurl %.0f/s, end to end %.0f/s (%.2f), in one burst %.0f/s (%.2f), RocksDB %.0f/s, "
        "ingest %.0f/s (%.2f), %.0f per commit\n",
        i + 1, round.curl.per_second, round.end_to_end.per_second,
        round.end_to_end.per_second / round.curl.per_second, round.burst.per_second,
        round.burst.per_second / round.curl.per_second, round.rocksdb.per_second, round.ingest.per_second,
        round.ingest.per_second / round.rocksdb.per_second, round.batch);
    std::fflush(stdout);
    all.push_back(round);
  }
  const auto median = [&](auto&& pick) {
    std::vector<double> values;
    for (const Round& round : all) values.push_back(pick(round));
    return Median(values);
  };
  const auto row = [&](const std::string& name, Rate Round::*rate) {
    return Row{name,
               median([&](const Round& round) { return (round.*rate).per_second; }),
               median([&](const Round& round) { return (round.*rate).cpu_us_each; }),
               "",
               0,
               0};
  };
  std::vector<Row> rows = {
      row("bare libcurl multi loop", &Round::curl), row("hookd, end to end", &Round::end_to_end),
      row("hookd, end to end in one burst", &Round::burst), row("bare RocksDB loop", &Round::rocksdb),
      row("hookd, ingest alone", &Round::ingest)};
  rows[1].of = rows[0].name;
  rows[1].goal = 0.4;
  rows[1].ratio =
      median([](const Round& round) { return round.end_to_end.per_second / round.curl.per_second; });
  rows[2].of = rows[0].name;
  rows[2].goal = 0.4;
  rows[2].ratio = median([](const Round& round) { return round.burst.per_second / round.curl.per_second; });
  rows[4].of = rows[3].name;
  rows[4].goal = 0.5;
  rows[4].ratio =
      median([](const Round& round) { return round.ingest.per_second / round.rocksdb.per_second; });
  PrintTable(rows);
  if (!json.empty()) WriteJson(json, about, rows, events, rounds);
  return 0;
}

}  // namespace
}  // namespace hookd::bench

int main(int argc, char** argv) {
  CLI::App app("hookd against what libcurl and RocksDB reach by themselves");
  std::string binary;
  std::string json;
  size_t events = 40'000;
  size_t rounds = 3;
  app.add_option("--hookd", binary, "the hookd to measure")->required();
  app.add_option("--events", events, "events per measurement")->check(CLI::Range(640, 10'000'000));
  app.add_option("--rounds", rounds, "rounds; figures are their medians")->check(CLI::Range(1, 99));
  app.add_option("--json", json, "where to write the figures for machines");
  hookd::bench::About about;
  app.add_option("--machine", about.machine, "for the JSON file");
  app.add_option("--date", about.date, "for the JSON file");
  app.add_option("--commit", about.commit, "for the JSON file");
  CLI11_PARSE(app, argc, argv);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  return hookd::bench::Run(binary, events, rounds, json, about);
}
