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

void Lane::DropFormed() {
  if (formed_ == nullptr) return;
  const std::shared_ptr<Batch> batch = formed_;
  ReleaseFormed();
  for (Batch::Member& member : batch->members) member.event = nullptr;
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

std::optional<LaneStep> Lane::LoadMissing(Sequence sequence, const Parked& parked) {
  if (parked.batch == nullptr) {
    if (parked.event == nullptr) return LoadEvent(sequence, parked.event_id);
    return std::nullopt;
  }
  for (const Batch::Member& member : parked.batch->members) {
    if (member.event == nullptr) return LoadEvent(member.sequence, member.event_id);
  }
  return std::nullopt;
}

Work Lane::WorkOf(Sequence sequence, Parked parked) {
  if (parked.batch != nullptr) parked.event = parked.batch->members.front().event;
  return {sequence,   std::move(parked.event),  parked.attempts + 1,    parked.failures, true,
          parked.due, std::move(parked.remade), std::move(parked.batch)};
}

std::optional<Sequence> Lane::BatchOfSeveralKeys() const {
  for (const auto& [sequence, parked] : parked_) {
    if (parked.batch == nullptr) continue;
    const std::vector<Batch::Member>& members = parked.batch->members;
    const bool several = std::any_of(members.begin(), members.end(), [&members](const Batch::Member& member) {
      return member.key != members.front().key;
    });
    if (several) return sequence;
  }
  return std::nullopt;
}

bool Lane::Take(const Event& event, Now now, Forming& forming) const {
  const size_t size = event.payload.size();
  const bool fits = forming.size() == 0 || forming.bytes + size <= kMaxBatchPayloadBytes;
  if (!fits || !Joins(event, now)) {  // the next in order is of another kind, or too large
    forming.complete = true;
    return false;
  }
  forming.bytes += size;
  forming.complete =
      forming.size() + 1 >= endpoint_->policy.batch.max_members || forming.bytes >= kMaxBatchPayloadBytes;
  return true;
}

std::optional<LaneStep> Lane::TakeFromWindow(size_t index, uint64_t key, Now now, Forming& forming) {
  for (size_t i = index; i < window_.size() && !forming.complete; ++i) {
    const Windowed& entry = window_[i];
    if (mode_ == DeliveryMode::kKeyed && entry.key != key) continue;
    if (const std::optional<Verdict> ends = EndsInstead(*entry.event, entry.sequence, now)) {
      Windowed taken = TakeWindowed(i);
      Work work{taken.sequence, std::move(taken.event), 1, 0, false, taken.since, std::move(taken.remade)};
      LaneStep step = Settle(LaneStep::Kind::kEnd, std::move(work), taken.key, {});
      step.state = ends->state;
      step.reason = ends->reason;
      return step;
    }
    if (Take(*entry.event, now, forming)) forming.windowed.push_back(i);
  }
  return std::nullopt;
}

std::optional<LaneStep> Lane::FormStep(size_t index, Now now, SteadyTime* wait) {
  if (formed_ != nullptr) return std::nullopt;  // one at a time: it is sent in a moment
  Forming forming;
  const uint64_t key = window_[index].key;
  if (std::optional<LaneStep> end = TakeFromWindow(index, key, now, forming)) return end;
  const bool memory = !shared_.budget.Exceeded();
  const bool room = memory && window_.size() < shared_.limits.window_items;
  if (!forming.complete && window_end_ < tail_ && room) return LoadQueue();  // more may be on disk
  const SteadyTime until = window_[index].since + endpoint_->policy.batch.linger;
  if (!forming.complete && memory && window_end_ == tail_ && until > now.steady) {
    *wait = std::min(*wait, until);
    return std::nullopt;
  }
  return Form(forming, key, now);
}

// What waited behind others, or for its time, does not linger.
LaneStep Lane::FormParkedStep(Sequence first, Now now) {
  if (formed_ != nullptr) return {};
  Forming forming;
  const uint64_t key = parked_.at(first).key;
  std::vector<Sequence> next = {first};
  if (mode_ == DeliveryMode::kKeyed) {
    const std::set<Sequence>& same = keys_.at(key).parked;
    next.assign(same.find(first), same.end());
  } else if (mode_ == DeliveryMode::kOrdered) {
    for (auto it = std::next(parked_.find(first)); it != parked_.end(); ++it) next.push_back(it->first);
  }
  for (const Sequence sequence : next) {
    const Parked& parked = parked_.at(sequence);
    if (parked.attempts > 0 || parked.batch != nullptr || parked.due > now.steady) forming.complete = true;
    if (forming.complete) break;
    if (parked.event == nullptr) return LoadEvent(sequence, parked.event_id);
    if (EndsInstead(*parked.event, sequence, now)) break;  // it ends in its turn
    if (Take(*parked.event, now, forming)) forming.parked.push_back(sequence);
  }
  const bool all = forming.parked.size() == next.size();
  if (all && mode_ != DeliveryMode::kParallel) {
    if (std::optional<LaneStep> end = TakeFromWindow(0, key, now, forming)) return *std::move(end);
  }
  return Form(forming, key, now);
}

LaneStep Lane::Form(const Forming& forming, uint64_t key, Now now) {
  auto batch = std::make_shared<Batch>();
  for (const Sequence sequence : forming.parked) {
    Parked parked = TakeParked(sequence);
    batch->members.push_back(
        {sequence, parked.event_id, parked.key, std::move(parked.remade), std::move(parked.event), true});
  }
  for (size_t taken = 0; taken < forming.windowed.size(); ++taken) {
    Windowed entry = TakeWindowed(forming.windowed[taken] - taken);
    batch->members.push_back(
        {entry.sequence, entry.event->id, entry.key, std::move(entry.remade), std::move(entry.event), false});
  }
  const Batch::Member& first = batch->members.front();
  for (const Batch::Member& member : batch->members) {
    shared_.budget.Take(*member.event);
    if (member.sequence != first.sequence) batched_[member.sequence] = first.sequence;
  }
  formed_ = batch;
  AfterAttempt after;
  after.parked = true;
  after.due = now.steady;
  Work work{first.sequence, first.event, 1, 0, first.was_parked, now.steady, first.remade, batch};
  return Settle(LaneStep::Kind::kForm, std::move(work), key, after);
}

}  // namespace hookd
