// Probes endpoints that were disabled by themselves: each gets a test event now and then, and is enabled once
// it answers with success. No queue, rate or health knows of it.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/tools/one_shot.h"
#include "storage/delivery_store.h"

namespace hookd {

inline constexpr std::chrono::seconds kProbeTick{1};
inline constexpr size_t kMaxProbes = 8;          // in flight; half of what the tools may have
inline constexpr size_t kProbesPerTick = 4;      // that begin in one tick
inline constexpr size_t kMaxProbed = 100'000;    // endpoints that are probed; about 10 MiB
inline constexpr size_t kProbeScanRows = 4'000;  // endpoints that are looked at in one tick after a start

// What is sent: no receiver takes it for one of its own events.
inline constexpr std::string_view kProbeEventType = "hookd.test";

class Prober {
 public:
  struct Hooks {
    // Enables what was probed if it is still disabled since then, with the same URL. May block for a commit.
    std::function<absl::Status(const Endpoint& probed)> enable;
    // False: everything is paused; what is due waits.
    std::function<bool()> may_send;
    // kNone = it answered with success.
    std::function<void(ErrorKind)> done;
  };

  // All outlive it; `one_shot` is stopped before it goes.
  Prober(OneShot& one_shot, const DeliveryStore& store, const Clock& clock, std::string user_agent);
  ~Prober();

  // The endpoint was made or changed, and that is on disk. Any thread; does not block.
  void Configured(const Endpoint& endpoint);

  // Before the first Tick. `scan`: the store has disabled endpoints from before.
  void Start(Hooks hooks, bool scan);
  // A thread that ticks.
  void Run();
  // Joins the thread; what is in flight ends unheard. Idempotent.
  void Stop();

  // What is due is sent, what was answered is acted on. Of one thread at a time.
  void Tick();

 private:
  struct Probe {
    std::shared_ptr<const Endpoint> endpoint;
    std::optional<ErrorKind> error;  // nullopt = it could not be sent
  };

  void ActOnResults();
  // Looks at some of the endpoints that were there at the start.
  void Scan();
  void SendDue(WallMs now);
  // Sends it now, unless its settings say otherwise by now, and sets its next time.
  void SendOne(EndpointId id, WallMs due, WallMs now);
  // Nothing may be sent to it now, although it is disabled.
  bool Held(const Endpoint& endpoint, WallMs now) const;
  void Ended(Probe probe);
  // Its next probe; nullopt = none.
  void Set(EndpointId id, std::optional<WallMs> due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  OneShot& one_shot_;
  const DeliveryStore& store_;
  const Clock& clock_;
  const std::string user_agent_;
  Hooks hooks_;
  std::optional<EndpointId> scanned_;  // up to there; nullopt = no scan runs
  absl::Notification stop_;
  std::thread thread_;

  absl::Mutex mutex_;
  absl::flat_hash_map<EndpointId, WallMs> next_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<WallMs, EndpointId>> due_ ABSL_GUARDED_BY(mutex_);  // the same, by time
  absl::flat_hash_set<EndpointId> in_flight_ ABSL_GUARDED_BY(mutex_);
  std::vector<Probe> results_ ABSL_GUARDED_BY(mutex_);
  bool left_out_ ABSL_GUARDED_BY(mutex_) = false;  // there were more than kMaxProbed
};

}  // namespace hookd
