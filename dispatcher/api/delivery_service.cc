#include "dispatcher/api/delivery_service.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/page_token.h"
#include "dispatcher/api/query_convert.h"
#include "dispatcher/api/watch_call.h"

namespace hookd {
namespace {

constexpr ErrorKind kErrorKinds[] = {
    ErrorKind::kStatus,         ErrorKind::kTimeout, ErrorKind::kName,
    ErrorKind::kConnect,        ErrorKind::kTls,     ErrorKind::kProtocol,
    ErrorKind::kResponseTooBig, ErrorKind::kLocal,   ErrorKind::kRefusedAddress,
    ErrorKind::kToken};

absl::StatusOr<std::optional<ErrorKind>> ParseErrorKind(const std::string& text) {
  if (text.empty()) return std::optional<ErrorKind>();
  std::string names;
  for (const ErrorKind kind : kErrorKinds) {
    if (ToString(kind) == text) return std::optional<ErrorKind>(kind);
    absl::StrAppend(&names, names.empty() ? "" : ", ", std::string(ToString(kind)));
  }
  return absl::InvalidArgumentError(absl::StrCat("error_kind: is one of ", names));
}

absl::StatusOr<DeliveryQuery> MakeQuery(const v1::ListDeliveriesRequest& request) {
  DeliveryQuery query;
  ASSIGN_OR_RETURN(query.endpoint, OptionalEndpointId(request.endpoint_id()));
  ASSIGN_OR_RETURN(query.state, FromProto(request.state()));
  query.subscriber_id = request.subscriber_id();
  if (!query.endpoint && !query.state && query.subscriber_id.empty()) {
    return absl::InvalidArgumentError(
        "endpoint_id: is empty, and so are subscriber_id and state: give at least one of them");
  }
  ASSIGN_OR_RETURN(const TimeRange range,
                   MakeTimeRange(request.has_accept_time_from() ? &request.accept_time_from() : nullptr,
                                 request.has_accept_time_before() ? &request.accept_time_before() : nullptr,
                                 "accept_time"));
  query.accepted_from_ms = range.from_ms;
  query.accepted_before_ms = range.before_ms;
  RETURN_IF_ERROR(CheckTypePattern(request.event_type()));
  query.event_type = request.event_type();
  if (request.status_class() < 0 || request.status_class() > 5) {
    return absl::InvalidArgumentError("status_class: is 1 to 5, or 0 for any");
  }
  query.status_class = request.status_class();
  ASSIGN_OR_RETURN(query.error, ParseErrorKind(request.error_kind()));
  if (!v1::ListOrder_IsValid(request.order())) return absl::InvalidArgumentError("order: is none");
  query.newest_first = request.order() != v1::LIST_ORDER_OLDEST_FIRST;
  ASSIGN_OR_RETURN(query.limit, CheckPageSize(request.page_size()));
  return query;
}

// All that a position depends on: the request without its page.
std::string ListName(v1::ListDeliveriesRequest request) {
  request.clear_page_size();
  request.clear_page_token();
  return absl::StrCat("deliveries/", request.SerializeAsString());
}

// `call(id)` gives the delivery that the request names.
template <typename Request, typename Call>
grpc::Status OfOne(const Request& request, v1::Delivery& response, Call call) {
  const absl::StatusOr<DeliveryId> id = DeliveryId::Parse(request.id());
  if (!id.ok()) return ToGrpc(absl::InvalidArgumentError(absl::StrCat("id: ", id.status().message())));
  const absl::StatusOr<DeliveryView> view = call(*id);
  if (view.ok()) response = ToProto(*view);
  return ToGrpc(view.status());
}

}  // namespace

DeliveryService::DeliveryService(Engine& engine, std::shared_ptr<FeedContext> feed)
    : engine_(engine), feed_(std::move(feed)) {}

grpc::Status DeliveryService::GetDelivery(grpc::ServerContext*, const v1::GetDeliveryRequest* request,
                                          v1::Delivery* response) {
  return OfOne(*request, *response, [this](DeliveryId id) { return engine_.GetDelivery(id); });
}

grpc::Status DeliveryService::RetryDelivery(grpc::ServerContext*, const v1::RetryDeliveryRequest* request,
                                            v1::Delivery* response) {
  return OfOne(*request, *response, [this](DeliveryId id) { return engine_.RetryDelivery(id); });
}

grpc::Status DeliveryService::CancelDelivery(grpc::ServerContext*, const v1::CancelDeliveryRequest* request,
                                             v1::Delivery* response) {
  return OfOne(*request, *response, [this](DeliveryId id) { return engine_.CancelDelivery(id); });
}

grpc::Status DeliveryService::ListDeliveries(grpc::ServerContext*, const v1::ListDeliveriesRequest* request,
                                             v1::ListDeliveriesResponse* response) {
  absl::StatusOr<DeliveryQuery> query = MakeQuery(*request);
  if (!query.ok()) return ToGrpc(query.status());
  const std::string name = ListName(*request);
  absl::StatusOr<std::string> position = ParsePageToken(name, request->page_token());
  if (!position.ok()) return ToGrpc(position.status());
  query->position = *std::move(position);
  const absl::StatusOr<DeliveryPage> page = engine_.ListDeliveries(*query);
  // The query was checked: what is left to be wrong is the position.
  if (absl::IsInvalidArgument(page.status())) {
    return ToGrpc(absl::InvalidArgumentError("page_token: holds no position of this list"));
  }
  if (!page.ok()) return ToGrpc(page.status());
  for (const Delivery& delivery : page->deliveries) *response->add_deliveries() = ToProto(delivery);
  response->set_next_page_token(MakePageToken(name, page->next_position));
  return grpc::Status::OK;
}

grpc::ServerWriteReactor<v1::WatchDeliveriesResponse>* DeliveryService::WatchDeliveriesWhile(
    grpc::CallbackServerContext*, const v1::WatchDeliveriesRequest* request, StillAllowed allowed) {
  return WatchCall::Start(feed_, *request, std::move(allowed));
}

}  // namespace hookd
