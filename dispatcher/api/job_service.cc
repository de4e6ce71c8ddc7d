#include "dispatcher/api/job_service.h"

#include <utility>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/page_token.h"
#include "dispatcher/api/query_convert.h"
#include "dispatcher/core/endpoint_rules.h"

namespace hookd {
namespace {

// What the three starters have in common.
template <typename Request>
absl::StatusOr<Job> MakeJob(JobKind kind, const Request& request) {
  Job job;
  job.kind = kind;
  ASSIGN_OR_RETURN(const std::optional<EndpointId> endpoint, OptionalEndpointId(request.endpoint_id()));
  if (endpoint) job.endpoint = *endpoint;
  RETURN_IF_ERROR(CheckTypePattern(request.event_type()));
  job.event_type = request.event_type();
  ASSIGN_OR_RETURN(job.rate, CheckJobRate(request.rate()));
  RETURN_IF_ERROR(CheckStateNote(request.reason()));
  job.reason = request.reason();
  return job;
}

absl::StatusOr<Job> MakeExpire(const v1::ExpireBacklogRequest& request) {
  ASSIGN_OR_RETURN(Job job, MakeJob(JobKind::kExpire, request));
  job.subscriber_id = request.subscriber_id();
  if (job.endpoint.value == 0 && job.subscriber_id.empty()) {
    return absl::InvalidArgumentError("endpoint_id: is empty, and so is subscriber_id: give one of them");
  }
  ASSIGN_OR_RETURN(
      const TimeRange range,
      MakeTimeRange(nullptr, request.has_accept_time_before() ? &request.accept_time_before() : nullptr,
                    "accept_time"));
  job.before_ms = range.before_ms;
  return job;
}

absl::StatusOr<Job> MakeRecover(const v1::RecoverDeliveriesRequest& request) {
  ASSIGN_OR_RETURN(Job job, MakeJob(JobKind::kRecover, request));
  job.subscriber_id = request.subscriber_id();
  ASSIGN_OR_RETURN(job.host, NormalHost(request.host()));
  ASSIGN_OR_RETURN(const TimeRange range,
                   MakeTimeRange(request.has_accept_time_from() ? &request.accept_time_from() : nullptr,
                                 request.has_accept_time_before() ? &request.accept_time_before() : nullptr,
                                 "accept_time"));
  job.from_ms = range.from_ms;
  job.before_ms = range.before_ms;
  if (job.endpoint.value == 0 && job.subscriber_id.empty() && job.host.empty() && job.event_type.empty() &&
      job.from_ms == 0 && job.before_ms == 0) {
    return absl::InvalidArgumentError(
        "endpoint_id: is empty, and so are subscriber_id, host, event_type and the times: give one of them");
  }
  if (request.state() != 0) {
    job.only_state = static_cast<DeliveryState>(request.state());
    if (job.only_state != DeliveryState::kExhausted && job.only_state != DeliveryState::kExpired) {
      return absl::InvalidArgumentError("state: is 3 (EXHAUSTED), 4 (EXPIRED), or 0 for both");
    }
  }
  return job;
}

absl::StatusOr<Job> MakeReplay(const v1::ReplayEventsRequest& request) {
  ASSIGN_OR_RETURN(Job job, MakeJob(JobKind::kReplay, request));
  if (job.endpoint.value == 0) return absl::InvalidArgumentError("endpoint_id: is empty, say who gets them");
  if (!request.has_accept_time_from()) {
    return absl::InvalidArgumentError("accept_time_from: is missing, say from when on");
  }
  ASSIGN_OR_RETURN(const TimeRange range,
                   MakeTimeRange(&request.accept_time_from(),
                                 request.has_accept_time_before() ? &request.accept_time_before() : nullptr,
                                 "accept_time"));
  job.from_ms = range.from_ms;
  job.before_ms = range.before_ms;
  return job;
}

absl::StatusOr<Job> MakePurge(const v1::PurgeEventRequest& request) {
  Job job;
  job.kind = JobKind::kPurge;
  const absl::StatusOr<EventId> event = EventId::Parse(request.event_id());
  if (!event.ok()) {
    return absl::Status(event.status().code(), absl::StrCat("event_id: ", event.status().message()));
  }
  job.event = *event;
  RETURN_IF_ERROR(CheckStateNote(request.reason()));
  job.reason = request.reason();
  return job;
}

absl::StatusOr<Job> MakePurge(const v1::PurgeSubscriberRequest& request) {
  Job job;
  job.kind = JobKind::kPurge;
  if (request.subscriber_id().empty()) {
    return absl::InvalidArgumentError("subscriber_id: is empty, say whose events are erased");
  }
  job.subscriber_id = request.subscriber_id();
  ASSIGN_OR_RETURN(job.rate, CheckJobRate(request.rate()));
  RETURN_IF_ERROR(CheckStateNote(request.reason()));
  job.reason = request.reason();
  return job;
}

grpc::Status Answer(const absl::StatusOr<Job>& job, v1::Job& response) {
  if (job.ok()) response = ToProto(*job);
  return ToGrpc(job.status());
}

}  // namespace

absl::StatusOr<uint32_t> CheckJobRate(uint32_t rate) {
  if (rate > kMaxJobRate) {
    return absl::InvalidArgumentError(
        absl::StrCat("rate: is 1 to ", kMaxJobRate, " per second, or 0 for ", kDefaultJobRate));
  }
  return rate == 0 ? kDefaultJobRate : rate;
}

grpc::Status JobService::Start(absl::StatusOr<Job> job, bool dry_run, v1::Job& response) {
  if (!job.ok()) return ToGrpc(job.status());
  return Answer(engine_.StartJob(*std::move(job), dry_run), response);
}

grpc::Status JobService::ExpireBacklog(grpc::ServerContext*, const v1::ExpireBacklogRequest* request,
                                       v1::Job* response) {
  return Start(MakeExpire(*request), request->dry_run(), *response);
}

grpc::Status JobService::RecoverDeliveries(grpc::ServerContext*, const v1::RecoverDeliveriesRequest* request,
                                           v1::Job* response) {
  return Start(MakeRecover(*request), request->dry_run(), *response);
}

grpc::Status JobService::ReplayEvents(grpc::ServerContext*, const v1::ReplayEventsRequest* request,
                                      v1::Job* response) {
  return Start(MakeReplay(*request), request->dry_run(), *response);
}

grpc::Status JobService::PurgeEvent(grpc::ServerContext*, const v1::PurgeEventRequest* request,
                                    v1::Job* response) {
  return Start(MakePurge(*request), request->dry_run(), *response);
}

grpc::Status JobService::PurgeSubscriber(grpc::ServerContext*, const v1::PurgeSubscriberRequest* request,
                                         v1::Job* response) {
  return Start(MakePurge(*request), request->dry_run(), *response);
}

grpc::Status JobService::GetJob(grpc::ServerContext*, const v1::GetJobRequest* request, v1::Job* response) {
  const absl::StatusOr<uint64_t> id = ParseJobId(request->id());
  if (!id.ok()) return ToGrpc(id.status());
  return Answer(engine_.GetJob(*id), *response);
}

grpc::Status JobService::CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                                   v1::Job* response) {
  const absl::StatusOr<uint64_t> id = ParseJobId(request->id());
  if (!id.ok()) return ToGrpc(id.status());
  return Answer(engine_.CancelJob(*id), *response);
}

