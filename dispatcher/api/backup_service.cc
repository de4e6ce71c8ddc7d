#include "dispatcher/api/backup_service.h"

#include <chrono>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "dispatcher/api/audit_forms.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/time_convert.h"

namespace hookd {
namespace {

grpc::Status NotConfigured() {
  return ToGrpc(absl::FailedPreconditionError(
      "backup.folder: is not configured: name a folder for backups in the configuration, and restart hookd"));
}

v1::BackupRunKind ToProto(BackupRunKind kind) {
  switch (kind) {
    case BackupRunKind::kNone:
      return v1::BACKUP_RUN_KIND_UNSPECIFIED;
    case BackupRunKind::kCreate:
      return v1::BACKUP_RUN_KIND_CREATE;
    case BackupRunKind::kVerify:
      return v1::BACKUP_RUN_KIND_VERIFY;
  }
  return v1::BACKUP_RUN_KIND_UNSPECIFIED;
}

void ToProto(const BackupRun& run, v1::BackupRun& message) {
  message.set_kind(ToProto(run.kind));
  if (run.kind == BackupRunKind::kNone) return;
  message.set_running(run.running);
  message.set_id(run.id);
  *message.mutable_start_time() = ToTimestamp(run.started_ms);
  *message.mutable_duration() = ToDuration(std::chrono::duration_cast<std::chrono::milliseconds>(run.took));
  message.set_bytes(run.bytes);
  if (!run.status.ok()) message.set_error(run.status.ToString());
}

}  // namespace

grpc::Status BackupService::Began(const absl::StatusOr<BackupRun>& run, v1::BackupRun& response) {
  if (!run.ok()) return ToGrpc(run.status());
  ToProto(*run, response);
  return ToGrpc(engine_.NoteAudit(
      {"backup", run->id == 0 ? std::string() : std::to_string(run->id), "", "", AuditJson(response), {}}));
}

grpc::Status BackupService::CreateBackup(grpc::ServerContext*, const v1::CreateBackupRequest*,
                                         v1::BackupRun* response) {
  if (runner_ == nullptr) return NotConfigured();
  return Began(runner_->StartCreate(), *response);
}

grpc::Status BackupService::ListBackups(grpc::ServerContext*, const v1::ListBackupsRequest*,
                                        v1::ListBackupsResponse* response) {
  if (runner_ == nullptr) return NotConfigured();
  const absl::StatusOr<std::vector<BackupInfo>> backups = runner_->List();
  if (!backups.ok()) return ToGrpc(backups.status());
  for (const BackupInfo& info : *backups) {
    v1::Backup& backup = *response->add_backups();
    backup.set_id(info.id);
    if (info.made_ms != 0) *backup.mutable_create_time() = ToTimestamp(info.made_ms);
    backup.set_bytes(info.bytes);
    backup.set_files(info.files);
    backup.set_last_commit(info.commit);
    backup.set_storage_format(info.format);
    backup.set_version(info.version);
    backup.set_problem(info.problem);
  }
  return grpc::Status::OK;
}

grpc::Status BackupService::VerifyBackup(grpc::ServerContext*, const v1::VerifyBackupRequest* request,
                                         v1::BackupRun* response) {
  if (runner_ == nullptr) return NotConfigured();
  return Began(runner_->StartVerify(request->id()), *response);
}

grpc::Status BackupService::GetBackupRun(grpc::ServerContext*, const v1::GetBackupRunRequest*,
                                         v1::BackupRun* response) {
  if (runner_ == nullptr) return NotConfigured();
  ToProto(runner_->Newest(), *response);
  return grpc::Status::OK;
}

}  // namespace hookd
