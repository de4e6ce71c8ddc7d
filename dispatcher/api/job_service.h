// JobService: work on many deliveries. On gRPC's synchronous API: starting a job counts what it will look at.
#pragma once

#include <grpcpp/grpcpp.h>

#include "dispatcher/engine/engine.h"
#include "hookd/v1/job_service.grpc.pb.h"

namespace hookd {

// Deliveries per second that a job may make or end.
inline constexpr uint32_t kDefaultJobRate = 1000;
inline constexpr uint32_t kMaxJobRate = 100'000;
// 0 stands for the default. INVALID_ARGUMENT "rate: ...".
absl::StatusOr<uint32_t> CheckJobRate(uint32_t rate);

class JobService final : public v1::JobService::Service {
 public:
  explicit JobService(Engine& engine) : engine_(engine) {}

  grpc::Status ExpireBacklog(grpc::ServerContext* context, const v1::ExpireBacklogRequest* request,
                             v1::Job* response) override;
  grpc::Status RecoverDeliveries(grpc::ServerContext* context, const v1::RecoverDeliveriesRequest* request,
                                 v1::Job* response) override;
  grpc::Status ReplayEvents(grpc::ServerContext* context, const v1::ReplayEventsRequest* request,
                            v1::Job* response) override;
  grpc::Status PurgeEvent(grpc::ServerContext* context, const v1::PurgeEventRequest* request,
                          v1::Job* response) override;
  grpc::Status PurgeSubscriber(grpc::ServerContext* context, const v1::PurgeSubscriberRequest* request,
                               v1::Job* response) override;
  grpc::Status GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                      v1::Job* response) override;
  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override;
  grpc::Status CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                         v1::Job* response) override;
  // As ListJobs, of those that `takes` says; it may read the disk.
  grpc::Status ListAmong(const std::function<bool(const Job&)>& takes, const v1::ListJobsRequest& request,
                         v1::ListJobsResponse& response);

 private:
  grpc::Status Start(absl::StatusOr<Job> job, bool dry_run, v1::Job& response);

  Engine& engine_;
};

}  // namespace hookd
