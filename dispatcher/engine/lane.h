// One endpoint's deliveries as its shard schedules them. No I/O and no clock: `now` comes in, a step comes
// out.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/engine/capture_sink.h"
#include "dispatcher/telemetry/telemetry.h"
#include "storage/delivery_store.h"

namespace hookd {

// Deliveries that are sent, retried and ended as one.
struct Batch {
  struct Member {
    Sequence sequence = 0;
    EventId event_id;
    uint64_t key = 0;
    RemadePtr remade = nullptr;
    std::shared_ptr<const Event> event;  // null while the batch waits for a retry
    bool was_parked = false;             // before the batch was formed
  };
  EventId id;                   // set when it is formed
  std::vector<Member> members;  // by sequence; at least one
};

// A delivery in the lane's hands: what to send, end or park.
struct Work {
  Sequence sequence = 0;
  std::shared_ptr<const Event> event;
  uint32_t attempt = 1;   // this one's number
  uint32_t failures = 0;  // counted before it
  bool was_parked = false;
  SteadyTime due;  // since when it could have gone; a first attempt: when it came into memory
  RemadePtr remade = nullptr;
  std::shared_ptr<Batch> batch = nullptr;  // all of it goes; `sequence` and `event` are its first member's
};

// How an attempt that ended goes on.
struct AfterAttempt {
  bool parked = false;  // false = the delivery has ended
  uint32_t attempts = 0;
  uint32_t failures = 0;
  SteadyTime due;
  SteadyTime hold_until;  // the lane starts nothing earlier; the epoch = no hold
  bool success = false;
  bool counted = false;  // a failure of the receiver's
  int64_t took_us = 0;
  WallMs ended_ms = 0;
};

struct LaneStep {
  enum class Kind {
    kStart,  // send `work`
    kEnd,    // `work` ends in `state` for `reason`; tell the committer, with `cursor`
    kForm,   // `work.batch` is put together: give it an id, tell the committer, with `cursor`
    kPark,   // `work` waits in `parked` until `park_until_ms` and its turn; tell the committer, with `cursor`
    kLoadParked,  // read the parked rows, give them to LoadedParked()
    kLoadQueue,   // read queue rows from `sequence` on, give them to LoadedQueue()
    kLoadEvent,   // read the event `event` of the parked `sequence`, give it to LoadedEvent()
    kWait,        // nothing before `until`
    kIdle,        // nothing until something is told to the lane
  };
  Kind kind = Kind::kIdle;
  Work work;
  uint64_t key = 0;  // of kEnd and kPark: hash of the ordering key
  DeliveryState state = DeliveryState::kExpired;
  EndReason reason = EndReason::kNone;
  Sequence cursor = 0;
  WallMs park_until_ms = 0;
  Sequence sequence = 0;
  EventId event;
  SteadyTime until;
  std::set<Sequence> purged;  // of kEnd, a batch: its members that are purged; the others are made anew
  bool captured = false;  // of kWait: a capture holds the lane, nothing is in flight, something is pending
};

// Where a delivery stands in its lane.
struct LanePosition {
  enum class Place : uint8_t {
    kGone,       // it is not pending, as far as the lane has been told
    kUnknown,    // the parked rows have not been read
    kInFlight,   // its attempt, until the outcome is on disk
    kSettling,   // its end or its parking is on the way to the disk
    kBehind,     // another goes before it: `behind`, unless that is still on disk
    kNext,       // nothing but time and room keeps it
    kNotBefore,  // as kNext, but its time has not come (Retry's answer)
  };
  Place place = Place::kGone;
  std::optional<DeliveryId> behind;
};

// That a delivery is to end without an attempt.
struct EndOrder {
  Delivery delivery;  // as the store showed it at any time
  DeliveryState state = DeliveryState::kCanceled;
  EndReason reason = EndReason::kNone;
};

struct EndAnswer {
  enum class Kind : uint8_t {
    kEnds,      // do `step`
    kReadRow,   // it may be on disk: see whether it is pending and read its event, then End again with that
    kBusy,      // not now: ask again after the next commit
    kClaimed,   // somebody else ends it
    kInFlight,  // its attempt
    kBatched,   // it is in a batch, which stays together
    kGone,      // it is not pending
  };
  Kind kind = Kind::kGone;
  LaneStep step;
};

struct Waiting;

// 0 = it has none.
uint64_t OrderingKeyHash(const Event& event);

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
  size_t max_in_flight = 256;     // attempts of one lane, whatever its policy says
};

