// One endpoint's deliveries as its shard schedules them. No I/O and no clock: `now` comes in, a step comes
// out.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/model.h"
#include "storage/delivery_store.h"

namespace hookd {

// What may be sent now. It stays in flight until Recorded().
struct Work {
  Sequence sequence = 0;
  std::shared_ptr<const Event> event;
  uint32_t attempt = 1;   // this one's number
  uint32_t failures = 0;  // counted before it
  bool was_parked = false;
  SteadyTime due;  // since when it could have gone; a first attempt: when it came into memory
};

// How an attempt that ended goes on.
struct AfterAttempt {
  bool parked = false;  // false = the delivery has ended
  uint32_t attempts = 0;
  uint32_t failures = 0;
  SteadyTime due;
};

struct LaneStep {
  enum class Kind {
    kStart,       // send `work`
    kLoadParked,  // read the parked rows, give them to LoadedParked()
    kLoadQueue,   // read queue rows from `sequence` on, give them to LoadedQueue()
    kLoadEvent,   // read the event `event` of the parked `sequence`, give it to LoadedEvent()
    kWait,        // nothing before `until`
    kIdle,        // nothing until something is told to the lane
  };
  Kind kind = Kind::kIdle;
  Work work;
  Sequence sequence = 0;
  EventId event;
  SteadyTime until;
};

// Memory that the windows of a shard's lanes share. When it is spent, deliveries stay on disk until there is
// room; a lane that could go on but has nothing in memory may exceed it by one read, and gives it back when
// it has to wait.
class WindowBudget {
 public:
  explicit WindowBudget(size_t bytes) : free_(static_cast<int64_t>(bytes)) {}
  bool Fits(const Event& event) const { return free_ >= Cost(event); }
  bool Exceeded() const { return free_ < 0; }
  void Take(const Event& event) { free_ -= Cost(event); }
  void Give(const Event& event) { free_ += Cost(event); }

 private:
  // What an event costs beside its payload: the struct, its strings, the allocator.
  static constexpr int64_t kOverheadBytes = 512;
  static int64_t Cost(const Event& event) {
    return static_cast<int64_t>(event.payload.size()) + kOverheadBytes;
  }

  int64_t free_;
};

struct LaneLimits {
  size_t window_items = 256;      // never-attempted deliveries in memory
  size_t parked_per_lane = 1000;  // at the bound nothing new is started until one ends
};

// Owner and thread: a shard. Between Next() and its answer (a load, a start) the lane remembers what is under
// way.
class Lane {
 public:
  // A lane whose deliveries before `first` have all ended.
  Lane(EndpointId id, Sequence first, const LaneLimits& limits, WindowBudget& budget);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // After a start and Configure: what the store remembers. Parked rows are asked for by the first step.
  void Restore(const LaneState& state, SteadyTime now, WallMs wall);

  // Acts on every attempt that starts from now on.
  void Configure(std::shared_ptr<const Endpoint> endpoint, bool paused);
  // Starts nothing any more; what is in flight ends.
  void Delete() { deleted_ = true; }

  // A delivery was accepted and is on disk. Kept in memory if it follows on and there is room.
  void Accepted(Sequence sequence, const std::shared_ptr<const Event>& event, SteadyTime now);

  LaneStep Next(SteadyTime now);

  void LoadedParked(const std::vector<ParkedDelivery>& rows, SteadyTime now, WallMs wall);
  void LoadedQueue(std::vector<QueuedDelivery> rows, SteadyTime now);
  void LoadedEvent(Sequence sequence, std::shared_ptr<const Event> event);

  // The attempt's outcome goes to the committer now. Gives the cursor that belongs into its fact.
  Sequence Submit(Sequence sequence, const AfterAttempt& after);
  // The outcome is on disk: the lane may go on.
  void Recorded(Sequence sequence);

  EndpointId id() const { return id_; }
  const std::shared_ptr<const Endpoint>& endpoint() const { return endpoint_; }
  bool deleted() const { return deleted_; }
  size_t in_flight() const { return in_flight_.size(); }
  // GCRA's theoretical arrival time, steady microseconds.
  int64_t rate_tat_us() const { return rate_tat_us_; }
  // Nothing is pending or remembered that a new Lane would not know.
  bool Forgettable(SteadyTime now) const;

 private:
  struct Parked {
    EventId event_id;
    std::shared_ptr<const Event> event;  // null until it is due and read
    uint32_t attempts = 0;
    uint32_t failures = 0;
    SteadyTime due;
  };
  struct Windowed {
    Sequence sequence = 0;
    std::shared_ptr<const Event> event;
    SteadyTime since;
  };
  struct InFlight {
    EventId event_id;
    bool was_parked = false;
    AfterAttempt after;
  };

  bool Ordered() const { return mode_ == DeliveryMode::kOrdered; }
  // The next step, apart from what the budget asks for.
  LaneStep NextStep(SteadyTime now);
  void DropWindow();
  SteadyTime RateAllows() const;
  void Park(Sequence sequence, Parked parked);
  LaneStep StartParked(Sequence sequence, SteadyTime now);
  LaneStep StartNew(SteadyTime now);
  // The sequence of the parked delivery whose turn it is, or 0.
  Sequence ParkedInTurn(SteadyTime now, SteadyTime* earliest) const;
  void Flying(Sequence sequence, EventId event, bool was_parked, SteadyTime now);

  const EndpointId id_;
  const LaneLimits& limits_;
  WindowBudget& budget_;
  std::shared_ptr<const Endpoint> endpoint_;
  DeliveryMode mode_ = DeliveryMode::kOrdered;  // the policy's, once nothing is in flight
  bool paused_ = false;
  bool deleted_ = false;

  std::deque<Windowed> window_;  // in order, without gaps, never attempted
  Sequence window_end_;          // the first sequence that is not in memory yet
  Sequence tail_;                // one above the newest that is on disk
  bool loading_queue_ = false;
  Sequence load_end_ = 0;  // the read under way was asked for rows below this

  bool parked_known_ = true;  // false until the stored rows were read
  bool loading_parked_ = false;
  bool loading_event_ = false;
  std::map<Sequence, Parked> parked_;
  std::set<std::pair<SteadyTime, Sequence>> parked_by_due_;

  std::map<Sequence, InFlight> in_flight_;  // sent, or sent and being recorded
  std::set<Sequence> first_attempts_;       // of them: first attempts without an outcome yet
  int64_t rate_tat_us_ = 0;
};

}  // namespace hookd
