// DeliveryService. On gRPC's synchronous API, as reads may block on the disk; WatchDeliveries on its callback
// API, as a stream waits for commits without a thread.
#pragma once

#include <memory>

#include <grpcpp/grpcpp.h>

#include "dispatcher/api/feed_context.h"
#include "dispatcher/engine/engine.h"
#include "hookd/v1/delivery_service.grpc.pb.h"

namespace hookd {

class DeliveryService final
    : public v1::DeliveryService::WithCallbackMethod_WatchDeliveries<v1::DeliveryService::Service> {
 public:
  DeliveryService(Engine& engine, std::shared_ptr<FeedContext> feed);

  grpc::Status GetDelivery(grpc::ServerContext* context, const v1::GetDeliveryRequest* request,
                           v1::Delivery* response) override;
  grpc::Status ListDeliveries(grpc::ServerContext* context, const v1::ListDeliveriesRequest* request,
                              v1::ListDeliveriesResponse* response) override;
  grpc::Status RetryDelivery(grpc::ServerContext* context, const v1::RetryDeliveryRequest* request,
                             v1::Delivery* response) override;
  grpc::Status CancelDelivery(grpc::ServerContext* context, const v1::CancelDeliveryRequest* request,
                              v1::Delivery* response) override;
  grpc::ServerWriteReactor<v1::WatchDeliveriesResponse>* WatchDeliveries(
      grpc::CallbackServerContext* context, const v1::WatchDeliveriesRequest* request) override {
    return WatchDeliveriesWhile(context, request, nullptr);
  }
  grpc::ServerWriteReactor<v1::WatchDeliveriesResponse>* WatchDeliveriesWhile(
      grpc::CallbackServerContext* context, const v1::WatchDeliveriesRequest* request, StillAllowed allowed);

 private:
  Engine& engine_;
  const std::shared_ptr<FeedContext> feed_;
};

}  // namespace hookd
