// Deliveries in every state, and what lists over them have to say: brute force over what ReadDelivery tells.
#pragma once

#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "storage/delivery_store.h"
#include "tests/conformance/fact_builders.h"

namespace hookd {

class ListWorld {
 public:
  explicit ListWorld(DeliveryStore& store) : store_(store) {}

  EndpointId AddEndpoint(const std::string& subscriber_id, uint64_t number);
  // Applied, not committed: these and all below. An event for so many of its subscriber's endpoints.
  std::shared_ptr<const Event> Publish(const std::string& subscriber_id, WallMs at_ms,
                                       const std::vector<EndpointId>& endpoints,
                                       const std::string& type = kEventType,
                                       const std::string& payload = "{}");
  // The newest delivery of an endpoint.
  DeliveryId Newest(EndpointId endpoint) const;
  // Status 0 = a timeout; 2xx ends it, everything else parks it.
  void Attempt(const DeliveryId& id, int status);
  void End(const DeliveryId& id, DeliveryState state);
  // A new delivery of the same event, in place of a terminal one.
  DeliveryId Redeliver(const DeliveryId& replaced, WallMs made_ms);
  // With everything pending of it.
  void Delete(EndpointId endpoint);
  void Commit();

  bool IsPending(const DeliveryId& id) const;
  const std::vector<DeliveryId>& ids() const { return ids_; }
  const std::vector<std::shared_ptr<const Event>>& events() const { return events_; }

  // What is committed, by the contract.
  std::vector<DeliveryId> Expected(const DeliveryQuery& query) const;
  std::vector<EventId> Expected(const EventQuery& query) const;
  std::vector<DeliveryId> ExpectedOf(const Event& event) const;
  // As the store lists it, every page; `pages` counts them.
  std::vector<DeliveryId> Walk(DeliveryQuery query, size_t page, int* pages = nullptr) const;
  std::vector<EventId> Walk(EventQuery query, size_t page, int* pages = nullptr) const;

 private:
  struct Known {
    std::shared_ptr<const Event> event;
    RemadePtr remade;
    bool parked = false;
    bool ended = false;
    uint32_t attempts = 0;
    DeliveryState state = DeliveryState::kPending;
  };
  DeliveryStore& store_;
  std::vector<DeliveryId> ids_;
  std::map<DeliveryId, Known> known_;
  std::map<EndpointId, std::set<Sequence>> queued_;
  std::vector<std::shared_ptr<const Event>> events_;
  WallMs now_ms_ = kT0;
};

// So that failures are readable.
inline void PrintTo(const DeliveryId& id, std::ostream* out) {
  *out << id.bucket << "/" << id.endpoint.ToString() << "/" << id.sequence;
}
inline void PrintTo(const EventId& id, std::ostream* out) { *out << id.ToString(); }

}  // namespace hookd
