#include "storage/lane_table.h"

#include "base/check.h"

namespace hookd {

void LaneTable::Load(EndpointId endpoint, const LaneState& lane) {
  lanes_[endpoint].lane = lane;
  pending_ += lane.pending();
}

LaneState& LaneTable::Change(EndpointId endpoint) {
  const auto it = lanes_.find(endpoint);
  HOOKD_CHECK(it != lanes_.end(), "a fact names a lane that does not exist");
  if (!it->second.changed) {
    it->second.changed = true;
    changed_.push_back(endpoint);
  }
  return it->second.lane;
}

void LaneTable::Apply(const EndpointChanged& fact) {
  if (!lanes_.contains(fact.endpoint->id)) {
    lanes_[fact.endpoint->id];
    Change(fact.endpoint->id);
  }
}

void LaneTable::Apply(const EndpointDeleted& fact) { Change(fact.endpoint).deleted = true; }

void LaneTable::Apply(const Accepted& fact) {
  for (const AcceptedDelivery& delivery : fact.deliveries) {
    LaneState& lane = Change(delivery.endpoint);
    HOOKD_CHECK(delivery.sequence == lane.next && !lane.deleted, "sequences are numbered without gaps");
    ++lane.next;
    ++lane.queued;
    ++pending_;
  }
}

void LaneTable::Apply(const AttemptRecorded& fact) {
  LaneState& lane = Change(fact.delivery.endpoint);
  uint64_t& from = fact.was_parked ? lane.parked : lane.queued;
  HOOKD_CHECK(from > 0, "an attempt needs a pending delivery");
  --from;
  if (IsTerminal(fact.state)) {
    --pending_;
  } else {
    ++lane.parked;
  }
  HOOKD_CHECK(fact.cursor >= lane.cursor && fact.cursor <= lane.next, "a cursor never goes back");
  lane.cursor = fact.cursor;
  lane.rate_tat_ms = fact.rate_tat_ms;
  if (fact.attempt.error == ErrorKind::kNone) {
    lane.consecutive_failures = 0;
    lane.failing_since_ms = 0;
    lane.last_success_ms = fact.attempt.started_ms + fact.attempt.us.total / 1000;
  } else if (fact.attempt.error != ErrorKind::kLocal) {
    if (lane.consecutive_failures++ == 0) lane.failing_since_ms = fact.attempt.started_ms;
  }
}

void LaneTable::Apply(const DeliveryEnded& fact) {
  LaneState& lane = Change(fact.delivery.endpoint);
  uint64_t& from = fact.was_parked ? lane.parked : lane.queued;
  HOOKD_CHECK(from > 0 && IsTerminal(fact.state), "only a pending delivery ends");
  --from;
  --pending_;
}

void LaneTable::Apply(const LaneRemoved& fact) {
  const auto it = lanes_.find(fact.endpoint);
  HOOKD_CHECK(it != lanes_.end() && it->second.lane.deleted && it->second.lane.pending() == 0,
              "only the empty lane of a deleted endpoint goes");
  if (!it->second.changed) changed_.push_back(fact.endpoint);
  lanes_.erase(it);
}

const LaneState* LaneTable::Find(EndpointId endpoint) const {
  const auto it = lanes_.find(endpoint);
  return it == lanes_.end() ? nullptr : &it->second.lane;
}

std::vector<std::pair<EndpointId, const LaneState*>> LaneTable::TakeChanged() {
  std::vector<std::pair<EndpointId, const LaneState*>> changed;
  changed.reserve(changed_.size());
  for (const EndpointId endpoint : changed_) {
    const auto it = lanes_.find(endpoint);
    if (it != lanes_.end()) it->second.changed = false;
    changed.emplace_back(endpoint, it == lanes_.end() ? nullptr : &it->second.lane);
  }
  changed_.clear();
  return changed;
}

}  // namespace hookd
