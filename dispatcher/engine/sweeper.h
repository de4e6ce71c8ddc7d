// Ends what is pending in the lanes of deleted endpoints, piece by piece, beside the live traffic.
#pragma once

#include <deque>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <boost/asio/thread_pool.hpp>

#include "base/clock.h"
#include "dispatcher/engine/committer.h"
#include "dispatcher/telemetry/telemetry.h"
#include "storage/delivery_store.h"

namespace hookd {

// Lanes that are swept at a time; others wait, as their ids.
inline constexpr size_t kMaxSweeps = 4;

// Durable by itself: a crash leaves a deleted lane with fewer rows, and the next start sweeps on.
class Sweeper {
 public:
  Sweeper(DeliveryStore& store, Committer& committer, Telemetry& telemetry, boost::asio::thread_pool& readers)
      : store_(store), committer_(committer), telemetry_(telemetry), readers_(readers) {}

  // The lane is deleted and has nothing in flight. From any thread.
  void Sweep(EndpointId endpoint);

 private:
  // From the cursor on.
  void Begin(EndpointId endpoint);
  // The next that waits has its turn.
  void Finished();
  // Ends the queue from `from` on, then what is parked.
  void SweepFrom(EndpointId endpoint, Sequence from);
  // The next rows of the lane as facts that end them; empty = nothing is left. On the readers' pool.
  absl::StatusOr<std::vector<DeliveryEnded>> NextRows(EndpointId endpoint, Sequence from) const;
  void End(EndpointId endpoint, Sequence from, std::vector<DeliveryEnded> facts);

  DeliveryStore& store_;
  Committer& committer_;
  Telemetry& telemetry_;
  boost::asio::thread_pool& readers_;
  absl::Mutex mutex_;
  size_t sweeping_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<EndpointId> waiting_ ABSL_GUARDED_BY(mutex_);  // deleted lanes: bounded by the store
};

}  // namespace hookd
