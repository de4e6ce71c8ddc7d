// Many endpoints registered, few of them active, many deliveries pending: memory, restart and throughput,
// beside a hookd that has the active ones alone and nothing pending (the empty system).
#include <algorithm>
#include <cstdio>
#include <string>

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

constexpr size_t kActiveSubscribers = 10;
constexpr size_t kIdlePerSubscriber = 100;
constexpr size_t kLiveEndpoints = 64;
constexpr size_t kHosts = 64;  // so that no bound per host is what is measured
constexpr size_t kMaxPending = 8192;
constexpr double kPollSeconds = 0.001;
constexpr double kRestartLimitSeconds = 300;
constexpr double kSettleSeconds = 0.2;  // requests on their way to the receiver when hookd was killed
constexpr double kRatioGoal = 0.9;
constexpr char kLive[] = "live";

// Of one hookd. Rates are per second, memory in MiB.
struct State {
  double register_seconds = 0;
  double started_mib = 0;     // nothing registered
  double registered_mib = 0;  // and nothing pending
  double pending_mib = 0;
  double restarted_mib = 0;    // the same after a restart, with deliveries under way
  double ready_seconds = 0;    // from the start of the process
  double restart_seconds = 0;  // from there until the first delivery reached its receiver
  double live = 0;             // end to end, while the deliveries of others are pending
  double drain = 0;            // of what was pending
};

std::vector<std::string> ActiveSubscribers() {
  std::vector<std::string> ids;
  for (size_t i = 0; i < kActiveSubscribers; ++i) ids.push_back(Concat("active-", i));
  return ids;
}

// Returns the seconds that creating the endpoints took.
double Register(HookdProcess& hookd, const Sink& sink, size_t active, size_t idle) {
  const auto url = [&](size_t i) { return sink.Url(i); };
  std::vector<EndpointSet> sets;
  const auto add = [&](const std::string& subscriber, size_t count) {
    hookd.CreateSubscriber(subscriber);
    EndpointSet set;
    set.subscriber = subscriber;
    set.count = count;
    set.url = url;
    sets.push_back(set);
  };
  add(kLive, kLiveEndpoints);
  for (const std::string& id : ActiveSubscribers()) add(id, active / kActiveSubscribers);
  for (size_t i = 0; i * kIdlePerSubscriber < idle; ++i) {
    add(Concat("idle-", i), std::min(kIdlePerSubscriber, idle - i * kIdlePerSubscriber));
  }
  const double start = NowSeconds();
  hookd.CreateEndpoints(sets);
  return NowSeconds() - start;
}

void SetPaused(HookdProcess& hookd, bool paused) {
  for (const std::string& id : ActiveSubscribers()) {
    if (paused) {
      hookd.PauseSubscriber(id);
    } else {
      hookd.ResumeSubscriber(id);
    }
  }
}

// End to end through endpoints of their own, whatever else is pending.
double Live(const HookdProcess& hookd, size_t events) {
  Load load;
  load.subscribers = {kLive};
  load.channels = kLiveEndpoints;
  const uint64_t before = hookd.Status().deliveries_succeeded();
  const double start = NowSeconds();
  Publish(hookd.channel(), load, events, KeepPace(hookd, kMaxPending));
  while (hookd.Status().deliveries_succeeded() < before + events) SleepSeconds(kPollSeconds);
  return static_cast<double>(events) / (NowSeconds() - start);
}

void AwaitArrival(const Sink& sink) {
  const double give_up = NowSeconds() + kRestartLimitSeconds;
  while (sink.FirstArrival() == 0) {
    HOOKD_CHECK(NowSeconds() < give_up, "a delivery arrives");
    SleepSeconds(kPollSeconds);
  }
}

// Killed in the middle of its deliveries.
void Restart(HookdProcess& hookd, Sink& sink, State& state) {
  hookd.Kill();
  SleepSeconds(kSettleSeconds);
  sink.Forget();
  const double start = NowSeconds();
  hookd.Start();
  state.ready_seconds = NowSeconds() - start;
  AwaitArrival(sink);
  state.restart_seconds = sink.FirstArrival() - start;
}

double Drain(HookdProcess& hookd, size_t pending) {
  SetPaused(hookd, true);
  while (hookd.Status().attempts_in_flight() > 0) SleepSeconds(kPollSeconds);
  const uint64_t left = hookd.Status().pending_deliveries();
  HOOKD_CHECK(left > pending / 2, "enough is left to be drained: set --pending higher");
  const double start = NowSeconds();
  SetPaused(hookd, false);
  hookd.WaitUntilDelivered();
  return static_cast<double>(left) / (NowSeconds() - start);
}

