// What people ask of one delivery of a lane: where it stands, that it goes now, that it ends.
#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/concat.h"
#include "dispatcher/core/rate_limit.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/lane.h"

namespace hookd {
namespace {

using Place = LanePosition::Place;

WallMs OnWall(SteadyTime time, Now now) {
  return now.wall + std::chrono::duration_cast<std::chrono::milliseconds>(time - now.steady).count();
}

Waiting Wait(WaitKind kind, WallMs until_ms = 0, std::string detail = "") {
  Waiting waiting;
  waiting.kind = kind;
  waiting.until_ms = until_ms;
  waiting.detail = std::move(detail);
  return waiting;
}

}  // namespace

std::optional<size_t> Lane::FindWindowed(Sequence sequence) const {
  const auto it =
      std::lower_bound(window_.begin(), window_.end(), sequence,
                       [](const Windowed& entry, Sequence wanted) { return entry.sequence < wanted; });
  if (it == window_.end() || it->sequence != sequence) return std::nullopt;
  return static_cast<size_t>(it - window_.begin());
}

DeliveryId Lane::IdOf(std::map<Sequence, Parked>::const_iterator it) const {
  return MakeDeliveryId(it->second.event_id, it->second.remade, id_, it->first);
}

DeliveryId Lane::IdOf(std::map<Sequence, InFlight>::const_iterator it) const {
  return MakeDeliveryId(it->second.event_id, it->second.remade, id_, it->first);
}

DeliveryId Lane::IdOf(const Windowed& entry) const {
  return MakeDeliveryId(entry.event->id, entry.remade, id_, entry.sequence);
}

LanePosition Lane::Position(Sequence sequence) {
  sequence = PlaceOf(sequence);
  if (const auto it = in_flight_.find(sequence); it != in_flight_.end()) {
    return {it->second.slot ? Place::kInFlight : Place::kSettling, std::nullopt};
  }
  if (!parked_known_) return {Place::kUnknown, std::nullopt};
  if (in_flight_.empty()) SetMode(endpoint_->policy.mode);
  const auto parked = parked_.find(sequence);
  const std::optional<size_t> windowed = FindWindowed(sequence);
  const bool on_disk = sequence >= window_end_ && sequence < tail_;
  if (parked == parked_.end() && !windowed && !on_disk) return {Place::kGone, std::nullopt};
  // What is on disk, and whose event is not known, is taken for the next only when nothing else is there.
  const bool only = parked_.empty() && in_flight_.empty() && window_.empty() && sequence == window_end_;
  switch (mode_) {
    case DeliveryMode::kParallel:
      break;
    case DeliveryMode::kOrdered:
      if (!in_flight_.empty() && in_flight_.begin()->first < sequence) {
        return {Place::kBehind, IdOf(in_flight_.begin())};
      }
      if (!parked_.empty()) {
        if (parked_.begin()->first != sequence) return {Place::kBehind, IdOf(parked_.begin())};
      } else if (!window_.empty()) {
        if (window_.front().sequence != sequence) return {Place::kBehind, IdOf(window_.front())};
      } else if (sequence != window_end_) {
        return {Place::kBehind, std::nullopt};
      }
      break;
    case DeliveryMode::kKeyed: {
      if (on_disk && !windowed && parked == parked_.end()) {
        if (!only) return {Place::kBehind, std::nullopt};
        break;
      }
      const uint64_t key = windowed ? window_[*windowed].key : parked->second.key;
      if (const auto it = keys_.find(key); it != keys_.end()) {
        if (it->second.busy > 0) {
          const auto before = std::find_if(in_flight_.begin(), in_flight_.end(),
                                           [key](const auto& flying) { return flying.second.key == key; });
          return {Place::kBehind, IdOf(before)};
        }
        const Sequence first = *it->second.parked.begin();
        if (first != sequence) return {Place::kBehind, IdOf(parked_.find(first))};
      }
      for (size_t i = 0; windowed && i < *windowed; ++i) {
        if (window_[i].key == key) return {Place::kBehind, IdOf(window_[i])};
      }
      break;
    }
  }
  return {Place::kNext, std::nullopt};
}

LanePosition Lane::Retry(Sequence sequence, Now now) {
  sequence = PlaceOf(sequence);
  LanePosition position = Position(sequence);
  if (position.place != Place::kNext) return position;
  if (const std::optional<size_t> windowed = FindWindowed(sequence)) {
    if (window_[*windowed].event->not_before_ms > now.wall) position.place = Place::kNotBefore;
    return position;
  }
  const auto it = parked_.find(sequence);
  if (it == parked_.end() || it->second.due <= now.steady) return position;
  if (it->second.attempts == 0) {
    position.place = Place::kNotBefore;
    return position;
  }
  const bool candidate = candidates_.erase({it->second.due, sequence}) > 0;
  it->second.due = now.steady;
  if (candidate) candidates_.emplace(now.steady, sequence);
  return position;
}

Waiting Lane::WhyNot(Sequence sequence, Now now) const {
  sequence = PlaceOf(sequence);
  const auto parked = parked_.find(sequence);
  const std::optional<size_t> windowed = FindWindowed(sequence);
  const bool retry = parked != parked_.end();
  const SteadyTime due = retry ? parked->second.due : SteadyTime{};
  if (hold_until_ > now.steady && hold_until_ >= due) {
    return Wait(WaitKind::kRetryAfter, OnWall(hold_until_, now), "the receiver asked for it");
  }
  if (due > now.steady) {
    const bool attempted = parked->second.attempts > 0;
    Waiting waiting = Wait(attempted ? WaitKind::kBackoff : WaitKind::kNotBefore, OnWall(due, now));
    waiting.since_ms = parked->second.since_ms;
    return waiting;
  }
  if (windowed && window_[*windowed].event->not_before_ms > now.wall) {
    return Wait(WaitKind::kNotBefore, window_[*windowed].event->not_before_ms);
  }
  if (windowed && Joins(*window_[*windowed].event, now)) {
    const SteadyTime goes = window_[*windowed].since + endpoint_->policy.batch.linger;
    if (goes > now.steady) return Wait(WaitKind::kSlot, OnWall(goes, now), "its batch may still grow");
  }
  if (const SteadyTime allowed = MayStartAt(); allowed > now.steady) {
    return Wait(WaitKind::kRate, OnWall(allowed, now),
                Concat(endpoint_->policy.rate.per_second, " attempts per second"));
  }
  if (attempts_in_flight_ >= MaxInFlight()) {
    return Wait(WaitKind::kCap, 0,
                Concat(attempts_in_flight_, " attempts of its endpoint are in flight, its most"));
  }
  if (!retry && mode_ != DeliveryMode::kOrdered &&
      parked_.size() + in_flight_.size() >= shared_.limits.parked_per_lane) {
    return Wait(WaitKind::kCap, 0,
                Concat(parked_.size(), " deliveries of its endpoint wait for a retry, its most"));
  }
  Waiting waiting = Wait(WaitKind::kSlot);
  if (windowed) waiting.since_ms = OnWall(window_[*windowed].since, now);
  if (retry && parked->second.attempts > 0) waiting.since_ms = OnWall(due, now);
  if (!retry && !windowed) waiting.detail = "it is read from disk in its turn";
  return waiting;
}

WallMs Lane::InFlightSince(Sequence sequence) const { return in_flight_.at(PlaceOf(sequence)).since_ms; }

EndAnswer Lane::End(const EndOrder& order, const std::shared_ptr<const Event>& row) {
  const Sequence sequence = order.delivery.id.sequence;
  // A read that was for nothing: what it asked about has moved meanwhile.
  const auto claim = claims_.find(sequence);
  const bool claimed = row != nullptr && claim != claims_.end() && !claim->second;
  if (row != nullptr && claim != claims_.end()) claims_.erase(claim);
  if (const auto it = in_flight_.find(PlaceOf(sequence)); it != in_flight_.end()) {
    return {it->second.slot ? EndAnswer::Kind::kInFlight : EndAnswer::Kind::kBusy, {}};
  }
  if (!parked_known_ || in_flight_.size() - attempts_in_flight_ >= kMaxSettling) {
    return {EndAnswer::Kind::kBusy, {}};
  }
  Work work;
  uint64_t key = 0;
  if (const auto it = parked_.find(PlaceOf(sequence)); it != parked_.end()) {
    if (it->second.batch != nullptr) {
      if (order.reason != EndReason::kPurged) return {EndAnswer::Kind::kBatched, {}};
      purged_[it->first].insert(sequence);  // its payloads are read first
      return {EndAnswer::Kind::kBusy, {}};
    }
    Parked parked = TakeParked(sequence);
    key = parked.key;
    auto event = std::make_shared<Event>();  // as much of it as an end needs
    event->id = parked.event_id;
    event->type = order.delivery.event_type;
    event->subscriber_id = endpoint_->subscriber_id;
    work = {sequence, std::move(event), parked.attempts + 1,     parked.failures,
            true,     parked.due,       std::move(parked.remade)};
  } else if (const std::optional<size_t> windowed = FindWindowed(sequence)) {
    Windowed entry = TakeWindowed(*windowed);
    key = entry.key;
    work = {sequence, std::move(entry.event), 1, 0, false, entry.since, std::move(entry.remade)};
  } else if (sequence < window_end_ || sequence >= tail_) {
    return {EndAnswer::Kind::kGone, {}};
  } else if (claimed) {
    const Delivery& read = order.delivery;
    RemadePtr remade;
    if (read.origin != Origin::kPublish) {
      remade = std::make_shared<const Remade>(Remade{read.accepted_ms, read.origin, read.replaces});
    }
    key = OrderingKeyHash(*row);
    work = {sequence, row, 1, 0, false, SteadyTime{}, std::move(remade)};
  } else {
    if (row != nullptr) return {EndAnswer::Kind::kBusy, {}};
    const bool first = claims_.try_emplace(sequence, false).second;
    return {first ? EndAnswer::Kind::kReadRow : EndAnswer::Kind::kClaimed, {}};
  }
  EndAnswer answer{EndAnswer::Kind::kEnds, Settle(LaneStep::Kind::kEnd, std::move(work), key, {})};
  answer.step.state = order.state;
  answer.step.reason = order.reason;
  // Counted as one that the backlog asked for: the excess that the committer names does not know of it.
  in_flight_.at(sequence).trim = true;
  ++trimming_;
  if (trims_ > 0) --trims_;
  return answer;
}

bool Lane::LearnParked() {
  if (parked_known_ || loading_parked_ || deleted_) return false;
  loading_parked_ = true;
  return true;
}

}  // namespace hookd
