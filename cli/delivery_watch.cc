#include "cli/delivery_watch.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "cli/session.h"

namespace hookd::cli {
namespace {

constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLastPause{2000};

}  // namespace

grpc::Status WatchDeliveries(const std::shared_ptr<grpc::Channel>& channel,
                             v1::WatchDeliveriesRequest request, Duration retry_for, const Clock& clock,
                             const std::function<bool(const v1::WatchDeliveriesResponse&)>& take) {
  const auto stub = v1::DeliveryService::NewStub(channel);
  bool trying = false;  // there was a break, and no answer since
  SteadyTime trying_since{};
  Duration pause = kFirstPause;
  for (;;) {
    grpc::ClientContext context;
    const auto stream = stub->WatchDeliveries(&context, request);
    v1::WatchDeliveriesResponse answer;
    while (stream->Read(&answer)) {
      trying = false;
      pause = kFirstPause;
      if (answer.commit() != 0) request.set_after_commit(answer.commit());
      if (take(answer)) continue;
      context.TryCancel();
      stream->Finish();
      return grpc::Status::OK;
    }
    const grpc::Status status = stream->Finish();
    if (!MayTryAgain(status)) return status;
    const SteadyTime now = clock.Steady();
    if (!trying) trying_since = now;
    trying = true;
    if (now - trying_since >= retry_for) {
      return {grpc::StatusCode::UNAVAILABLE, "the stream broke: " + status.error_message()};
    }
    std::this_thread::sleep_for(pause);
    pause = std::min<Duration>(pause * 2, kLastPause);
  }
}

}  // namespace hookd::cli
