// ToolService. On gRPC's callback API: a call waits for a receiver without a thread.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "dispatcher/api/feed_context.h"
#include "dispatcher/api/tool_call.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/tools/toolbox.h"
#include "dispatcher/tools/verification.h"
#include "hookd/v1/tool_service.grpc.pb.h"

namespace hookd {

class ToolService final : public v1::ToolService::CallbackService {
 public:
  // Both outlive it.
  ToolService(Engine& engine, Toolbox& tools, std::shared_ptr<FeedContext> feed)
      : engine_(engine), tools_(tools), feed_(std::move(feed)) {}

  grpc::ServerUnaryReactor* TestEndpoint(grpc::CallbackServerContext* context,
                                         const v1::TestEndpointRequest* request,
                                         v1::TestEndpointResponse* response) override;
  grpc::ServerUnaryReactor* VerifyEndpoint(grpc::CallbackServerContext* context,
                                           const v1::VerifyEndpointRequest* request,
                                           v1::VerifyEndpointResponse* response) override;

 private:
  // On the feed's pool: what came of it, and what follows from it.
  void Verified(const std::shared_ptr<ToolCall>& call, const VerificationOrder& order,
                const VerificationResult& result, v1::VerifyEndpointResponse& response);

  Engine& engine_;
  Toolbox& tools_;
  const std::shared_ptr<FeedContext> feed_;
};

}  // namespace hookd
