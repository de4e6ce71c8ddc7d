// Ends what is pending in the lanes of deleted endpoints, piece by piece, beside the live traffic.
#pragma once

#include <boost/asio/thread_pool.hpp>

#include "base/clock.h"
#include "dispatcher/engine/committer.h"
#include "dispatcher/telemetry/telemetry.h"
#include "storage/delivery_store.h"

namespace hookd {

// Durable by itself: a crash leaves a deleted lane with fewer rows, and the next start sweeps on.
class Sweeper {
 public:
  Sweeper(DeliveryStore& store, Committer& committer, Telemetry& telemetry, boost::asio::thread_pool& readers)
      : store_(store), committer_(committer), telemetry_(telemetry), readers_(readers) {}

  // The lane is deleted and has nothing in flight. From any thread.
  void Sweep(EndpointId endpoint);

 private:
  // Ends the queue from `from` on, then what is parked.
  void SweepFrom(EndpointId endpoint, Sequence from);
  // The next rows of the lane as facts that end them; empty = nothing is left. On the readers' pool.
  absl::StatusOr<std::vector<DeliveryEnded>> NextRows(EndpointId endpoint, Sequence from) const;
  void End(EndpointId endpoint, Sequence from, std::vector<DeliveryEnded> facts);

  DeliveryStore& store_;
  Committer& committer_;
  Telemetry& telemetry_;
  boost::asio::thread_pool& readers_;
};

}  // namespace hookd