// Attempts in flight of one lane while a capture delivers: they come to hookd's own HTTP port.
inline constexpr size_t kMaxDiverted = 4;

// Ends and parkings of one lane that are not on disk yet.
inline constexpr size_t kMaxSettling = 256;
// Coalesce keys whose newest event a lane remembers; the oldest beyond are forgotten, and their deliveries
// sent.
inline constexpr size_t kMaxCoalesceKeys = 4'096;

// What the lanes of a shard have in common.
struct LaneShared {
  LaneLimits limits;
  WindowBudget budget;
  bool paused = false;                // by an operator, for everything
  bool may_expire = true;             // false: the wall clock is not to be trusted
  WallMs expire_accepted_before = 0;  // retention: what was accepted earlier ends; acted on by CheckAge
};

// By what its endpoint has shown: it decides which slots an attempt may take.
enum class LaneClass : uint8_t {
  kGood,
  kUnproven,  // has never succeeded
  kPoor,      // fails, or is slow
};
inline constexpr size_t kLaneClasses = 3;

// Owner and thread: a shard. Between Next() and its answer (a load, a start) the lane remembers what is under
// way.
class Lane {
 public:
  // A lane whose deliveries before `first` have all ended.
  Lane(EndpointId id, Sequence first, LaneShared& shared);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // After a start and Configure: what the store remembers. Parked rows are asked for by the first step.
  void Restore(const LaneState& state, Now now);

  // Acts on every attempt that starts from now on.
  void Configure(std::shared_ptr<const Endpoint> endpoint, Hold hold);
  // What is known of the endpoint from before this lane.
  void Know(bool proven, bool failing);
  // Starts nothing any more; what is in flight ends.
  void Delete() { deleted_ = true; }

  // A delivery was accepted and is on disk. Kept in memory if it follows on and there is room.
  void Accepted(Sequence sequence, const std::shared_ptr<const Event>& event, Now now,
                RemadePtr remade = nullptr);
  // As of the newest commit, so many deliveries are pending above the policy's backlog: the oldest that are
  // not in flight end.
  void OverBacklog(uint64_t excess);
  // The retention has moved on: the oldest may be too old.
  void CheckAge() { check_age_ = oldest_ms_ < shared_.expire_accepted_before; }

  LaneStep Next(Now now);

  void LoadedParked(const std::vector<ParkedDelivery>& rows, Now now);
  void LoadedQueue(std::vector<QueuedDelivery> rows, Now now);
  void LoadedEvent(Sequence sequence, std::shared_ptr<const Event> event);

  // The attempt's outcome goes to the committer now. Gives the cursor that belongs into its fact.
  Sequence Submit(Sequence sequence, const AfterAttempt& after);
  // An outcome, an end or a parking is on disk: the lane may go on. Gives the class in which an attempt was
  // started; nullopt = it was none.
  std::optional<LaneClass> Recorded(Sequence sequence);

  // For people. Position: of a delivery that is on disk.
  LanePosition Position(Sequence sequence);
  // A parked one that is kNext is due now; rate and hold stay.
  LanePosition Retry(Sequence sequence, Now now);
  // What keeps one that is kNext; a slot, if it is not the lane.
  Waiting WhyNot(Sequence sequence, Now now) const;
  WallMs InFlightSince(Sequence sequence) const;
  // `row`: null, or the answer to kReadRow.
  EndAnswer End(const EndOrder& order, const std::shared_ptr<const Event>& row);
  // kReadRow is not answered.
  void DropClaim(Sequence sequence) { claims_.erase(sequence); }
  // True: read the parked rows, give them to LoadedParked(), although no step asks for them.
  bool LearnParked();
  bool parked_known() const { return parked_known_; }

  EndpointId id() const { return id_; }
  const std::shared_ptr<const Endpoint>& endpoint() const { return endpoint_; }
  bool deleted() const { return deleted_; }
  Hold hold() const { return hold_; }
  // A capture holds it: nothing starts until that is over.
  bool Captured(Now now) const { return now.steady < capture_end_ && !endpoint_->capture->delivers; }
  // Attempts, ends and parkings that are not on disk yet.
  size_t in_flight() const { return in_flight_.size(); }
  LaneClass lane_class() const;
  // GCRA's theoretical arrival time, steady microseconds.
  int64_t rate_tat_us() const { return rate_tat_us_; }
  // The epoch = no hold.
  SteadyTime hold_until() const { return hold_until_; }
  // Adds itself to what the metrics show.
  void Survey(Now now, LaneGauges& gauges) const;
  // Nothing is pending or remembered that a new Lane would not know.
  bool Forgettable(Now now) const;

