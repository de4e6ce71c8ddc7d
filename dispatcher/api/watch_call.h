// One WatchDeliveries stream: reads the change log behind its position, sends what its filter takes, and
// waits for the next commit. A slow client is waited for: the log is on disk, and nothing is kept for it but
// what one read gave.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>

#include "dispatcher/api/feed_context.h"
#include "hookd/v1/delivery_service.grpc.pb.h"

namespace hookd {

// Which changes a watcher wants; empty = all.
struct WatchFilter {
  EndpointId endpoint;  // 0 = any
  std::string subscriber_id;
  std::set<DeliveryState> states;
  bool Takes(const StateChange& change) const;
};

class WatchCall final : public grpc::ServerWriteReactor<v1::WatchDeliveriesResponse>,
                        public LiveCall,
                        public std::enable_shared_from_this<WatchCall> {
 public:
  // The reactor that gRPC wants from a handler; it lives in `feed->calls` until gRPC is done with it.
  static grpc::ServerWriteReactor<v1::WatchDeliveriesResponse>* Start(
      std::shared_ptr<FeedContext> feed, const v1::WatchDeliveriesRequest& request, StillAllowed allowed);

  WatchCall(std::shared_ptr<FeedContext> feed, WatchFilter filter, uint64_t after, StillAllowed allowed);
  ~WatchCall() override;

  void StopIntake() override;
  void Abort() override { StopIntake(); }
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // On the pool: reads, and writes or waits.
  void Step();
  void PostStep();
  void End(const absl::Status& status);

  const std::shared_ptr<FeedContext> feed_;
  const WatchFilter filter_;
  const StillAllowed allowed_;
  // Of Step, which runs once at a time.
  uint64_t after_;                  // everything up to this commit has been sent
  std::vector<StateChange> taken_;  // of later commits, up to taken_through_: what the filter takes
  size_t sent_ = 0;                 // of taken_
  uint64_t taken_through_ = 0;
  bool more_ = false;
  SteadyTime last_sent_{};
  v1::WatchDeliveriesResponse response_;  // between StartWrite and OnWriteDone gRPC's

  absl::Mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hookd
