// CaptureService: request bins, and captures of endpoints. On gRPC's synchronous API, as starting a capture
// waits for its commit; WatchCaptured on its callback API.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "dispatcher/api/feed_context.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/tools/toolbox.h"
#include "hookd/v1/capture_service.grpc.pb.h"

namespace hookd {

class CaptureService final
    : public v1::CaptureService::WithCallbackMethod_WatchCaptured<v1::CaptureService::Service> {
 public:
  // Both outlive it.
  CaptureService(Engine& engine, Toolbox& tools, std::shared_ptr<FeedContext> feed)
      : engine_(engine), tools_(tools), feed_(std::move(feed)) {}

  grpc::Status CreateBin(grpc::ServerContext* context, const v1::CreateBinRequest* request,
                         v1::Bin* response) override;
  grpc::Status GetBin(grpc::ServerContext* context, const v1::GetBinRequest* request,
                      v1::Bin* response) override;
  grpc::Status DeleteBin(grpc::ServerContext* context, const v1::DeleteBinRequest* request,
                         google::protobuf::Empty* response) override;
  grpc::Status StartCapture(grpc::ServerContext* context, const v1::StartCaptureRequest* request,
                            v1::StartCaptureResponse* response) override;
  grpc::Status StopCapture(grpc::ServerContext* context, const v1::StopCaptureRequest* request,
                           v1::StopCaptureResponse* response) override;
  grpc::Status ListCaptured(grpc::ServerContext* context, const v1::ListCapturedRequest* request,
                            v1::ListCapturedResponse* response) override;
  grpc::Status GetCaptured(grpc::ServerContext* context, const v1::GetCapturedRequest* request,
                           v1::CapturedRequest* response) override;
  grpc::ServerWriteReactor<v1::CapturedRequest>* WatchCaptured(
      grpc::CallbackServerContext* context, const v1::WatchCapturedRequest* request) override {
    return WatchCapturedWhile(context, request, nullptr);
  }
  grpc::ServerWriteReactor<v1::CapturedRequest>* WatchCapturedWhile(grpc::CallbackServerContext* context,
                                                                    const v1::WatchCapturedRequest* request,
                                                                    StillAllowed allowed);

 private:
  // The id of a bin that is there: given as it is, or by an endpoint whose capture runs. May read the disk.
  absl::StatusOr<std::string> BinOf(const std::string& id);
  // OK also when none runs, with an empty id. `bin`: only this one; empty = any.
  absl::StatusOr<std::string> EndCapture(EndpointId endpoint, const std::string& bin);
  v1::Bin Show(const BinView& view) const;

  Engine& engine_;
  Toolbox& tools_;
  const std::shared_ptr<FeedContext> feed_;
};

// Of one ListCaptured; the rest comes with the next page. Clients receive 4 MiB by default.
inline constexpr size_t kMaxCapturedPageBytes = 2 * 1024 * 1024;

v1::CapturedRequest ToProto(const CapturedRequest& request, bool whole);

}  // namespace hookd
