// What a person asks of one delivery: to see what it waits for, to retry it, to cancel it.
#pragma once

#include <functional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/engine/committer.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/shard.h"
#include "storage/delivery_store.h"

namespace hookd {

// Threads: any but the committer's and the shards'; calls wait for both, and read the disk.
class Steering {
 public:
  // Runs a change on the committer's thread, and returns once it is on disk and the endpoint's shard was
  // told.
  using Change = std::function<absl::Status(std::function<void(Ledger&)> apply, const EndpointId* told)>;

  Steering(DeliveryStore& store, const Committer& committer, Change change,
           std::function<Shard&(EndpointId)> shard_of)
      : store_(store), committer_(committer), change_(std::move(change)), shard_of_(std::move(shard_of)) {}

  // As Engine says of GetDelivery, RetryDelivery and CancelDelivery.
  absl::StatusOr<DeliveryView> View(DeliveryId id) const;
  absl::StatusOr<DeliveryView> Retry(DeliveryId id) const;
  absl::StatusOr<DeliveryView> Cancel(DeliveryId id) const;

 private:
  absl::StatusOr<DeliveryView> Redeliver(const Delivery& delivery) const;

  DeliveryStore& store_;
  const Committer& committer_;
  const Change change_;
  const std::function<Shard&(EndpointId)> shard_of_;
};

}  // namespace hookd
