#include "dispatcher/engine/scheduler.h"

#include <algorithm>

#include "base/check.h"
#include "dispatcher/engine/request.h"

namespace hookd {
namespace {

size_t Share(size_t slots, double share) {
  return std::max<size_t>(1, static_cast<size_t>(static_cast<double>(slots) * share));
}

}  // namespace

uint64_t Scheduler::UnprovenGate(uint64_t subscriber) { return ~subscriber | 1; }

size_t Scheduler::MostUnprovenOfSubscriber() const {
  return Share(limits_.max_in_flight, kUnprovenShare * kUnprovenShareOfSubscriber);
}

Scheduler::Scheduler(const SchedulerLimits& limits, SchedulerHost& host)
    : limits_(limits), host_(host), shared_{limits.lane, WindowBudget(limits.window_bytes)} {}

Scheduler::Entry* Scheduler::FindEntry(EndpointId endpoint) {
  const auto it = entries_.find(endpoint);
  return it == entries_.end() ? nullptr : it->second.get();
}

Lane* Scheduler::Find(EndpointId endpoint) {
  Entry* entry = FindEntry(endpoint);
  return entry == nullptr ? nullptr : &entry->lane;
}

Scheduler::Entry& Scheduler::EntryOf(const std::shared_ptr<const Endpoint>& endpoint, Hold hold,
                                     Sequence first) {
  std::unique_ptr<Entry>& slot = entries_[endpoint->id];
  if (slot == nullptr) {
    slot = std::make_unique<Entry>(endpoint->id, shared_, first);
    Configure(*slot, endpoint, hold);
  }
  return *slot;
}

void Scheduler::Configure(Entry& entry, const std::shared_ptr<const Endpoint>& endpoint, Hold hold) {
  entry.subscriber = StableHash(endpoint->subscriber_id);
  entry.host = StableHash(HostOf(endpoint->url));
  entry.lane.Configure(endpoint, hold);
}

// In the queue of its class, unless it is there already.
void Scheduler::MakeReady(Entry& entry) {
  if (entry.queued) return;
  Wake(entry, std::nullopt);
  entry.queued = true;
  queues_[static_cast<size_t>(entry.lane.lane_class())].Push(entry.subscriber, entry.lane.id());
}

void Scheduler::MakeAllReady() {
  for (const auto& [id, entry] : entries_) MakeReady(*entry);
}

void Scheduler::Wake(Entry& entry, std::optional<SteadyTime> at) {
  if (entry.wake == at) return;
  if (entry.wake) wakes_.erase({*entry.wake, entry.lane.id()});
  entry.wake = at;
  if (at) wakes_.emplace(*at, entry.lane.id());
}

void Scheduler::Restore(std::shared_ptr<const Endpoint> endpoint, Hold hold, const LaneState& state,
                        Now now) {
  Entry& entry = EntryOf(endpoint, hold, state.cursor);
  entry.lane.Restore(state, now);
  MakeReady(entry);
}

void Scheduler::Configure(const std::shared_ptr<const Endpoint>& endpoint, Hold hold) {
  Entry* entry = FindEntry(endpoint->id);
  if (entry == nullptr) return;
  Configure(*entry, endpoint, hold);
  MakeReady(*entry);
}

void Scheduler::Delete(EndpointId endpoint) {
  Entry* entry = FindEntry(endpoint);
  if (entry == nullptr) {
    host_.LaneAtRest(endpoint);
    return;
  }
  entry->lane.Delete();
  Rest(*entry);
}

void Scheduler::Rest(Entry& entry) {
  if (!entry.lane.deleted() || entry.lane.in_flight() > 0) return;
  const EndpointId endpoint = entry.lane.id();
  Wake(entry, std::nullopt);
  entries_.erase(endpoint);  // a stale name in a queue is skipped
  host_.LaneAtRest(endpoint);
}

void Scheduler::SetOperations(const Operations& operations) {
  operations_ = operations;
  shared_.paused = operations.paused;
  shared_.may_expire = !operations.clock_suspect;
  MakeAllReady();
}

void Scheduler::ExpireAcceptedBefore(WallMs accepted) {
  shared_.expire_accepted_before = accepted;
  for (const auto& [id, entry] : entries_) {
    entry->lane.CheckAge();
    MakeReady(*entry);
  }
}

void Scheduler::Accepted(const NewDelivery& delivery, Now now) {
  Entry* entry = FindEntry(delivery.endpoint->id);
  if (entry == nullptr) {
    entry = &EntryOf(delivery.endpoint, delivery.hold, delivery.sequence);
    entry->lane.Know(delivery.proven, delivery.failing);
  }
  entry->lane.Accepted(delivery.sequence, delivery.event, now, delivery.remade);
  MakeReady(*entry);
}

void Scheduler::OverBacklog(EndpointId endpoint, uint64_t excess) {
  Entry* entry = FindEntry(endpoint);
  if (entry == nullptr) return;
  entry->lane.OverBacklog(excess);
  MakeReady(*entry);
}

void Scheduler::LoadedParked(EndpointId endpoint, const std::vector<ParkedDelivery>& rows, Now now) {
  Entry* entry = FindEntry(endpoint);
  if (entry == nullptr) return;
  entry->lane.LoadedParked(rows, now);
  MakeReady(*entry);
}

void Scheduler::LoadedQueue(EndpointId endpoint, std::vector<QueuedDelivery> rows, Now now) {
  --reads_;
  ReadQueues();
  Entry* entry = FindEntry(endpoint);
  if (entry == nullptr) return;
  entry->lane.LoadedQueue(std::move(rows), now);
  MakeReady(*entry);
}

void Scheduler::LoadedEvent(EndpointId endpoint, Sequence sequence, std::shared_ptr<const Event> event) {
  Entry* entry = FindEntry(endpoint);
  if (entry == nullptr) return;
  entry->lane.LoadedEvent(sequence, std::move(event));
  MakeReady(*entry);
}

void Scheduler::Recorded(EndpointId endpoint, Sequence sequence) {
  Entry* entry = FindEntry(endpoint);
  HOOKD_CHECK(entry != nullptr, "a lane with something in flight stays");
  --unrecorded_;
  if (const std::optional<LaneClass> slot = entry->lane.Recorded(sequence)) {
    --attempts_;
    --slots_[static_cast<size_t>(*slot)];
    const auto it = entry->passed.find(sequence);
    const Passed passed = it->second;
    entry->passed.erase(it);
    Leave(passed.host);
    if (passed.unproven != 0) Leave(passed.unproven);
  }
  if (entry->lane.deleted()) {
    Rest(*entry);
  } else {
    MakeReady(*entry);
  }
}

bool Scheduler::MayPass(Entry& entry, uint64_t id, size_t cap) {
  const auto gate = gates_.find(id);
  if (gate == gates_.end() || gate->second.in_flight < cap) return true;
  entry.queued = true;
  gate->second.waiting.push_back(entry.lane.id());
  return false;
}

void Scheduler::Leave(uint64_t gate) {
  --gates_.at(gate).in_flight;
  WakeNextAt(gate);
}

void Scheduler::WakeNextAt(uint64_t id) {
  const auto it = gates_.find(id);
  if (it == gates_.end()) return;
  Gate& gate = it->second;
  while (!gate.waiting.empty()) {
    Entry* entry = FindEntry(gate.waiting.front());
    gate.waiting.pop_front();
    if (entry == nullptr || !entry->queued) continue;  // it went
    entry->queued = false;
    MakeReady(*entry);
    break;
  }
  if (gate.in_flight == 0 && gate.waiting.empty()) gates_.erase(it);
}

bool Scheduler::MayStep() const { return !stopped_ && unrecorded_ - attempts_ < kMaxShardSettling; }

void Scheduler::ReadQueues() {
  while (reads_ < kMaxQueueReads && !reads_waiting_.empty()) {
    const auto [endpoint, from] = reads_waiting_.front();
    reads_waiting_.pop_front();
    if (FindEntry(endpoint) == nullptr) continue;  // it went
    ++reads_;
    host_.ReadQueue(endpoint, from);
  }
}

bool Scheduler::HasSlot(LaneClass c) const {
  if (attempts_ >= limits_.max_in_flight) return false;
  const size_t taken = slots_[static_cast<size_t>(c)];
  switch (c) {
    case LaneClass::kGood:
      return true;
    case LaneClass::kUnproven:
      return taken < Share(limits_.max_in_flight, kUnprovenShare);
    case LaneClass::kPoor:
      return taken < Share(limits_.max_in_flight, kPoorShare);
  }
  return false;
}

// The classes have their turns one after the other.
Scheduler::Entry* Scheduler::NextTurn() {
  for (size_t skipped = 0; skipped < kLaneClasses;) {
    const size_t c = next_queue_;
    if (queues_[c].empty() || !HasSlot(static_cast<LaneClass>(c))) {
      next_queue_ = (next_queue_ + 1) % kLaneClasses;
      ++skipped;
      continue;
    }
    Entry* entry = FindEntry(queues_[c].Pop());
    if (entry == nullptr || !entry->queued) continue;  // it went
    entry->queued = false;
    if (static_cast<size_t>(entry->lane.lane_class()) != c) {  // it has got better or worse since
      MakeReady(*entry);
      continue;
    }
    if (!MayPass(*entry, entry->host, limits_.max_per_host)) continue;
    if (static_cast<LaneClass>(c) == LaneClass::kUnproven &&
        !MayPass(*entry, UnprovenGate(entry->subscriber), MostUnprovenOfSubscriber())) {
      WakeNextAt(entry->host);
      continue;
    }
    next_queue_ = (next_queue_ + 1) % kLaneClasses;
    return entry;
  }
  return nullptr;
}

void Scheduler::Step(Entry& entry, Now now) {
  const EndpointId endpoint = entry.lane.id();
  LaneStep step = entry.lane.Next(now);
  if (step.kind != LaneStep::Kind::kStart) {
    WakeNextAt(entry.host);
    WakeNextAt(UnprovenGate(entry.subscriber));
  }
  switch (step.kind) {
    case LaneStep::Kind::kStart: {
      ++attempts_;
      ++unrecorded_;
      const LaneClass slot = entry.lane.lane_class();
      ++slots_[static_cast<size_t>(slot)];
      Passed passed{entry.host, slot == LaneClass::kUnproven ? UnprovenGate(entry.subscriber) : 0};
      ++gates_[passed.host].in_flight;
      if (passed.unproven != 0) ++gates_[passed.unproven].in_flight;
      entry.passed[step.work.sequence] = passed;
      MakeReady(entry);
      host_.StartAttempt(entry.lane, std::move(step.work));
      break;
    }
    case LaneStep::Kind::kEnd:
    case LaneStep::Kind::kForm:
    case LaneStep::Kind::kPark:
      ++unrecorded_;
      MakeReady(entry);
      host_.Settle(entry.lane, std::move(step));
      break;
    case LaneStep::Kind::kLoadParked:
      host_.ReadParked(endpoint);
      break;
    case LaneStep::Kind::kLoadQueue:
      reads_waiting_.emplace_back(endpoint, step.sequence);
      ReadQueues();
      break;
    case LaneStep::Kind::kLoadEvent:
      MakeReady(entry);  // what is ready beside it need not wait
      host_.ReadEvent(endpoint, step.sequence, step.event);
      break;
    case LaneStep::Kind::kWait:
      Wake(entry, step.until);
      if (step.captured) host_.Captured(entry.lane.endpoint());
      break;
    case LaneStep::Kind::kIdle:
      if (entry.lane.Forgettable(now)) entries_.erase(endpoint);
      break;
  }
}

void Scheduler::RunDue(Now now) {
  while (!wakes_.empty() && wakes_.begin()->first <= now.steady) {
    Entry& entry = *FindEntry(wakes_.begin()->second);
    Wake(entry, std::nullopt);
    MakeReady(entry);
  }
  while (MayStep()) {
    Entry* entry = NextTurn();
    if (entry == nullptr) break;
    Step(*entry, now);
  }
}

std::optional<SteadyTime> Scheduler::NextDue() const {
  if (stopped_ || wakes_.empty()) return std::nullopt;
  return wakes_.begin()->first;
}

}  // namespace hookd
