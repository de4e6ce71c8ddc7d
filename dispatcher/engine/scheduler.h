// The lanes of one shard and whose turn it is. Pull-shaped: RunDue(now) does what is due, NextDue() says when
// to come back. No I/O and no clock.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/engine/fair_queue.h"
#include "dispatcher/engine/lane.h"

namespace hookd {

struct SchedulerLimits {
  LaneLimits lane;
  size_t max_in_flight = 256;  // attempts of this shard, until their outcome is on disk
  size_t max_per_host = 64;    // of them, to one host and port
  size_t window_bytes = 32u << 20;
};

// Of the slots, what endpoints that fail or are slow may have together, and those that have never succeeded.
// A quarter is always left to those that have.
inline constexpr double kPoorShare = 0.5;
inline constexpr double kUnprovenShare = 0.25;
// Of the latter share, what the endpoints of one subscriber may have together.
inline constexpr double kUnprovenShareOfSubscriber = 0.5;
// Reads of a shard's queues at a time; further lanes wait for theirs.
inline constexpr size_t kMaxQueueReads = 64;
// Ends and parkings of a shard that are not on disk yet; at the bound nothing new happens.
inline constexpr size_t kMaxShardSettling = 4'096;

// What a lane needs done. Answers come back through the scheduler's methods, never inside the call.
class SchedulerHost {
 public:
  virtual ~SchedulerHost() = default;
  virtual void StartAttempt(Lane& lane, Work work) = 0;
  // The step is kEnd, kForm or kPark.
  virtual void Settle(Lane& lane, LaneStep step) = 0;
  virtual void ReadParked(EndpointId endpoint) = 0;
  virtual void ReadQueue(EndpointId endpoint, Sequence from) = 0;
  virtual void ReadEvent(EndpointId endpoint, Sequence sequence, EventId event) = 0;
  // A deleted lane has nothing in flight any more: what is still pending can be ended.
  virtual void LaneAtRest(EndpointId endpoint) = 0;
  // See CaptureSink::Pending.
  virtual void Captured(const std::shared_ptr<const Endpoint>& /*endpoint*/) {}
};

// A new delivery, with what its lane has to know if it is made for it.
struct NewDelivery {
  std::shared_ptr<const Endpoint> endpoint;
  Hold hold = Hold::kNone;
  bool proven = false;   // it has succeeded before
  bool failing = false;  // its last attempts failed
  Sequence sequence = 0;
  std::shared_ptr<const Event> event;
  RemadePtr remade = nullptr;
};

// Only lanes with something to do are in memory. Thread: the shard's.
class Scheduler {
 public:
  Scheduler(const SchedulerLimits& limits, SchedulerHost& host);

  // After a start: a lane that the store remembers.
  void Restore(std::shared_ptr<const Endpoint> endpoint, Hold hold, const LaneState& state, Now now);
  // A changed endpoint; nothing happens while it has no lane.
  void Configure(const std::shared_ptr<const Endpoint>& endpoint, Hold hold);
  // Also of an endpoint without a lane: it is at rest at once.
  void Delete(EndpointId endpoint);
  void SetOperations(const Operations& operations);
  // Retention: what was accepted before ends.
  void ExpireAcceptedBefore(WallMs accepted);

  void Accepted(const NewDelivery& delivery, Now now);
  void OverBacklog(EndpointId endpoint, uint64_t excess);
  void LoadedParked(EndpointId endpoint, const std::vector<ParkedDelivery>& rows, Now now);
  void LoadedQueue(EndpointId endpoint, std::vector<QueuedDelivery> rows, Now now);
  void LoadedEvent(EndpointId endpoint, Sequence sequence, std::shared_ptr<const Event> event);

  // An outcome, an end or a parking is on disk: an attempt's slot is free, and its lane goes on. Slots are
  // held until then, so that a stalled store stops the sending.
  void Recorded(EndpointId endpoint, Sequence sequence);

