// What safety costs: the address guard with signatures, TLS to receivers, and payloads sealed at rest, as
// ratios to the same run without.
#include <stdlib.h>

#include <cstdio>
#include <string>

#include "base/check.h"
#include "base/concat.h"
#include "tests/bench/benches.h"
#include "tests/bench/end_to_end.h"
#include "tests/bench/stats.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::bench {
namespace {

constexpr double kGuardGoal = 0.8;
constexpr char kKeyName[] = "HOOKD_BENCH_KEY";
constexpr char kKey[] = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b";
// The guard would refuse every attempt: that all are delivered shows that there is none.
constexpr char kNothingAllowed[] = "egress:\n  deny_addresses: [\"0.0.0.0/0\", \"::/0\"]\n";
// A request with a signature fails here.
constexpr char kUnsignedReceiver[] = R"(
  access_log off;
  server {
    listen 127.0.0.1:@PORT@ backlog=4096;
    keepalive_requests 100000000;
    location / {
      if ($http_webhook_signature) { return 500; }
      return 204;
    }
  })";

struct Round {
  Rate bare;
  Rate safe;
  Rate tls;
  Rate sealed;
};

std::string TlsReceiver(const testing::TestCa& ca) {
  return Concat(R"(
  access_log off;
  server {
    listen 127.0.0.1:@PORT@ ssl backlog=4096;
    keepalive_requests 100000000;
    ssl_certificate )",
                ca.certificate("receiver"), ";\n    ssl_certificate_key ", ca.key("receiver"),
                ";\n    location / { return 204; }\n  }");
}

double RatioOf(const std::vector<Round>& rounds, Rate Round::*of, Rate Round::*to) {
  return MedianOf(rounds,
                  [&](const Round& round) { return (round.*of).per_second / (round.*to).per_second; });
}

}  // namespace

std::vector<Figure> BenchSafety(const Settings& settings) {
  const testing::TestCa ca;
  HOOKD_CHECK(ca.ok() && ca.Issue("receiver", "IP:127.0.0.1", 30), "certificates can be made");
  const auto plain = testing::NginxFixture::Start(kBenchReceiver);
  const auto unsigned_only = testing::NginxFixture::Start(kUnsignedReceiver);
  const auto tls = testing::NginxFixture::Start(TlsReceiver(ca));
  for (const auto* nginx : {&plain, &unsigned_only, &tls}) {
    HOOKD_CHECK(nginx->ok(), nginx->status().ToString().c_str());
  }
  const Way bare{settings.unguarded, (*unsigned_only)->Url("/hook"), kNothingAllowed};
  const Way safe{settings.binary, (*plain)->Url("/hook"), ""};
  const Way encrypted{settings.binary, (*tls)->Url("/hook", "https"),
                      Concat("transport:\n  ca_file: ", ca.ca_file(), "\n")};
  HOOKD_CHECK(setenv(kKeyName, kKey, 1) == 0, "hookd's environment is this one's");
  const Way sealed{settings.binary, (*plain)->Url("/hook"),
                   Concat("secrets:\n  key_env: ", kKeyName, "\n  seal_payloads: true\n")};
  std::vector<Round> rounds;
  for (size_t i = 0; i < settings.rounds; ++i) {
    Round round;
    // Which comes first alternates, as a machine slows down and speeds up.
    if (i % 2 == 0) round.bare = EndToEnd(bare, settings.events, kBenchMaxPending);
    round.safe = EndToEnd(safe, settings.events, kBenchMaxPending);
    if (i % 2 == 1) round.bare = EndToEnd(bare, settings.events, kBenchMaxPending);
    round.sealed = EndToEnd(sealed, settings.events, kBenchMaxPending);
    round.tls = EndToEnd(encrypted, settings.events, kBenchMaxPending);
    std::printf(
        "round %zu: without guard and signature %.0f/s, with %.0f/s (%.2f), and TLS %.0f/s (%.2f), and "
        "sealed "
        "payloads %.0f/s (%.2f)\n",
        i + 1, round.bare.per_second, round.safe.per_second, round.safe.per_second / round.bare.per_second,
        round.tls.per_second, round.tls.per_second / round.safe.per_second, round.sealed.per_second,
        round.sealed.per_second / round.safe.per_second);
    std::fflush(stdout);
    rounds.push_back(round);
  }
  const auto rate = [&](const std::string& name, Rate Round::*pick) {
    return MakeFigure(name, kPerSecond,
                      MedianOf(rounds, [&](const Round& round) { return (round.*pick).per_second; }),
                      MedianOf(rounds, [&](const Round& round) { return (round.*pick).cpu_us_each; }));
  };
  return {rate("hookd without guard and signature", &Round::bare),
          WithGoal(WithRatio(rate("hookd, guard and signature", &Round::safe),
                             RatioOf(rounds, &Round::safe, &Round::bare), "the same without"),
                   GoalKind::kAtLeast, kGuardGoal),
          WithRatio(rate("hookd, TLS to receivers", &Round::tls), RatioOf(rounds, &Round::tls, &Round::safe),
                    "the same without TLS"),
          WithRatio(rate("hookd, payloads sealed", &Round::sealed),
                    RatioOf(rounds, &Round::sealed, &Round::safe), "the same in clear")};
}

}  // namespace hookd::bench
