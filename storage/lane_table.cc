#include "storage/lane_table.h"

#include "base/check.h"

namespace hookd {

void LaneTable::Load(EndpointId endpoint, const LaneState& lane) {
  Row& row = lanes_[endpoint];
  row.lane = lane;
  pending_ += lane.pending();
  if (row.Idle()) AddToClock(endpoint, row);
}

LaneTable::Row* LaneTable::FindRow(EndpointId endpoint) {
  if (const auto it = lanes_.find(endpoint); it != lanes_.end()) {
    it->second.used = true;
    return it->second.removed ? nullptr : &it->second;
  }
  if (!status_.ok()) return nullptr;
  absl::StatusOr<std::optional<LaneState>> lane = loader_(endpoint);
  if (!lane.ok()) {
    status_ = std::move(lane).status();
    return nullptr;
  }
  if (!lane->has_value()) return nullptr;
  Row& row = lanes_[endpoint];
  row.lane = **lane;
  AddToClock(endpoint, row);
  return &row;
}

void LaneTable::AddToClock(EndpointId endpoint, Row& row) {
  if (row.in_clock) return;
  row.in_clock = true;
  clock_.push_back(endpoint);
}

void LaneTable::MarkChanged(EndpointId endpoint, Row& row) {
  if (row.changed) return;
  row.changed = true;
  changed_.push_back(endpoint);
}

// Null = a read failed, now or earlier.
LaneState* LaneTable::Change(EndpointId endpoint) {
  if (!status_.ok()) return nullptr;
  Row* row = FindRow(endpoint);
  if (!status_.ok()) return nullptr;
  HOOKD_CHECK(row != nullptr, "a fact names a lane that does not exist");
  MarkChanged(endpoint, *row);
  return &row->lane;
}

void LaneTable::MoveCursor(LaneState& lane, Sequence cursor) {
  HOOKD_CHECK(cursor >= lane.cursor && cursor <= lane.next, "a cursor never goes back");
  lane.cursor = cursor;
}

void LaneTable::Apply(const EndpointChanged& fact) {
  const EndpointId id = fact.endpoint->id;
  if (!status_.ok()) return;
  Row* row = FindRow(id);
  if (!status_.ok()) return;
  const bool paused = fact.endpoint->paused;
  const bool disabled = fact.endpoint->disabled != DisableReason::kNone;
  const WallMs keys_end = KeysEnd(*fact.endpoint);
  if (row == nullptr) {
    HOOKD_CHECK(!lanes_.contains(id), "ids of endpoints are never reused");
    row = &lanes_[id];
    MarkChanged(id, *row);
  }
  HOOKD_CHECK(!row->lane.deleted, "a deleted endpoint does not come back");
  if (row->lane.endpoint_paused != paused || row->lane.endpoint_disabled != disabled ||
      row->lane.endpoint_keys_end_ms != keys_end) {
    MarkChanged(id, *row);
    row->lane.endpoint_paused = paused;
    row->lane.endpoint_disabled = disabled;
    row->lane.endpoint_keys_end_ms = keys_end;
  }
  if (!fact.reset_failures) return;
  MarkChanged(id, *row);
  row->lane.consecutive_failures = 0;
  row->lane.failing_since_ms = 0;
  row->lane.disable_failures = 0;
  row->lane.disable_since_ms = 0;
}

void LaneTable::Apply(const EndpointDeleted& fact) {
  if (LaneState* lane = Change(fact.endpoint)) lane->deleted = true;
}

// False = a read failed, now or earlier.
bool LaneTable::Queue(const AcceptedDelivery& delivery) {
  LaneState* lane = Change(delivery.endpoint);
  if (lane == nullptr) return false;
  HOOKD_CHECK(delivery.sequence == lane->next && !lane->deleted, "sequences are numbered without gaps");
  ++lane->next;
  ++lane->queued;
  ++pending_;
  return true;
}

void LaneTable::Apply(const Accepted& fact) {
  for (const AcceptedDelivery& delivery : fact.deliveries) {
    if (!Queue(delivery)) return;
  }
}

void LaneTable::Apply(const Redelivered& fact) { Queue(fact.delivery); }

void LaneTable::Apply(const AttemptRecorded& fact) {
  LaneState* lane = Change(fact.delivery.endpoint);
  if (lane == nullptr) return;
  uint64_t& from = fact.was_parked ? lane->parked : lane->queued;
  HOOKD_CHECK(from > 0, "an attempt needs a pending delivery");
  --from;
  if (IsTerminal(fact.state)) {
    --pending_;
  } else {
    ++lane->parked;
  }
  MoveCursor(*lane, fact.cursor);
  lane->rate_tat_ms = fact.rate_tat_ms;
  lane->hold_until_ms = fact.hold_until_ms;
  if (fact.follows) return;

  const Attempt& attempt = fact.attempt;
  const WallMs ended_ms = attempt.started_ms + attempt.us.total / 1000;
  if (attempt.error == ErrorKind::kNone) {
    lane->consecutive_failures = 0;
    lane->failing_since_ms = 0;
    lane->disable_failures = 0;
    lane->disable_since_ms = 0;
    lane->last_success_ms = ended_ms;
    return;
  }
  if (attempt.error == ErrorKind::kLocal) return;
  if (lane->consecutive_failures++ == 0) lane->failing_since_ms = attempt.started_ms;
  if (!fact.counts_towards_disable) return;
  if (lane->disable_failures++ == 0) lane->disable_since_ms = ended_ms;
}

void LaneTable::Apply(const DeliveryParked& fact) {
  LaneState* lane = Change(fact.delivery.endpoint);
  if (lane == nullptr) return;
  HOOKD_CHECK(lane->queued > 0, "only a queued delivery is parked");
  --lane->queued;
  ++lane->parked;
  MoveCursor(*lane, fact.cursor);
}

void LaneTable::Apply(const BatchFormed& fact) {
  LaneState* lane = Change(fact.members.front().delivery.endpoint);
  if (lane == nullptr) return;
  for (const BatchFormed::Member& member : fact.members) {
    if (member.was_parked) continue;
    HOOKD_CHECK(lane->queued > 0, "only pending deliveries form a batch");
    --lane->queued;
    ++lane->parked;
  }
  MoveCursor(*lane, fact.cursor);
}

void LaneTable::Apply(const DeliveryEnded& fact) {
  LaneState* lane = Change(fact.delivery.endpoint);
  if (lane == nullptr) return;
  uint64_t& from = fact.was_parked ? lane->parked : lane->queued;
  HOOKD_CHECK(from > 0 && IsTerminal(fact.state), "only a pending delivery ends");
  --from;
  --pending_;
  if (fact.cursor != 0) MoveCursor(*lane, fact.cursor);
}

void LaneTable::Apply(const LaneRemoved& fact) {
  LaneState* lane = Change(fact.endpoint);
  if (lane == nullptr) return;
  HOOKD_CHECK(lane->deleted && lane->pending() == 0, "only the empty lane of a deleted endpoint goes");
  lanes_.find(fact.endpoint)->second.removed = true;
}

const LaneState* LaneTable::Find(EndpointId endpoint) {
  const Row* row = FindRow(endpoint);
  return row == nullptr ? nullptr : &row->lane;
}

std::vector<std::pair<EndpointId, const LaneState*>> LaneTable::TakeChanged() {
  std::vector<std::pair<EndpointId, const LaneState*>> changed;
  changed.reserve(changed_.size());
  for (const EndpointId endpoint : changed_) {
    const auto it = lanes_.find(endpoint);
    Row& row = it->second;
    if (row.removed) {
      lanes_.erase(it);
      changed.emplace_back(endpoint, nullptr);
      continue;
    }
    row.changed = false;
    if (row.Idle()) AddToClock(endpoint, row);
    changed.emplace_back(endpoint, &row.lane);
  }
  changed_.clear();
  return changed;
}

// Amortised O(1): each step of the hand takes a lane out, or the mark that one use of it left.
void LaneTable::Trim() {
  while (clock_.size() > kMaxIdleLanes) {
    const EndpointId endpoint = clock_.front();
    clock_.pop_front();
    const auto it = lanes_.find(endpoint);
    if (it == lanes_.end()) continue;
    Row& row = it->second;
    row.in_clock = false;
    if (!row.Idle()) continue;  // it enters again when it is idle
    if (row.used) {
      row.used = false;
      AddToClock(endpoint, row);
    } else {
      lanes_.erase(it);
    }
  }
}

}  // namespace hookd
