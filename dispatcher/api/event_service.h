// EventService: takes events in. On gRPC's callback API, as a publish waits for its commit without a thread.
#pragma once

#include <memory>

#include <grpcpp/grpcpp.h>

#include "dispatcher/api/publish_batch.h"
#include "hookd/v1/event_service.grpc.pb.h"

namespace hookd {

class EventService final : public v1::EventService::CallbackService {
 public:
  explicit EventService(std::shared_ptr<PublishContext> publish);

  grpc::ServerUnaryReactor* PublishEvent(grpc::CallbackServerContext* context,
                                         const v1::PublishEventRequest* request,
                                         v1::PublishEventResponse* response) override;
  grpc::ServerUnaryReactor* PublishEvents(grpc::CallbackServerContext* context,
                                          const v1::PublishEventsRequest* request,
                                          v1::PublishEventsResponse* response) override;
  grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>* PublishStream(
      grpc::CallbackServerContext* context) override;

 private:
  const std::shared_ptr<PublishContext> publish_;
};

}  // namespace hookd
