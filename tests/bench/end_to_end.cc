#include "tests/bench/end_to_end.h"

#include "base/check.h"
#include "tests/bench/hookd_process.h"
#include "tests/bench/stats.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::bench {
namespace {

constexpr size_t kEndpoints = 64;

}  // namespace

Load BenchLoad() {
  Load load;
  load.subscribers = {kBenchSubscriber};
  load.channels = kEndpoints;
  load.payload_bytes = kBenchPayloadBytes;
  return load;
}

void RegisterBench(HookdProcess& hookd, const std::string& url) {
  hookd.CreateSubscriber(kBenchSubscriber);
  EndpointSet set;
  set.subscriber = kBenchSubscriber;
  set.count = kEndpoints;
  set.url = [&](size_t) { return url; };
  hookd.CreateEndpoints({set});
}

Rate EndToEnd(const Way& way, size_t events, size_t max_pending) {
  const testing::TempDir dir;
  HookdProcess hookd(way.binary, dir.path(), way.settings);
  RegisterBench(hookd, way.url);
  const Load load = BenchLoad();
  Publish(hookd.channel(), load, events / 10);  // connections are open after this
  hookd.WaitUntilDelivered();
  const uint64_t before = hookd.Status().deliveries_succeeded();
  const auto pace = max_pending > 0 ? KeepPace(hookd, max_pending) : nullptr;
  const double cpu = hookd.CpuSeconds();
  const double start = NowSeconds();
  Publish(hookd.channel(), load, events, pace);
  hookd.WaitUntilDelivered();
  const double took = NowSeconds() - start;
  const double used = hookd.CpuSeconds() - cpu;
  const v1::ServerStatus status = hookd.Status();
  HOOKD_CHECK(status.deliveries_succeeded() - before == events && status.attempts_failed() == 0,
              "every event was delivered at the first attempt");
  return {static_cast<double>(events) / took, used / static_cast<double>(events) * 1e6};
}

}  // namespace hookd::bench
