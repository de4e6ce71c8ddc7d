// The one writer: takes publishes, outcomes and changes of configuration, groups what waits into one fsynced
// commit, and answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/ledger.h"
#include "dispatcher/telemetry/telemetry.h"
#include "storage/delivery_store.h"

namespace hookd {

struct CommitterOptions {
  size_t shards = 1;
  size_t intake_bytes = 64u << 20;
  size_t intake_bytes_per_subscriber = 16u << 20;
  size_t max_items = 1024;
  size_t max_bytes = 4u << 20;
  std::shared_ptr<const Profiles> profiles = nullptr;
  std::function<void(const Endpoint&)> on_configured = nullptr;
  const AuditForms* audit = nullptr;
};

// Events that may wait for their commit, whatever their size.
inline constexpr size_t kIntakeEvents = 65'536;
// Deliveries that the events of one commit fan out to; the rest of a publish goes into the next one.
inline constexpr size_t kRoundDeliveries = 16'384;
// Of what the shards report, in one commit.
inline constexpr size_t kRoundReports = 16'384;
// Payloads of accepted events on their way to the shards; at the bound no publish is taken.
inline constexpr size_t kNewsBytes = 64u << 20;
// Who waits for a change asks this often whether the store failed.
inline constexpr std::chrono::milliseconds kFailurePoll{100};

// Lifetime: Recovered, Start, Stop. Every public method but the noted ones from any thread.
class Committer {
 public:
  struct Change {
    // On behalf of whoever the submitting thread acts for.
    std::function<void(Ledger&)> apply;
    // After the commit, once the shards were told; on the committer's thread, must not block.
    std::function<void(absl::Status)> done;
    AuditOrigin origin = {};  // set by Submit
  };

  // `tell` posts news to a shard; `on_fatal` runs once, when a commit failed.
  Committer(const CommitterOptions& options, DeliveryStore& store, const Clock& clock, Telemetry& telemetry,
            std::function<void(size_t shard, ShardNews news)> tell,
            std::function<void(absl::Status)> on_fatal);
  ~Committer();

  // Before Start: what the store remembers.
  void Recovered(const DeliveryStore::Recovered& recovered);
  void Start();
  // Commits what waits, then joins the thread. Idempotent.
  void Stop();

  absl::Status Publish(std::vector<NewEvent> events, Engine::PublishDone done);
  void WhenRoom(IntakeDemand demand, std::function<void()> ready);
  // Publishes are refused from now on, for good.
  void CloseIntake();
  // Publishes are refused as long as `why` is not empty: "disk", "stall".
  void HoldIntake(std::string why);
  std::string intake_held() const;
  uint64_t intake_bytes() const;
  // Publishes that were taken in and are not on their way to the disk yet.
  uint64_t intake_events() const;
  // More waits than one commit takes, or the shards are behind: what can wait should.
  bool Backlogged() const;
  // Of the registry, as of the newest commit.
  uint64_t subscribers() const { return subscribers_.load(std::memory_order_relaxed); }
  uint64_t endpoints() const { return endpoints_.load(std::memory_order_relaxed); }
  uint64_t endpoints_disabled() const { return endpoints_disabled_.load(std::memory_order_relaxed); }
  uint64_t endpoints_paused() const { return endpoints_paused_.load(std::memory_order_relaxed); }
  // A commit failed: nothing is taken or answered any more.
  bool failed() const;

  // From the shards. Never refused: bounded by the attempts in flight, which hold their slots until recorded.
  void Report(LaneReport report);
  // A shard has taken its news.
  void Taken(const ShardNews& news);
  // False: stopped; `change` was not taken.
  bool Submit(Change change);

  const StrictSubscribers& strict_subscribers() const { return strict_; }
  size_t ShardOf(EndpointId endpoint) const { return ledger_.ShardOf(endpoint); }
  bool auto_disable_suspended() const { return suspended_.load(std::memory_order_relaxed); }
  Operations operations() const;
  NewestEvents newest_events() const;
  std::string mail_cursor() const;

 private:
  struct PendingPublish {
    std::vector<NewEvent> events;
    IntakeDemand demand;
    Engine::PublishDone done;
    std::vector<PublishOutcome> outcomes;  // of the first of them, from earlier rounds
  };
  struct Round {  // what one commit takes
    std::deque<Change> changes;
    std::deque<LaneReport> reports;
    std::deque<PendingPublish> publishes;
    size_t items = 0;
    size_t bytes = 0;
  };
  struct Waiter {
    IntakeDemand demand;
    std::function<void()> ready;
  };
  struct Answer {
    Engine::PublishDone done;
    std::vector<PublishOutcome> outcomes;
  };

  void Run();
  bool TakeRound(Round& round);
  void CommitRound(Round& round);
  void ShowState();
  // Accepts of what the round took as much as may go into its commit; the rest is carried over.
  void AcceptRound(Round& round, std::vector<Answer>& answers);
  void Fail(Round& round, std::vector<Answer>& answers, const absl::Status& status);
  // OK, or why it does not fit now.
  absl::Status Fits(const IntakeDemand& demand) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Admit(const IntakeDemand& demand) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(const IntakeDemand& demand) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The waiters for whom there is room now, in their order.
  std::vector<Waiter> TakeWoken() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayTakePublish() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const CommitterOptions options_;
  DeliveryStore& store_;
  const Clock& clock_;
  Telemetry& telemetry_;
  const std::function<void(size_t, ShardNews)> tell_;
  const std::function<void(absl::Status)> on_fatal_;

  mutable absl::Mutex mutex_;
  std::deque<Change> changes_ ABSL_GUARDED_BY(mutex_);
  std::deque<LaneReport> reports_ ABSL_GUARDED_BY(mutex_);
  std::deque<PendingPublish> publishes_ ABSL_GUARDED_BY(mutex_);
  size_t intake_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t intake_events_ ABSL_GUARDED_BY(mutex_) = 0;
  // By subscriber, of what waits.
  absl::flat_hash_map<std::string, size_t> subscriber_bytes_ ABSL_GUARDED_BY(mutex_);
  std::string held_ ABSL_GUARDED_BY(mutex_);  // why the intake is held; empty = it is not
  Operations operations_ ABSL_GUARDED_BY(mutex_);
  NewestEvents newest_events_ ABSL_GUARDED_BY(mutex_);
  std::string mail_cursor_ ABSL_GUARDED_BY(mutex_);
  std::deque<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);  // in the order of their asking
  bool intake_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;

  size_t news_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // with the shards, and not taken yet

  StrictSubscribers strict_;
  std::deque<PendingPublish> carried_;  // the committer's thread alone: begun, goes first in the next round
  Ledger ledger_;                       // the committer's thread alone (and Recovered, before it)
  std::atomic<uint64_t> subscribers_{0};
  std::atomic<uint64_t> endpoints_{0};
  std::atomic<uint64_t> endpoints_disabled_{0};
  std::atomic<uint64_t> endpoints_paused_{0};
  std::atomic<bool> suspended_{false};
  std::thread thread_;
};

}  // namespace hookd
