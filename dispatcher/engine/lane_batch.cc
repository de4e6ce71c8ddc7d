// Deliveries that are put together. A batch is one entry of the lane's tables, under its first member.
#include <algorithm>

#include "base/check.h"
#include "dispatcher/core/filter.h"
#include "dispatcher/engine/lane.h"

namespace hookd {

bool Lane::Joins(const Event& event, Now now) const {
  const std::vector<std::string>& types = endpoint_->policy.batch.event_types;
  return !types.empty() && event.not_before_ms <= now.wall && MatchesAny(types, event.type);
}

Sequence Lane::PlaceOf(Sequence sequence) const {
  const auto it = batched_.find(sequence);
  return it == batched_.end() ? sequence : it->second;
}

void Lane::Forget(const Batch& batch) {
  for (const Batch::Member& member : batch.members) batched_.erase(member.sequence);
}

void Lane::ReleaseFormed() {
  if (formed_ == nullptr) return;
  for (const Batch::Member& member : formed_->members) shared_.budget.Give(*member.event);
  formed_ = nullptr;
}

bool Lane::NeedsEvent(const Parked& parked) {
  if (parked.batch == nullptr) return parked.event == nullptr;
  return std::any_of(parked.batch->members.begin(), parked.batch->members.end(),
                     [](const Batch::Member& member) { return member.event == nullptr; });
}

std::map<Sequence, Lane::Parked>::const_iterator Lane::FirstUnbatched() const {
  return std::find_if(parked_.begin(), parked_.end(),
                      [](const auto& entry) { return entry.second.batch == nullptr; });
}

std::optional<LaneStep> Lane::FormStep(size_t index, Now now, SteadyTime* wait) {
  if (formed_ != nullptr) return std::nullopt;  // one at a time: it is sent in a moment
  const BatchPolicy& policy = endpoint_->policy.batch;
  const uint64_t key = window_[index].key;
  std::vector<size_t> places;  // of its members in the window
  size_t bytes = 0;
  bool complete = false;
  for (size_t i = index; i < window_.size() && !complete; ++i) {
    const Windowed& entry = window_[i];
    if (mode_ == DeliveryMode::kKeyed && entry.key != key) continue;
    const size_t size = entry.event->payload.size();
    const bool fits = places.empty() || bytes + size <= kMaxBatchPayloadBytes;
    if (!fits || !Joins(*entry.event, now) || EndsInstead(*entry.event, entry.sequence, now)) {
      complete = true;  // the next in order is of another kind, or too large
      break;
    }
    places.push_back(i);
    bytes += size;
    complete = places.size() >= policy.max_members || bytes >= kMaxBatchPayloadBytes;
  }
  const bool room = window_.size() < shared_.limits.window_items && !shared_.budget.Exceeded();
  if (!complete && window_end_ < tail_ && room) return LoadQueue();  // more may be on disk
  const SteadyTime until = window_[index].since + policy.linger;
  if (!complete && window_end_ == tail_ && until > now.steady) {
    *wait = std::min(*wait, until);
    return std::nullopt;
  }

  auto batch = std::make_shared<Batch>();
  for (size_t taken = 0; taken < places.size(); ++taken) {
    Windowed entry = TakeWindowed(places[taken] - taken);
    shared_.budget.Take(*entry.event);
    batch->members.push_back(
        {entry.sequence, entry.event->id, entry.key, std::move(entry.remade), std::move(entry.event)});
    if (taken > 0) batched_[entry.sequence] = batch->members.front().sequence;
  }
  formed_ = batch;
  const Batch::Member& first = batch->members.front();
  AfterAttempt after;
  after.parked = true;
  after.due = now.steady;
  Work work{first.sequence, first.event, 1, 0, false, now.steady, first.remade, batch};
  return Settle(LaneStep::Kind::kForm, std::move(work), key, after);
}

}  // namespace hookd
