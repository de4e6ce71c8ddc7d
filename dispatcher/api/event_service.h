// EventService: takes events in, and shows them. On gRPC's callback API, as a publish waits for its commit,
// and a poll for the next event, without a thread.
#pragma once

#include <memory>

#include <grpcpp/grpcpp.h>

#include "dispatcher/api/feed_context.h"
#include "dispatcher/api/publish_batch.h"
#include "hookd/v1/event_service.grpc.pb.h"

namespace hookd {

class EventService final : public v1::EventService::CallbackService {
 public:
  EventService(std::shared_ptr<PublishContext> publish, std::shared_ptr<FeedContext> feed);

  grpc::ServerUnaryReactor* PublishEvent(grpc::CallbackServerContext* context,
                                         const v1::PublishEventRequest* request,
                                         v1::PublishEventResponse* response) override {
    return PublishEventWithin({}, context, request, response);
  }
  grpc::ServerUnaryReactor* PublishEvents(grpc::CallbackServerContext* context,
                                          const v1::PublishEventsRequest* request,
                                          v1::PublishEventsResponse* response) override {
    return PublishEventsWithin({}, context, request, response);
  }
  grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>* PublishStream(
      grpc::CallbackServerContext* context) override {
    return PublishStreamWhile(context, nullptr, {});
  }
  grpc::ServerUnaryReactor* PublishEventWithin(const PublishLimits& limits,
                                               grpc::CallbackServerContext* context,
                                               const v1::PublishEventRequest* request,
                                               v1::PublishEventResponse* response);
  grpc::ServerUnaryReactor* PublishEventsWithin(const PublishLimits& limits,
                                                grpc::CallbackServerContext* context,
                                                const v1::PublishEventsRequest* request,
                                                v1::PublishEventsResponse* response);
  grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>* PublishStreamWhile(
      grpc::CallbackServerContext* context, StillAllowed allowed, PublishLimits limits);
  grpc::ServerUnaryReactor* GetEvent(grpc::CallbackServerContext* context, const v1::GetEventRequest* request,
                                     v1::Event* response) override;
  grpc::ServerUnaryReactor* PollEvents(grpc::CallbackServerContext* context,
                                       const v1::PollEventsRequest* request,
                                       v1::PollEventsResponse* response) override;

 private:
  const std::shared_ptr<PublishContext> publish_;
  const std::shared_ptr<FeedContext> feed_;
};

}  // namespace hookd
