#include "dispatcher/engine/job_list.h"

#include <algorithm>
#include <array>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/filter.h"
#include "dispatcher/engine/host_filter.h"
#include "dispatcher/engine/job_purge.h"

namespace hookd {
namespace {

constexpr size_t kCountPage = 1000;  // rows of one read that only counts

// The states that a recover job goes through, one after the other.
std::vector<DeliveryState> PhasesOf(const Job& job) {
  if (job.kind == JobKind::kExpire) return {DeliveryState::kPending};
  if (job.only_state) return {*job.only_state};
  return {DeliveryState::kExhausted, DeliveryState::kExpired};
}

absl::Status Refuse(const char* why) { return absl::InvalidArgumentError(why); }

// By the endpoints' URLs as they are now; a deleted one has none.
class HostFilter {
 public:
  HostFilter(const DeliveryStore& store, const std::string& host) : store_(store), host_(host) {}

  absl::StatusOr<bool> Takes(EndpointId id) {
    if (host_.empty()) return true;
    if (const auto known = known_.find(id); known != known_.end()) return known->second;
    const absl::StatusOr<StoredEndpoint> endpoint = store_.ReadEndpoint(id);
    if (!endpoint.ok() && !absl::IsNotFound(endpoint.status())) return endpoint.status();
    return known_[id] = endpoint.ok() && HasHost(endpoint->endpoint->url, host_);
  }

