#include "dispatcher/engine/lane.h"

#include <algorithm>
#include <chrono>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "dispatcher/core/backoff.h"
#include "dispatcher/core/rate_limit.h"

namespace hookd {
namespace {

using Kind = LaneStep::Kind;

// An endpoint whose attempts usually take longer is slow.
constexpr int64_t kSlowUs = 1'000'000;
// Of its attempts in flight, what a lane that fails or is slow may have.
constexpr size_t kPoorDivisor = 4;

int64_t Micros(SteadyTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

// A stored wall time on the steady clock, at most `farthest` ahead: a leap of the wall clock freezes nothing.
SteadyTime OnSteady(WallMs time, Millis farthest, Now now) {
  return now.steady + Millis(std::clamp<WallMs>(time - now.wall, 0, farthest.count()));
}

// The longest that a parked delivery of this policy waits.
Millis LongestWait(const DeliveryPolicy& policy, uint32_t attempts) {
  if (attempts == 0) return kMaxNotBefore;
  const auto backoff = static_cast<double>(LongestBackoff(policy.backoff).count());
  return std::max(Millis(static_cast<int64_t>(backoff * (1 + policy.backoff.jitter)) + 1),
                  policy.retry_after_max);
}

// The farthest that a rate limit's arrival time is ever ahead.
Millis LongestRateWait(const RateLimit& rate) {
  if (rate.per_second == 0) return Millis(0);
  const int64_t most = rate.burst + (rate.unit == RateUnit::kMember ? kMaxBatchMembers : 0);
  return Millis(int64_t{1000} * most / rate.per_second + 1);
}

}  // namespace

uint64_t OrderingKeyHash(const Event& event) {
  return event.ordering_key.empty() ? 0 : StableHash(event.ordering_key);
}

Lane::Lane(EndpointId id, Sequence first, LaneShared& shared)
    : id_(id), shared_(shared), window_end_(first), tail_(first) {}

Lane::~Lane() {
  for (const Windowed& entry : window_) shared_.budget.Give(*entry.event);
  ReleaseFormed();
}

void Lane::Restore(const LaneState& state, Now now) {
  window_end_ = state.cursor;
  tail_ = state.next;
  parked_known_ = state.parked == 0;
  deleted_ = state.deleted;
  Know(state.last_success_ms != 0, state.consecutive_failures > 0);
  rate_tat_us_ = Micros(OnSteady(state.rate_tat_ms, LongestRateWait(endpoint_->policy.rate), now));
  hold_until_ = OnSteady(state.hold_until_ms, endpoint_->policy.retry_after_max, now);
}

void Lane::Configure(std::shared_ptr<const Endpoint> endpoint, Hold hold) {
  // Another rate starts afresh: the old arrival time may lie far ahead.
  if (endpoint_ != nullptr && endpoint_->policy.rate != endpoint->policy.rate) rate_tat_us_ = 0;
  if (endpoint->policy.retry_after_max == Millis(0)) hold_until_ = SteadyTime{};
  if (endpoint->capture != (endpoint_ == nullptr ? std::nullopt : endpoint_->capture)) capture_new_ = true;
  endpoint_ = std::move(endpoint);
  hold_ = hold;
}

void Lane::Know(bool proven, bool failing) {
  proven_ = proven;
  failing_ = failing;
}

LaneClass Lane::lane_class() const {
  if (failing_ || usual_us_ > kSlowUs) return LaneClass::kPoor;
  return proven_ ? LaneClass::kGood : LaneClass::kUnproven;
}

void Lane::Accepted(Sequence sequence, const std::shared_ptr<const Event>& event, Now now, RemadePtr remade) {
  tail_ = std::max(tail_, sequence + 1);
  if (!event->coalesce_key.empty() && remade == nullptr) LearnCoalesceKey(*event, sequence);
  if (sequence != window_end_ || loading_queue_ || window_.size() >= shared_.limits.window_items ||
      !shared_.budget.Fits(*event)) {
    return;  // it is on disk, and read from there in its turn
  }
  shared_.budget.Take(*event);
  window_.push_back({sequence, event, OrderingKeyHash(*event), now.steady, std::move(remade)});
  ++window_end_;
}

void Lane::OverBacklog(uint64_t excess) { trims_ = excess > trimming_ ? excess - trimming_ : 0; }

void Lane::LoadedQueue(std::vector<QueuedDelivery> rows, Now now) {
  loading_queue_ = false;
  for (QueuedDelivery& row : rows) {
    HOOKD_CHECK(row.sequence >= window_end_, "a queue is read forward");
    window_end_ = row.sequence + 1;
    if (in_flight_.contains(row.sequence) || ended_on_disk_.contains(row.sequence)) continue;
    if (!row.event->coalesce_key.empty() && row.remade == nullptr) LearnCoalesceKey(*row.event, row.sequence);
    shared_.budget.Take(*row.event);
    const uint64_t key = OrderingKeyHash(*row.event);
    window_.push_back({row.sequence, std::move(row.event), key, now.steady, std::move(row.remade)});
  }
  ended_on_disk_.clear();
  tail_ = std::max(tail_, window_end_);
  // Nothing is where rows were on disk when they were asked for: they ended without an attempt.
  if (rows.empty()) window_end_ = std::max(window_end_, load_end_);
  for (auto& [sequence, passed] : claims_) passed |= sequence < window_end_;
}

void Lane::LoadedParked(const std::vector<ParkedDelivery>& rows, Now now) {
  loading_parked_ = false;
  parked_known_ = true;
  std::map<EventId, std::shared_ptr<Batch>> batches;  // by their ids; rows come by sequence
  for (const ParkedDelivery& row : rows) {
    if (row.batch) {
      const Batch::Member member{row.sequence, row.event, row.ordering_key_hash, row.remade, nullptr};
      if (const auto known = batches.find(*row.batch); known != batches.end()) {
        known->second->members.push_back(member);
        batched_[row.sequence] = known->second->members.front().sequence;
        continue;
      }
      const SteadyTime due = OnSteady(row.due_ms, LongestWait(endpoint_->policy, row.attempts), now);
      Park(row.sequence,
           {row.event, nullptr, row.ordering_key_hash, row.attempts, row.failures, due, row.remade});
      const auto batch = std::make_shared<Batch>(Batch{*row.batch, {member}});
      parked_.at(row.sequence).batch = batches[*row.batch] = batch;
      continue;
    }
    Park(row.sequence, {row.event, nullptr, row.ordering_key_hash, row.attempts, row.failures,
                        OnSteady(row.due_ms, LongestWait(endpoint_->policy, row.attempts), now), row.remade});
  }
}

void Lane::LoadedEvent(Sequence sequence, std::shared_ptr<const Event> event) {
  loading_event_ = false;
  const auto it = parked_.find(PlaceOf(sequence));
  if (it == parked_.end()) return;
  if (it->second.batch == nullptr) {
    it->second.event = std::move(event);
    return;
  }
  for (Batch::Member& member : it->second.batch->members) {
    if (member.sequence == sequence) member.event = event;
  }
}

void Lane::Park(Sequence sequence, Parked parked) {
  oldest_ms_ = std::min(oldest_ms_, parked.event_id.accepted_ms());
  const uint64_t key = parked.key;
  if (mode_ == DeliveryMode::kParallel) candidates_.emplace(parked.due, sequence);
  parked_[sequence] = std::move(parked);
  if (mode_ != DeliveryMode::kKeyed) return;
  const auto it = keys_.try_emplace(key).first;
  it->second.parked.insert(sequence);
  Refresh(it);
}

Lane::Parked Lane::TakeParked(Sequence sequence) {
  const auto it = parked_.find(sequence);
  if (mode_ == DeliveryMode::kParallel) candidates_.erase({it->second.due, sequence});
  if (mode_ == DeliveryMode::kKeyed) {
    const auto key = keys_.find(it->second.key);
    if (key->second.candidate == sequence) {
      candidates_.erase({it->second.due, sequence});
      key->second.candidate = 0;
    }
    key->second.parked.erase(sequence);
    Refresh(key);
  }
  Parked parked = std::move(it->second);
  parked_.erase(it);
  return parked;
}

void Lane::Refresh(Keys::iterator it) {
  Key& key = it->second;
  const Sequence candidate = key.busy > 0 || key.parked.empty() ? 0 : *key.parked.begin();
  if (candidate != key.candidate) {
    if (key.candidate != 0) candidates_.erase({parked_.at(key.candidate).due, key.candidate});
    if (candidate != 0) candidates_.emplace(parked_.at(candidate).due, candidate);
    key.candidate = candidate;
  }
  if (key.parked.empty() && key.busy == 0) keys_.erase(it);
}

// Nothing is in flight.
void Lane::SetMode(DeliveryMode mode) {
  if (mode == mode_ || (mode == DeliveryMode::kKeyed && BatchOfSeveralKeys())) return;
  DropFormed();  // it goes first no more, but in its turn
  mode_ = mode;
  candidates_.clear();
  keys_.clear();
  std::map<Sequence, Parked> parked;
  parked.swap(parked_);
  for (auto& [sequence, row] : parked) Park(sequence, std::move(row));
}

Lane::Windowed Lane::TakeWindowed(size_t index) {
  Windowed entry = std::move(window_[index]);
  window_.erase(window_.begin() + static_cast<std::ptrdiff_t>(index));
  shared_.budget.Give(*entry.event);
  return entry;
}

void Lane::Flying(const Work& work, uint64_t key, std::optional<LaneClass> slot, const AfterAttempt& after) {
  InFlight& flying = in_flight_[work.sequence];
  flying = {work.event->id, key, slot, after, work.remade};
  flying.batch = work.batch;
  if (!work.was_parked) from_queue_.insert(work.sequence);
  if (slot) ++attempts_in_flight_;
  if (mode_ != DeliveryMode::kKeyed) return;
  const auto it = keys_.try_emplace(key).first;
  ++it->second.busy;
  Refresh(it);
}

// The lowest sequence that has a queue row once the fact about `sequence` is applied.
Sequence Lane::CursorWithout(Sequence sequence) {
  from_queue_.erase(sequence);
  Sequence cursor = window_.empty() ? window_end_ : window_.front().sequence;
  if (!from_queue_.empty()) cursor = std::min(cursor, *from_queue_.begin());
  return cursor;
}

LaneStep Lane::Start(Work work, uint64_t key, Now now) {
  if (work.batch != nullptr && work.batch == formed_) ReleaseFormed();
  Flying(work, key, lane_class(), {});
  in_flight_.at(work.sequence).since_ms = now.wall;
  const bool by_member = work.batch != nullptr && endpoint_->policy.rate.unit == RateUnit::kMember;
  const uint32_t cost = by_member ? static_cast<uint32_t>(work.batch->members.size()) : 1;
  rate_tat_us_ = GcraAdvanceUs(endpoint_->policy.rate, rate_tat_us_, Micros(now.steady), cost);
  LaneStep step;
  step.kind = Kind::kStart;
  step.work = std::move(work);
  return step;
}

LaneStep Lane::Settle(Kind kind, Work work, uint64_t key, const AfterAttempt& after) {
  if (kind == Kind::kEnd && work.batch != nullptr && work.batch == formed_) ReleaseFormed();
  Flying(work, key, std::nullopt, after);
  LaneStep step;
  step.kind = kind;
  step.key = key;
  step.cursor = CursorWithout(work.sequence);
  step.work = std::move(work);
  return step;
}

LaneStep Lane::LoadEvent(Sequence sequence, EventId event) {
  LaneStep step;
  if (loading_event_) return step;
  loading_event_ = true;
  step.kind = Kind::kLoadEvent;
  step.sequence = sequence;
  step.event = event;
  return step;
}

LaneStep Lane::LoadQueue() {
  LaneStep step;
  if (loading_queue_) return step;
  loading_queue_ = true;
  load_end_ = tail_;
  step.kind = Kind::kLoadQueue;
  step.sequence = window_end_;
  return step;
}

SteadyTime Lane::MayStartAt() const {
  return std::max(FromMicros(GcraEarliestUs(endpoint_->policy.rate, rate_tat_us_)), hold_until_);
}

// What is dropped is on disk, and read again in its turn.
void Lane::DropWindow() {
  DropFormed();
  if (window_.empty() || loading_queue_) return;
  window_end_ = window_.front().sequence;
  for (const Windowed& entry : window_) shared_.budget.Give(*entry.event);
  window_.clear();
}

LaneStep Lane::Next(Now now) {
  LaneStep step = NextStep(now);
  const bool waits = step.kind == Kind::kWait || step.kind == Kind::kIdle;
  if (waits && in_flight_.empty() && shared_.budget.Exceeded()) DropWindow();
  return step;
}

void Lane::SeeCapture(Now now) {
  const std::optional<Capture>& capture = endpoint_->capture;
  if (std::exchange(capture_new_, false)) {
    capture_end_ = capture ? OnSteady(capture->until_ms, kMaxCapture, now) : SteadyTime{};
  }
  diverted_ = now.steady < capture_end_ && capture->delivers;
}

LaneStep Lane::NextStep(Now now) {
  LaneStep step;
  if (deleted_ || endpoint_ == nullptr || loading_parked_) return step;
  SeeCapture(now);
  const bool captured = Captured(now) && HasPending();
  const bool trims = trims_ > 0 || check_age_ || !purged_.empty();
  if (!trims && !captured && !Sends()) return step;
  if (!parked_known_ && (trims || !captured)) {
    loading_parked_ = true;
    step.kind = Kind::kLoadParked;
    return step;
  }
  if (trims) {
    if (std::optional<LaneStep> trim = TrimStep()) return *std::move(trim);
  }
  if (captured) {
    step.kind = Kind::kWait;
    step.until = capture_end_;
    step.captured = in_flight_.empty();
    return step;
  }
  if (!Sends()) return step;
  if (in_flight_.empty()) SetMode(endpoint_->policy.mode);
  if (mode_ == endpoint_->policy.mode) return AttemptStep(now);
  // Another mode begins once nothing is in flight, and no batch is left that knows no keys.
  const std::optional<Sequence> left = in_flight_.empty() ? BatchOfSeveralKeys() : std::nullopt;
  if (!left) return step;
  if (const SteadyTime due = parked_.at(*left).due; due > now.steady) {
    step.kind = Kind::kWait;
    step.until = due;
    return step;
  }
  return ParkedStep(*left, now);
}

// What has not shown that it works gets one attempt at a time, what fails a few: a black hole holds each for
// the whole timeout.
size_t Lane::MaxInFlight() const {
  if (mode_ == DeliveryMode::kOrdered) return 1;
  const size_t most = std::min<size_t>(
      {endpoint_->policy.max_in_flight, shared_.limits.max_in_flight, diverted_ ? kMaxDiverted : SIZE_MAX});
  switch (lane_class()) {
    case LaneClass::kUnproven:
      return 1;
    case LaneClass::kPoor:
      return std::max<size_t>(1, most / kPoorDivisor);
    case LaneClass::kGood:
      break;
  }
  return most;
}

LaneStep Lane::AttemptStep(Now now) {
  const bool ordered = mode_ == DeliveryMode::kOrdered;
  LaneStep step;
  if (in_flight_.size() - attempts_in_flight_ >= kMaxSettling) return step;
  if (attempts_in_flight_ >= MaxInFlight()) return step;
  SteadyTime wait = SteadyTime::max();
  Sequence retry = 0;
  if (ordered && !parked_.empty()) {
    wait = parked_.begin()->second.due;
    retry = parked_.begin()->first;
  } else if (!ordered && !candidates_.empty()) {
    std::tie(wait, retry) = *candidates_.begin();
  }
  // What has been put together goes first, as nothing else is put together before.
  if (const auto formed =
          formed_ == nullptr ? parked_.end() : parked_.find(formed_->members.front().sequence);
      formed != parked_.end() && formed->second.batch == formed_) {
    wait = formed->second.due;
    retry = formed->first;
  }
  if (wait > now.steady) retry = 0;
  const bool new_allowed =
      ordered ? parked_.empty() : parked_.size() + in_flight_.size() < shared_.limits.parked_per_lane;
  // A retry whose payload is being read does not hold up what is ready beside it.
  if (retry != 0 && !(loading_event_ && !ordered && NeedsEvent(parked_.at(retry)))) {
    return ParkedStep(retry, now);
  }
  if (new_allowed) {
    if (std::optional<LaneStep> next = WindowStep(now, &wait)) return *std::move(next);
    // A window full of what waits for its key: no room to look further.
    if (window_end_ < tail_ && (window_.empty() || (mode_ == DeliveryMode::kKeyed &&
                                                    window_.size() < shared_.limits.window_items))) {
      return LoadQueue();
    }
  }
  // Nothing pending: awake once more when rate and hold are over, to be forgotten.
  if (parked_.empty() && in_flight_.empty() && window_.empty()) {
    const SteadyTime over = std::max(FromMicros(rate_tat_us_), hold_until_);
    if (over > now.steady) wait = over;
  }
  if (wait != SteadyTime::max() && wait > now.steady) {
    step.kind = Kind::kWait;
    step.until = wait;
  }
  return step;
}

LaneStep Lane::ParkedStep(Sequence sequence, Now now) {
  const Parked& head = parked_.at(sequence);
  LaneStep step;
  // ORDERED: what ends without an attempt is on disk before the next is sent.
  if (mode_ == DeliveryMode::kOrdered && EarlierInFlight(sequence)) return step;
  if (const SteadyTime allowed = MayStartAt(); allowed > now.steady) {
    step.kind = Kind::kWait;
    step.until = allowed;
    return step;
  }
  // Not before: what is read takes memory while it waits.
  if (std::optional<LaneStep> load = LoadMissing(sequence, head)) return *std::move(load);
  std::optional<Verdict> ends;
  if (head.batch == nullptr) {
    ends = EndsInstead(*head.event, sequence, now);
    if (!ends && head.attempts == 0 && Joins(*head.event, now)) return FormParkedStep(sequence, now);
  }
  Parked parked = TakeParked(sequence);
  const uint64_t key = parked.key;
  Work work = WorkOf(sequence, std::move(parked));
  if (!ends) return Start(std::move(work), key, now);
  step = Settle(Kind::kEnd, std::move(work), key, {});
  step.state = ends->state;
  step.reason = ends->reason;
  return step;
}

std::optional<LaneStep> Lane::WindowStep(Now now, SteadyTime* wait) {
  const bool ordered = mode_ == DeliveryMode::kOrdered;
  absl::flat_hash_set<uint64_t> forming;  // KEYED: keys whose batch still grows
  for (size_t i = 0; i < window_.size(); ++i) {
    const Windowed& entry = window_[i];
    const Event& event = *entry.event;
    bool behind = false;
    if (forming.contains(entry.key)) continue;
    if (mode_ == DeliveryMode::kKeyed) {
      const auto key = keys_.find(entry.key);
      behind = key != keys_.end() && !key->second.parked.empty();
      if (key != keys_.end() && !behind) continue;  // its key is in flight: back in a moment
    }
    const std::optional<Verdict> ends = EndsInstead(event, entry.sequence, now);
    const bool early = event.not_before_ms > now.wall;
    if (!ends && early && ordered) {
      *wait = std::min(*wait, OnSteady(event.not_before_ms, kMaxNotBefore, now));
      return std::nullopt;
    }
    if (!ends && !early && !behind) {
      if (ordered && EarlierInFlight(entry.sequence)) return std::nullopt;
      if (const SteadyTime allowed = MayStartAt(); allowed > now.steady) {
        *wait = std::min(*wait, allowed);
        return std::nullopt;
      }
      if (Joins(event, now)) {
        if (std::optional<LaneStep> step = FormStep(i, now, wait)) return step;
        if (mode_ != DeliveryMode::kKeyed) return std::nullopt;
        forming.insert(entry.key);
        continue;
      }
    }
    Windowed taken = TakeWindowed(i);
    Work work{taken.sequence, std::move(taken.event), 1, 0, false, taken.since, std::move(taken.remade)};
    if (ends) {
      LaneStep step = Settle(Kind::kEnd, std::move(work), taken.key, {});
      step.state = ends->state;
      step.reason = ends->reason;
      return step;
    }
    if (!early && !behind) return Start(std::move(work), taken.key, now);
    AfterAttempt after;
    after.parked = true;
    after.due = early ? OnSteady(work.event->not_before_ms, kMaxNotBefore, now) : SteadyTime{};
    const WallMs until = early ? work.event->not_before_ms : 0;
    LaneStep step = Settle(Kind::kPark, std::move(work), taken.key, after);
    step.park_until_ms = until;
    return step;
  }
  return std::nullopt;
}

Sequence Lane::Submit(Sequence sequence, const AfterAttempt& after) {
  const auto it = in_flight_.find(sequence);
  HOOKD_CHECK(it != in_flight_.end(), "an outcome needs an attempt in flight");
  it->second.after = after;
  hold_until_ = std::max(hold_until_, after.hold_until);
  if (after.success) Know(true, false);
  if (after.counted) failing_ = true;
  if (after.success || after.counted) usual_us_ += (after.took_us - usual_us_) / 4;
  return CursorWithout(sequence);
}

std::optional<LaneClass> Lane::Recorded(Sequence sequence) {
  const auto it = in_flight_.find(sequence);
  HOOKD_CHECK(it != in_flight_.end(), "what is recorded was in flight");
  const InFlight done = std::move(it->second);
  in_flight_.erase(it);
  if (done.slot) --attempts_in_flight_;
  if (done.trim) --trimming_;
  if (loading_queue_ && sequence >= window_end_) ended_on_disk_.insert(sequence);
  if (done.batch != nullptr && done.slot) {
    for (Batch::Member& member : done.batch->members) member.event = nullptr;
  }
  if (done.after.parked) {
    Park(sequence, {done.event_id, nullptr, done.key, done.after.attempts, done.after.failures,
                    done.after.due, done.remade, done.after.ended_ms, done.batch});
  } else if (done.batch != nullptr) {
    Forget(*done.batch);
  }
  if (mode_ == DeliveryMode::kKeyed) {
    const auto key = keys_.find(done.key);
    --key->second.busy;
    Refresh(key);
  }
  return done.slot;
}

bool Lane::Forgettable(Now now) const {
  return !deleted_ && parked_known_ && window_.empty() && window_end_ == tail_ && parked_.empty() &&
         in_flight_.empty() && !loading_queue_ && Micros(now.steady) >= rate_tat_us_ &&
         now.steady >= hold_until_;
}

}  // namespace hookd
