#include "dispatcher/engine/lane.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "dispatcher/core/backoff.h"
#include "dispatcher/core/rate_limit.h"

namespace hookd {
namespace {

int64_t Micros(SteadyTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

SteadyTime FromMicros(int64_t us) {
  return SteadyTime(std::chrono::duration_cast<Duration>(std::chrono::microseconds(us)));
}

// A stored wall time on the steady clock, at most `farthest` ahead: a leap of the wall clock freezes nothing.
SteadyTime OnSteady(WallMs time, Millis farthest, SteadyTime now, WallMs wall) {
  return now + Millis(std::clamp<WallMs>(time - wall, 0, farthest.count()));
}

// The longest that a retry of this policy waits.
Millis LongestWait(const Backoff& backoff) {
  return Millis(
      static_cast<int64_t>(static_cast<double>(LongestBackoff(backoff).count()) * (1 + backoff.jitter)) + 1);
}

// The farthest that a rate limit's arrival time is ever ahead.
Millis LongestRateWait(const RateLimit& rate) {
  return rate.per_second == 0 ? Millis(0) : Millis(int64_t{1000} * rate.burst / rate.per_second + 1);
}

}  // namespace

Lane::Lane(EndpointId id, Sequence first, const LaneLimits& limits, WindowBudget& budget)
    : id_(id), limits_(limits), budget_(budget), window_end_(first), tail_(first) {}

Lane::~Lane() {
  for (const Windowed& entry : window_) budget_.Give(*entry.event);
}

void Lane::Restore(const LaneState& state, SteadyTime now, WallMs wall) {
  window_end_ = state.cursor;
  tail_ = state.next;
  parked_known_ = state.parked == 0;
  deleted_ = state.deleted;
  rate_tat_us_ = Micros(OnSteady(state.rate_tat_ms, LongestRateWait(endpoint_->policy.rate), now, wall));
}

void Lane::Configure(std::shared_ptr<const Endpoint> endpoint, bool paused) {
  // Another rate starts afresh: the old arrival time may lie far ahead.
  if (endpoint_ != nullptr && endpoint_->policy.rate != endpoint->policy.rate) rate_tat_us_ = 0;
  endpoint_ = std::move(endpoint);
  paused_ = paused;
}

void Lane::Accepted(Sequence sequence, const std::shared_ptr<const Event>& event, SteadyTime now) {
  tail_ = std::max(tail_, sequence + 1);

  if (sequence != window_end_ || loading_queue_ || window_.size() >= limits_.window_items ||
      !budget_.Fits(*event)) {
    return;  // it is on disk, and read from there in its turn
  }
  budget_.Take(*event);
  window_.push_back({sequence, event, now});
  ++window_end_;
}

void Lane::LoadedQueue(std::vector<QueuedDelivery> rows, SteadyTime now) {
  loading_queue_ = false;
  for (QueuedDelivery& row : rows) {
    HOOKD_CHECK(row.sequence >= window_end_, "a queue is read forward");
    budget_.Take(*row.event);
    window_end_ = row.sequence + 1;
    window_.push_back({row.sequence, std::move(row.event), now});
  }
  tail_ = std::max(tail_, window_end_);
  // Nothing is where rows were on disk when they were asked for: they ended without an attempt.
  if (rows.empty()) window_end_ = std::max(window_end_, load_end_);
}

void Lane::Park(Sequence sequence, Parked parked) {
  parked_by_due_.emplace(parked.due, sequence);
  parked_[sequence] = std::move(parked);
}

void Lane::LoadedParked(const std::vector<ParkedDelivery>& rows, SteadyTime now, WallMs wall) {
  loading_parked_ = false;
  parked_known_ = true;
  for (const ParkedDelivery& row : rows) {
    Park(row.sequence, {row.event, nullptr, row.attempts, row.failures,
                        OnSteady(row.due_ms, LongestWait(endpoint_->policy.backoff), now, wall)});
  }
}

void Lane::LoadedEvent(Sequence sequence, std::shared_ptr<const Event> event) {
  loading_event_ = false;
  const auto it = parked_.find(sequence);
  if (it != parked_.end()) it->second.event = std::move(event);
}

Sequence Lane::ParkedInTurn(SteadyTime now, SteadyTime* earliest) const {
  if (parked_.empty()) return 0;
  if (Ordered()) {
    const auto& [sequence, parked] = *parked_.begin();
    *earliest = parked.due;
    return parked.due <= now ? sequence : 0;
  }
  const auto& [due, sequence] = *parked_by_due_.begin();
  *earliest = due;
  return due <= now ? sequence : 0;
}

void Lane::Flying(Sequence sequence, EventId event, bool was_parked, SteadyTime now) {
  in_flight_[sequence] = {event, was_parked, {}};
  if (!was_parked) first_attempts_.insert(sequence);
  rate_tat_us_ = GcraAdvanceUs(endpoint_->policy.rate, rate_tat_us_, Micros(now));
}

LaneStep Lane::StartParked(Sequence sequence, SteadyTime now) {
  Parked& parked = parked_[sequence];
  LaneStep step;
  if (parked.event == nullptr) {
    if (loading_event_) return step;
    loading_event_ = true;
    step.kind = LaneStep::Kind::kLoadEvent;
    step.sequence = sequence;
    step.event = parked.event_id;
    return step;
  }
  step.kind = LaneStep::Kind::kStart;
  step.work = {sequence, std::move(parked.event), parked.attempts + 1, parked.failures, true, parked.due};
  parked_by_due_.erase({parked.due, sequence});
  const EventId event = parked.event_id;
  parked_.erase(sequence);
  Flying(sequence, event, true, now);
  return step;
}

LaneStep Lane::StartNew(SteadyTime now) {
  Windowed entry = std::move(window_.front());
  window_.pop_front();
  budget_.Give(*entry.event);
  LaneStep step;
  step.kind = LaneStep::Kind::kStart;
  step.work = {entry.sequence, std::move(entry.event), 1, 0, false, entry.since};
  Flying(entry.sequence, step.work.event->id, false, now);
  return step;
}

SteadyTime Lane::RateAllows() const {
  return FromMicros(GcraEarliestUs(endpoint_->policy.rate, rate_tat_us_));
}

// What is dropped is on disk, and read again in its turn.
void Lane::DropWindow() {
  if (window_.empty() || loading_queue_) return;
  window_end_ = window_.front().sequence;
  for (const Windowed& entry : window_) budget_.Give(*entry.event);
  window_.clear();
}

LaneStep Lane::Next(SteadyTime now) {
  LaneStep step = NextStep(now);
  const bool waits = step.kind == LaneStep::Kind::kWait || step.kind == LaneStep::Kind::kIdle;
  if (waits && in_flight_.empty() && budget_.Exceeded()) DropWindow();
  return step;
}

LaneStep Lane::NextStep(SteadyTime now) {
  LaneStep step;
  if (paused_ || deleted_ || endpoint_ == nullptr || loading_parked_) return step;
  if (!parked_known_) {
    loading_parked_ = true;
    step.kind = LaneStep::Kind::kLoadParked;
    return step;
  }
  if (in_flight_.empty()) mode_ = endpoint_->policy.mode;
  if (mode_ != endpoint_->policy.mode) return step;  // another mode begins once nothing is in flight
  const bool ordered = Ordered();
  if (in_flight_.size() >= (ordered ? 1 : endpoint_->policy.max_in_flight)) return step;

  SteadyTime earliest = SteadyTime::max();
  const Sequence retry = ParkedInTurn(now, &earliest);
  const bool new_allowed =
      ordered ? parked_.empty() : parked_.size() + in_flight_.size() < limits_.parked_per_lane;
  const bool new_ready = new_allowed && !window_.empty();
  if (retry != 0 || new_ready) {
    if (const SteadyTime allowed = RateAllows(); allowed > now) {
      step.kind = LaneStep::Kind::kWait;
      step.until = allowed;
      return step;
    }
    // A retry whose payload is being read does not hold up what is ready beside it.
    if (retry != 0 && !(loading_event_ && parked_[retry].event == nullptr && new_ready)) {
      return StartParked(retry, now);
    }
    return StartNew(now);
  }
  if (new_allowed && window_end_ < tail_) {
    if (loading_queue_) return step;
    loading_queue_ = true;
    load_end_ = tail_;
    step.kind = LaneStep::Kind::kLoadQueue;
    step.sequence = window_end_;
    return step;
  }
  // Nothing pending: awake once more when the rate has recovered, to be forgotten.
  if (parked_.empty() && in_flight_.empty() && Micros(now) < rate_tat_us_)
    earliest = FromMicros(rate_tat_us_);
  if (earliest != SteadyTime::max()) {
    step.kind = LaneStep::Kind::kWait;
    step.until = earliest;
  }
  return step;
}

Sequence Lane::Submit(Sequence sequence, const AfterAttempt& after) {
  const auto it = in_flight_.find(sequence);
  HOOKD_CHECK(it != in_flight_.end(), "an outcome needs an attempt in flight");
  it->second.after = after;
  first_attempts_.erase(sequence);
  if (!first_attempts_.empty()) return *first_attempts_.begin();
  return window_.empty() ? window_end_ : window_.front().sequence;
}

void Lane::Recorded(Sequence sequence) {
  const auto it = in_flight_.find(sequence);
  HOOKD_CHECK(it != in_flight_.end(), "what is recorded was in flight");
  const InFlight done = it->second;
  in_flight_.erase(it);
  if (done.after.parked) {
    Park(sequence, {done.event_id, nullptr, done.after.attempts, done.after.failures, done.after.due});
  }
}

bool Lane::Forgettable(SteadyTime now) const {
  return !deleted_ && parked_known_ && window_.empty() && window_end_ == tail_ && parked_.empty() &&
         in_flight_.empty() && !loading_queue_ && Micros(now) >= rate_tat_us_;
}

}  // namespace hookd
