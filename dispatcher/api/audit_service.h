// AuditService, on gRPC's synchronous API.
#pragma once

#include <grpcpp/grpcpp.h>

#include "dispatcher/engine/engine.h"
#include "hookd/v1/audit_service.grpc.pb.h"

namespace hookd {

class AuditService final : public v1::AuditService::Service {
 public:
  explicit AuditService(Engine& engine) : engine_(engine) {}

  grpc::Status ListAuditRecords(grpc::ServerContext* context, const v1::ListAuditRecordsRequest* request,
                                v1::ListAuditRecordsResponse* response) override;
  grpc::Status GetAuditRecord(grpc::ServerContext* context, const v1::GetAuditRecordRequest* request,
                              v1::AuditRecord* response) override;

 private:
  Engine& engine_;
};

}  // namespace hookd