grpc::Status JobService::ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                                  v1::ListJobsResponse* response) {
  return ListAmong([](const Job&) { return true; }, *request, *response);
}

grpc::Status JobService::ListAmong(const std::function<bool(const Job&)>& takes,
                                   const v1::ListJobsRequest& request, v1::ListJobsResponse& response) {
  const absl::StatusOr<size_t> size = CheckPageSize(request.page_size());
  if (!size.ok()) return ToGrpc(size.status());
  const std::string name = absl::StrCat("jobs/", request.running());
  const absl::StatusOr<std::string> position = ParsePageToken(name, request.page_token());
  if (!position.ok()) return ToGrpc(position.status());
  uint64_t before = 0;
  if (!position->empty() && !absl::SimpleAtoi(*position, &before)) {
    return ToGrpc(absl::InvalidArgumentError("page_token: holds no position of this list"));
  }
  uint64_t last = 0;
  while (true) {
    // One more than asked for tells whether there is another page.
    const absl::StatusOr<std::vector<Job>> jobs = engine_.ListJobs(before, *size + 1, request.running());
    if (!jobs.ok()) return ToGrpc(jobs.status());
    for (const Job& job : *jobs) {
      before = job.id;
      if (!takes(job)) continue;
      if (static_cast<size_t>(response.jobs_size()) == *size) {
        response.set_next_page_token(MakePageToken(name, absl::StrCat(last)));
        return grpc::Status::OK;
      }
      *response.add_jobs() = ToProto(job);
      last = job.id;
    }
    if (jobs->size() <= *size) return grpc::Status::OK;
  }
}

}  // namespace hookd
