// TokenService, on gRPC's synchronous API.
#pragma once

#include <grpcpp/grpcpp.h>

#include "base/clock.h"
#include "dispatcher/engine/engine.h"
#include "hookd/v1/token_service.grpc.pb.h"

namespace hookd {

// Without what verifies it.
v1::Token ToProto(const AccessToken& token);

class TokenService final : public v1::TokenService::Service {
 public:
  TokenService(Engine& engine, const Clock& clock) : engine_(engine), clock_(clock) {}

  grpc::Status CreateToken(grpc::ServerContext* context, const v1::CreateTokenRequest* request,
                           v1::CreateTokenResponse* response) override;
  grpc::Status ListTokens(grpc::ServerContext* context, const v1::ListTokensRequest* request,
                          v1::ListTokensResponse* response) override;
  grpc::Status RevokeToken(grpc::ServerContext* context, const v1::RevokeTokenRequest* request,
                           google::protobuf::Empty* response) override;

 private:
  Engine& engine_;
  const Clock& clock_;
};

}  // namespace hookd
