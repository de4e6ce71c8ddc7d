// GetEvent and PollEvents: they read on the feed's pool, and a poll waits for commits without a thread.
#pragma once

#include <memory>

#include <grpcpp/grpcpp.h>

#include "dispatcher/api/feed_context.h"
#include "hookd/v1/event_service.pb.h"

namespace hookd {

inline constexpr size_t kMaxShownDeliveries = 1000;
// What one PollEvents may wait.
inline constexpr std::chrono::seconds kMaxPollWait{30};

// The reactors that gRPC wants from a handler. They live in `feed->calls` until gRPC is done with them;
// `request` and `response` are gRPC's for as long.
grpc::ServerUnaryReactor* GetEventCall(const std::shared_ptr<FeedContext>& feed,
                                       grpc::CallbackServerContext& context,
                                       const v1::GetEventRequest& request, v1::Event& response);
grpc::ServerUnaryReactor* PollEventsCall(const std::shared_ptr<FeedContext>& feed,
                                         grpc::CallbackServerContext& context,
                                         const v1::PollEventsRequest& request,
                                         v1::PollEventsResponse& response);

}  // namespace hookd
