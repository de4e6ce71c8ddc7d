#include "dispatcher/engine/engine_limits.h"

#include <algorithm>

#include <absl/container/flat_hash_map.h>

namespace hookd {
namespace {

// One endpoint never has all slots of its shard.
constexpr size_t kSlotsDivisor = 4;

}  // namespace

CommitterOptions ForCommitter(const EngineOptions& options) {
  return {options.shards,
          options.intake_bytes,
          options.intake_bytes_per_subscriber,
          options.commit_max_items,
          options.commit_max_bytes,
          options.profiles,
          options.on_configured,
          options.audit};
}

SchedulerLimits ForShard(const EngineOptions& options) {
  SchedulerLimits limits;
  limits.max_in_flight = std::max<size_t>(1, options.max_in_flight / options.shards);
  limits.max_per_host = std::max<size_t>(1, options.max_per_host / options.shards);
  limits.lane = {options.window_items, options.parked_per_lane,
                 std::max<size_t>(1, limits.max_in_flight / kSlotsDivisor)};
  limits.window_bytes = options.window_bytes / options.shards;
  return limits;
}

IntakeDemand DemandOf(const std::vector<NewEvent>& events) {
  IntakeDemand demand;
  demand.events = events.size();
  absl::flat_hash_map<std::string_view, size_t> places;  // in demand.subscribers
  for (const NewEvent& event : events) {
    const size_t bytes = event.event.payload.size();
    demand.bytes += bytes;
    const auto [place, added] = places.try_emplace(event.event.subscriber_id, demand.subscribers.size());
    if (added) demand.subscribers.emplace_back(event.event.subscriber_id, 0);
    demand.subscribers[place->second].second += bytes;
  }
  return demand;
}

}  // namespace hookd
