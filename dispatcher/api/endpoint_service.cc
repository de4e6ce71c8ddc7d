#include "dispatcher/api/endpoint_service.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/page_token.h"
#include "dispatcher/core/endpoint_rules.h"
#include "dispatcher/core/signature.h"

namespace hookd {
namespace {

absl::StatusOr<EndpointId> ParseId(const std::string& text) {
  absl::StatusOr<EndpointId> id = EndpointId::Parse(text);
  if (!id.ok()) return absl::InvalidArgumentError(absl::StrCat("id: ", id.status().message()));
  return id;
}

absl::Status SetPaused(Endpoint& endpoint, bool paused) {
  endpoint.paused = paused;
  return absl::OkStatus();
}

}  // namespace

grpc::Status EndpointService::CreateEndpoint(grpc::ServerContext*, const v1::CreateEndpointRequest* request,
                                             v1::CreateEndpointResponse* response) {
  if (!request->has_endpoint()) return ToGrpc(absl::InvalidArgumentError("endpoint: is missing"));
  absl::StatusOr<Endpoint> endpoint = FromProto(request->endpoint());
  if (!endpoint.ok()) return ToGrpc(endpoint.status());
  if (absl::Status bad = CheckEndpoint(*endpoint); !bad.ok()) return ToGrpc(bad);
  const absl::StatusOr<EndpointView> view = engine_.CreateEndpoint(*std::move(endpoint));
  if (!view.ok()) return ToGrpc(view.status());
  *response->mutable_endpoint() = ToProto(*view);
  response->set_signing_secret(FormatSecret(view->endpoint->signing_keys.front()));
  return grpc::Status::OK;
}

grpc::Status EndpointService::GetEndpoint(grpc::ServerContext*, const v1::GetEndpointRequest* request,
                                          v1::Endpoint* response) {
  const absl::StatusOr<EndpointId> id = ParseId(request->id());
  if (!id.ok()) return ToGrpc(id.status());
  const absl::StatusOr<EndpointView> view = engine_.GetEndpoint(*id);
  if (view.ok()) *response = ToProto(*view);
  return ToGrpc(view.status());
}

grpc::Status EndpointService::ListEndpoints(grpc::ServerContext*, const v1::ListEndpointsRequest* request,
                                            v1::ListEndpointsResponse* response) {
  const absl::StatusOr<size_t> size = CheckPageSize(request->page_size());
  if (!size.ok()) return ToGrpc(size.status());
  const std::string query = absl::StrCat("endpoints/", request->subscriber_id());
  const absl::StatusOr<std::string> position = ParsePageToken(query, request->page_token());
  if (!position.ok()) return ToGrpc(position.status());
  EndpointId after;
  if (!position->empty()) {
    const absl::StatusOr<EndpointId> id = EndpointId::Parse(*position);
    if (!id.ok()) return ToGrpc(absl::InvalidArgumentError("page_token: holds no position"));
    after = *id;
  }
  // One more than asked for tells whether there is another page.
  const std::vector<EndpointView> views = engine_.ListEndpoints(request->subscriber_id(), after, *size + 1);
  size_t bytes = 0;
  for (size_t i = 0; i < views.size(); ++i) {
    v1::Endpoint endpoint = ToProto(views[i]);
    bytes += endpoint.ByteSizeLong();
    if (i == *size || (i > 0 && bytes > kMaxPageBytes)) {
      response->set_next_page_token(MakePageToken(query, views[i - 1].endpoint->id.ToString()));
      break;
    }
    *response->add_endpoints() = std::move(endpoint);
  }
  return grpc::Status::OK;
}

grpc::Status EndpointService::UpdateEndpoint(grpc::ServerContext*, const v1::UpdateEndpointRequest* request,
                                             v1::Endpoint* response) {
  if (!request->has_endpoint()) return ToGrpc(absl::InvalidArgumentError("endpoint: is missing"));
  return Change(
      request->endpoint().id(),
      [request](Endpoint& endpoint) {
        RETURN_IF_ERROR(ApplyUpdate(request->endpoint(), request->update_mask(), endpoint));
        return CheckEndpoint(endpoint);
      },
      *response);
}

grpc::Status EndpointService::DeleteEndpoint(grpc::ServerContext*, const v1::DeleteEndpointRequest* request,
                                             google::protobuf::Empty*) {
  const absl::StatusOr<EndpointId> id = ParseId(request->id());
  if (!id.ok()) return ToGrpc(id.status());
  return ToGrpc(engine_.DeleteEndpoint(*id));
}

grpc::Status EndpointService::PauseEndpoint(grpc::ServerContext*, const v1::PauseEndpointRequest* request,
                                            v1::Endpoint* response) {
  return Change(
      request->id(), [](Endpoint& endpoint) { return SetPaused(endpoint, true); }, *response);
}

grpc::Status EndpointService::ResumeEndpoint(grpc::ServerContext*, const v1::ResumeEndpointRequest* request,
                                             v1::Endpoint* response) {
  return Change(
      request->id(), [](Endpoint& endpoint) { return SetPaused(endpoint, false); }, *response);
}

grpc::Status EndpointService::Change(const std::string& id, std::function<absl::Status(Endpoint&)> change,
                                     v1::Endpoint& response) {
  const absl::StatusOr<EndpointId> parsed = ParseId(id);
  if (!parsed.ok()) return ToGrpc(parsed.status());
  const absl::StatusOr<EndpointView> view = engine_.UpdateEndpoint(*parsed, std::move(change));
  if (view.ok()) response = ToProto(*view);
  return ToGrpc(view.status());
}

}  // namespace hookd
