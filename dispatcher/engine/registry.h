// Subscribers and endpoints, and which endpoints an event goes to: the accounts in use, read from the store
// when they are asked for.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/status/statusor.h>

#include "base/ids.h"
#include "base/model.h"
#include "storage/delivery_store.h"

namespace hookd {

// Memory of the accounts in use, about; when passed, those not used for longest go. One account larger than
// this stays as long as it is in use.
inline constexpr size_t kRegistryBytes = 12u << 20;

// Thread: the committer's, so that an endpoint's creation and a publish have an order. What is changed here
// is in the open batch; Trim comes after its commit.
class Registry {
 public:
  struct Account {
    Subscriber subscriber;
    std::map<EndpointId, std::shared_ptr<const Endpoint>> endpoints;
    // The same endpoints, by the channels that they ask for; those that take every channel.
    absl::flat_hash_map<std::string, std::vector<std::shared_ptr<const Endpoint>>> by_channel;
    std::vector<std::shared_ptr<const Endpoint>> any_channel;
    std::list<std::string>::iterator used;  // in used_
  };

  explicit Registry(const DeliveryStore& store, size_t max_bytes = kRegistryBytes)
      : store_(store), max_bytes_(max_bytes) {}

  // Null = no such subscriber. Valid until Trim. Errors: of the disk.
  absl::StatusOr<Account*> Find(const std::string& subscriber_id);
  // Null = no such endpoint.
  absl::StatusOr<std::shared_ptr<const Endpoint>> Find(EndpointId id);

  void Put(Subscriber subscriber);
  // It was found, and has no endpoints.
  void Remove(const std::string& subscriber_id);
  // The account was found.
  void Put(std::shared_ptr<const Endpoint> endpoint);
  // The endpoint was found.
  void Remove(EndpointId id);

  // What was changed is committed: accounts that have not been used for long may go.
  void Trim();

  // The account's endpoints that take this type and channel.
  static std::vector<std::shared_ptr<const Endpoint>> Match(const Account& account, std::string_view type,
                                                            const std::string& channel);

 private:
  static void Index(Account& account, const std::shared_ptr<const Endpoint>& endpoint);
  static void Unindex(Account& account, const Endpoint& endpoint);
  Account& Insert(Subscriber subscriber);
  void Use(Account& account) { used_.splice(used_.begin(), used_, account.used); }

  const DeliveryStore& store_;
  const size_t max_bytes_;
  size_t bytes_ = 0;
  absl::flat_hash_map<std::string, std::unique_ptr<Account>> accounts_;
  std::list<std::string> used_;                          // the newest first
  absl::flat_hash_map<EndpointId, std::string> owners_;  // of the endpoints in accounts_
  absl::flat_hash_set<std::string> removed_;             // in the open batch: the store still shows them
};

}  // namespace hookd
