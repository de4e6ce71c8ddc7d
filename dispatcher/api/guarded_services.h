// The services as the server shows them: each call passes the guard, then goes to the service itself. A call
// that is not here is UNIMPLEMENTED.
#pragma once

#include <memory>
#include <type_traits>

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include "base/acting.h"
#include "dispatcher/api/audit_service.h"
#include "dispatcher/api/backup_service.h"
#include "dispatcher/api/call_guard.h"
#include "dispatcher/api/capture_service.h"
#include "dispatcher/api/delivery_service.h"
#include "dispatcher/api/endpoint_service.h"
#include "dispatcher/api/event_service.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/job_service.h"
#include "dispatcher/api/operations_service.h"
#include "dispatcher/api/profile_service.h"
#include "dispatcher/api/subscriber_service.h"
#include "dispatcher/api/token_service.h"
#include "dispatcher/api/tool_service.h"

namespace hookd {

template <typename Method>
struct CallTypes;
template <typename Service, typename Answer, typename Context, typename Asked, typename Given>
struct CallTypes<Answer (Service::*)(Context*, const Asked*, Given*)> {
  using Request = Asked;
  using Response = Given;
};

// A stream of answers that ends at once.
template <typename Response>
class RefusedStream final : public grpc::ServerWriteReactor<Response> {
 public:
  explicit RefusedStream(const absl::Status& why) { this->Finish(ToGrpc(why)); }
  void OnDone() override { delete this; }
};

// What the guard said of one call. `request` is what the service works with: it lives as long as the caller's
// request, or this.
template <typename Request>
class Guarded {
 public:
  Guarded(CallGuard& guard, const CallRule& rule, const grpc::ServerContextBase& context,
          const Request& request)
      : rule_(rule),
        context_(context),
        caller_(guard.Admit(rule, context, request, narrowed_)),
        request_(narrowed_ == nullptr ? &request : static_cast<const Request*>(narrowed_.get())) {}

  bool ok() const { return caller_.ok(); }
  absl::Status status() const { return caller_.status(); }
  const Caller& caller() const { return *caller_; }
  const Request* request() const { return request_; }
  // Of one that is OK.
  AuditOrigin origin() const { return CallGuard::OriginOf(*caller_, rule_, context_, *request_); }

