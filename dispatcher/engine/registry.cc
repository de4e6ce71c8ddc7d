#include "dispatcher/engine/registry.h"

#include <algorithm>
#include <set>
#include <utility>

#include <absl/status/status.h>

#include "base/check.h"
#include "dispatcher/core/filter.h"

namespace hookd {
namespace {

// Structs, tree and table nodes, the allocator.
constexpr size_t kAccountCost = 512;
constexpr size_t kEndpointCost = 1024;

size_t CostOf(const Endpoint& endpoint) {
  size_t bytes = kEndpointCost + endpoint.url.size() + endpoint.description.size();
  for (const std::string& type : endpoint.event_types) bytes += sizeof(type) + type.size();
  // Once in the endpoint, once in the index.
  for (const std::string& channel : endpoint.channels) bytes += 4 * sizeof(channel) + 2 * channel.size();
  for (const std::string& type : endpoint.muted_event_types) bytes += sizeof(type) + type.size();
  for (const auto& [name, on] : endpoint.settings) bytes += 2 * sizeof(name) + name.size();
  for (const Header& header : endpoint.headers)
    bytes += sizeof(header) + header.name.size() + header.value.size();
  return bytes;
}

size_t CostOf(const Subscriber& subscriber) {
  size_t bytes = kAccountCost;
  for (const std::string& channel : subscriber.held_channels) bytes += sizeof(channel) + channel.size();
  for (const std::string& address : subscriber.alert_addresses) bytes += sizeof(address) + address.size();
  return bytes;
}

}  // namespace

absl::StatusOr<Registry::Account*> Registry::Find(const std::string& subscriber_id) {
  if (const auto it = accounts_.find(subscriber_id); it != accounts_.end()) {
    Use(*it->second);
    return it->second.get();
  }
  if (removed_.contains(subscriber_id)) return nullptr;
  absl::StatusOr<StoredAccount> stored = store_.ReadAccount(subscriber_id);
  if (absl::IsNotFound(stored.status())) return nullptr;
  if (!stored.ok()) return stored.status();
  Account& account = Insert(std::move(stored->subscriber));
  for (std::shared_ptr<const Endpoint>& endpoint : stored->endpoints) Put(std::move(endpoint));
  return &account;
}

absl::StatusOr<std::shared_ptr<const Endpoint>> Registry::Find(EndpointId id) {
  std::string owner;
  if (const auto it = owners_.find(id); it != owners_.end()) {
    owner = it->second;
  } else {
    const absl::StatusOr<StoredEndpoint> stored = store_.ReadEndpoint(id);
    if (absl::IsNotFound(stored.status())) return nullptr;
    if (!stored.ok()) return stored.status();
    owner = stored->endpoint->subscriber_id;
  }
  // The open batch may have removed what the store still shows: the account knows.
  absl::StatusOr<Account*> account = Find(owner);
  if (!account.ok()) return account.status();
  if (*account == nullptr) return nullptr;
  const auto it = (*account)->endpoints.find(id);
  return it == (*account)->endpoints.end() ? nullptr : it->second;
}

Registry::Account& Registry::Insert(Subscriber subscriber) {
  const std::string id = subscriber.id;
  std::unique_ptr<Account>& slot = accounts_[id];
  slot = std::make_unique<Account>();
  slot->subscriber = std::move(subscriber);
  bytes_ += CostOf(slot->subscriber);
  used_.push_front(id);
  slot->used = used_.begin();
  return *slot;
}

void Registry::Put(Subscriber subscriber) {
  removed_.erase(subscriber.id);
  const auto it = accounts_.find(subscriber.id);
  if (it == accounts_.end()) {
    Insert(std::move(subscriber));
  } else {
    bytes_ -= CostOf(it->second->subscriber);
    it->second->subscriber = std::move(subscriber);
    bytes_ += CostOf(it->second->subscriber);
  }
}

void Registry::Remove(const std::string& subscriber_id) {
  const auto it = accounts_.find(subscriber_id);
  HOOKD_CHECK(it != accounts_.end() && it->second->endpoints.empty(),
              "only a subscriber without endpoints goes");
  bytes_ -= CostOf(it->second->subscriber);
  used_.erase(it->second->used);
  accounts_.erase(it);
  removed_.insert(subscriber_id);
}

void Registry::Put(std::shared_ptr<const Endpoint> endpoint) {
  const auto account = accounts_.find(endpoint->subscriber_id);
  HOOKD_CHECK(account != accounts_.end(), "an endpoint belongs to a subscriber");
  std::shared_ptr<const Endpoint>& slot = account->second->endpoints[endpoint->id];
  if (slot != nullptr) Unindex(*account->second, *slot);
  if (slot != nullptr) bytes_ -= CostOf(*slot);
  slot = std::move(endpoint);
  bytes_ += CostOf(*slot);
  Index(*account->second, slot);
  owners_[slot->id] = slot->subscriber_id;
}

void Registry::Remove(EndpointId id) {
  const auto owner = owners_.find(id);
  HOOKD_CHECK(owner != owners_.end(), "no such endpoint");
  Account& account = *accounts_.at(owner->second);
  const auto endpoint = account.endpoints.find(id);
  Unindex(account, *endpoint->second);
  bytes_ -= CostOf(*endpoint->second);
  account.endpoints.erase(endpoint);
  owners_.erase(owner);
}

void Registry::Trim() {
  removed_.clear();
  while (bytes_ > max_bytes_ && used_.size() > 1) {
    const auto account = accounts_.find(used_.back());
    bytes_ -= CostOf(account->second->subscriber);
    for (const auto& [id, endpoint] : account->second->endpoints) {
      bytes_ -= CostOf(*endpoint);
      owners_.erase(id);
    }
    accounts_.erase(account);
    used_.pop_back();
  }
}

void Registry::Index(Account& account, const std::shared_ptr<const Endpoint>& endpoint) {
  if (endpoint->channels.empty()) {
    account.any_channel.push_back(endpoint);
    return;
  }
  const std::set<std::string> channels(endpoint->channels.begin(), endpoint->channels.end());
  for (const std::string& channel : channels) account.by_channel[channel].push_back(endpoint);
}

void Registry::Unindex(Account& account, const Endpoint& endpoint) {
  const auto same = [&endpoint](const std::shared_ptr<const Endpoint>& one) {
    return one->id == endpoint.id;
  };
  if (endpoint.channels.empty()) std::erase_if(account.any_channel, same);
  for (const std::string& channel : endpoint.channels) {
    const auto it = account.by_channel.find(channel);
    if (it == account.by_channel.end()) continue;  // named twice
    std::erase_if(it->second, same);
    if (it->second.empty()) account.by_channel.erase(it);
  }
}

std::vector<std::shared_ptr<const Endpoint>> Registry::Match(const Account& account, std::string_view type,
                                                             const std::string& channel) {
  std::vector<std::shared_ptr<const Endpoint>> matching;
  const auto add = [&](const std::vector<std::shared_ptr<const Endpoint>>& some) {
    for (const std::shared_ptr<const Endpoint>& endpoint : some) {
      if (Matches(*endpoint, type, channel)) matching.push_back(endpoint);
    }
  };
  add(account.any_channel);
  if (const auto it = account.by_channel.find(channel); it != account.by_channel.end()) add(it->second);
  return matching;
}

}  // namespace hookd