  // For people; see lane.h. A deleted lane has nothing left to ask for: kGone.
  LanePosition Retry(EndpointId endpoint, Sequence sequence, Now now);
  EndAnswer::Kind End(const EndOrder& order, const std::shared_ptr<const Event>& row);
  void DropClaim(EndpointId endpoint, Sequence sequence);
  // True: the lane's parked rows are being read.
  bool LearnParked(EndpointId endpoint);
  // nullopt = it is not pending, as far as its lane has been told.
  std::optional<Waiting> WhyWaiting(EndpointId endpoint, Sequence sequence, Now now);

  void RunDue(Now now);
  // When RunDue has something to do without being told anything; nullopt = never.
  std::optional<SteadyTime> NextDue() const;

  // Starts nothing any more.
  void StopStarting() { stopped_ = true; }
  // Attempts, ends and parkings that are not on disk yet.
  size_t in_flight() const { return unrecorded_; }
  size_t attempts_in_flight() const { return attempts_; }
  size_t lanes() const { return entries_.size(); }
  std::vector<EndpointId> Lanes() const;
  Lane* Find(EndpointId endpoint);

 private:
  // A cap that several endpoints share: that of a host, or of a subscriber's unproven endpoints.
  struct Gate {
    size_t in_flight = 0;
    std::list<EndpointId> waiting;
  };
  // The gates that an attempt in flight went through: the URL may change meanwhile.
  struct Passed {
    uint64_t host = 0;
    uint64_t unproven = 0;  // 0 = none
  };
  struct Entry {
    Entry(EndpointId id, LaneShared& shared, Sequence first) : lane(id, first, shared) {}
    Lane lane;
    uint64_t subscriber = 0;
    uint64_t host = 0;
    bool queued = false;  // in a queue, or waits at a gate
    std::optional<SteadyTime> wake;
    absl::flat_hash_map<Sequence, Passed> passed;  // by its attempts in flight
  };

  // Gates of hosts and of subscribers share one map.
  static uint64_t UnprovenGate(uint64_t subscriber);
  size_t MostUnprovenOfSubscriber() const;
  Entry& EntryOf(const std::shared_ptr<const Endpoint>& endpoint, Hold hold, Sequence first);
  void Configure(Entry& entry, const std::shared_ptr<const Endpoint>& endpoint, Hold hold);
  Entry* FindEntry(EndpointId endpoint);
  void MakeReady(Entry& entry);
  void MakeAllReady();
  void Rest(Entry& entry);
  void Wake(Entry& entry, std::optional<SteadyTime> at);
  // The next that may take a slot; null = none.
  Entry* NextTurn();
  bool HasSlot(LaneClass c) const;
  void Step(Entry& entry, Now now);
  // False: it is full, and the entry waits there.
  bool MayPass(Entry& entry, uint64_t gate, size_t cap);
  void Leave(uint64_t gate);
  // The first that waits at the gate is ready. Also after a turn that passed and started nothing: the wake-up
  // was for somebody.
  void WakeNextAt(uint64_t gate);
  bool MayStep() const;
  // As it would be with nothing but the gates and the slots in its way.
  void ExplainSlot(const Entry& entry, Waiting& waiting) const;
  void ReadQueues();

  const SchedulerLimits limits_;
  SchedulerHost& host_;
  LaneShared shared_;
  Operations operations_;
  absl::flat_hash_map<EndpointId, std::unique_ptr<Entry>> entries_;
  std::array<FairQueue, kLaneClasses> queues_;  // by LaneClass
  size_t next_queue_ = 0;
  absl::flat_hash_map<uint64_t, Gate> gates_;  // with something in flight or waiting
  std::set<std::pair<SteadyTime, EndpointId>> wakes_;
  std::list<std::pair<EndpointId, Sequence>> reads_waiting_;  // one for each lane at most
  size_t reads_ = 0;                                          // under way
  std::array<size_t, kLaneClasses> slots_{};                  // taken, by the class at the start
  size_t attempts_ = 0;
  size_t unrecorded_ = 0;
  bool stopped_ = false;
};

}  // namespace hookd
