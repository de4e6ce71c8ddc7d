// Subscribers and endpoints in memory, and which endpoints an event goes to.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/ids.h"
#include "base/model.h"

namespace hookd {

// Thread: the committer's, so that an endpoint's creation and a publish have an order.
class Registry {
 public:
  struct Account {
    Subscriber subscriber;
    std::map<EndpointId, std::shared_ptr<const Endpoint>> endpoints;
  };

  void Put(Subscriber subscriber);
  void Remove(const std::string& subscriber_id);
  // Null = no such subscriber.
  const Account* Find(const std::string& subscriber_id) const;
  const std::map<std::string, Account>& accounts() const { return accounts_; }

  // The subscriber exists.
  void Put(std::shared_ptr<const Endpoint> endpoint);
  void Remove(EndpointId id);
  // Null = no such endpoint.
  std::shared_ptr<const Endpoint> Find(EndpointId id) const;
  const std::map<EndpointId, std::shared_ptr<const Endpoint>>& endpoints() const { return endpoints_; }
  // Paused by itself or with its subscriber.
  bool Paused(const Endpoint& endpoint) const;

  // The account's endpoints that take this type and channel, by id.
  static std::vector<EndpointId> Match(const Account& account, std::string_view type,
                                       std::string_view channel);

 private:
  std::map<std::string, Account> accounts_;
  std::map<EndpointId, std::shared_ptr<const Endpoint>> endpoints_;
};

}  // namespace hookd