 private:
  const CallRule& rule_;
  const grpc::ServerContextBase& context_;
  std::unique_ptr<google::protobuf::Message> narrowed_;
  const absl::StatusOr<Caller> caller_;
  const Request* const request_;
};

// One call of gRPC's synchronous API.
#define HOOKD_CALL(service, method)                                                                \
  grpc::Status method(grpc::ServerContext* context,                                                \
                      const CallTypes<decltype(&hookd::service::method)>::Request* request,        \
                      CallTypes<decltype(&hookd::service::method)>::Response* response) override { \
    static const CallRule& rule = RuleOf(#service "/" #method);                                    \
    const Guarded guarded(guard_, rule, *context, *request);                                       \
    if (!guarded.ok()) return ToGrpc(guarded.status());                                            \
    const Acting acting(guarded.origin());                                                         \
    return inner_.method(context, guarded.request(), response);                                    \
  }

// One unary call of its callback API whose service looks at the request before the handler returns, or that
// is never narrowed.
#define HOOKD_CALLBACK_CALL(service, method)                                                             \
  grpc::ServerUnaryReactor* method(grpc::CallbackServerContext* context,                                 \
                                   const CallTypes<decltype(&hookd::service::method)>::Request* request, \
                                   CallTypes<decltype(&hookd::service::method)>::Response* response)     \
      override {                                                                                         \
    static const CallRule& rule = RuleOf(#service "/" #method);                                          \
    const Guarded guarded(guard_, rule, *context, *request);                                             \
    if (guarded.ok()) {                                                                                  \
      const Acting acting(guarded.origin());                                                             \
      return inner_.method(context, guarded.request(), response);                                        \
    }                                                                                                    \
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();                                       \
    reactor->Finish(ToGrpc(guarded.status()));                                                           \
    return reactor;                                                                                      \
  }

class GuardedEventService final : public v1::EventService::CallbackService {
 public:
  GuardedEventService(EventService& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  HOOKD_CALLBACK_CALL(EventService, GetEvent)
  HOOKD_CALLBACK_CALL(EventService, PollEvents)
  grpc::ServerUnaryReactor* PublishEvent(grpc::CallbackServerContext* context,
                                         const v1::PublishEventRequest* request,
                                         v1::PublishEventResponse* response) override;
  grpc::ServerUnaryReactor* PublishEvents(grpc::CallbackServerContext* context,
                                          const v1::PublishEventsRequest* request,
                                          v1::PublishEventsResponse* response) override;
  grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>* PublishStream(
      grpc::CallbackServerContext* context) override;

 private:
  EventService& inner_;
  CallGuard& guard_;
};

class GuardedSubscriberService final : public v1::SubscriberService::Service {
 public:
  GuardedSubscriberService(SubscriberService& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  HOOKD_CALL(SubscriberService, CreateSubscriber)
  HOOKD_CALL(SubscriberService, GetSubscriber)
  HOOKD_CALL(SubscriberService, UpdateSubscriber)
  HOOKD_CALL(SubscriberService, DeleteSubscriber)
  HOOKD_CALL(SubscriberService, PauseSubscriber)
  HOOKD_CALL(SubscriberService, ResumeSubscriber)
  HOOKD_CALL(SubscriberService, HoldChannel)
  HOOKD_CALL(SubscriberService, ReleaseChannel)
  HOOKD_CALL(SubscriberService, GetSubscriberStatistics)
  grpc::Status ListSubscribers(grpc::ServerContext* context, const v1::ListSubscribersRequest* request,
                               v1::ListSubscribersResponse* response) override;

 private:
  SubscriberService& inner_;
  CallGuard& guard_;
};

class GuardedEndpointService final : public v1::EndpointService::Service {
 public:
  GuardedEndpointService(EndpointService& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  HOOKD_CALL(EndpointService, CreateEndpoint)
  HOOKD_CALL(EndpointService, GetEndpoint)
  HOOKD_CALL(EndpointService, ListEndpoints)
  HOOKD_CALL(EndpointService, RotateSecret)
  HOOKD_CALL(EndpointService, UpdateEndpoint)
  HOOKD_CALL(EndpointService, DeleteEndpoint)
  HOOKD_CALL(EndpointService, EnableEndpoint)
  HOOKD_CALL(EndpointService, DisableEndpoint)
  HOOKD_CALL(EndpointService, PauseEndpoint)
  HOOKD_CALL(EndpointService, ResumeEndpoint)
  HOOKD_CALL(EndpointService, ChangeEndpoints)
  HOOKD_CALL(EndpointService, GetEndpointStatistics)
  HOOKD_CALL(EndpointService, ListTopEndpoints)

 private:
  EndpointService& inner_;
  CallGuard& guard_;
};

class GuardedDeliveryService final
    : public v1::DeliveryService::WithCallbackMethod_WatchDeliveries<v1::DeliveryService::Service> {
 public:
  GuardedDeliveryService(DeliveryService& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  HOOKD_CALL(DeliveryService, GetDelivery)
  HOOKD_CALL(DeliveryService, ListDeliveries)
  HOOKD_CALL(DeliveryService, RetryDelivery)
  HOOKD_CALL(DeliveryService, CancelDelivery)
  grpc::ServerWriteReactor<v1::WatchDeliveriesResponse>* WatchDeliveries(
      grpc::CallbackServerContext* context, const v1::WatchDeliveriesRequest* request) override;

 private:
  DeliveryService& inner_;
  CallGuard& guard_;
};

class GuardedJobService final : public v1::JobService::Service {
 public:
  GuardedJobService(JobService& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  HOOKD_CALL(JobService, ExpireBacklog)
  HOOKD_CALL(JobService, RecoverDeliveries)
  HOOKD_CALL(JobService, ReplayEvents)
  HOOKD_CALL(JobService, PurgeEvent)
  HOOKD_CALL(JobService, PurgeSubscriber)
  HOOKD_CALL(JobService, GetJob)
  HOOKD_CALL(JobService, CancelJob)
  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override;

 private:
  JobService& inner_;
  CallGuard& guard_;
};

class GuardedOperationsService final : public v1::OperationsService::Service {
 public:
  GuardedOperationsService(OperationsService& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  HOOKD_CALL(OperationsService, GetStatus)
  HOOKD_CALL(OperationsService, PauseDeliveries)
  HOOKD_CALL(OperationsService, ResumeDeliveries)
  HOOKD_CALL(OperationsService, ConfirmClock)
  HOOKD_CALL(OperationsService, RekeySecrets)
  HOOKD_CALL(OperationsService, GetEgressAddresses)

 private:
  OperationsService& inner_;
  CallGuard& guard_;
};

class GuardedBackupService final : public v1::BackupService::Service {
 public:
  GuardedBackupService(BackupService& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  HOOKD_CALL(BackupService, CreateBackup)
  HOOKD_CALL(BackupService, ListBackups)
  HOOKD_CALL(BackupService, VerifyBackup)
  HOOKD_CALL(BackupService, GetBackupRun)

 private:
  BackupService& inner_;
  CallGuard& guard_;
};

class GuardedTokenService final : public v1::TokenService::Service {
 public:
  GuardedTokenService(TokenService& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  HOOKD_CALL(TokenService, CreateToken)
  HOOKD_CALL(TokenService, ListTokens)
  HOOKD_CALL(TokenService, RevokeToken)

 private:
  TokenService& inner_;
  CallGuard& guard_;
};

class GuardedAuditService final : public v1::AuditService::Service {
 public:
  GuardedAuditService(AuditService& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  HOOKD_CALL(AuditService, ListAuditRecords)
  HOOKD_CALL(AuditService, GetAuditRecord)

 private:
  AuditService& inner_;
  CallGuard& guard_;
};

class GuardedProfileService final : public v1::ProfileService::Service {
 public:
  GuardedProfileService(ProfileService& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  HOOKD_CALL(ProfileService, ListProfiles)
  HOOKD_CALL(ProfileService, GetProfile)
  HOOKD_CALL(ProfileService, ListEventTypes)
  HOOKD_CALL(ProfileService, GetEventType)

 private:
  ProfileService& inner_;
  CallGuard& guard_;
};

class GuardedToolService final : public v1::ToolService::CallbackService {
 public:
  GuardedToolService(ToolService& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  HOOKD_CALLBACK_CALL(ToolService, TestEndpoint)
  HOOKD_CALLBACK_CALL(ToolService, VerifyEndpoint)

 private:
  ToolService& inner_;
  CallGuard& guard_;
};

class GuardedCaptureService final
    : public v1::CaptureService::WithCallbackMethod_WatchCaptured<v1::CaptureService::Service> {
 public:
  GuardedCaptureService(CaptureService& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  HOOKD_CALL(CaptureService, CreateBin)
  HOOKD_CALL(CaptureService, GetBin)
  HOOKD_CALL(CaptureService, DeleteBin)
  HOOKD_CALL(CaptureService, StartCapture)
  HOOKD_CALL(CaptureService, StopCapture)
  HOOKD_CALL(CaptureService, ListCaptured)
  HOOKD_CALL(CaptureService, GetCaptured)
  grpc::ServerWriteReactor<v1::CapturedRequest>* WatchCaptured(
      grpc::CallbackServerContext* context, const v1::WatchCapturedRequest* request) override;

 private:
  CaptureService& inner_;
  CallGuard& guard_;
};

#undef HOOKD_CALL
#undef HOOKD_CALLBACK_CALL

}  // namespace hookd
