// One PublishStream call: reads a message, hands it to the engine, and answers in order, each after its
// commit.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>

#include "dispatcher/api/call_registry.h"
#include "dispatcher/api/publish_batch.h"
#include "hookd/v1/event_service.grpc.pb.h"

namespace hookd {

// Messages that one stream may have unanswered; then it is not read until answers have gone out.
inline constexpr size_t kMaxUnanswered = 64;
// Likewise of their answers, encoded; the last one may exceed it.
inline constexpr size_t kMaxUnansweredBytes = 1024 * 1024;

// One message is read at a time, and the next only when the engine has taken it in: a full intake or a client
// that does not read its answers makes the stream stop reading, and HTTP/2's flow control tells the client.
// It lives in `publish->calls` until gRPC is done with it. Every method from any thread.
class PublishStream final
    : public grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>,
      public LiveCall,
      public std::enable_shared_from_this<PublishStream> {
 public:
  // Never null.
  static grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>* Start(
      std::shared_ptr<PublishContext> publish, grpc::CallbackServerContext& context, StillAllowed allowed,
      PublishLimits limits);

  PublishStream(std::shared_ptr<PublishContext> publish, grpc::CallbackServerContext& context,
                StillAllowed allowed, PublishLimits limits);

  void StopIntake() override;
  void Abort() override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  struct Unanswered {
    v1::PublishStreamResponse response;
    std::vector<int> positions;  // of the events that the engine has
    size_t bytes = 0;            // of the response; about, until it is ready
    bool ready = false;          // the response is complete
  };

  void Admit();
  void Offer(Unanswered* message, std::vector<NewEvent> events);
  void Retry(Unanswered* message);
  void Answer(Unanswered* message, const std::vector<PublishOutcome>& outcomes);
  void End(const absl::Status& status);

  void EndLocked(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StopWaitingLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts whatever can be started now: a write, a read, the end.
  void AdvanceLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<PublishContext> publish_;
  grpc::CallbackServerContext& context_;  // not after Finish
  const StillAllowed allowed_;            // whoever admits asks
  const PublishLimits limits_;            // likewise
  // gRPC's while `reading_`, whoever admits while `admitting_`.
  v1::PublishStreamRequest request_;

  absl::Mutex mutex_;
  // In the order of the stream; elements stay where they are until they are answered or the call is
  // destroyed.
  std::deque<Unanswered> unanswered_ ABSL_GUARDED_BY(mutex_);
  size_t unanswered_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // the sum of theirs
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool admitting_ ABSL_GUARDED_BY(mutex_) = false;  // `request_` is on its way into the engine
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;    // ... and waits for room; it is the last of `unanswered_`
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;   // nothing more is read; `final_` follows the last answer
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;  // canceled or disconnected: no more answers
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status final_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hookd
