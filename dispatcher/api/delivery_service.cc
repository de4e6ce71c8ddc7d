#include "dispatcher/api/delivery_service.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/page_token.h"

namespace hookd {
namespace {

absl::StatusOr<DeliveryQuery> MakeQuery(const v1::ListDeliveriesRequest& request) {
  DeliveryQuery query;
  if (!request.endpoint_id().empty()) {
    const absl::StatusOr<EndpointId> id = EndpointId::Parse(request.endpoint_id());
    if (!id.ok()) return absl::InvalidArgumentError(absl::StrCat("endpoint_id: ", id.status().message()));
    query.endpoint = *id;
  }
  ASSIGN_OR_RETURN(query.state, FromProto(request.state()));
  if (!query.endpoint && !query.state) {
    return absl::InvalidArgumentError("endpoint_id: is empty and so is state, give at least one of them");
  }
  ASSIGN_OR_RETURN(query.limit, CheckPageSize(request.page_size()));
  return query;
}

}  // namespace

grpc::Status DeliveryService::GetDelivery(grpc::ServerContext*, const v1::GetDeliveryRequest* request,
                                          v1::Delivery* response) {
  const absl::StatusOr<DeliveryId> id = DeliveryId::Parse(request->id());
  if (!id.ok()) return ToGrpc(absl::InvalidArgumentError(absl::StrCat("id: ", id.status().message())));
  const absl::StatusOr<DeliveryView> delivery = engine_.GetDelivery(*id);
  if (delivery.ok()) *response = ToProto(delivery->delivery);
  return ToGrpc(delivery.status());
}

grpc::Status DeliveryService::ListDeliveries(grpc::ServerContext*, const v1::ListDeliveriesRequest* request,
                                             v1::ListDeliveriesResponse* response) {
  absl::StatusOr<DeliveryQuery> query = MakeQuery(*request);
  if (!query.ok()) return ToGrpc(query.status());
  const std::string name =
      absl::StrCat("deliveries/", request->endpoint_id(), "/", static_cast<int>(request->state()));
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

}  // namespace hookd