 private:
  struct Parked {
    EventId event_id;
    std::shared_ptr<const Event> event;  // null until it is due and read
    uint64_t key = 0;
    uint32_t attempts = 0;
    uint32_t failures = 0;
    SteadyTime due;
    RemadePtr remade = nullptr;
    WallMs since_ms = 0;                     // end of its last attempt; 0 = not known
    std::shared_ptr<Batch> batch = nullptr;  // it is the first member; the others are in no other table
  };
  struct Windowed {
    Sequence sequence = 0;
    std::shared_ptr<const Event> event;
    uint64_t key = 0;
    SteadyTime since;
    RemadePtr remade = nullptr;
  };
  struct InFlight {
    EventId event_id;
    uint64_t key = 0;
    std::optional<LaneClass> slot;  // of an attempt
    AfterAttempt after;
    RemadePtr remade = nullptr;
    WallMs since_ms = 0;                     // of an attempt: its start
    bool trim = false;                       // ends because the backlog is full, or by order
    std::shared_ptr<Batch> batch = nullptr;  // as in Parked
  };
  // KEYED: an ordering key with anything parked or in flight.
  struct Key {
    std::set<Sequence> parked;
    uint32_t busy = 0;       // in flight
    Sequence candidate = 0;  // of `parked`, the one in candidates_; 0 = none
  };
  using Keys = absl::flat_hash_map<uint64_t, Key>;

  std::optional<size_t> FindWindowed(Sequence sequence) const;
  DeliveryId IdOf(std::map<Sequence, Parked>::const_iterator it) const;
  DeliveryId IdOf(std::map<Sequence, InFlight>::const_iterator it) const;
  DeliveryId IdOf(const Windowed& entry) const;
  // An ORDERED lane: one before it is not on disk.
  bool EarlierInFlight(Sequence sequence) const {
    return !in_flight_.empty() && in_flight_.begin()->first < sequence;
  }

  // From here on the end of a capture is on the steady clock: no leap of the wall clock moves it.
  void SeeCapture(Now now);
  bool HasPending() const {
    return !parked_known_ || !parked_.empty() || !window_.empty() || window_end_ < tail_ ||
           !in_flight_.empty();
  }
  bool Sends() const { return hold_ == Hold::kNone && !shared_.paused; }
  size_t MaxInFlight() const;
  // The next step, apart from what the budget asks for.
  LaneStep NextStep(Now now);
  std::optional<LaneStep> TrimStep();
  // Ends a batch of purged_; nullopt = there is none.
  std::optional<LaneStep> PurgeStep();
  LaneStep AttemptStep(Now now);
  // The first of the window that may go, or has to be parked; nullopt = none. `wait`: lowered to the time
  // at which the head may go.
  std::optional<LaneStep> WindowStep(Now now, SteadyTime* wait);
  LaneStep ParkedStep(Sequence sequence, Now now);
  LaneStep LoadEvent(Sequence sequence, EventId event);
  // The first of its payloads that is not in memory; nullopt = all are.
  std::optional<LaneStep> LoadMissing(Sequence sequence, const Parked& parked);
  static Work WorkOf(Sequence sequence, Parked parked);
  // The delivery of the window at `index`, or the parked `first`, begins a batch: forms it if it is complete,
  // or does what has to be done before. nullopt = it grows still; `wait`: lowered to the time at which it
  // goes as it is.
  std::optional<LaneStep> FormStep(size_t index, Now now, SteadyTime* wait);
  LaneStep FormParkedStep(Sequence first, Now now);
  struct Forming {
    std::vector<Sequence> parked;  // its members, by sequence
    std::vector<size_t> windowed;  // places in the window
    size_t bytes = 0;              // of payloads
    bool complete = false;         // takes no more
    size_t size() const { return parked.size() + windowed.size(); }
  };
  // Whether it takes this one; else it is complete.
  bool Take(const Event& event, Now now, Forming& forming) const;
  // Goes on with the window from `index` on. A step = what ends in between has to end first.
  std::optional<LaneStep> TakeFromWindow(size_t index, uint64_t key, Now now, Forming& forming);
  LaneStep Form(const Forming& forming, uint64_t key, Now now);
  // A batch that was formed across ordering keys: until it has ended the lane does not become KEYED.
  std::optional<Sequence> BatchOfSeveralKeys() const;
  // Whether `event` belongs into batches, and could go now.
  bool Joins(const Event& event, Now now) const;
  static bool NeedsEvent(const Parked& parked);
  // The first of parked_ that may end without an attempt.
  std::map<Sequence, Parked>::const_iterator FirstUnbatched() const;
  // The sequence under which the lane keeps it: its own, or its batch's first.
  Sequence PlaceOf(Sequence sequence) const;
  void Forget(const Batch& batch);
  // The payloads of formed_ are not in the budget any more.
  void ReleaseFormed();
  // Nor in memory: formed_ becomes a batch like any other that is parked. It is in nobody's hands.
  void DropFormed();
  // A newer one makes it superfluous.
  bool Superseded(const Event& event, Sequence sequence) const;
  void LearnCoalesceKey(const Event& event, Sequence sequence);
  LaneStep LoadQueue();
  LaneStep Start(Work work, uint64_t key, Now now);
  // An end or a parking.
  LaneStep Settle(LaneStep::Kind kind, Work work, uint64_t key, const AfterAttempt& after);
  bool Expired(const Event& event, Now now) const;
  // The end that `event` comes to instead of an attempt; nullopt = it may go.
  struct Verdict {
    DeliveryState state = DeliveryState::kExpired;
    EndReason reason = EndReason::kNone;
  };
  std::optional<Verdict> EndsInstead(const Event& event, Sequence sequence, Now now) const;

