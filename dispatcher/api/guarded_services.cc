#include "dispatcher/api/guarded_services.h"

namespace hookd {
namespace {

using PublishReactor = grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>;

class RefusedPublish final : public PublishReactor {
 public:
  explicit RefusedPublish(const absl::Status& why) { Finish(ToGrpc(why)); }
  void OnDone() override { delete this; }
};

grpc::ServerUnaryReactor* Refused(grpc::CallbackServerContext& context, const absl::Status& why) {
  grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
  reactor->Finish(ToGrpc(why));
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* GuardedEventService::PublishEvent(grpc::CallbackServerContext* context,
                                                            const v1::PublishEventRequest* request,
                                                            v1::PublishEventResponse* response) {
  static const CallRule& rule = RuleOf("EventService/PublishEvent");
  const absl::StatusOr<Caller> caller = guard_.Admit(rule, *context);
  if (!caller.ok()) return Refused(*context, caller.status());
  return inner_.PublishEventWithin(guard_.LimitsOf(*caller), context, request, response);
}

grpc::ServerUnaryReactor* GuardedEventService::PublishEvents(grpc::CallbackServerContext* context,
                                                             const v1::PublishEventsRequest* request,
                                                             v1::PublishEventsResponse* response) {
  static const CallRule& rule = RuleOf("EventService/PublishEvents");
  const absl::StatusOr<Caller> caller = guard_.Admit(rule, *context);
  if (!caller.ok()) return Refused(*context, caller.status());
  return inner_.PublishEventsWithin(guard_.LimitsOf(*caller), context, request, response);
}

PublishReactor* GuardedEventService::PublishStream(grpc::CallbackServerContext* context) {
  static const CallRule& rule = RuleOf("EventService/PublishStream");
  const absl::StatusOr<Caller> caller = guard_.Admit(rule, *context);
  if (!caller.ok()) return new RefusedPublish(caller.status());
  return inner_.PublishStreamWhile(context, guard_.Lasting(*caller), guard_.LimitsOf(*caller));
}

grpc::Status GuardedSubscriberService::ListSubscribers(grpc::ServerContext* context,
                                                       const v1::ListSubscribersRequest* request,
                                                       v1::ListSubscribersResponse* response) {
  static const CallRule& rule = RuleOf("SubscriberService/ListSubscribers");
  const Guarded guarded(guard_, rule, *context, *request);
  if (!guarded.ok()) return ToGrpc(guarded.status());
  const std::vector<std::string>* own = guarded.caller().Subscribers();
  return own == nullptr ? inner_.ListSubscribers(context, request, response)
                        : inner_.ListAmong(*own, *request, *response);
}

grpc::Status GuardedJobService::ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                                         v1::ListJobsResponse* response) {
  static const CallRule& rule = RuleOf("JobService/ListJobs");
  const Guarded guarded(guard_, rule, *context, *request);
  if (!guarded.ok()) return ToGrpc(guarded.status());
  if (guarded.caller().Subscribers() == nullptr) return inner_.ListJobs(context, request, response);
  return inner_.ListAmong([&](const Job& job) { return guard_.Owns(guarded.caller(), job); }, *request,
                          *response);
}

grpc::ServerWriteReactor<v1::WatchDeliveriesResponse>* GuardedDeliveryService::WatchDeliveries(
    grpc::CallbackServerContext* context, const v1::WatchDeliveriesRequest* request) {
  static const CallRule& rule = RuleOf("DeliveryService/WatchDeliveries");
  const Guarded guarded(guard_, rule, *context, *request);
  if (!guarded.ok()) return new RefusedStream<v1::WatchDeliveriesResponse>(guarded.status());
  return inner_.WatchDeliveriesWhile(context, guarded.request(), guard_.Lasting(guarded.caller()));
}

grpc::ServerWriteReactor<v1::CapturedRequest>* GuardedCaptureService::WatchCaptured(
    grpc::CallbackServerContext* context, const v1::WatchCapturedRequest* request) {
  static const CallRule& rule = RuleOf("CaptureService/WatchCaptured");
  const Guarded guarded(guard_, rule, *context, *request);
  if (!guarded.ok()) return new RefusedStream<v1::CapturedRequest>(guarded.status());
  return inner_.WatchCapturedWhile(context, request, guard_.Lasting(guarded.caller()));
}

}  // namespace hookd
