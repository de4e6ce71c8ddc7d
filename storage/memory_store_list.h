// The lists of the store in memory: simple, and as slow as everything that it holds is long.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "storage/delivery_store.h"

namespace hookd {

using MemoryDeliveries = std::map<std::pair<EndpointId, Sequence>, Delivery>;  // pending and ended
using MemoryEvents = std::map<EventId, std::shared_ptr<const Event>>;

absl::StatusOr<DeliveryPage> ListDeliveriesOf(const MemoryDeliveries& deliveries, const DeliveryQuery& query);
EventPage ListEventsOf(const MemoryDeliveries& deliveries, const MemoryEvents& events,
                       const EventQuery& query);
// `history`: that of the event's bucket is kept. Without it deliveries made later are not found.
std::vector<DeliveryId> DeliveriesOfEvent(const MemoryDeliveries& deliveries, const Event& event,
                                          bool history, size_t limit);

}  // namespace hookd
