// Many endpoints registered, few of them active, many deliveries pending: memory, restart and throughput,
// beside a hookd that has the active ones alone and nothing pending (the empty system).
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include <grpcpp/client_context.h>

#include "base/check.h"
#include "base/concat.h"
#include "hookd/v1/delivery_service.grpc.pb.h"
#include "tests/bench/benches.h"
#include "tests/bench/hookd_process.h"
#include "tests/bench/load.h"
#include "tests/bench/sink.h"
#include "tests/bench/stats.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::bench {
namespace {

constexpr size_t kActiveSubscribers = 10;
constexpr size_t kIdlePerSubscriber = 100;
constexpr size_t kLiveEndpoints = 64;
constexpr size_t kHosts = 64;  // so that no bound per host is what is measured
constexpr size_t kMaxPending = 8192;
constexpr size_t kRestarts = 3;
constexpr double kDrainShare =
    0.6;  // of what the restarts left; each measurement delivers some more than asked
constexpr size_t kMinIdle = 50'000;  // below, noise of a MiB or two is all that memory per endpoint shows
constexpr double kPollSeconds = 0.001;
constexpr double kRestartLimitSeconds = 300;
constexpr double kSettleSeconds = 0.2;  // requests on their way to the receiver when hookd was killed
constexpr double kRatioGoal = 0.9;
constexpr size_t kListCalls = 500;
constexpr char kLive[] = "live";

// A hookd with `settings.active` endpoints that have deliveries, and `idle` that have none.
class System {
 public:
  System(const Settings& settings, size_t idle)
      : settings_(settings), sink_(kHosts, Sink::Manner::kAnswers), hookd_(settings.binary, dir_.path()) {
    for (size_t i = 0; i < kActiveSubscribers; ++i) active_.push_back(Concat("active-", i));
    started_mib = hookd_.ResidentMebibytes();
    Register(idle);
    registered_mib = hookd_.ResidentMebibytes();
    EndToEnd(settings.events / 10);  // connections are open after this
  }

  // Through endpoints of their own, whatever else is pending. Per second.
  double EndToEnd(size_t events) {
    Load load;
    load.subscribers = {kLive};
    load.channels = kLiveEndpoints;
    const uint64_t before = hookd_.Status().deliveries_succeeded();
    const double start = NowSeconds();
    Publish(hookd_.channel(), load, events, KeepPace(hookd_, kMaxPending));
    AwaitSucceeded(before + events);
    return static_cast<double>(events) / (NowSeconds() - start);
  }

  uint64_t Pending() const { return hookd_.Status().pending_deliveries(); }

  // Leaves the active ones paused, with settings.pending deliveries.
  void FillBacklog() {
    Load load;
    load.subscribers = active_;
    load.channels = settings_.active / kActiveSubscribers;
    SetPaused(true);
    const double disk_before = DiskBytes();
    const double written_before = hookd_.WrittenMebibytes();
    Publish(hookd_.channel(), load, settings_.pending);
    pending_mib = hookd_.ResidentMebibytes();
    const auto pending = static_cast<double>(settings_.pending);
    disk_each = (DiskBytes() - disk_before) / pending;
    const double payload_mib = pending * static_cast<double>(load.payload_bytes) / (1 << 20);
    write_amplification = (hookd_.WrittenMebibytes() - written_before) / payload_mib;
  }

  // From publish to receiver at a steady pace, through endpoints of their own.
  Latency PacedLatency() {
    Load load;
    load.subscribers = {kLive};
    load.channels = kLiveEndpoints;
    return MeasureLatency(hookd_, sink_, load, settings_.per_second, settings_.seconds);
  }

  // A page of 100 of what is pending, of each active subscriber in turn. In ms.
  std::vector<double> Lists(size_t count) {
    const auto stub = v1::DeliveryService::NewStub(hookd_.channel());
    std::vector<double> taken;
    for (size_t i = 0; i < count; ++i) {
      v1::ListDeliveriesRequest request;
      request.set_subscriber_id(active_[i % active_.size()]);
      request.set_state(v1::DELIVERY_STATE_PENDING);
      v1::ListDeliveriesResponse page;
      grpc::ClientContext context;
      const double start = NowSeconds();
      const grpc::Status status = stub->ListDeliveries(&context, request, &page);
      HOOKD_CHECK(status.ok() && page.deliveries_size() > 0, "what is pending is listed");
      taken.push_back((NowSeconds() - start) * 1e3);
    }
    return taken;
  }

