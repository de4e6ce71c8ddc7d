// A unary publish: it waits for its commit without holding a thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>

#include "dispatcher/api/call_registry.h"
#include "dispatcher/api/publish_batch.h"

namespace hookd {

class PublishCall final : public grpc::ServerUnaryReactor,
                          public LiveCall,
                          public std::enable_shared_from_this<PublishCall> {
 public:
  // Writes the response; never runs once the call has ended. Its status ends the call.
  using Fill = std::function<absl::Status(std::vector<PublishOutcome>)>;

  // The reactor that gRPC wants from a handler; it lives in `context->calls` until gRPC is done with it.
  static grpc::ServerUnaryReactor* Start(std::shared_ptr<PublishContext> publish,
                                         grpc::CallbackServerContext& context, std::vector<NewEvent> events,
                                         Fill fill);
  // The reactor of a call that is refused at once, which is counted as one event, however many it had.
  static grpc::ServerUnaryReactor* Refused(PublishContext& publish, grpc::CallbackServerContext& context,
                                           const absl::Status& status);
  // The reactor of a call that ends at once.
  static grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext& context, const absl::Status& status);

  PublishCall(std::shared_ptr<PublishContext> publish, Fill fill);

  void StopIntake() override {}
  void Abort() override;
  void OnDone() override;

 private:
  void Answer(std::vector<PublishOutcome> outcomes);

  const std::shared_ptr<PublishContext> publish_;
  const Fill fill_;
  absl::Mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hookd
