#include "dispatcher/api/operations_service.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "dispatcher/api/convert.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/job_service.h"
#include "dispatcher/api/time_convert.h"
#include "dispatcher/core/endpoint_rules.h"

namespace hookd {
namespace {

std::string KeyText(uint32_t id) { return absl::StrCat(absl::Hex(id, absl::kZeroPad8)); }

}  // namespace

OperationsService::OperationsService(std::string version, uint32_t storage_format,
                                     std::vector<std::string> egress_addresses, Engine& engine,
                                     const Telemetry& telemetry, const Clock& clock)
    : version_(std::move(version)),
      storage_format_(storage_format),
      egress_addresses_(std::move(egress_addresses)),
      engine_(engine),
      telemetry_(telemetry),
      clock_(clock),
      start_ms_(clock.Wall()),
      start_(clock.Steady()) {}

grpc::Status OperationsService::GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                                          v1::ServerStatus* response) {
  return Answer(absl::OkStatus(), *response);
}

grpc::Status OperationsService::PauseDeliveries(grpc::ServerContext*,
                                                const v1::PauseDeliveriesRequest* request,
                                                v1::ServerStatus* response) {
  if (absl::Status bad = CheckStateNote(request->reason()); !bad.ok()) return ToGrpc(bad);
  return Answer(engine_.SetPaused(true, request->reason()), *response);
}

grpc::Status OperationsService::ResumeDeliveries(grpc::ServerContext*, const v1::ResumeDeliveriesRequest*,
                                                 v1::ServerStatus* response) {
  return Answer(engine_.SetPaused(false, ""), *response);
}

grpc::Status OperationsService::ConfirmClock(grpc::ServerContext*, const v1::ConfirmClockRequest*,
                                             v1::ServerStatus* response) {
  return Answer(engine_.ConfirmClock(), *response);
}

grpc::Status OperationsService::RekeySecrets(grpc::ServerContext*, const v1::RekeySecretsRequest* request,
                                             v1::Job* response) {
  if (absl::Status bad = CheckStateNote(request->reason()); !bad.ok()) return ToGrpc(bad);
  const absl::StatusOr<uint32_t> rate = CheckJobRate(request->rate());
  if (!rate.ok()) return ToGrpc(rate.status());
  Job job;
  job.kind = JobKind::kRekey;
  job.rate = *rate;
  job.reason = request->reason();
  const absl::StatusOr<Job> started = engine_.StartJob(std::move(job), request->dry_run());
  if (started.ok()) *response = ToProto(*started);
  return ToGrpc(started.status());
}

grpc::Status OperationsService::GetEgressAddresses(grpc::ServerContext*, const v1::GetEgressAddressesRequest*,
                                                   v1::EgressAddresses* response) {
  for (const std::string& address : egress_addresses_) response->add_addresses(address);
  return grpc::Status::OK;
}

grpc::Status OperationsService::Answer(const absl::Status& changed, v1::ServerStatus& response) const {
  if (!changed.ok()) return ToGrpc(changed);
  const EngineStatus status = engine_.Status();
  const Telemetry::Totals totals = telemetry_.Since();
  response.set_version(version_);
  *response.mutable_start_time() = ToTimestamp(start_ms_);
  *response.mutable_uptime() =
      ToDuration(std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Steady() - start_));
  response.set_draining(status.draining);
  response.set_subscribers(status.subscribers);
  response.set_endpoints(status.endpoints);
  response.set_pending_deliveries(status.store.pending);
  response.set_attempts_in_flight(status.attempts_in_flight);
  response.set_events_accepted(totals.events_accepted);
  response.set_deliveries_succeeded(totals.deliveries_succeeded);
  response.set_attempts_failed(totals.attempts_failed);
  response.set_last_commit(status.store.last_commit);
  response.set_bytes_on_disk(status.store.bytes_on_disk);
  response.set_storage_format(storage_format_);
  response.set_paused(status.operations.paused);
  response.set_pause_reason(status.operations.pause_note);
  response.set_clock_suspect(status.operations.clock_suspect);
  response.set_intake_closed(status.intake_closed);
  response.set_auto_disable_suspended(status.auto_disable_suspended);
  if (status.secrets.newest != 0) response.set_secrets_key(KeyText(status.secrets.newest));
  for (const uint32_t id : status.secrets.old) response.add_secrets_old_keys(KeyText(id));
  return grpc::Status::OK;
}

}  // namespace hookd