State Measure(const Settings& settings, size_t idle, const char* what) {
  State state;
  const testing::TempDir dir;
  Sink sink(kHosts, Sink::Manner::kAnswers);
  HookdProcess hookd(settings.binary, dir.path());
  state.started_mib = hookd.ResidentMebibytes();
  state.register_seconds = Register(hookd, sink, settings.active, idle);
  state.registered_mib = hookd.ResidentMebibytes();
  Live(hookd, settings.events / 10);  // connections are open after this

  const bool empty = idle == 0;
  if (empty) state.live = Live(hookd, settings.events);
  Load load;
  load.subscribers = ActiveSubscribers();
  load.channels = settings.active / kActiveSubscribers;
  SetPaused(hookd, true);
  Publish(hookd.channel(), load, settings.pending);
  state.pending_mib = hookd.ResidentMebibytes();
  if (!empty) state.live = Live(hookd, settings.events);

  sink.Forget();
  SetPaused(hookd, false);
  AwaitArrival(sink);
  Restart(hookd, sink, state);
  state.restarted_mib = hookd.ResidentMebibytes();
  state.drain = Drain(hookd, settings.pending);
  std::printf(
      "%s: registered in %.1f s; %.0f MiB at start, %.0f registered, %.0f pending, %.0f after a restart; "
      "ready after "
      "%.2f s, first delivery %.2f s; live %.0f/s, drain %.0f/s\n",
      what, state.register_seconds, state.started_mib, state.registered_mib, state.pending_mib,
      state.restarted_mib, state.ready_seconds, state.restart_seconds, state.live, state.drain);
  std::fflush(stdout);
  return state;
}

}  // namespace

std::vector<Figure> BenchSize(const Settings& settings) {
  HOOKD_CHECK(settings.endpoints > settings.active, "some of the endpoints are idle");
  const size_t idle = settings.endpoints - settings.active;
  struct Pair {
    State empty;
    State full;
  };
  std::vector<Pair> rounds;
  for (size_t i = 0; i < settings.size_rounds; ++i) {
    Pair pair;
    pair.empty = Measure(settings, 0, "empty system");
    pair.full = Measure(settings, idle, "at size");
    rounds.push_back(pair);
  }
  const auto empty = [&](double State::*pick) {
    return MedianOf(rounds, [&](const Pair& pair) { return pair.empty.*pick; });
  };
  const auto full = [&](double State::*pick) {
    return MedianOf(rounds, [&](const Pair& pair) { return pair.full.*pick; });
  };
  const auto against_empty = [&](const std::string& name, double State::*pick) {
    const double ratio =
        MedianOf(rounds, [&](const Pair& pair) { return pair.full.*pick / pair.empty.*pick; });
    return WithGoal(WithRatio(MakeFigure(name, kPerSecond, full(pick)), ratio, "the empty system"),
                    GoalKind::kAtLeast, kRatioGoal);
  };
  // Both restarted, so that no memory of the creation is left.
  const double per_endpoint = MedianOf(rounds, [&](const Pair& pair) {
    return (pair.full.restarted_mib - pair.empty.restarted_mib) * (1 << 20) / static_cast<double>(idle);
  });
  const std::string pending = Concat(settings.pending, " pending");
  return {
      MakeFigure(Concat("registering ", settings.endpoints, " endpoints"), kSeconds,
                 full(&State::register_seconds)),
      MakeFigure("memory at start", kMebibytes, full(&State::started_mib)),
      MakeFigure(Concat("memory, ", settings.endpoints, " endpoints registered"), kMebibytes,
                 full(&State::registered_mib)),
      MakeFigure(Concat("memory, and ", pending), kMebibytes, full(&State::pending_mib)),
      MakeFigure("memory, after a restart", kMebibytes, full(&State::restarted_mib)),
      MakeFigure("memory, after a restart, empty system", kMebibytes, empty(&State::restarted_mib)),
      MakeFigure("memory per idle endpoint, by the last two", kBytes, per_endpoint),
      MakeFigure(Concat("from SIGKILL's restart to ready, ", pending), kSeconds, full(&State::ready_seconds)),
      MakeFigure("... to the first delivery", kSeconds, full(&State::restart_seconds)),
      MakeFigure("... to the first delivery, empty system", kSeconds, empty(&State::restart_seconds)),
      MakeFigure("empty system, end to end", kPerSecond, empty(&State::live)),
      against_empty(Concat("end to end beside ", pending), &State::live),
      MakeFigure("empty system, draining", kPerSecond, empty(&State::drain)),
      against_empty(Concat("draining ", pending), &State::drain),
  };
}

}  // namespace hookd::bench
