// Consistent reads of the database: what rocksdb_reads.cc, rocksdb_changes.cc, rocksdb_configuration.cc
// and rocksdb_list.cc share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/key_codec.h"
#include "storage/rocksdb_status.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {

// One snapshot, so that a delivery on its way from the queue to the history is seen exactly once.
class RocksDbStore::Reader {
 public:
  explicit Reader(const RocksDbStore& store) : store_(store), snapshot_(store.db_.get()) {
    options_.snapshot = snapshot_.snapshot();
  }

  // Opens payloads, and what is kept of exchanges.
  std::shared_ptr<const Sealer> payloads() const { return store_.vault_.sealer(); }

  // False = there is no such row.
  absl::StatusOr<bool> Get(Family family, const std::string& key, std::string& value) const {
    const rocksdb::Status status = store_.db_->Get(options_, store_.Cf(family), key, &value);
    if (status.IsNotFound()) return false;
    RETURN_IF_ERROR(FromRocksDb(status, "read"));
    return true;
  }

  // Over [*lower, *upper), which outlive it.
  std::unique_ptr<rocksdb::Iterator> NewIterator(Family family, const rocksdb::Slice* lower,
                                                 const rocksdb::Slice* upper) const {
    rocksdb::ReadOptions options = options_;
    options.iterate_lower_bound = lower;
    options.iterate_upper_bound = upper;
    return std::unique_ptr<rocksdb::Iterator>(store_.db_->NewIterator(options, store_.Cf(family)));
  }

  // A bounded scan of [from, to): stops when `row` returns false.
  template <typename Row>
  absl::Status Scan(Family family, const std::string& from, const std::string& to, Row&& row) const {
    rocksdb::ReadOptions options = options_;
    const rocksdb::Slice upper(to);
    if (!to.empty()) options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> it(store_.db_->NewIterator(options, store_.Cf(family)));
    for (it->Seek(from); it->Valid(); it->Next()) {
      ASSIGN_OR_RETURN(const bool more, row(it->key().ToStringView(), it->value().ToStringView()));
      if (!more) return absl::OkStatus();
    }
    return FromRocksDb(it->status(), "scan");
  }

  absl::StatusOr<std::shared_ptr<const Event>> GetEvent(EventId id) const {
    std::string value;
    ASSIGN_OR_RETURN(const bool found, Get(kEvents, keys::OfEvent(id), value));
    if (!found) return absl::NotFoundError(Concat("no event ", id.ToString()));
    return records::DecodeEvent(id, value, payloads().get());
  }

  // Nullopt = there is none.
  absl::StatusOr<std::optional<Endpoint>> GetEndpoint(EndpointId id) const {
    std::string value;
    ASSIGN_OR_RETURN(const bool found, Get(kEndpoints, keys::OfEndpoint(id), value));
    if (!found) return std::nullopt;
    ASSIGN_OR_RETURN(Endpoint endpoint, records::DecodeEndpoint(id, value, store_.sealer_));
    return endpoint;
  }

  absl::StatusOr<StoredEndpoint> WithLane(Endpoint endpoint) const {
    std::string value;
    ASSIGN_OR_RETURN(const bool found, Get(kLanes, keys::OfEndpoint(endpoint.id), value));
    if (!found) return absl::DataLossError(Concat("an endpoint without its lane: ", endpoint.id.ToString()));
    StoredEndpoint stored;
    ASSIGN_OR_RETURN(stored.lane, records::DecodeLane(value));
    stored.endpoint = std::make_shared<const Endpoint>(std::move(endpoint));
    return stored;
  }

  // The subscriber's endpoints with ids greater than `after`, ascending; stops when `row` returns false.
  template <typename Row>
  absl::Status ScanEndpointsOf(const std::string& subscriber_id, EndpointId after, Row&& row) const {
    return Scan(kSubscribers, keys::JustAfter(keys::OfSubscribersEndpoint(subscriber_id, after)),
                keys::AfterSubscriber(subscriber_id),
                [&](std::string_view key, std::string_view) -> absl::StatusOr<bool> {
                  const std::optional<keys::SubscriberKey> parsed = keys::ParseSubscriber(key);
                  if (!parsed || !parsed->endpoint) {
                    return absl::DataLossError("an unknown row in the family subscribers");
                  }
                  return row(*parsed->endpoint);
                });
  }

  // A delivery of queue or parked; `parked` null = it is in the queue.
  static Delivery Pending(EndpointId endpoint, Sequence sequence, const Event& event, const RemadePtr& remade,
                          const ParkedDelivery* parked) {
    Delivery delivery;
    delivery.id = MakeDeliveryId(event.id, remade, endpoint, sequence);
    delivery.event = event.id;
    delivery.subscriber_id = event.subscriber_id;
    delivery.event_type = event.type;
    delivery.state = DeliveryState::kPending;
    SetMade(event.id, remade, delivery);
    if (parked != nullptr) {
      delivery.attempt_count = parked->attempts;
      delivery.next_due_ms = parked->due_ms;
      delivery.last_status = parked->last_status;
      delivery.last_error = parked->last_error;
      delivery.batch = parked->batch;
    }
    return delivery;
  }
  absl::StatusOr<Delivery> Pending(EndpointId endpoint, Sequence sequence, const EventId& event,
                                   const RemadePtr& remade, const ParkedDelivery* parked) const {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Event> stored, GetEvent(event));
    return Pending(endpoint, sequence, *stored, remade, parked);
  }

  // Without replaced_by, which is in the index by state.
  static Delivery Ended(DeliveryId id, records::End end) {
    Delivery delivery;
    delivery.id = id;
    delivery.event = end.event;
    delivery.subscriber_id = std::move(end.subscriber_id);
    delivery.event_type = std::move(end.event_type);
    delivery.state = end.state;
    delivery.reason = end.reason;
    SetMade(end.event, end.remade, delivery);
    delivery.ended_ms = end.ended_ms;
    delivery.attempt_count = end.attempt_count;
    delivery.batch = end.batch;
    if (end.has_attempt) {
      delivery.last_status = end.last_attempt.status;
      delivery.last_error = end.last_attempt.error;
    }
    return delivery;
  }

  // The value of a row of the index by state; nullopt = not replaced.
  static absl::StatusOr<std::optional<DeliveryId>> DecodeReplacedBy(std::string_view value) {
    if (value.empty()) return std::nullopt;
    const std::optional<DeliveryId> id = keys::ParseId(value);
    if (!id) return absl::DataLossError("a row of the index by state is damaged");
    return id;
  }

  absl::StatusOr<std::optional<DeliveryId>> ReplacedBy(const Delivery& ended) const {
    if (ended.state == DeliveryState::kPending || ended.state == DeliveryState::kSucceeded) {
      return std::nullopt;
    }
    std::string value;
    ASSIGN_OR_RETURN(
        const bool found,
        Get(kHistory, keys::StateRow(ended.state, ended.accepted_ms, ended.id.endpoint, ended.id.sequence),
            value));
    if (!found) return std::nullopt;
    return DecodeReplacedBy(value);
  }

 private:
  static void SetMade(const EventId& event, const RemadePtr& remade, Delivery& delivery) {
    delivery.accepted_ms = AcceptedMs(event, remade);
    if (remade == nullptr) return;
    delivery.origin = remade->origin;
    delivery.replaces = remade->replaces;
  }

  const RocksDbStore& store_;
  rocksdb::ManagedSnapshot snapshot_;
  rocksdb::ReadOptions options_;
};

}  // namespace hookd
