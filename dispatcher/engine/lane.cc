#include "dispatcher/engine/lane.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "dispatcher/core/rate_limit.h"

namespace hookd {
namespace {

int64_t Micros(SteadyTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

SteadyTime FromMicros(int64_t us) {
  return SteadyTime(std::chrono::duration_cast<Duration>(std::chrono::microseconds(us)));
}

// A stored due time on the steady clock. What lies absurdly far ahead (a leap of the wall clock) is pulled
// near.
SteadyTime DueSteady(WallMs due, SteadyTime now, WallMs wall) {
  constexpr WallMs kFarthestMs = 26 * 3'600'000;
  return now + Millis(std::clamp<WallMs>(due - wall, 0, kFarthestMs));
}

}  // namespace

Lane::Lane(EndpointId id, Sequence first, const LaneLimits& limits, WindowBudget& budget)
    : id_(id), limits_(limits), budget_(budget), window_end_(first), tail_(first) {}

Lane::~Lane() {
  for (const Windowed& entry : window_) budget_.Give(entry.event->payload.size());
}

void Lane::Restore(const LaneState& state, SteadyTime now, WallMs wall) {
  window_end_ = state.cursor;
  tail_ = state.next;
  parked_known_ = state.parked == 0;
  deleted_ = state.deleted;
  rate_tat_us_ = Micros(DueSteady(state.rate_tat_ms, now, wall));
}

void Lane::Configure(std::shared_ptr<const Endpoint> endpoint, bool paused) {
  // Another rate starts afresh: the old arrival time may lie far ahead.
  if (endpoint_ != nullptr && endpoint_->policy.rate != endpoint->policy.rate) rate_tat_us_ = 0;
  endpoint_ = std::move(endpoint);
  paused_ = paused;
}

bool Lane::Ordered() const { return endpoint_->policy.mode == DeliveryMode::kOrdered; }

void Lane::Accepted(Sequence sequence, const std::shared_ptr<const Event>& event, SteadyTime now) {
  tail_ = std::max(tail_, sequence + 1);
  const size_t bytes = event->payload.size();
  if (sequence != window_end_ || loading_queue_ || window_.size() >= limits_.window_items ||
      !budget_.Fits(bytes)) {
    return;  // it is on disk, and read from there in its turn
  }
  budget_.Take(bytes);
  window_.push_back({sequence, event, now});
  ++window_end_;
}

void Lane::LoadedQueue(std::vector<QueuedDelivery> rows, SteadyTime now) {
  loading_queue_ = false;
  for (QueuedDelivery& row : rows) {
    HOOKD_CHECK(row.sequence >= window_end_, "a queue is read forward");
    budget_.Take(row.event->payload.size());
    window_end_ = row.sequence + 1;
    window_.push_back({row.sequence, std::move(row.event), now});
  }
  tail_ = std::max(tail_, window_end_);
  // Nothing is where rows were expected: they ended without an attempt. Do not ask again.
  if (rows.empty()) window_end_ = tail_;
}

void Lane::Park(Sequence sequence, Parked parked) {
  parked_by_due_.emplace(parked.due, sequence);
  parked_[sequence] = std::move(parked);
}

void Lane::LoadedParked(const std::vector<ParkedDelivery>& rows, SteadyTime now, WallMs wall) {
  loading_parked_ = false;
  parked_known_ = true;
  for (const ParkedDelivery& row : rows) {
    Park(row.sequence, {row.event, nullptr, row.attempts, row.failures, DueSteady(row.due_ms, now, wall)});
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
  budget_.Give(entry.event->payload.size());
  LaneStep step;
  step.kind = LaneStep::Kind::kStart;
  step.work = {entry.sequence, std::move(entry.event), 1, 0, false, entry.since};
  Flying(entry.sequence, step.work.event->id, false, now);
  return step;
}

LaneStep Lane::Next(SteadyTime now) {
  LaneStep step;
  if (paused_ || deleted_ || endpoint_ == nullptr || loading_parked_) return step;
  if (!parked_known_) {
    loading_parked_ = true;
    step.kind = LaneStep::Kind::kLoadParked;
    return step;
  }
  const bool ordered = Ordered();
  if (in_flight_.size() >= (ordered ? 1 : endpoint_->policy.max_in_flight)) return step;

  SteadyTime earliest = SteadyTime::max();
  const Sequence retry = ParkedInTurn(now, &earliest);
  const bool new_allowed =
      ordered ? parked_.empty() : parked_.size() + in_flight_.size() < limits_.parked_per_lane;
  const bool new_ready = new_allowed && !window_.empty();
  if (retry != 0 || new_ready) {
    const SteadyTime allowed = FromMicros(GcraEarliestUs(endpoint_->policy.rate, rate_tat_us_));
    if (allowed > now) {
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
    step.kind = LaneStep::Kind::kLoadQueue;
    step.sequence = window_end_;
    return step;
  }
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