  // Killed in the middle of its deliveries, several times. Leaves the active ones paused.
  void Restart() {
    std::vector<double> ready;
    std::vector<double> first;
    for (size_t i = 0; i < kRestarts; ++i) {
      sink_.Forget();
      SetPaused(false);
      AwaitArrival();
      hookd_.Kill();
      SleepSeconds(kSettleSeconds);
      sink_.Forget();
      const double start = NowSeconds();
      hookd_.Start();
      ready.push_back(NowSeconds() - start);
      AwaitArrival();
      first.push_back(sink_.FirstArrival() - start);
      Pause();
    }
    ready_seconds = Median(ready);
    first_seconds = Median(first);
    restarted_mib = hookd_.ResidentMebibytes();
  }

  // Delivers at least `count` of the backlog. Per second.
  double Drain(size_t count) {
    HOOKD_CHECK(Pending() > count, "enough is left: set --pending higher");
    const uint64_t before = hookd_.Status().deliveries_succeeded();
    const double start = NowSeconds();
    SetPaused(false);
    const uint64_t after = AwaitSucceeded(before + count);
    const double took = NowSeconds() - start;
    Pause();
    return static_cast<double>(after - before) / took;
  }

  double register_seconds = 0;
  double started_mib = 0;     // nothing registered
  double registered_mib = 0;  // and nothing pending
  double pending_mib = 0;
  double disk_each = 0;            // of each that is pending, in bytes
  double write_amplification = 0;  // while they were published: written to the disk, of the payloads' size
  double restarted_mib = 0;        // the same after a restart
  double ready_seconds = 0;        // from the start of the process
  double first_seconds = 0;        // from there until the first delivery reached its receiver

 private:
  // Of the data folder, with its log and its ballast.
  double DiskBytes() const {
    double bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
      std::error_code gone;  // a file that a compaction has done with
      const auto size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
      if (!gone) bytes += static_cast<double>(size);
    }
    return bytes;
  }

  void Register(size_t idle) {
    std::vector<EndpointSet> sets;
    const auto add = [&](const std::string& subscriber, size_t count) {
      hookd_.CreateSubscriber(subscriber);
      EndpointSet set;
      set.subscriber = subscriber;
      set.count = count;
      set.url = [this](size_t i) { return sink_.Url(i); };
      sets.push_back(set);
    };
    add(kLive, kLiveEndpoints);
    for (const std::string& id : active_) add(id, settings_.active / kActiveSubscribers);
    for (size_t i = 0; i * kIdlePerSubscriber < idle; ++i) {
      add(Concat("idle-", i), std::min(kIdlePerSubscriber, idle - i * kIdlePerSubscriber));
    }
    const double start = NowSeconds();
    hookd_.CreateEndpoints(sets);
    register_seconds = NowSeconds() - start;
  }

  void SetPaused(bool paused) {
    for (const std::string& id : active_) {
      if (paused) {
        hookd_.PauseSubscriber(id);
      } else {
        hookd_.ResumeSubscriber(id);
      }
    }
  }

  void Pause() {
    SetPaused(true);
    while (hookd_.Status().attempts_in_flight() > 0) SleepSeconds(kPollSeconds);
  }

  uint64_t AwaitSucceeded(uint64_t count) const {
    uint64_t succeeded = hookd_.Status().deliveries_succeeded();
    for (; succeeded < count; succeeded = hookd_.Status().deliveries_succeeded()) SleepSeconds(kPollSeconds);
    return succeeded;
  }

  void AwaitArrival() const {
    const double give_up = NowSeconds() + kRestartLimitSeconds;
    while (sink_.FirstArrival() == 0) {
      HOOKD_CHECK(NowSeconds() < give_up, "a delivery arrives");
      SleepSeconds(kPollSeconds);
    }
  }

  const Settings& settings_;
  const testing::TempDir dir_;
  Sink sink_;
  HookdProcess hookd_;
  std::vector<std::string> active_;
};

// The same of both, in turns: what the machine does meanwhile meets both alike. A pair before them does not
// count: it pays for the flushes and compactions of what came before.
struct Pairs {
  std::vector<double> empty;
  std::vector<double> full;
  std::vector<double> ratios;
};

