// From publish to the receiver's answer, as fast as it goes: 64 endpoints of one subscriber.
#pragma once

#include <cstddef>
#include <string>

#include "tests/bench/ceilings.h"
#include "tests/bench/load.h"

namespace hookd::bench {

class HookdProcess;

inline constexpr size_t kBenchPayloadBytes = 1024;
inline constexpr size_t kBenchMaxPending = 8192;  // of a steady run: 128 per endpoint
inline constexpr char kBenchSubscriber[] = "bench";
// For NginxFixture: answers everything with 204.
inline constexpr char kBenchReceiver[] = R"(
  access_log off;
  server {
    listen 127.0.0.1:@PORT@ backlog=4096;
    keepalive_requests 100000000;
    location / { return 204; }
  })";

struct Way {
  std::string binary;    // path of hookd
  std::string url;       // of every endpoint
  std::string settings;  // HookdProcess's
};

Load BenchLoad();
void RegisterBench(HookdProcess& hookd, const std::string& url);

// `max_pending` 0 = all events are published in one burst. Ends the process unless every event was delivered
// at its first attempt.
Rate EndToEnd(const Way& way, size_t events, size_t max_pending);

}  // namespace hookd::bench
