// A unary call whose answer comes later, from another thread, after reads on the feed's pool.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>

#include "dispatcher/api/feed_context.h"
#include "dispatcher/api/grpc_status.h"

namespace hookd {

class ToolCall final : public grpc::ServerUnaryReactor,
                       public LiveCall,
                       public std::enable_shared_from_this<ToolCall> {
 public:
  // The reactor that gRPC wants from a handler; it lives in `feed->calls` until gRPC is done with it. `begin`
  // runs on the feed's pool, and sees to it that End is called some time.
  static grpc::ServerUnaryReactor* Start(const std::shared_ptr<FeedContext>& feed,
                                         grpc::CallbackServerContext& context,
                                         std::function<void(const std::shared_ptr<ToolCall>&)> begin) {
    auto call = std::make_shared<ToolCall>(feed);
    if (!feed->calls.Add(call)) {
      grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
      reactor->Finish(ToGrpc(absl::UnavailableError("shutting down, try again elsewhere or later")));
      return reactor;
    }
    feed->Post([call, begin = std::move(begin)] { begin(call); });
    return call.get();
  }

  explicit ToolCall(std::shared_ptr<FeedContext> feed) : feed_(std::move(feed)) {}

  // Any thread; only the first one counts. `fill` runs before it returns, or never: until then gRPC keeps the
  // response.
  void End(const absl::Status& status, const std::function<void()>& fill = nullptr) {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(finished_, true)) return;
    if (status.ok() && fill != nullptr) fill();
    Finish(ToGrpc(status));
  }

  // Nobody wants the answer any more.
  bool ended() const {
    absl::MutexLock lock(&mutex_);
    return finished_;
  }

  void StopIntake() override { Abort(); }
  void Abort() override { End(absl::UnavailableError("shutting down, try again elsewhere or later")); }
  void OnCancel() override { End(absl::CancelledError("canceled")); }
  void OnDone() override { feed_->calls.Remove(this); }

 private:
  const std::shared_ptr<FeedContext> feed_;
  mutable absl::Mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hookd
