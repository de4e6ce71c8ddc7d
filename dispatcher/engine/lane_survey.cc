// Counts what the lanes wait for, for the metrics.
#include <algorithm>
#include <chrono>

#include "dispatcher/core/rate_limit.h"
#include "dispatcher/engine/lane.h"
#include "dispatcher/engine/scheduler.h"
#include "dispatcher/engine/shard.h"

namespace hookd {
namespace {

// Lanes counted in one turn of the shard.
constexpr size_t kSurveySlice = 256;

}  // namespace

void Lane::Survey(Now now, LaneGauges& gauges) const {
  if (deleted_ || endpoint_ == nullptr) return;
  if (endpoint_->disabled != DisableReason::kNone) {
    ++gauges.disabled;
    return;
  }
  if (hold_ != Hold::kNone) {
    ++gauges.paused;
    return;
  }
  ++gauges.enabled;
  WallMs oldest = 0;
  const auto see = [&oldest](EventId event, const RemadePtr& remade) {
    const WallMs accepted = AcceptedMs(event, remade);
    oldest = oldest == 0 ? accepted : std::min(oldest, accepted);
  };
  if (!window_.empty()) see(window_.front().event->id, window_.front().remade);
  if (!parked_.empty()) see(parked_.begin()->second.event_id, parked_.begin()->second.remade);
  if (!in_flight_.empty()) see(in_flight_.begin()->second.event_id, in_flight_.begin()->second.remade);
  if (oldest == 0) return;
  if (gauges.oldest_accepted_ms == 0 || oldest < gauges.oldest_accepted_ms) {
    gauges.oldest_accepted_ms = oldest;
  }

  uint64_t due = 0;
  if (mode_ == DeliveryMode::kOrdered) {
    due = !parked_.empty() && parked_.begin()->second.due <= now.steady ? 1 : 0;
  } else {
    for (auto it = candidates_.begin(); it != candidates_.end() && it->first <= now.steady; ++it) ++due;
  }
  gauges.retries_due += due;
  const bool could_go = in_flight_.empty() && (due > 0 || !window_.empty());
  const int64_t now_us =
      std::chrono::duration_cast<std::chrono::microseconds>(now.steady.time_since_epoch()).count();
  if (hold_until_ > now.steady) {
    ++gauges.held_back;
  } else if (could_go && GcraEarliestUs(endpoint_->policy.rate, rate_tat_us_) > now_us) {
    ++gauges.throttled;
  }
}

std::vector<EndpointId> Scheduler::Lanes() const {
  std::vector<EndpointId> lanes;
  lanes.reserve(entries_.size());
  for (const auto& [endpoint, entry] : entries_) lanes.push_back(endpoint);
  return lanes;
}

LaneGauges Shard::Survey() {
  if (!surveying_.exchange(true)) {
    Post([this] {
      survey_left_ = scheduler_.Lanes();
      survey_ = LaneGauges();
      SurveySlice();
    });
  }
  absl::MutexLock lock(&surveyed_mutex_);
  return surveyed_;
}

void Shard::SurveySlice() {
  const Now now = context_.clock.Read();
  for (size_t i = 0; i < kSurveySlice && !survey_left_.empty(); ++i) {
    if (const Lane* lane = scheduler_.Find(survey_left_.back())) lane->Survey(now, survey_);
    survey_left_.pop_back();
  }
  if (!survey_left_.empty()) {
    Post([this] { SurveySlice(); });  // what else waits has its turn first
    return;
  }
  {
    absl::MutexLock lock(&surveyed_mutex_);
    surveyed_ = survey_;
  }
  ++surveys_;
  surveying_ = false;
}

}  // namespace hookd
