// BackupService: backups of the data folder.
#pragma once

#include <grpcpp/grpcpp.h>

#include "dispatcher/engine/backup_runner.h"
#include "dispatcher/engine/engine.h"
#include "hookd/v1/backup_service.grpc.pb.h"

namespace hookd {

class BackupService final : public v1::BackupService::Service {
 public:
  // Both outlive it; `runner` null: no folder is configured, and every call says so.
  BackupService(BackupRunner* runner, Engine& engine) : runner_(runner), engine_(engine) {}

  grpc::Status CreateBackup(grpc::ServerContext* context, const v1::CreateBackupRequest* request,
                            v1::BackupRun* response) override;
  grpc::Status ListBackups(grpc::ServerContext* context, const v1::ListBackupsRequest* request,
                           v1::ListBackupsResponse* response) override;
  grpc::Status VerifyBackup(grpc::ServerContext* context, const v1::VerifyBackupRequest* request,
                            v1::BackupRun* response) override;
  grpc::Status GetBackupRun(grpc::ServerContext* context, const v1::GetBackupRunRequest* request,
                            v1::BackupRun* response) override;

 private:
  // What began, and the record of who began it.
  grpc::Status Began(const absl::StatusOr<BackupRun>& run, v1::BackupRun& response);

  BackupRunner* const runner_;
  Engine& engine_;
};

}  // namespace hookd
