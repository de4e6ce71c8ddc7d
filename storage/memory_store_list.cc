#include "storage/memory_store_list.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/status_macros.h"
#include "storage/list_query.h"

namespace hookd {

absl::StatusOr<DeliveryPage> ListDeliveriesOf(const MemoryDeliveries& deliveries,
                                              const DeliveryQuery& query) {
  HOOKD_CHECK(query.limit >= 1, "a page holds at least one delivery");
  ASSIGN_OR_RETURN(const ListOrder order, OrderOf(query));
  ASSIGN_OR_RETURN(const std::optional<ListPosition> after, ParsePosition(query, order));
  std::map<ListPosition, const Delivery*> taken;
  auto it = query.endpoint ? deliveries.lower_bound({*query.endpoint, 0}) : deliveries.begin();
  for (; it != deliveries.end() && (!query.endpoint || it->first.first == *query.endpoint); ++it) {
    const Delivery& delivery = it->second;
    const ListPosition at = PositionOf(order, delivery.id, delivery.accepted_ms);
    if (after && !ComesBefore(query, *after, at)) continue;
    if (Takes(query, delivery)) taken.emplace(at, &delivery);
  }
  DeliveryPage page;
  ListPosition last;
  const auto add = [&](const std::pair<const ListPosition, const Delivery*>& entry) {
    if (page.deliveries.size() == query.limit) {
      page.next_position = EncodePosition(query, order, last);
      return false;
    }
    page.deliveries.push_back(*entry.second);
    page.deliveries.back().attempts.clear();
    last = entry.first;
    return true;
  };
  if (query.newest_first) {
    (void)std::all_of(taken.rbegin(), taken.rend(), add);
  } else {
    (void)std::all_of(taken.begin(), taken.end(), add);
  }
  return page;
}

EventPage ListEventsOf(const MemoryDeliveries& deliveries, const MemoryEvents& events,
                       const EventQuery& query) {
  std::optional<std::set<EventId>> delivered;  // nullopt = it does not matter
  if (query.delivered_only || query.endpoint) {
    delivered.emplace();
    for (const auto& [key, delivery] : deliveries) {
      if (query.endpoint && delivery.id.endpoint != *query.endpoint) continue;
      if (delivery.accepted_ms == delivery.event.accepted_ms()) delivered->insert(delivery.event);
    }
  }
  const MadeRange range = ClampedRange(query.accepted_from_ms, query.accepted_before_ms);
  EventPage page;
  page.last = query.after;
  size_t bytes = 0;
  for (auto it = events.upper_bound(query.after); it != events.end(); ++it) {
    const Event& event = *it->second;
    if (event.subscriber_id != query.subscriber_id || event.accepted_ms < range.from) continue;
    if (event.accepted_ms >= range.before) break;
    if (delivered && !delivered->contains(event.id)) continue;
    if (MatchesType(query.event_type, event.type) && MatchesKey(query, event)) {
      bytes += event.payload.size();
      if (page.events.size() == query.limit || (!page.events.empty() && bytes > query.max_bytes)) {
        page.more = true;
        break;
      }
      page.events.push_back(it->second);
    }
    page.last = event.id;
  }
  return page;
}

std::vector<DeliveryId> DeliveriesOfEvent(const MemoryDeliveries& deliveries, const Event& event,
                                          bool history, size_t limit) {
  std::vector<DeliveryId> made;
  std::vector<DeliveryId> remade;
  for (const auto& [key, delivery] : deliveries) {
    if (delivery.event != event.id) continue;
    if (delivery.accepted_ms == event.accepted_ms) {
      made.push_back(delivery.id);
    } else if (history) {
      remade.push_back(delivery.id);
    }
  }
  std::sort(remade.begin(), remade.end());
  made.insert(made.end(), remade.begin(), remade.end());
  if (made.size() > limit) made.erase(made.begin(), made.end() - static_cast<ptrdiff_t>(limit));
  return made;
}

}  // namespace hookd