  void SetMode(DeliveryMode mode);
  void DropWindow();
  SteadyTime MayStartAt() const;
  Windowed TakeWindowed(size_t index);
  void Park(Sequence sequence, Parked parked);
  Parked TakeParked(Sequence sequence);
  // Keeps candidates_ right after a change of the key; drops the key when nothing is left of it.
  void Refresh(Keys::iterator key);
  void Flying(const Work& work, uint64_t key, std::optional<LaneClass> slot, const AfterAttempt& after);
  Sequence CursorWithout(Sequence sequence);

  const EndpointId id_;
  LaneShared& shared_;
  std::shared_ptr<const Endpoint> endpoint_;
  DeliveryMode mode_ = DeliveryMode::kOrdered;  // the policy's, once nothing is in flight
  Hold hold_ = Hold::kNone;
  bool capture_new_ = false;  // the endpoint's is not in capture_end_ yet
  SteadyTime capture_end_{};  // the epoch = there is none
  bool diverted_ = false;     // a capture delivers, as of the last step
  bool deleted_ = false;
  bool check_age_ = false;
  WallMs oldest_ms_ = 0;   // nothing pending that is not in flight was accepted before
  uint64_t trims_ = 0;     // deliveries to end because the backlog is full
  uint64_t trimming_ = 0;  // ends of this kind, or by order, that are not on disk yet

  std::deque<Windowed> window_;  // by sequence, never attempted; gaps: KEYED took from the middle
  Sequence window_end_;          // the first sequence that is not in memory yet
  Sequence tail_;                // one above the newest that is on disk
  // By the first member of a batch that ends: its members that are purged.
  std::map<Sequence, std::set<Sequence>> purged_;
  bool loading_queue_ = false;
  Sequence load_end_ = 0;  // the read under way was asked for rows below this
  // Ended by order while they were on disk, and recorded while a read was under way that may show them.
  std::set<Sequence> ended_on_disk_;
  // On disk when an order to end them came, until it is answered; true = in memory since: look again.
  std::map<Sequence, bool> claims_;

  bool parked_known_ = true;  // false until the stored rows were read
  bool loading_parked_ = false;
  bool loading_event_ = false;
  std::map<Sequence, Parked> parked_;
  // By due: PARALLEL all that is parked; KEYED the first of each key that has nothing in flight.
  std::set<std::pair<SteadyTime, Sequence>> candidates_;
  Keys keys_;

  std::map<Sequence, InFlight> in_flight_;  // sent, or sent and being recorded; ends and parkings
  size_t attempts_in_flight_ = 0;
  std::shared_ptr<Batch> formed_;                    // not sent yet: its payloads are in the budget
  absl::flat_hash_map<Sequence, Sequence> batched_;  // members of batches but the first, to the first
  struct Coalescing {
    absl::flat_hash_map<uint64_t, Sequence> newest;  // that is known, by hash of the coalesce key
    std::deque<uint64_t> keys;                       // its keys, the oldest first
  };
  std::unique_ptr<Coalescing> coalescing_;  // null until there is a key
  std::set<Sequence> from_queue_;           // of in_flight_: those that have a queue row and no fact yet
  int64_t rate_tat_us_ = 0;
  SteadyTime hold_until_{};
  bool proven_ = false;
  bool failing_ = false;
  int64_t usual_us_ = 0;  // a moving average of the attempts' times
};

}  // namespace hookd
