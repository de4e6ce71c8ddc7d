// SubscriberService, on gRPC's synchronous API: a change waits for its commit on the server's own small pool.
#pragma once

#include <grpcpp/grpcpp.h>

#include "dispatcher/engine/engine.h"
#include "hookd/v1/subscriber_service.grpc.pb.h"

namespace hookd {

class SubscriberService final : public v1::SubscriberService::Service {
 public:
  explicit SubscriberService(Engine& engine) : engine_(engine) {}

  grpc::Status CreateSubscriber(grpc::ServerContext* context, const v1::CreateSubscriberRequest* request,
                                v1::Subscriber* response) override;
  grpc::Status GetSubscriber(grpc::ServerContext* context, const v1::GetSubscriberRequest* request,
                             v1::Subscriber* response) override;
  grpc::Status ListSubscribers(grpc::ServerContext* context, const v1::ListSubscribersRequest* request,
                               v1::ListSubscribersResponse* response) override;
  grpc::Status UpdateSubscriber(grpc::ServerContext* context, const v1::UpdateSubscriberRequest* request,
                                v1::Subscriber* response) override;
  grpc::Status DeleteSubscriber(grpc::ServerContext* context, const v1::DeleteSubscriberRequest* request,
                                google::protobuf::Empty* response) override;
  grpc::Status PauseSubscriber(grpc::ServerContext* context, const v1::PauseSubscriberRequest* request,
                               v1::Subscriber* response) override;
  grpc::Status ResumeSubscriber(grpc::ServerContext* context, const v1::ResumeSubscriberRequest* request,
                                v1::Subscriber* response) override;
  grpc::Status HoldChannel(grpc::ServerContext* context, const v1::HoldChannelRequest* request,
                           v1::Subscriber* response) override;
  grpc::Status ReleaseChannel(grpc::ServerContext* context, const v1::ReleaseChannelRequest* request,
                              v1::Subscriber* response) override;
  grpc::Status GetSubscriberStatistics(grpc::ServerContext* context,
                                       const v1::GetSubscriberStatisticsRequest* request,
                                       v1::Statistics* response) override;

  // As ListSubscribers, of those with these ids.
  grpc::Status ListAmong(std::vector<std::string> ids, const v1::ListSubscribersRequest& request,
                         v1::ListSubscribersResponse& response);

 private:
  absl::Status CheckProfileName(const Subscriber& subscriber) const;
  grpc::Status SetHeld(const std::string& id, const std::string& channel, bool held,
                       v1::Subscriber& response);
  grpc::Status SetPaused(const std::string& id, bool paused, v1::Subscriber& response);

  Engine& engine_;
};

}  // namespace hookd
