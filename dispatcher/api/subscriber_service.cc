#include "dispatcher/api/subscriber_service.h"

#include <algorithm>
#include <array>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/field_mask.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/page_token.h"
#include "dispatcher/api/query_convert.h"
#include "dispatcher/core/event_rules.h"

namespace hookd {
namespace {

constexpr std::array<absl::string_view, 5> kPaths = {"name", "profile", "plan", "strict", "alert_addresses"};
constexpr absl::string_view kListQuery = "subscribers";
constexpr absl::string_view kAmongQuery = "subscribers/own";

grpc::Status Answer(const absl::StatusOr<SubscriberView>& view, v1::Subscriber& response) {
  if (view.ok()) response = ToProto(*view);
  return ToGrpc(view.status());
}

// Before they are copied.
absl::Status CheckAddressCount(const v1::Subscriber& from) {
  if (static_cast<size_t>(from.alert_addresses_size()) <= kMaxAlertAddresses) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("alert_addresses: there are ", from.alert_addresses_size(),
                                                 ", use at most ", kMaxAlertAddresses));
}

}  // namespace

grpc::Status SubscriberService::CreateSubscriber(grpc::ServerContext*,
                                                 const v1::CreateSubscriberRequest* request,
                                                 v1::Subscriber* response) {
  if (!request->has_subscriber()) return ToGrpc(absl::InvalidArgumentError("subscriber: is missing"));
  const v1::Subscriber& from = request->subscriber();
  if (absl::Status bad = CheckAddressCount(from); !bad.ok()) return ToGrpc(bad);
  Subscriber subscriber = FromProto(from);
  if (absl::Status bad = CheckSubscriber(subscriber); !bad.ok()) return ToGrpc(bad);
  if (absl::Status bad = CheckProfileName(subscriber); !bad.ok()) return ToGrpc(bad);
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

grpc::Status SubscriberService::ListAmong(std::vector<std::string> ids,
                                          const v1::ListSubscribersRequest& request,
                                          v1::ListSubscribersResponse& response) {
  const absl::StatusOr<size_t> size = CheckPageSize(request.page_size());
  if (!size.ok()) return ToGrpc(size.status());
  const absl::StatusOr<std::string> after = ParsePageToken(kAmongQuery, request.page_token());
  if (!after.ok()) return ToGrpc(after.status());
  std::sort(ids.begin(), ids.end());
  for (auto id = std::upper_bound(ids.begin(), ids.end(), *after); id != ids.end(); ++id) {
    const absl::StatusOr<SubscriberView> view = engine_.GetSubscriber(*id);
    if (absl::IsNotFound(view.status())) continue;
    if (!view.ok()) return ToGrpc(view.status());
    if (static_cast<size_t>(response.subscribers_size()) == *size) {
      response.set_next_page_token(
          MakePageToken(kAmongQuery, response.subscribers(response.subscribers_size() - 1).id()));
      break;
    }
    *response.add_subscribers() = ToProto(*view);
  }
  return grpc::Status::OK;
}

grpc::Status SubscriberService::UpdateSubscriber(grpc::ServerContext*,
                                                 const v1::UpdateSubscriberRequest* request,
                                                 v1::Subscriber* response) {
  if (!request->has_subscriber()) return ToGrpc(absl::InvalidArgumentError("subscriber: is missing"));
  if (absl::Status bad = CheckFieldMask(request->update_mask(), kPaths); !bad.ok()) return ToGrpc(bad);
  if (absl::Status bad = CheckAddressCount(request->subscriber()); !bad.ok()) return ToGrpc(bad);
  const Subscriber from = FromProto(request->subscriber());
  const auto names = [request](absl::string_view path) {
    const auto& paths = request->update_mask().paths();
    return std::find(paths.begin(), paths.end(), path) != paths.end();
  };
  return Answer(engine_.UpdateSubscriber(from.id,
                                         [&](Subscriber& subscriber) -> absl::Status {
                                           if (names("name")) subscriber.name = from.name;
                                           if (names("profile")) subscriber.profile = from.profile;
                                           if (names("plan")) subscriber.plan = from.plan;
                                           if (names("strict")) subscriber.strict = from.strict;
                                           if (names("alert_addresses")) {
                                             subscriber.alert_addresses = from.alert_addresses;
                                           }
                                           RETURN_IF_ERROR(CheckSubscriber(subscriber));
                                           return names("profile") || names("strict")
                                                      ? CheckProfileName(subscriber)
                                                      : absl::OkStatus();
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

grpc::Status SubscriberService::HoldChannel(grpc::ServerContext*, const v1::HoldChannelRequest* request,
                                            v1::Subscriber* response) {
  return SetHeld(request->subscriber_id(), request->channel(), true, *response);
}

grpc::Status SubscriberService::ReleaseChannel(grpc::ServerContext*, const v1::ReleaseChannelRequest* request,
                                               v1::Subscriber* response) {
  return SetHeld(request->subscriber_id(), request->channel(), false, *response);
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

absl::Status SubscriberService::CheckProfileName(const Subscriber& subscriber) const {
  return subscriber.profile.empty() ? absl::OkStatus() : engine_.profiles().Get(subscriber.profile).status();
}

grpc::Status SubscriberService::SetHeld(const std::string& id, const std::string& channel, bool held,
                                        v1::Subscriber& response) {
  return Answer(
      engine_.UpdateSubscriber(
          id, [&](Subscriber& subscriber) { return hookd::HoldChannel(channel, held, subscriber); }),
      response);
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
