// The lanes of one shard and whose turn it is. Pull-shaped: RunDue(now) does what is due, NextDue() says when
// to come back. No I/O and no clock.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/engine/lane.h"

namespace hookd {

struct SchedulerLimits {
  LaneLimits lane;
  size_t max_in_flight = 256;  // attempts of this shard, until their outcome is on disk
  size_t window_bytes = 32u << 20;
};

// What a lane needs done. Answers come back through the scheduler's methods, never inside the call.
class SchedulerHost {
 public:
  virtual ~SchedulerHost() = default;
  virtual void StartAttempt(Lane& lane, Work work) = 0;
  virtual void ReadParked(EndpointId endpoint) = 0;
  virtual void ReadQueue(EndpointId endpoint, Sequence from) = 0;
  virtual void ReadEvent(EndpointId endpoint, Sequence sequence, EventId event) = 0;
  // A deleted lane has nothing in flight any more: what is still pending can be ended.
  virtual void LaneAtRest(EndpointId endpoint) = 0;
};

// Thread: the shard's.
class Scheduler {
 public:
  Scheduler(const SchedulerLimits& limits, SchedulerHost& host);

  // A new or changed endpoint. `state` is set after a start, when the store remembers a lane.
  void Configure(std::shared_ptr<const Endpoint> endpoint, bool paused, const LaneState* state,
                 SteadyTime now, WallMs wall);
  void Delete(EndpointId endpoint);
  // After a start: a lane whose endpoint was deleted before.
  void DeletedBefore(EndpointId endpoint);

  void Accepted(EndpointId endpoint, Sequence sequence, const std::shared_ptr<const Event>& event,
                SteadyTime now);
  void LoadedParked(EndpointId endpoint, const std::vector<ParkedDelivery>& rows, SteadyTime now,
                    WallMs wall);
  void LoadedQueue(EndpointId endpoint, std::vector<QueuedDelivery> rows, SteadyTime now);
  void LoadedEvent(EndpointId endpoint, Sequence sequence, std::shared_ptr<const Event> event);

  // The outcome is on disk: the attempt's slot is free, and its lane goes on. Slots are held until then, so
  // that a stalled store stops the sending.
  void Recorded(EndpointId endpoint, Sequence sequence);

  void RunDue(SteadyTime now);
  // When RunDue has something to do without being told anything; nullopt = never.
  std::optional<SteadyTime> NextDue() const;

  // Starts nothing any more.
  void StopStarting() { stopped_ = true; }
  size_t in_flight() const { return in_flight_; }
  Lane* Find(EndpointId endpoint);

 private:
  struct Entry {
    std::shared_ptr<const Endpoint> endpoint;
    bool paused = false;
    std::unique_ptr<Lane> lane;  // null while nothing is pending
    bool ready = false;          // is in ready_
    std::optional<SteadyTime> wake;
  };

  Lane& LaneOf(Entry& entry, EndpointId endpoint, Sequence first);
  void MakeReady(EndpointId endpoint, Entry& entry);
  void Rest(EndpointId endpoint, Entry& entry);
  void Wake(EndpointId endpoint, Entry& entry, std::optional<SteadyTime> at);

  const SchedulerLimits limits_;
  SchedulerHost& host_;
  WindowBudget budget_;
  absl::flat_hash_map<EndpointId, std::unique_ptr<Entry>> entries_;
  std::deque<EndpointId> ready_;  // round robin: one step each
  std::set<std::pair<SteadyTime, EndpointId>> wakes_;
  size_t in_flight_ = 0;
  bool stopped_ = false;
};

}  // namespace hookd
