#include "tests/conformance/list_world.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include <gtest/gtest.h>

#include "base/check.h"

namespace hookd {
namespace {

bool Fits(const std::string& pattern, const std::string& type) {
  if (pattern.empty() || pattern == type) return true;
  return pattern.back() == '*' && type.rfind(pattern.substr(0, pattern.size() - 1), 0) == 0;
}

bool Within(WallMs ms, WallMs from, WallMs before) { return ms >= from && (before == 0 || ms < before); }

bool Fits(const DeliveryQuery& query, const Delivery& d) {
  if (query.endpoint && d.id.endpoint != *query.endpoint) return false;
  if (!query.subscriber_id.empty() && d.subscriber_id != query.subscriber_id) return false;
  if (query.state && d.state != *query.state) return false;
  if (!Within(d.accepted_ms, query.accepted_from_ms, query.accepted_before_ms)) return false;
  if (!Fits(query.event_type, d.event_type)) return false;
  if (query.status_class != 0 && d.last_status / 100 != query.status_class) return false;
  if (query.error && d.last_error != *query.error) return false;
  return !query.not_replaced || !d.replaced_by;
}

using Place = std::tuple<WallMs, EndpointId, Sequence>;
Place PlaceOf(const DeliveryQuery& query, const Delivery& d) {
  const bool failed = query.state && *query.state > DeliveryState::kSucceeded;
  const bool by_subscriber = !query.endpoint && !query.subscriber_id.empty();
  if (failed || by_subscriber) return {d.accepted_ms, d.id.endpoint, d.id.sequence};
  if (!query.endpoint && query.state == DeliveryState::kSucceeded) {
    return {d.id.bucket, d.id.endpoint, d.id.sequence};
  }
  return {0, d.id.endpoint, d.id.sequence};
}

}  // namespace

EndpointId ListWorld::AddEndpoint(const std::string& subscriber_id, uint64_t number) {
  const auto endpoint = MakeEndpoint(subscriber_id, number);
  store_.Apply(EndpointChanged{endpoint});
  return endpoint->id;
}

std::shared_ptr<const Event> ListWorld::Publish(const std::string& subscriber_id, WallMs at_ms,
                                                const std::vector<EndpointId>& endpoints,
                                                const std::string& type, const std::string& payload) {
  auto event = std::make_shared<Event>(
      *MakeEvent(subscriber_id, at_ms, static_cast<uint16_t>(events_.size()), payload));
  event->type = type;
  Accepted fact;
  fact.event = event;
  for (const EndpointId endpoint : endpoints) {
    const Sequence sequence = store_.Lane(endpoint)->next;
    fact.deliveries.push_back({endpoint, sequence});
    ids_.push_back({event->id.bucket(), endpoint, sequence});
    known_[ids_.back()].event = event;
    queued_[endpoint].insert(sequence);
  }
  now_ms_ = std::max(now_ms_, at_ms);
  events_.push_back(event);
  store_.Apply(fact);
  return event;
}

DeliveryId ListWorld::Newest(EndpointId endpoint) const {
  const auto it =
      std::find_if(ids_.rbegin(), ids_.rend(), [&](const DeliveryId& id) { return id.endpoint == endpoint; });
  HOOKD_CHECK(it != ids_.rend(), "the endpoint has a delivery");
  return *it;
}

void ListWorld::Attempt(const DeliveryId& id, int status) {
  Known& known = known_.at(id);
  const bool ok = status / 100 == 2;
  AttemptRecorded fact;
  fact.delivery = id;
  fact.event = known.event->id;
  fact.remade = known.remade;
  fact.event_type = known.event->type;
  fact.subscriber_id = known.event->subscriber_id;
  fact.attempt = MakeAttempt(++known.attempts, ok            ? ErrorKind::kNone
                                               : status == 0 ? ErrorKind::kTimeout
                                                             : ErrorKind::kStatus);
  fact.attempt.status = status;
  fact.was_parked = known.parked;
  if (ok) {
    known.ended = true;
    fact.state = known.state = DeliveryState::kSucceeded;
    fact.reason = EndReason::kDelivered;
  } else {
    known.parked = true;
    fact.attempt.next_due_ms = now_ms_ + 15'000;
  }
  std::set<Sequence>& queued = queued_[id.endpoint];
  queued.erase(id.sequence);
  fact.cursor = queued.empty() ? store_.Lane(id.endpoint)->next : *queued.begin();
  store_.Apply(fact);
}

void ListWorld::End(const DeliveryId& id, DeliveryState state) {
  Known& known = known_.at(id);
  DeliveryEnded fact;
  fact.delivery = id;
  fact.event = known.event->id;
  fact.remade = known.remade;
  fact.event_type = known.event->type;
  fact.subscriber_id = known.event->subscriber_id;
  fact.state = known.state = state;
  fact.reason = EndReason::kTooOld;
  fact.at_ms = now_ms_;
  fact.was_parked = known.parked;
  fact.attempt_count = known.attempts;
  known.ended = true;
  queued_[id.endpoint].erase(id.sequence);
  store_.Apply(fact);
}

DeliveryId ListWorld::Redeliver(const DeliveryId& replaced, WallMs made_ms) {
  const Known& old = known_.at(replaced);
  Redelivered fact;
  fact.event = old.event;
  fact.delivery = {replaced.endpoint, store_.Lane(replaced.endpoint)->next};
  fact.remade = std::make_shared<const Remade>(Remade{made_ms, Origin::kRecover, replaced});
  if (old.state != DeliveryState::kSucceeded) {
    fact.replaced_state = old.state;
    fact.replaced_accepted_ms = AcceptedMs(old.event->id, old.remade);
  }
  const DeliveryId id = MakeDeliveryId(old.event->id, fact.remade, replaced.endpoint, fact.delivery.sequence);
  now_ms_ = std::max(now_ms_, made_ms);
  Known& made = known_[id];
  made.event = fact.event;
  made.remade = fact.remade;
  queued_[id.endpoint].insert(id.sequence);
  ids_.push_back(id);
  store_.Apply(fact);
  return id;
}

void ListWorld::Delete(EndpointId endpoint) {
  const auto is_its = [&](const DeliveryId& id) { return id.endpoint == endpoint; };
  const auto one = std::find_if(ids_.begin(), ids_.end(), is_its);
  HOOKD_CHECK(one != ids_.end(), "the endpoint has a delivery");
  store_.Apply(EndpointDeleted{endpoint, known_.at(*one).event->subscriber_id});
  for (const DeliveryId& id : ids_) {
    if (is_its(id) && IsPending(id)) End(id, DeliveryState::kCanceled);
  }
  store_.Apply(LaneRemoved{endpoint});
}

void ListWorld::Commit() { ASSERT_TRUE(store_.Commit(now_ms_).ok()); }

bool ListWorld::IsPending(const DeliveryId& id) const { return !known_.at(id).ended; }

std::vector<DeliveryId> ListWorld::Expected(const DeliveryQuery& query) const {
  std::map<Place, DeliveryId> fitting;
  for (const DeliveryId& id : ids_) {
    const auto delivery = store_.ReadDelivery(id);
    if (delivery.ok() && Fits(query, *delivery)) fitting[PlaceOf(query, *delivery)] = id;
  }
  std::vector<DeliveryId> expected;
  for (const auto& [place, id] : fitting) expected.push_back(id);
  if (query.newest_first) std::reverse(expected.begin(), expected.end());
  return expected;
}

std::vector<EventId> ListWorld::Expected(const EventQuery& query) const {
  std::set<EventId> delivered;
  for (const DeliveryId& id : ids_) {
    const auto delivery = store_.ReadDelivery(id);
    if (!delivery.ok() || delivery->accepted_ms != delivery->event.accepted_ms()) continue;
    if (!query.endpoint || *query.endpoint == id.endpoint) delivered.insert(delivery->event);
  }
  std::set<EventId> expected;
  for (const auto& event : events_) {
    if (event->subscriber_id != query.subscriber_id || !Fits(query.event_type, event->type)) continue;
    if (!Within(event->accepted_ms, query.accepted_from_ms, query.accepted_before_ms)) continue;
    if ((query.delivered_only || query.endpoint) && !delivered.contains(event->id)) continue;
    if (event->id > query.after && store_.ReadEvent(event->id).ok()) expected.insert(event->id);
  }
  return {expected.begin(), expected.end()};
}

std::vector<DeliveryId> ListWorld::ExpectedOf(const Event& event) const {
  std::vector<std::tuple<bool, DeliveryId>> made;
  for (const auto& [id, known] : known_) {
    if (known.event->id == event.id && store_.ReadDelivery(id).ok()) {
      made.emplace_back(known.remade != nullptr, id);
    }
  }
  std::sort(made.begin(), made.end());
  std::vector<DeliveryId> expected;
  for (const auto& [remade, id] : made) expected.push_back(id);
  return expected;
}

std::vector<DeliveryId> ListWorld::Walk(DeliveryQuery query, size_t page, int* pages) const {
  std::vector<DeliveryId> listed;
  query.limit = page;
  do {
    const auto result = store_.ListDeliveries(query);
    if (!result.ok()) {
      ADD_FAILURE() << result.status();
      break;
    }
    EXPECT_LE(result->deliveries.size(), page);
    for (const Delivery& delivery : result->deliveries) listed.push_back(delivery.id);
    if (query.position == result->next_position && !query.position.empty()) {
      ADD_FAILURE() << "a page that gets nowhere";
      break;
    }
    query.position = result->next_position;
    if (pages != nullptr) ++*pages;
  } while (!query.position.empty());
  return listed;
}

std::vector<EventId> ListWorld::Walk(EventQuery query, size_t page, int* pages) const {
  std::vector<EventId> listed;
  query.limit = page;
  for (bool more = true; more;) {
    const auto result = store_.ListEvents(query);
    if (!result.ok()) {
      ADD_FAILURE() << result.status();
      break;
    }
    EXPECT_LE(result->events.size(), page);
    for (const auto& event : result->events) listed.push_back(event->id);
    EXPECT_GE(result->last, query.after);
    more = result->more;
    if (more && result->last == query.after) {
      ADD_FAILURE() << "a page that gets nowhere";
      break;
    }
    query.after = result->last;
    if (pages != nullptr) ++*pages;
  }
  return listed;
}

}  // namespace hookd
