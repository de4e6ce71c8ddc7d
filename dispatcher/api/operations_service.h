// OperationsService: what the server says about itself, and what an operator may stop and confirm.
// On gRPC's synchronous API: a change waits for its commit on the server's own small pool.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "base/clock.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/telemetry/telemetry.h"
#include "hookd/v1/operations_service.grpc.pb.h"

namespace hookd {

class OperationsService final : public v1::OperationsService::Service {
 public:
  OperationsService(std::string version, uint32_t storage_format, std::vector<std::string> egress_addresses,
                    Engine& engine, const Telemetry& telemetry, const Clock& clock);

  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                         v1::ServerStatus* response) override;
  grpc::Status PauseDeliveries(grpc::ServerContext* context, const v1::PauseDeliveriesRequest* request,
                               v1::ServerStatus* response) override;
  grpc::Status ResumeDeliveries(grpc::ServerContext* context, const v1::ResumeDeliveriesRequest* request,
                                v1::ServerStatus* response) override;
  grpc::Status ConfirmClock(grpc::ServerContext* context, const v1::ConfirmClockRequest* request,
                            v1::ServerStatus* response) override;
  grpc::Status RekeySecrets(grpc::ServerContext* context, const v1::RekeySecretsRequest* request,
                            v1::Job* response) override;
  grpc::Status GetEgressAddresses(grpc::ServerContext* context, const v1::GetEgressAddressesRequest* request,
                                  v1::EgressAddresses* response) override;

 private:
  // The status after a change; a change that failed has none.
  grpc::Status Answer(const absl::Status& changed, v1::ServerStatus& response) const;

  const std::string version_;
  const uint32_t storage_format_;
  const std::vector<std::string> egress_addresses_;
  Engine& engine_;
  const Telemetry& telemetry_;
  const Clock& clock_;
  const WallMs start_ms_;
  const SteadyTime start_;
};

}  // namespace hookd
