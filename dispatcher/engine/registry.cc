#include "dispatcher/engine/registry.h"

#include <utility>

#include "base/check.h"
#include "dispatcher/core/filter.h"

namespace hookd {

void Registry::Put(Subscriber subscriber) {
  Account& account = accounts_[subscriber.id];
  account.subscriber = std::move(subscriber);
}

void Registry::Remove(const std::string& subscriber_id) {
  const auto it = accounts_.find(subscriber_id);
  HOOKD_CHECK(it != accounts_.end() && it->second.endpoints.empty(),
              "only a subscriber without endpoints goes");
  accounts_.erase(it);
}

const Registry::Account* Registry::Find(const std::string& subscriber_id) const {
  const auto it = accounts_.find(subscriber_id);
  return it == accounts_.end() ? nullptr : &it->second;
}

void Registry::Put(std::shared_ptr<const Endpoint> endpoint) {
  const auto account = accounts_.find(endpoint->subscriber_id);
  HOOKD_CHECK(account != accounts_.end(), "an endpoint belongs to a subscriber");
  account->second.endpoints[endpoint->id] = endpoint;
  endpoints_[endpoint->id] = std::move(endpoint);
}

void Registry::Remove(EndpointId id) {
  const auto it = endpoints_.find(id);
  HOOKD_CHECK(it != endpoints_.end(), "no such endpoint");
  accounts_.at(it->second->subscriber_id).endpoints.erase(id);
  endpoints_.erase(it);
}

std::shared_ptr<const Endpoint> Registry::Find(EndpointId id) const {
  const auto it = endpoints_.find(id);
  return it == endpoints_.end() ? nullptr : it->second;
}

bool Registry::Paused(const Endpoint& endpoint) const {
  return endpoint.paused || accounts_.at(endpoint.subscriber_id).subscriber.paused;
}

std::vector<EndpointId> Registry::Match(const Account& account, std::string_view type,
                                        std::string_view channel) {
  std::vector<EndpointId> matching;
  for (const auto& [id, endpoint] : account.endpoints) {
    if (Matches(*endpoint, type, channel)) matching.push_back(id);
  }
  return matching;
}

}  // namespace hookd
