#include <optional>
#include <utility>

#include <absl/status/status.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/key_codec.h"
#include "storage/rocksdb_reader.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {
namespace {

absl::Status NoSubscriber(const std::string& id) { return absl::NotFoundError(Concat("no subscriber ", id)); }

absl::StatusOr<keys::SubscriberKey> ParseSubscriberKey(std::string_view key) {
  const std::optional<keys::SubscriberKey> parsed = keys::ParseSubscriber(key);
  if (!parsed) return absl::DataLossError("an unknown row in the family subscribers");
  return *parsed;
}

}  // namespace

absl::StatusOr<StoredAccount> RocksDbStore::ReadAccount(const std::string& subscriber_id) const {
  const Reader reader(*this);
  StoredAccount account;
  std::string value;
  ASSIGN_OR_RETURN(const bool found, reader.Get(kSubscribers, keys::OfSubscriber(subscriber_id), value));
  if (!found) return NoSubscriber(subscriber_id);
  ASSIGN_OR_RETURN(account.subscriber, records::DecodeSubscriber(value));
  RETURN_IF_ERROR(
      reader.ScanEndpointsOf(subscriber_id, EndpointId{}, [&](EndpointId id) -> absl::StatusOr<bool> {
        ASSIGN_OR_RETURN(std::optional<Endpoint> endpoint, reader.GetEndpoint(id));
        if (!endpoint) return absl::DataLossError(Concat("no endpoint ", id.ToString(), ", which is listed"));
        account.endpoints.push_back(std::make_shared<const Endpoint>(*std::move(endpoint)));
        return true;
      }));
  return account;
}

absl::StatusOr<StoredSubscriber> RocksDbStore::ReadSubscriber(const std::string& id) const {
  const Reader reader(*this);
  StoredSubscriber stored;
  std::string value;
  ASSIGN_OR_RETURN(const bool found, reader.Get(kSubscribers, keys::OfSubscriber(id), value));
  if (!found) return NoSubscriber(id);
  ASSIGN_OR_RETURN(stored.subscriber, records::DecodeSubscriber(value));
  RETURN_IF_ERROR(reader.ScanEndpointsOf(id, EndpointId{}, [&](EndpointId) -> absl::StatusOr<bool> {
    ++stored.endpoint_count;
    return true;
  }));
  return stored;
}

absl::StatusOr<StoredEndpoint> RocksDbStore::ReadEndpoint(EndpointId id) const {
  const Reader reader(*this);
  ASSIGN_OR_RETURN(std::optional<Endpoint> endpoint, reader.GetEndpoint(id));
  if (!endpoint) return absl::NotFoundError(Concat("no endpoint ", id.ToString()));
  return reader.WithLane(*std::move(endpoint));
}

absl::StatusOr<std::vector<StoredSubscriber>> RocksDbStore::ListSubscribers(const std::string& after,
                                                                            size_t limit) const {
  const Reader reader(*this);
  std::vector<StoredSubscriber> subscribers;
  const std::string from = after.empty() ? std::string() : keys::AfterSubscriber(after);
  RETURN_IF_ERROR(reader.Scan(kSubscribers, from, std::string(),
                              [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                                ASSIGN_OR_RETURN(const keys::SubscriberKey row, ParseSubscriberKey(key));
                                if (row.endpoint) {
                                  if (!subscribers.empty() && subscribers.back().subscriber.id == row.id) {
                                    ++subscribers.back().endpoint_count;
                                  }
                                  return true;
                                }
                                if (subscribers.size() == limit) return false;
                                StoredSubscriber& stored = subscribers.emplace_back();
                                ASSIGN_OR_RETURN(stored.subscriber, records::DecodeSubscriber(value));
                                return true;
                              }));
  return subscribers;
}

absl::StatusOr<std::vector<StoredEndpoint>> RocksDbStore::ListEndpoints(const std::string& subscriber_id,
                                                                        EndpointId after,
                                                                        size_t limit) const {
  const Reader reader(*this);
  std::vector<StoredEndpoint> endpoints;
  const auto add = [&](Endpoint endpoint) -> absl::StatusOr<bool> {
    if (endpoints.size() == limit) return false;
    ASSIGN_OR_RETURN(StoredEndpoint stored, reader.WithLane(std::move(endpoint)));
    endpoints.push_back(std::move(stored));
    return endpoints.size() < limit;
  };
  if (!subscriber_id.empty()) {
    RETURN_IF_ERROR(reader.ScanEndpointsOf(subscriber_id, after, [&](EndpointId id) -> absl::StatusOr<bool> {
      ASSIGN_OR_RETURN(std::optional<Endpoint> endpoint, reader.GetEndpoint(id));
      if (!endpoint) return absl::DataLossError(Concat("no endpoint ", id.ToString(), ", which is listed"));
      return add(*std::move(endpoint));
    }));
    return endpoints;
  }
  RETURN_IF_ERROR(reader.Scan(kEndpoints, keys::JustAfter(keys::OfEndpoint(after)), std::string(),
                              [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                                const std::optional<EndpointId> id = keys::ParseEndpoint(key);
                                if (!id) return absl::DataLossError("an unknown row in the family endpoints");
                                ASSIGN_OR_RETURN(Endpoint endpoint,
                                                 records::DecodeEndpoint(*id, value, sealer_));
                                return add(std::move(endpoint));
                              }));
  return endpoints;
}

}  // namespace hookd
