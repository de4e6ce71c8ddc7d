// OperationsService: what the server says about itself.
#pragma once

#include <cstdint>
#include <string>

#include <grpcpp/grpcpp.h>

#include "base/clock.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/telemetry/telemetry.h"
#include "hookd/v1/operations_service.grpc.pb.h"

namespace hookd {

class OperationsService final : public v1::OperationsService::Service {
 public:
  OperationsService(std::string version, uint32_t storage_format, Engine& engine, const Telemetry& telemetry,
                    const Clock& clock);

  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                         v1::ServerStatus* response) override;

 private:
  const std::string version_;
  const uint32_t storage_format_;
  Engine& engine_;
  const Telemetry& telemetry_;
  const Clock& clock_;
  const WallMs start_ms_;
  const SteadyTime start_;
};

}  // namespace hookd