template <typename Once>
Pairs Alternate(const char* what, size_t rounds, System& empty, System& full, const Once& once) {
  Pairs pairs;
  once(empty);
  once(full);
  for (size_t i = 0; i < rounds; ++i) {
    const bool empty_first = i % 2 == 0;
    const double first = once(empty_first ? empty : full);
    const double second = once(empty_first ? full : empty);
    pairs.empty.push_back(empty_first ? first : second);
    pairs.full.push_back(empty_first ? second : first);
    pairs.ratios.push_back(pairs.full.back() / pairs.empty.back());
    std::printf("size, %s, %zu: empty system %.0f/s, at size %.0f/s (%.2f)\n", what, i + 1,
                pairs.empty.back(), pairs.full.back(), pairs.ratios.back());
    std::fflush(stdout);
  }
  WarnIfUnsteady(Concat("size, ", what, ", the ratios of the pairs"), pairs.ratios);
  return pairs;
}

Figure AtSize(const std::string& name, const Pairs& pairs) {
  return WithGoal(
      WithRatio(MakeFigure(name, kPerSecond, Median(pairs.full)), Median(pairs.ratios), "the empty system"),
      GoalKind::kAtLeast, kRatioGoal);
}

}  // namespace

std::vector<Figure> BenchSize(const Settings& settings) {
  HOOKD_CHECK(settings.endpoints > settings.active, "some of the endpoints are idle");
  const size_t idle = settings.endpoints - settings.active;
  System empty(settings, 0);
  System full(settings, idle);
  full.FillBacklog();
  const Latency paced = full.PacedLatency();
  const std::vector<double> lists = full.Lists(kListCalls);
  const Pairs live = Alternate("end to end", settings.size_rounds, empty, full,
                               [&](System& system) { return system.EndToEnd(settings.events); });
  empty.FillBacklog();
  empty.Restart();
  full.Restart();
  const auto left = static_cast<double>(std::min(empty.Pending(), full.Pending()));
  const auto slice = static_cast<size_t>(kDrainShare * left / static_cast<double>(settings.size_rounds + 1));
  const Pairs drain = Alternate("draining", settings.size_rounds, empty, full,
                                [&](System& system) { return system.Drain(slice); });
  const std::string pending = Concat(settings.pending, " pending");
  std::vector<Figure> figures = {
      MakeFigure(Concat("registering ", settings.endpoints, " endpoints"), kSeconds, full.register_seconds),
      MakeFigure("memory at start", kMebibytes, full.started_mib),
      MakeFigure(Concat("memory, ", settings.endpoints, " endpoints registered"), kMebibytes,
                 full.registered_mib),
      MakeFigure(Concat("memory, and ", pending), kMebibytes, full.pending_mib),
      MakeFigure("disk per pending delivery of 1 KiB", kBytes, full.disk_each),
      MakeFigure("write amplification while they were published", kTimes, full.write_amplification),
      MakeFigure("publish at size, p99 to the receiver", kMilliseconds, paced.p99),
      MakeFigure("list at size, p99 of a page of what is pending", kMilliseconds, Percentile(lists, 0.99)),
      MakeFigure("memory, after a restart", kMebibytes, full.restarted_mib),
      MakeFigure("memory, after a restart, empty system", kMebibytes, empty.restarted_mib),
      MakeFigure(Concat("killed and started until ready, ", pending), kSeconds, full.ready_seconds),
      MakeFigure("... until the first delivery", kSeconds, full.first_seconds),
      MakeFigure("... until the first delivery, empty system", kSeconds, empty.first_seconds),
      MakeFigure("empty system, end to end", kPerSecond, Median(live.empty)),
      AtSize(Concat("end to end beside ", pending), live),
      MakeFigure("empty system, draining", kPerSecond, Median(drain.empty)),
      AtSize(Concat("draining, ", pending), drain),
  };
  if (idle >= kMinIdle) {
    figures.push_back(
        MakeFigure("memory per idle endpoint, after a restart", kBytes,
                   (full.restarted_mib - empty.restarted_mib) * (1 << 20) / static_cast<double>(idle)));
  }
  return figures;
}

}  // namespace hookd::bench
