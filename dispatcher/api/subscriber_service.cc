#include "dispatcher/api/subscriber_service.h"

#include <array>
#include <utility>

#include "dispatcher/api/convert.h"
#include "dispatcher/api/field_mask.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/page_token.h"
#include "dispatcher/api/query_convert.h"
#include "dispatcher/core/event_rules.h"

namespace hookd {
namespace {

constexpr std::array<absl::string_view, 1> kPaths = {"name"};
constexpr absl::string_view kListQuery = "subscribers";

grpc::Status Answer(const absl::StatusOr<SubscriberView>& view, v1::Subscriber& response) {
  if (view.ok()) response = ToProto(*view);
  return ToGrpc(view.status());
}

}  // namespace

grpc::Status SubscriberService::CreateSubscriber(grpc::ServerContext*,
                                                 const v1::CreateSubscriberRequest* request,
                                                 v1::Subscriber* response) {
  if (!request->has_subscriber()) return ToGrpc(absl::InvalidArgumentError("subscriber: is missing"));
  Subscriber subscriber;
  subscriber.id = request->subscriber().id();
  subscriber.name = request->subscriber().name();
  if (absl::Status bad = CheckSubscriber(subscriber); !bad.ok()) return ToGrpc(bad);
  return Answer(engine_.CreateSubscriber(std::move(subscriber)), *response);
}

grpc::Status SubscriberService::GetSubscriber(grpc::ServerContext*, const v1::GetSubscriberRequest* request,
                                              v1::Subscriber* response) {
  return Answer(engine_.GetSubscriber(request->id()), *response);
}

grpc::Status SubscriberService::ListSubscribers(grpc::ServerContext*,
                                                const v1::ListSubscribersRequest* request,
                                                v1::ListSubscribersResponse* response) {
  const absl::StatusOr<size_t> size = CheckPageSize(request->page_size());
  if (!size.ok()) return ToGrpc(size.status());
  const absl::StatusOr<std::string> after = ParsePageToken(kListQuery, request->page_token());
  if (!after.ok()) return ToGrpc(after.status());
  // One more than asked for tells whether there is another page.
  absl::StatusOr<std::vector<SubscriberView>> views = engine_.ListSubscribers(*after, *size + 1);
  if (!views.ok()) return ToGrpc(views.status());
  if (views->size() > *size) {
    views->resize(*size);
    response->set_next_page_token(MakePageToken(kListQuery, views->back().subscriber.id));
  }
  for (const SubscriberView& view : *views) *response->add_subscribers() = ToProto(view);
  return grpc::Status::OK;
}

grpc::Status SubscriberService::UpdateSubscriber(grpc::ServerContext*,
                                                 const v1::UpdateSubscriberRequest* request,
                                                 v1::Subscriber* response) {
  if (!request->has_subscriber()) return ToGrpc(absl::InvalidArgumentError("subscriber: is missing"));
  if (absl::Status bad = CheckFieldMask(request->update_mask(), kPaths); !bad.ok()) return ToGrpc(bad);
  const v1::Subscriber& from = request->subscriber();
  return Answer(engine_.UpdateSubscriber(from.id(),
                                         [&from](Subscriber& subscriber) {
                                           subscriber.name = from.name();
                                           return CheckSubscriber(subscriber);
                                         }),
                *response);
}

grpc::Status SubscriberService::DeleteSubscriber(grpc::ServerContext*,
                                                 const v1::DeleteSubscriberRequest* request,
                                                 google::protobuf::Empty*) {
  return ToGrpc(engine_.DeleteSubscriber(request->id()));
}

grpc::Status SubscriberService::PauseSubscriber(grpc::ServerContext*,
                                                const v1::PauseSubscriberRequest* request,
                                                v1::Subscriber* response) {
  return SetPaused(request->id(), true, *response);
}

grpc::Status SubscriberService::ResumeSubscriber(grpc::ServerContext*,
                                                 const v1::ResumeSubscriberRequest* request,
                                                 v1::Subscriber* response) {
  return SetPaused(request->id(), false, *response);
}

grpc::Status SubscriberService::GetSubscriberStatistics(grpc::ServerContext*,
                                                        const v1::GetSubscriberStatisticsRequest* request,
                                                        v1::Statistics* response) {
  const absl::StatusOr<StatWindow> window = FromProto(request->window());
  if (!window.ok()) return ToGrpc(window.status());
  const absl::StatusOr<Statistics> statistics = engine_.SubscriberStatistics(request->id(), *window);
  if (statistics.ok()) *response = ToProto(*statistics, *window);
  return ToGrpc(statistics.status());
}

grpc::Status SubscriberService::SetPaused(const std::string& id, bool paused, v1::Subscriber& response) {
  return Answer(engine_.UpdateSubscriber(id,
                                         [paused](Subscriber& subscriber) {
                                           subscriber.paused = paused;
                                           return absl::OkStatus();
                                         }),
                response);
}

}  // namespace hookd
