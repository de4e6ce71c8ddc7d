// The one writer: takes publishes, outcomes and changes of configuration, groups what waits into one fsynced
// commit, and answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
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
#include "dispatcher/engine/registry.h"
#include "dispatcher/telemetry/telemetry.h"
#include "storage/delivery_store.h"

namespace hookd {

// What a commit tells a shard, in this order.
struct ShardNews {
  struct Configured {
    std::shared_ptr<const Endpoint> endpoint;
    bool paused = false;
  };
  struct Accepted {
    EndpointId endpoint;
    Sequence sequence = 0;
    std::shared_ptr<const Event> event;
  };
  struct Recorded {
    EndpointId endpoint;
    Sequence sequence = 0;
  };
  std::vector<Configured> configured;
  std::vector<Accepted> accepted;
  std::vector<Recorded> recorded;
  std::vector<EndpointId> deleted;
  bool empty() const { return configured.empty() && accepted.empty() && recorded.empty() && deleted.empty(); }
};

struct CommitterOptions {
  size_t shards = 1;
  size_t intake_bytes = 64u << 20;
  size_t max_items = 1024;
  size_t max_bytes = 4u << 20;
};

// Events that may wait for their commit, whatever their size.
inline constexpr size_t kIntakeEvents = 65'536;

// Lifetime: Recovered, Start, Stop. Every public method but the noted ones from any thread.
class Committer {
 public:
  // What a change may do; on the committer's thread, before the commit.
  class Scope {
   public:
    DeliveryStore& store() { return committer_.store_; }
    Registry& registry() { return committer_.registry_; }
    WallMs now() const { return now_; }
    EndpointId NextEndpointId(const std::string& subscriber_id);
    void Apply(const Fact& fact);
    ShardNews& NewsFor(EndpointId endpoint);

   private:
    friend class Committer;
    Scope(Committer& committer, WallMs now);
    Committer& committer_;
    const WallMs now_;
    bool has_facts_ = false;
    std::vector<ShardNews> news_;
  };

  struct Change {
    std::function<void(Scope&)> apply;
    // After the commit, once the shards were told; on the committer's thread, must not block.
    std::function<void(absl::Status)> done;
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
  void WhenRoom(size_t bytes, size_t events, std::function<void()> ready);
  // Publishes are refused from now on.
  void CloseIntake();
  uint64_t intake_bytes() const;
  // Publishes that were taken in and are not on their way to the disk yet.
  uint64_t intake_events() const;
  // Of the registry, as of the newest commit.
  uint64_t subscribers() const { return subscribers_.load(std::memory_order_relaxed); }
  uint64_t endpoints() const { return endpoints_.load(std::memory_order_relaxed); }
  // A commit failed: nothing is taken or answered any more.
  bool failed() const;

  // From the shards. Never refused: bounded by the attempts in flight, which hold their slots until recorded.
  void Record(AttemptRecorded fact);
  // False: stopped; `change` was not taken.
  bool Submit(Change change);

  size_t ShardOf(EndpointId endpoint) const { return absl::Hash<EndpointId>()(endpoint) % options_.shards; }

 private:
  struct PendingPublish {
    std::vector<NewEvent> events;
    size_t bytes = 0;
    Engine::PublishDone done;
  };
  struct Round {  // what one commit takes
    std::deque<Change> changes;
    std::deque<AttemptRecorded> outcomes;
    std::deque<PendingPublish> publishes;
    size_t items = 0;
    size_t bytes = 0;
  };
  struct Waiter {
    size_t bytes = 0;
    size_t events = 0;
    std::function<void()> ready;
  };
  struct Answer {
    Engine::PublishDone done;
    std::vector<PublishOutcome> outcomes;
  };

  void Run();
  bool TakeRound(Round& round);
  void CommitRound(Round& round);
  void CountRegistry();
  PublishOutcome Accept(Scope& scope, NewEvent event);
  EventId NextEventId(WallMs now, Partition partition);
  void Fail(Round& round, std::vector<Answer>& answers, const absl::Status& status);
  bool Fits(size_t bytes, size_t events) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const CommitterOptions options_;
  DeliveryStore& store_;
  const Clock& clock_;
  Telemetry& telemetry_;
  const std::function<void(size_t, ShardNews)> tell_;
  const std::function<void(absl::Status)> on_fatal_;

  mutable absl::Mutex mutex_;
  std::deque<Change> changes_ ABSL_GUARDED_BY(mutex_);
  std::deque<AttemptRecorded> outcomes_ ABSL_GUARDED_BY(mutex_);
  std::deque<PendingPublish> publishes_ ABSL_GUARDED_BY(mutex_);
  size_t intake_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t intake_events_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);  // in the order of their asking
  bool intake_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;

  // The committer's thread alone (and Recovered, before it).
  Registry registry_;
  uint64_t next_endpoint_number_ = 1;
  WallMs last_event_ms_ = 0;
  uint16_t event_counter_ = 0;
  std::mt19937_64 random_;
  // Idempotency keys of the open batch, which the store does not find yet.
  absl::flat_hash_map<std::array<uint8_t, 16>, IdempotencyHit> open_keys_;

  std::atomic<uint64_t> subscribers_{0};
  std::atomic<uint64_t> endpoints_{0};
  std::thread thread_;
};

}  // namespace hookd
