// What ends without an attempt: it expired, is too old, in excess of the backlog, or superseded.
#include <algorithm>

#include "base/check.h"
#include "dispatcher/engine/lane.h"

namespace hookd {

using Kind = LaneStep::Kind;

bool Lane::Expired(const Event& event, Now now) const {
  return shared_.may_expire && event.expires_ms != 0 && now.wall >= event.expires_ms;
}

bool Lane::Superseded(const Event& event, Sequence sequence) const {
  if (event.coalesce_key.empty() || !endpoint_->policy.coalesce) return false;
  if (coalescing_ == nullptr) return false;
  const auto it = coalescing_->newest.find(StableHash(event.coalesce_key));
  return it != coalescing_->newest.end() && it->second > sequence;
}

void Lane::LearnCoalesceKey(const Event& event, Sequence sequence) {
  if (endpoint_ == nullptr || !endpoint_->policy.coalesce) return;
  if (coalescing_ == nullptr) coalescing_ = std::make_unique<Coalescing>();
  const auto [it, first] = coalescing_->newest.try_emplace(StableHash(event.coalesce_key), sequence);
  it->second = std::max(it->second, sequence);
  if (!first) return;
  coalescing_->keys.push_back(it->first);
  if (coalescing_->keys.size() <= kMaxCoalesceKeys) return;
  coalescing_->newest.erase(coalescing_->keys.front());
  coalescing_->keys.pop_front();
}

std::optional<Lane::Verdict> Lane::EndsInstead(const Event& event, Sequence sequence, Now now) const {
  if (Expired(event, now)) return Verdict{DeliveryState::kExpired, EndReason::kExpiresAt};
  if (Superseded(event, sequence)) return Verdict{DeliveryState::kCanceled, EndReason::kSuperseded};
  return std::nullopt;
}

std::optional<LaneStep> Lane::PurgeStep() {
  while (!purged_.empty()) {
    const Sequence first = purged_.begin()->first;
    const auto it = parked_.find(first);
    if (it != parked_.end() && it->second.batch != nullptr) {
      if (std::optional<LaneStep> load = LoadMissing(first, it->second)) return load;
      std::set<Sequence> purged = std::move(purged_.begin()->second);
      purged_.erase(first);
      Parked parked = TakeParked(first);
      const uint64_t key = parked.key;
      LaneStep step = Settle(Kind::kEnd, WorkOf(first, std::move(parked)), key, {});
      step.state = DeliveryState::kCanceled;
      step.reason = EndReason::kPurged;
      step.purged = std::move(purged);
      return step;
    }
    purged_.erase(first);  // in flight, or ended: who asked for it asks again
  }
  return std::nullopt;
}

// Ends the oldest that is not in flight, when it has to go; nullopt = it has not.
std::optional<LaneStep> Lane::TrimStep() {
  if (in_flight_.size() - attempts_in_flight_ >= kMaxSettling) return LaneStep();
  if (std::optional<LaneStep> purge = PurgeStep()) return purge;
  if (trims_ == 0 && !check_age_) return std::nullopt;
  // The backlog leaves batches whole; what is too old ends as a whole.
  const auto parked_head = trims_ > 0 ? FirstUnbatched() : parked_.cbegin();
  const Sequence first_parked = parked_head == parked_.end() ? UINT64_MAX : parked_head->first;
  const Sequence first_queued = window_.empty() ? window_end_ : window_.front().sequence;
  const bool from_parked = first_parked < first_queued;
  if (!from_parked && window_.empty()) {
    if (window_end_ < tail_) return LoadQueue();
    trims_ = 0;
    check_age_ = false;
    return std::nullopt;
  }
  const WallMs made_ms = from_parked ? AcceptedMs(parked_head->second.event_id, parked_head->second.remade)
                                     : AcceptedMs(window_.front().event->id, window_.front().remade);
  const bool too_old = shared_.may_expire && made_ms < shared_.expire_accepted_before;
  if (trims_ == 0 && !too_old) {
    check_age_ = false;
    oldest_ms_ = made_ms;
    return std::nullopt;
  }
  if (from_parked) {
    if (std::optional<LaneStep> load = LoadMissing(first_parked, parked_head->second))
      return *std::move(load);
  }
  Work work;
  uint64_t key = 0;
  if (from_parked) {
    Parked parked = TakeParked(first_parked);
    key = parked.key;
    work = WorkOf(first_parked, std::move(parked));
  } else {
    Windowed entry = TakeWindowed(0);
    key = entry.key;
    work = {entry.sequence, std::move(entry.event), 1, 0, false, entry.since, std::move(entry.remade)};
  }
  const Sequence sequence = work.sequence;
  LaneStep step = Settle(Kind::kEnd, std::move(work), key, {});
  step.reason = too_old ? EndReason::kTooOld : EndReason::kBacklogFull;
  if (trims_ > 0) {
    --trims_;
    ++trimming_;
    in_flight_.at(sequence).trim = true;
  }
  return step;
}

}  // namespace hookd
