#include "dispatcher/api/newest_events.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "dispatcher/api/page_token.h"

namespace hookd {

absl::StatusOr<NewestPage> ReadNewest(Engine& engine, const NewestQuery& query) {
  DeliveryQuery deliveries;
  deliveries.endpoint = query.endpoint;
  deliveries.subscriber_id = query.subscriber_id;
  deliveries.event_type = query.event_type;
  deliveries.newest_first = true;
  NewestPage newest;
  std::set<EventId> seen;
  size_t looked_at = 0;
  size_t bytes = 0;
  do {
    if (looked_at >= kMaxNewestDeliveries) {
      newest.incomplete = true;
      break;
    }
    ASSIGN_OR_RETURN(DeliveryPage page, engine.ListDeliveries(deliveries));
    looked_at += std::max<size_t>(page.deliveries.size(), 1);
    deliveries.position = page.next_position;
    for (const Delivery& delivery : page.deliveries) {
      // One that was made later says nothing about when its event came.
      if (delivery.origin != Origin::kPublish || !seen.insert(delivery.event).second) continue;
      newest.newest = std::max(newest.newest, delivery.event);
      if (seen.size() > kMaxNewestReads) {
        newest.incomplete = true;
        return newest;
      }
      absl::StatusOr<std::shared_ptr<const Event>> event = engine.GetEvent(delivery.event);
      if (absl::IsNotFound(event.status())) continue;  // its payload has gone
      RETURN_IF_ERROR(event.status());
      if (!query.ordering_key.empty() && (*event)->ordering_key != query.ordering_key) continue;
      bytes += (*event)->payload.size();
      if (!newest.events.empty() && bytes > kMaxPageBytes) {
        newest.incomplete = true;
        return newest;
      }
      newest.events.push_back(*std::move(event));
      if (newest.events.size() == query.limit) return newest;
    }
  } while (!deliveries.position.empty());
  return newest;
}

}  // namespace hookd
