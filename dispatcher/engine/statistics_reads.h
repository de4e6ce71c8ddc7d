// Statistics as the API asks for them: the tables' figures, and what the store says is pending.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "base/clock.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/statistics.h"
#include "storage/delivery_store.h"

namespace hookd {

struct StatisticsContext {
  const DeliveryStore& store;
  const std::function<const StatisticsTable&(EndpointId)>& table_of;
  const std::vector<std::unique_ptr<StatisticsTable>>& tables;
  Now now;
};

// From any thread; they read the disk.
absl::StatusOr<Statistics> ReadEndpointStatistics(const StatisticsContext& context, EndpointId id,
                                                  StatWindow window);
absl::StatusOr<Statistics> ReadSubscriberStatistics(const StatisticsContext& context, const std::string& id,
                                                    StatWindow window);
// Without a subscriber: of the endpoints that figures are kept of. Those at 0 are left out.
absl::StatusOr<std::vector<TopEndpoint>> ReadTopEndpoints(const StatisticsContext& context, TopBy by,
                                                          StatWindow window, size_t limit,
                                                          const std::string& subscriber_id);

}  // namespace hookd