 private:
  const DeliveryStore& store_;
  const std::string& host_;
  absl::flat_hash_map<EndpointId, bool> known_;
};

struct Listed {
  std::vector<Delivery> deliveries;
  JobPlace next;
  bool last = false;
};

absl::StatusOr<Listed> ListFor(const DeliveryStore& store, const Job& job, const JobPlace& from,
                               size_t limit) {
  const std::vector<DeliveryState> phases = PhasesOf(job);
  if (from.phase >= phases.size()) return absl::InternalError("phase: the job has no such list");
  DeliveryQuery query;
  if (job.endpoint.value != 0) query.endpoint = job.endpoint;
  query.subscriber_id = job.subscriber_id;
  query.state = phases[from.phase];
  query.accepted_from_ms = job.from_ms;
  query.accepted_before_ms = job.before_ms;
  query.event_type = job.event_type;
  query.not_replaced = job.kind == JobKind::kRecover;
  query.position = from.position;
  query.limit = limit;
  ASSIGN_OR_RETURN(DeliveryPage page, store.ListDeliveries(query));
  Listed listed;
  HostFilter host(store, job.host);
  for (Delivery& delivery : page.deliveries) {
    ASSIGN_OR_RETURN(const bool takes, host.Takes(delivery.id.endpoint));
    if (takes) listed.deliveries.push_back(std::move(delivery));
  }
  listed.next = {from.phase, std::move(page.next_position)};
  if (listed.next.position.empty()) {
    listed.last = from.phase + 1 == phases.size();
    if (!listed.last) listed.next.phase = from.phase + 1;
  }
  return listed;
}

absl::StatusOr<JobPage> ExpiryPageFor(const DeliveryStore& store, const Job& job, const JobPlace& from,
                                      size_t limit) {
  ASSIGN_OR_RETURN(Listed listed, ListFor(store, job, from, limit));
  JobPage page;
  for (Delivery& delivery : listed.deliveries) {
    const EndpointId endpoint = delivery.id.endpoint;
    page.items.push_back({endpoint, nullptr, std::move(delivery)});
  }
  page.next = std::move(listed.next);
  page.last = listed.last;
  return page;
}

absl::StatusOr<JobPage> RecoveryPageFor(const DeliveryStore& store, const Job& job, const JobPlace& from,
                                        size_t limit) {
  ASSIGN_OR_RETURN(Listed listed, ListFor(store, job, from, limit));
  absl::flat_hash_map<std::array<uint8_t, 16>, std::shared_ptr<const Event>> events;  // null: gone
  JobPage page;
  for (;;) {
    size_t bytes = 0;
    page.items.clear();
    for (const Delivery& delivery : listed.deliveries) {
      auto [event, added] = events.try_emplace(delivery.event.bytes);
      if (added) {
        absl::StatusOr<std::shared_ptr<const Event>> read = store.ReadEvent(delivery.event);
        if (!read.ok() && !absl::IsNotFound(read.status())) return read.status();
        if (read.ok()) event->second = *std::move(read);
      }
      if (event->second != nullptr) bytes += event->second->payload.size();
      if (bytes > kJobStepBytes && !page.items.empty()) break;
      page.items.push_back({delivery.id.endpoint, event->second, delivery});
    }
    if (page.items.size() == listed.deliveries.size()) break;
    // Only a page's end has a position: a shorter one, then. It may hold what came meanwhile.
    ASSIGN_OR_RETURN(listed, ListFor(store, job, from, page.items.size()));
  }
  page.next = std::move(listed.next);
  page.last = listed.last;
  return page;
}

absl::StatusOr<JobPage> EventPageFor(const DeliveryStore& store, const Profiles& profiles, const Job& job,
                                     const JobPlace& from, size_t limit) {
  const absl::StatusOr<StoredEndpoint> stored = store.ReadEndpoint(job.endpoint);
  if (absl::IsNotFound(stored.status())) {
    return absl::NotFoundError(Concat("endpoint ", job.endpoint.ToString(), " is gone"));
  }
  if (!stored.ok()) return stored.status();
  const Endpoint& endpoint = *stored->endpoint;
  ASSIGN_OR_RETURN(const StoredSubscriber owner, store.ReadSubscriber(endpoint.subscriber_id));
  const LoadedProfile* profile = profiles.Find(owner.subscriber.profile);
  EventQuery query;
  query.subscriber_id = endpoint.subscriber_id;
  query.delivered_only = false;
  query.accepted_from_ms = job.from_ms;
  query.accepted_before_ms = job.before_ms;
  query.event_type = job.event_type;
  if (!from.position.empty()) {
    ASSIGN_OR_RETURN(query.after, EventId::Parse(from.position));
  }
  query.limit = limit;
  query.max_bytes = kJobStepBytes;
  ASSIGN_OR_RETURN(EventPage events, store.ListEvents(query));
  JobPage page;
  for (std::shared_ptr<const Event>& event : events.events) {
    if (!Matches(endpoint, event->type, event->channel)) continue;
    if (profile != nullptr && GatedType(*profile, owner.subscriber.plan, event->type) != nullptr) continue;
    page.items.push_back({job.endpoint, std::move(event), {}});
  }
  page.next = {from.phase, events.last == EventId{} ? "" : events.last.ToString()};
  page.last = !events.more;
  return page;
}

absl::Status CountStale(const DeliveryStore& store, JobCount& count) {
  EndpointId after;
  if (!count.next.position.empty()) {
    ASSIGN_OR_RETURN(after, EndpointId::Parse(count.next.position));
  }
  ASSIGN_OR_RETURN(const StalePage page, store.StaleSecrets(after, kCountPage));
  count.matched += page.stale.size();
  count.next.position = page.last.ToString();
  count.last = !page.more;
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckJob(const Job& job) {
  if (job.rate == 0) return Refuse("rate: must be at least 1 per second");
  if (job.before_ms != 0 && job.before_ms <= job.from_ms) return Refuse("time: ends before it begins");
  switch (job.kind) {
    case JobKind::kExpire:
      if (job.endpoint.value == 0 && job.subscriber_id.empty()) {
        return Refuse("endpoint_id: name an endpoint, or a subscriber");
      }
      return absl::OkStatus();
    case JobKind::kRecover:
      if (job.only_state && *job.only_state != DeliveryState::kExhausted &&
          *job.only_state != DeliveryState::kExpired) {
        return Refuse("state: only EXHAUSTED and EXPIRED are recovered");
      }
      if (job.endpoint.value == 0 && job.subscriber_id.empty() && job.host.empty() &&
          job.event_type.empty() && job.from_ms == 0 && job.before_ms == 0) {
        return Refuse("endpoint_id: name an endpoint, a subscriber, a host, a type or a time");
      }
      return absl::OkStatus();
    case JobKind::kReplay:
      if (job.endpoint.value == 0) return Refuse("endpoint_id: is required");
      if (job.from_ms == 0) return Refuse("accept_time_from: is required");
      return absl::OkStatus();
    case JobKind::kPurge:
      if (job.subscriber_id.empty() && !job.event)
        return Refuse("subscriber_id: name a subscriber, or an event");
      return absl::OkStatus();
    case JobKind::kRekey:
      return absl::OkStatus();
  }
  return Refuse("kind: is required");
}

absl::StatusOr<JobPage> ReadJobPage(const DeliveryStore& store, const Profiles& profiles, const Job& job,
                                    const JobPlace& from, size_t limit) {
  HOOKD_CHECK(limit >= 1, "a page holds at least one item");
  switch (job.kind) {
    case JobKind::kExpire:
      return ExpiryPageFor(store, job, from, limit);
    case JobKind::kRecover:
      return RecoveryPageFor(store, job, from, limit);
    case JobKind::kReplay:
      return EventPageFor(store, profiles, job, from, limit);
    case JobKind::kPurge:
    case JobKind::kRekey:
      break;  // they have pages of their own
  }
  return absl::InternalError("kind: is none");
}

absl::Status CountJobPage(const DeliveryStore& store, const Profiles& profiles, const Job& job,
                          JobCount& count) {
  if (job.kind == JobKind::kReplay) {
    ASSIGN_OR_RETURN(JobPage page, EventPageFor(store, profiles, job, count.next, kCountPage));
    count.matched += page.items.size();
    count.next = std::move(page.next);
    count.last = page.last;
    return absl::OkStatus();
  }
  if (job.kind == JobKind::kPurge) return CountPurgePage(store, job, kCountPage, count);
  if (job.kind == JobKind::kRekey) return CountStale(store, count);
  ASSIGN_OR_RETURN(Listed listed, ListFor(store, job, count.next, kCountPage));
  count.matched += listed.deliveries.size();
  count.next = std::move(listed.next);
  count.last = listed.last;
  return absl::OkStatus();
}

}  // namespace hookd
