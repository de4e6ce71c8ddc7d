#include "dispatcher/engine/job_purge.h"

#include <string>
#include <utility>

#include "base/concat.h"
#include "base/status_macros.h"

namespace hookd {
namespace {

// False: nothing is kept of its exchanges.
bool StripExchanges(Delivery& delivery) {
  bool any = false;
  for (Attempt& attempt : delivery.attempts) {
    any |= !attempt.response_body.empty() || !attempt.request_headers.empty() ||
           !attempt.response_headers.empty();
    attempt.response_body.clear();
    attempt.request_headers.clear();
    attempt.response_headers.clear();
  }
  return any;
}

absl::Status Look(const DeliveryStore& store, DeliveryId id, PurgePage& page) {
  absl::StatusOr<Delivery> delivery = store.ReadDelivery(id);
  if (absl::IsNotFound(delivery.status())) return absl::OkStatus();  // its hour has gone
  RETURN_IF_ERROR(delivery.status());
  if (!IsTerminal(delivery->state)) {
    page.pending.push_back(*std::move(delivery));
  } else if (StripExchanges(*delivery)) {
    page.ended.push_back(*std::move(delivery));
  }
  return absl::OkStatus();
}

DeliveryQuery DeliveriesFor(const Job& job, const JobPlace& from, size_t limit) {
  DeliveryQuery query;
  query.subscriber_id = job.subscriber_id;
  query.accepted_before_ms = job.before_ms;
  query.position = from.position;
  query.limit = limit;
  return query;
}

// One phase on at the end of a list.
JobPlace After(uint32_t phase, std::string position, bool more) {
  if (more) return {phase, std::move(position)};
  return {phase + 1, ""};
}

absl::StatusOr<PurgePage> DeliveriesPage(const DeliveryStore& store, const Job& job, const JobPlace& from,
                                         size_t limit) {
  PurgePage page;
  ASSIGN_OR_RETURN(DeliveryPage listed, store.ListDeliveries(DeliveriesFor(job, from, limit)));
  for (const Delivery& delivery : listed.deliveries) RETURN_IF_ERROR(Look(store, delivery.id, page));
  page.looked_at = listed.deliveries.size();
  const bool more = !listed.next_position.empty();
  page.next = After(from.phase, std::move(listed.next_position), more);
  return page;
}

absl::StatusOr<EventPage> EventsFor(const DeliveryStore& store, const Job& job, const JobPlace& from,
                                    size_t limit) {
  EventPage events;
  if (job.event) {
    absl::StatusOr<std::shared_ptr<const Event>> event = store.ReadEvent(*job.event);
    if (event.ok()) {
      events.events.push_back(*std::move(event));
    } else if (!absl::IsNotFound(event.status())) {
      return event.status();
    }
    return events;
  }
  EventQuery query;
  query.subscriber_id = job.subscriber_id;
  query.delivered_only = false;
  query.accepted_before_ms = job.before_ms;
  if (!from.position.empty()) {
    ASSIGN_OR_RETURN(query.after, EventId::Parse(from.position));
  }
  query.limit = limit;
  query.max_bytes = kJobStepBytes;
  return store.ListEvents(query);
}

absl::StatusOr<PurgePage> EventsPage(const DeliveryStore& store, const Job& job, const JobPlace& from,
                                     size_t limit) {
  PurgePage page;
  ASSIGN_OR_RETURN(EventPage events, EventsFor(store, job, from, limit));
  for (const std::shared_ptr<const Event>& event : events.events) {
    ASSIGN_OR_RETURN(const std::vector<DeliveryId> made, store.DeliveriesOf(*event, kMaxPurgeDeliveries + 1));
    if (made.size() > kMaxPurgeDeliveries) {
      return absl::FailedPreconditionError(Concat("event ", event->id.ToString(), " has more than ",
                                                  kMaxPurgeDeliveries,
                                                  " deliveries: purge its subscriber instead"));
    }
    for (const DeliveryId& id : made) RETURN_IF_ERROR(Look(store, id, page));
  }
  page.looked_at = events.events.size();
  page.events = std::move(events.events);
  page.next = After(from.phase, events.last == EventId{} ? "" : events.last.ToString(), events.more);
  return page;
}

}  // namespace

absl::StatusOr<PurgePage> ReadPurgePage(const DeliveryStore& store, const Job& job, const JobPlace& from,
                                        size_t limit) {
  const uint64_t seen = store.LastCommit();
  absl::StatusOr<PurgePage> page = from.phase == kPurgeDeliveries ? DeliveriesPage(store, job, from, limit)
                                                                  : EventsPage(store, job, from, limit);
  if (page.ok()) page->seen = seen;
  return page;
}

absl::Status CountPurgePage(const DeliveryStore& store, const Job& job, size_t limit, JobCount& count) {
  if (count.next.phase == kPurgeDeliveries) {
    ASSIGN_OR_RETURN(DeliveryPage listed, store.ListDeliveries(DeliveriesFor(job, count.next, limit)));
    count.matched += listed.deliveries.size();
    const bool more = !listed.next_position.empty();
    count.next = After(kPurgeDeliveries, std::move(listed.next_position), more);
    return absl::OkStatus();
  }
  if (count.next.phase == kPurgeEvents) {
    ASSIGN_OR_RETURN(const EventPage events, EventsFor(store, job, count.next, limit));
    count.matched += events.events.size();
    count.next = After(kPurgeEvents, events.last == EventId{} ? "" : events.last.ToString(), events.more);
  }
  count.last = count.next.phase == kPurgeFiles;
  return absl::OkStatus();
}

}  // namespace hookd
