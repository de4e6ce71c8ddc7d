// What has to be looked at now and then: the disk, write stalls, the clock, the retention.
#pragma once

#include <atomic>
#include <memory>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "base/clock.h"
#include "dispatcher/engine/committer.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/telemetry/telemetry.h"
#include "storage/delivery_store.h"

namespace hookd {

// On the readers' pool, once a second. What it finds ends by itself: an intake held for the disk or a stall
// is open again at the look after its reason has gone.
class Housekeeper {
 public:
  Housekeeper(const EngineTunables& tunables, DeliveryStore& store, Committer& committer,
              Telemetry& telemetry, boost::asio::thread_pool& pool);
  void Start();
  // No look begins afterwards; one under way may still end. From any thread.
  void Stop();
  // From the next look on. From any thread.
  void Tune(const EngineTunables& tunables) {
    absl::MutexLock lock(&mutex_);
    tunables_ = tunables;
  }

 private:
  void Wait();
  void Look();
  // The share of the disk that is used, against the marks.
  bool DiskIsFull(const EngineTunables& tunables);

  absl::Mutex mutex_;
  EngineTunables tunables_ ABSL_GUARDED_BY(mutex_);
  DeliveryStore& store_;
  Committer& committer_;
  Telemetry& telemetry_;
  boost::asio::steady_timer timer_;
  std::atomic<bool> stopped_{false};
  bool disk_full_ = false;
  std::string told_;  // of the disk, until the committer takes it
  uint64_t looks_ = 0;
  std::atomic<bool> waiting_{false};  // for the committer to take the last look's change
};

}  // namespace hookd
