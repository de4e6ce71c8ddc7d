#include "dispatcher/engine/engine_limits.h"

#include <algorithm>

namespace hookd {
namespace {

// One endpoint never has all slots of its shard.
constexpr size_t kSlotsDivisor = 4;

}  // namespace

CommitterOptions ForCommitter(const EngineOptions& options) {
  return {options.shards,           options.intake_bytes,     options.intake_bytes_per_subscriber,
          options.commit_max_items, options.commit_max_bytes, options.profiles};
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

}  // namespace hookd
