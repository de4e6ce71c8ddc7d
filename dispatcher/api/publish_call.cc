#include "dispatcher/api/publish_call.h"

#include <utility>

#include "dispatcher/api/grpc_status.h"

namespace hookd {

PublishCall::PublishCall(std::shared_ptr<PublishContext> publish, Fill fill)
    : publish_(std::move(publish)), fill_(std::move(fill)) {}

grpc::ServerUnaryReactor* PublishCall::Finished(grpc::CallbackServerContext& context,
                                                const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

grpc::ServerUnaryReactor* PublishCall::Refused(PublishContext& publish, grpc::CallbackServerContext& context,
                                               const absl::Status& status) {
  publish.CountRefused(status);
  return Finished(context, status);
}

grpc::ServerUnaryReactor* PublishCall::Start(std::shared_ptr<PublishContext> publish,
                                             grpc::CallbackServerContext& context,
                                             std::vector<NewEvent> events, Fill fill) {
  auto call = std::make_shared<PublishCall>(publish, std::move(fill));
  const size_t count = events.size();
  if (!publish->calls.Add(call)) {
    const absl::Status refused = absl::UnavailableError("shutting down, try again elsewhere or later");
    publish->CountRefused(refused, count);
    return Finished(context, refused);
  }
  const absl::Status taken =
      publish->engine.Publish(std::move(events), [call](std::vector<PublishOutcome> outcomes) {
        call->publish_->answers.Post(
            [call, outcomes = std::move(outcomes)]() mutable { call->Answer(std::move(outcomes)); });
      });
  if (!taken.ok()) {
    publish->CountRefused(taken, count);
    absl::MutexLock lock(&call->mutex_);
    if (!call->finished_) call->Finish(ToGrpc(taken));
    call->finished_ = true;
  }
  return call.get();
}

void PublishCall::Answer(std::vector<PublishOutcome> outcomes) {
  absl::MutexLock lock(&mutex_);
  if (finished_) return;  // the response is gone
  finished_ = true;
  Finish(ToGrpc(fill_(std::move(outcomes))));
}

void PublishCall::Abort() {
  absl::MutexLock lock(&mutex_);
  if (finished_) return;
  finished_ = true;
  Finish(ToGrpc(absl::UnavailableError(
      "shutting down before the outcome was known: publish again with the same idempotency key")));
}

void PublishCall::OnDone() { publish_->calls.Remove(this); }

}  // namespace hookd
