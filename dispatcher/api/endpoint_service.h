// EndpointService, on gRPC's synchronous API: a change waits for its commit on the server's own small pool.
#pragma once

#include <grpcpp/grpcpp.h>

#include "dispatcher/engine/engine.h"
#include "dispatcher/tools/toolbox.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"

namespace hookd {

class EndpointService final : public v1::EndpointService::Service {
 public:
  // Both outlive it. `tools`: say which endpoints have to be verified; null = those that a call says.
  explicit EndpointService(Engine& engine, const Toolbox* tools = nullptr) : engine_(engine), tools_(tools) {}

  grpc::Status CreateEndpoint(grpc::ServerContext* context, const v1::CreateEndpointRequest* request,
                              v1::CreateEndpointResponse* response) override;
  grpc::Status GetEndpoint(grpc::ServerContext* context, const v1::GetEndpointRequest* request,
                           v1::Endpoint* response) override;
  grpc::Status ListEndpoints(grpc::ServerContext* context, const v1::ListEndpointsRequest* request,
                             v1::ListEndpointsResponse* response) override;
  grpc::Status UpdateEndpoint(grpc::ServerContext* context, const v1::UpdateEndpointRequest* request,
                              v1::Endpoint* response) override;
  grpc::Status RotateSecret(grpc::ServerContext* context, const v1::RotateSecretRequest* request,
                            v1::RotateSecretResponse* response) override;
  grpc::Status DeleteEndpoint(grpc::ServerContext* context, const v1::DeleteEndpointRequest* request,
                              google::protobuf::Empty* response) override;
  grpc::Status EnableEndpoint(grpc::ServerContext* context, const v1::EnableEndpointRequest* request,
                              v1::Endpoint* response) override;
  grpc::Status DisableEndpoint(grpc::ServerContext* context, const v1::DisableEndpointRequest* request,
                               v1::Endpoint* response) override;
  grpc::Status PauseEndpoint(grpc::ServerContext* context, const v1::PauseEndpointRequest* request,
                             v1::Endpoint* response) override;
  grpc::Status ResumeEndpoint(grpc::ServerContext* context, const v1::ResumeEndpointRequest* request,
                              v1::Endpoint* response) override;
  // In endpoint_queries.cc.
  grpc::Status ChangeEndpoints(grpc::ServerContext* context, const v1::ChangeEndpointsRequest* request,
                               v1::ChangeEndpointsResponse* response) override;
  grpc::Status GetEndpointStatistics(grpc::ServerContext* context,
                                     const v1::GetEndpointStatisticsRequest* request,
                                     v1::Statistics* response) override;
  grpc::Status ListTopEndpoints(grpc::ServerContext* context, const v1::ListTopEndpointsRequest* request,
                                v1::ListTopEndpointsResponse* response) override;

 private:
  grpc::Status Answer(const absl::StatusOr<EndpointView>& view, v1::Endpoint& response,
                      bool url_query = false);
  template <typename Request, typename Change>
  grpc::Status ChangeState(const Request& request, v1::Endpoint& response, Change change);
  // Sends to the endpoint's URL have to be proven to be wanted.
  bool MustVerify(bool asked, const Endpoint& endpoint) const;

  Engine& engine_;
  const Toolbox* const tools_;
};

}  // namespace hookd
