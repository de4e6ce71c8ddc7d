// One WatchCaptured stream. A slow client is waited for; what its bin drops meanwhile it does not get.
#pragma once

#include <memory>
#include <string>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>

#include "dispatcher/api/feed_context.h"
#include "dispatcher/tools/bin_store.h"
#include "hookd/v1/capture_service.grpc.pb.h"

namespace hookd {

class CaptureWatch final : public grpc::ServerWriteReactor<v1::CapturedRequest>,
                           public LiveCall,
                           public std::enable_shared_from_this<CaptureWatch> {
 public:
  // The bin to watch, found on the feed's pool.
  using FindBin = std::function<absl::StatusOr<std::string>()>;

  // The reactor that gRPC wants from a handler; it lives in `feed->calls` until gRPC is done with it. `bins`
  // outlives it.
  static grpc::ServerWriteReactor<v1::CapturedRequest>* Start(std::shared_ptr<FeedContext> feed,
                                                              BinStore& bins, FindBin find,
                                                              std::optional<uint64_t> after_number,
                                                              StillAllowed allowed);

  CaptureWatch(std::shared_ptr<FeedContext> feed, BinStore& bins, StillAllowed allowed)
      : feed_(std::move(feed)), bins_(bins), allowed_(std::move(allowed)) {}
  ~CaptureWatch() override { feed_->watchers.fetch_sub(1); }

  void StopIntake() override;
  void Abort() override { StopIntake(); }
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // On the pool: writes the next one, or waits for it.
  void Begin(const FindBin& find, std::optional<uint64_t> after_number);
  void Step();
  void PostStep();
  void End(const absl::Status& status);

  const std::shared_ptr<FeedContext> feed_;
  BinStore& bins_;
  const StillAllowed allowed_;
  // Of Step, which runs once at a time.
  std::string bin_;
  uint64_t after_ = 0;
  v1::CapturedRequest response_;  // between StartWrite and OnWriteDone gRPC's

  absl::Mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hookd
