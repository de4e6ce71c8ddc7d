// ProfileService, on gRPC's synchronous API: everything it says is in memory.
#pragma once

#include <grpcpp/grpcpp.h>

#include "dispatcher/engine/engine.h"
#include "hookd/v1/profile_service.grpc.pb.h"

namespace hookd {

class ProfileService final : public v1::ProfileService::Service {
 public:
  explicit ProfileService(const Engine& engine) : profiles_(engine.profiles()) {}

  grpc::Status ListProfiles(grpc::ServerContext* context, const v1::ListProfilesRequest* request,
                            v1::ListProfilesResponse* response) override;
  grpc::Status GetProfile(grpc::ServerContext* context, const v1::GetProfileRequest* request,
                          v1::Profile* response) override;
  grpc::Status ListEventTypes(grpc::ServerContext* context, const v1::ListEventTypesRequest* request,
                              v1::ListEventTypesResponse* response) override;
  grpc::Status GetEventType(grpc::ServerContext* context, const v1::GetEventTypeRequest* request,
                            v1::EventType* response) override;

 private:
  const Profiles& profiles_;
};

}  // namespace hookd
