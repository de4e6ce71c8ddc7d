#include "dispatcher/engine/scheduler.h"

#include "base/check.h"

namespace hookd {

Scheduler::Scheduler(const SchedulerLimits& limits, SchedulerHost& host)
    : limits_(limits), host_(host), budget_(limits.window_bytes) {}

Lane* Scheduler::Find(EndpointId endpoint) {
  const auto it = entries_.find(endpoint);
  return it == entries_.end() ? nullptr : it->second->lane.get();
}

Lane& Scheduler::LaneOf(Entry& entry, EndpointId endpoint, Sequence first) {
  if (entry.lane == nullptr) {
    entry.lane = std::make_unique<Lane>(endpoint, first, limits_.lane, budget_);
    entry.lane->Configure(entry.endpoint, entry.paused);
  }
  return *entry.lane;
}

void Scheduler::MakeReady(EndpointId endpoint, Entry& entry) {
  if (entry.ready || entry.lane == nullptr) return;
  Wake(endpoint, entry, std::nullopt);
  entry.ready = true;
  ready_.push_back(endpoint);
}

void Scheduler::Wake(EndpointId endpoint, Entry& entry, std::optional<SteadyTime> at) {
  if (entry.wake == at) return;
  if (entry.wake) wakes_.erase({*entry.wake, endpoint});
  entry.wake = at;
  if (at) wakes_.emplace(*at, endpoint);
}

void Scheduler::Configure(std::shared_ptr<const Endpoint> endpoint, bool paused, const LaneState* state,
                          SteadyTime now, WallMs wall) {
  const EndpointId id = endpoint->id;
  std::unique_ptr<Entry>& slot = entries_[id];
  if (slot == nullptr) slot = std::make_unique<Entry>();
  Entry& entry = *slot;
  entry.endpoint = std::move(endpoint);
  entry.paused = paused;
  if (state != nullptr && (state->pending() > 0 || state->rate_tat_ms > wall)) {
    LaneOf(entry, id, state->cursor).Restore(*state, now, wall);
  }
  if (entry.lane != nullptr) {
    entry.lane->Configure(entry.endpoint, paused);
    MakeReady(id, entry);
  }
}

void Scheduler::Delete(EndpointId endpoint) {
  const auto it = entries_.find(endpoint);
  if (it == entries_.end()) return;
  LaneOf(*it->second, endpoint, 1).Delete();
  Rest(endpoint, *it->second);
}

void Scheduler::DeletedBefore(EndpointId endpoint) {
  entries_[endpoint] = std::make_unique<Entry>();
  Delete(endpoint);
}

void Scheduler::Rest(EndpointId endpoint, Entry& entry) {
  if (!entry.lane->deleted() || entry.lane->in_flight() > 0) return;
  Wake(endpoint, entry, std::nullopt);
  entries_.erase(endpoint);  // a stale name in ready_ is skipped
  host_.LaneAtRest(endpoint);
}

void Scheduler::Accepted(EndpointId endpoint, Sequence sequence, const std::shared_ptr<const Event>& event,
                         SteadyTime now) {
  const auto it = entries_.find(endpoint);
  if (it == entries_.end()) return;  // deleted since
  LaneOf(*it->second, endpoint, sequence).Accepted(sequence, event, now);
  MakeReady(endpoint, *it->second);
}

void Scheduler::LoadedParked(EndpointId endpoint, const std::vector<ParkedDelivery>& rows, SteadyTime now,
                             WallMs wall) {
  const auto it = entries_.find(endpoint);
  if (it == entries_.end() || it->second->lane == nullptr) return;
  it->second->lane->LoadedParked(rows, now, wall);
  MakeReady(endpoint, *it->second);
}

void Scheduler::LoadedQueue(EndpointId endpoint, std::vector<QueuedDelivery> rows, SteadyTime now) {
  const auto it = entries_.find(endpoint);
  if (it == entries_.end() || it->second->lane == nullptr) return;
  it->second->lane->LoadedQueue(std::move(rows), now);
  MakeReady(endpoint, *it->second);
}

void Scheduler::LoadedEvent(EndpointId endpoint, Sequence sequence, std::shared_ptr<const Event> event) {
  const auto it = entries_.find(endpoint);
  if (it == entries_.end() || it->second->lane == nullptr) return;
  it->second->lane->LoadedEvent(sequence, std::move(event));
  MakeReady(endpoint, *it->second);
}

void Scheduler::Recorded(EndpointId endpoint, Sequence sequence) {
  const auto it = entries_.find(endpoint);
  HOOKD_CHECK(it != entries_.end() && it->second->lane != nullptr, "a lane with something in flight stays");
  --in_flight_;
  it->second->lane->Recorded(sequence);
  if (it->second->lane->deleted()) {
    Rest(endpoint, *it->second);
  } else {
    MakeReady(endpoint, *it->second);
  }
}

void Scheduler::RunDue(SteadyTime now) {
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    const EndpointId endpoint = wakes_.begin()->second;
    MakeReady(endpoint, *entries_.at(endpoint));
  }
  while (!stopped_ && !ready_.empty() && in_flight_ < limits_.max_in_flight) {
    const EndpointId endpoint = ready_.front();
    ready_.pop_front();
    const auto it = entries_.find(endpoint);
    if (it == entries_.end() || !it->second->ready) continue;
    Entry& entry = *it->second;
    entry.ready = false;
    LaneStep step = entry.lane->Next(now);
    switch (step.kind) {
      case LaneStep::Kind::kStart:
        ++in_flight_;
        MakeReady(endpoint, entry);
        host_.StartAttempt(*entry.lane, std::move(step.work));
        break;
      case LaneStep::Kind::kLoadParked:
        host_.ReadParked(endpoint);
        break;
      case LaneStep::Kind::kLoadQueue:
        host_.ReadQueue(endpoint, step.sequence);
        break;
      case LaneStep::Kind::kLoadEvent:
        MakeReady(endpoint, entry);  // what is ready beside it need not wait
        host_.ReadEvent(endpoint, step.sequence, step.event);
        break;
      case LaneStep::Kind::kWait:
        Wake(endpoint, entry, step.until);
        break;
      case LaneStep::Kind::kIdle:
        if (entry.lane->Forgettable(now)) entry.lane.reset();
        break;
    }
  }
}

std::optional<SteadyTime> Scheduler::NextDue() const {
  if (stopped_ || wakes_.empty()) return std::nullopt;
  return wakes_.begin()->first;
}

}  // namespace hookd
