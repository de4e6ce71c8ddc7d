// DeliveryService, on gRPC's synchronous API: reads may block on the disk.
#pragma once

#include <grpcpp/grpcpp.h>

#include "dispatcher/engine/engine.h"
#include "hookd/v1/delivery_service.grpc.pb.h"

namespace hookd {

class DeliveryService final : public v1::DeliveryService::Service {
 public:
  explicit DeliveryService(Engine& engine) : engine_(engine) {}

  grpc::Status GetDelivery(grpc::ServerContext* context, const v1::GetDeliveryRequest* request,
                           v1::Delivery* response) override;
  grpc::Status ListDeliveries(grpc::ServerContext* context, const v1::ListDeliveriesRequest* request,
                              v1::ListDeliveriesResponse* response) override;

 private:
  Engine& engine_;
};

}  // namespace hookd
