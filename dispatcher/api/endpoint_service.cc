#include "dispatcher/api/endpoint_service.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/endpoint_update.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/page_token.h"
#include "dispatcher/core/endpoint_rules.h"
#include "dispatcher/core/signature.h"
#include "dispatcher/core/signing_keys.h"

namespace hookd {
namespace {

absl::StatusOr<EndpointId> ParseId(const std::string& text) {
  absl::StatusOr<EndpointId> id = EndpointId::Parse(text);
  if (!id.ok()) return absl::InvalidArgumentError(absl::StrCat("id: ", id.status().message()));
  return id;
}

absl::StatusOr<SigningKey> NewKey(const v1::RotateSecretRequest& request) {
  SigningScheme scheme = SigningScheme::kV1;
  switch (request.scheme()) {
    case v1::SIGNING_SCHEME_UNSPECIFIED:
    case v1::SIGNING_SCHEME_V1:
      break;
    case v1::SIGNING_SCHEME_V1A:
      scheme = SigningScheme::kV1a;
      break;
    default:
      return absl::InvalidArgumentError("scheme: is none, use V1 or V1A");
  }
  if (request.secret().empty()) return GenerateSigningKey(scheme);
  return ParseSigningKey(scheme, request.secret(), "secret");
}

absl::StatusOr<Millis> OverlapOf(const v1::RotateSecretRequest& request) {
  if (!request.has_overlap()) return kDefaultOverlap;
  ASSIGN_OR_RETURN(const Millis overlap, FromDuration(request.overlap(), "overlap"));
  if (overlap >= Millis(0) && overlap <= kMaxOverlap) return overlap;
  return absl::InvalidArgumentError("overlap: use 0 to 30 days (2592000s)");
}

}  // namespace

grpc::Status EndpointService::Answer(const absl::StatusOr<EndpointView>& view, v1::Endpoint& response,
                                     bool url_query) {
  if (view.ok()) response = ToProto(*view, &engine_.profiles(), url_query);
  return ToGrpc(view.status());
}

// `change(id, reason)` is one of the engine's calls that a person gives a reason for.
template <typename Request, typename Change>
grpc::Status EndpointService::ChangeState(const Request& request, v1::Endpoint& response, Change change) {
  const absl::StatusOr<EndpointId> id = ParseId(request.id());
  if (!id.ok()) return ToGrpc(id.status());
  if (absl::Status bad = CheckStateNote(request.reason()); !bad.ok()) return ToGrpc(bad);
  return Answer(change(*id, request.reason()), response);
}

bool EndpointService::MustVerify(bool asked, const Endpoint& endpoint) const {
  return asked || (tools_ != nullptr && tools_->MustVerify(endpoint));
}

grpc::Status EndpointService::CreateEndpoint(grpc::ServerContext*, const v1::CreateEndpointRequest* request,
                                             v1::CreateEndpointResponse* response) {
  if (!request->has_endpoint()) return ToGrpc(absl::InvalidArgumentError("endpoint: is missing"));
  const absl::StatusOr<NewEndpoint> made = NewEndpoint::Make(request->endpoint());
  if (!made.ok()) return ToGrpc(made.status());
  const absl::StatusOr<EndpointView> view =
      engine_.CreateEndpoint(made->endpoint(), [&](const OwnerView& owner, Endpoint& endpoint) {
        RETURN_IF_ERROR(made->Finish(engine_.profiles(), owner, endpoint));
        if (MustVerify(request->require_verification(), endpoint))
          endpoint.disabled = DisableReason::kUnverified;
        return absl::OkStatus();
      });
  if (!view.ok()) return ToGrpc(view.status());
  *response->mutable_endpoint() = ToProto(*view, &engine_.profiles(), /*url_query=*/true);
  response->set_signing_secret(FormatSecret(view->endpoint->signing_keys.front().key));
  return grpc::Status::OK;
}

grpc::Status EndpointService::GetEndpoint(grpc::ServerContext*, const v1::GetEndpointRequest* request,
                                          v1::Endpoint* response) {
  const absl::StatusOr<EndpointId> id = ParseId(request->id());
  if (!id.ok()) return ToGrpc(id.status());
  return Answer(engine_.GetEndpoint(*id), *response, request->with_url_query());
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
  const absl::StatusOr<std::vector<EndpointView>> views =
      engine_.ListEndpoints(request->subscriber_id(), after, *size + 1);
  if (!views.ok()) return ToGrpc(views.status());
  size_t bytes = 0;
  for (size_t i = 0; i < views->size(); ++i) {
    v1::Endpoint endpoint = ToProto((*views)[i], &engine_.profiles(), request->with_url_query());
    bytes += endpoint.ByteSizeLong();
    if (i == *size || (i > 0 && bytes > kMaxPageBytes)) {
      response->set_next_page_token(MakePageToken(query, (*views)[i - 1].endpoint->id.ToString()));
      break;
    }
    *response->add_endpoints() = std::move(endpoint);
  }
  return grpc::Status::OK;
}

grpc::Status EndpointService::UpdateEndpoint(grpc::ServerContext*, const v1::UpdateEndpointRequest* request,
                                             v1::Endpoint* response) {
  if (!request->has_endpoint()) return ToGrpc(absl::InvalidArgumentError("endpoint: is missing"));
  const absl::StatusOr<EndpointId> id = ParseId(request->endpoint().id());
  if (!id.ok()) return ToGrpc(id.status());
  const absl::StatusOr<EndpointUpdate> update =
      EndpointUpdate::Make(request->endpoint(), request->update_mask());
  if (!update.ok()) return ToGrpc(update.status());
  return Answer(engine_.UpdateEndpoint(*id,
                                       [&](const OwnerView& owner, Endpoint& endpoint) {
                                         const std::string url = endpoint.url;
                                         RETURN_IF_ERROR(update->Apply(engine_.profiles(), owner, endpoint));
                                         if (endpoint.url != url &&
                                             MustVerify(request->require_verification(), endpoint)) {
                                           endpoint.disabled = DisableReason::kUnverified;
                                         }
                                         return absl::OkStatus();
                                       }),
                *response);
}

grpc::Status EndpointService::RotateSecret(grpc::ServerContext*, const v1::RotateSecretRequest* request,
                                           v1::RotateSecretResponse* response) {
  const absl::StatusOr<EndpointId> id = ParseId(request->id());
  if (!id.ok()) return ToGrpc(id.status());
  const absl::StatusOr<SigningKey> key = NewKey(*request);
  if (!key.ok()) return ToGrpc(key.status());
  const absl::StatusOr<Millis> overlap = OverlapOf(*request);
  if (!overlap.ok()) return ToGrpc(overlap.status());
  const absl::StatusOr<EndpointView> view = engine_.RotateSecret(*id, *key, *overlap);
  if (!view.ok()) return ToGrpc(view.status());
  *response->mutable_endpoint() = ToProto(*view, &engine_.profiles());
  if (key->scheme == SigningScheme::kV1) {
    response->set_signing_secret(FormatSecret(key->key));
  } else {
    response->set_public_key(FormatPublicKey(PublicKeyOf(key->key)));
  }
  return grpc::Status::OK;
}

grpc::Status EndpointService::DeleteEndpoint(grpc::ServerContext*, const v1::DeleteEndpointRequest* request,
                                             google::protobuf::Empty*) {
  const absl::StatusOr<EndpointId> id = ParseId(request->id());
  if (!id.ok()) return ToGrpc(id.status());
  return ToGrpc(engine_.DeleteEndpoint(*id));
}

grpc::Status EndpointService::EnableEndpoint(grpc::ServerContext*, const v1::EnableEndpointRequest* request,
                                             v1::Endpoint* response) {
  return ChangeState(*request, *response, [this](EndpointId id, const std::string& reason) {
    return engine_.EnableEndpoint(id, reason);
  });
}

grpc::Status EndpointService::DisableEndpoint(grpc::ServerContext*, const v1::DisableEndpointRequest* request,
                                              v1::Endpoint* response) {
  return ChangeState(*request, *response, [this](EndpointId id, const std::string& reason) {
    return engine_.DisableEndpoint(id, reason);
  });
}

grpc::Status EndpointService::PauseEndpoint(grpc::ServerContext*, const v1::PauseEndpointRequest* request,
                                            v1::Endpoint* response) {
  return ChangeState(*request, *response, [this](EndpointId id, const std::string& reason) {
    return engine_.SetEndpointPaused(id, true, reason);
  });
}

grpc::Status EndpointService::ResumeEndpoint(grpc::ServerContext*, const v1::ResumeEndpointRequest* request,
                                             v1::Endpoint* response) {
  return ChangeState(*request, *response, [this](EndpointId id, const std::string& reason) {
    return engine_.SetEndpointPaused(id, false, reason);
  });
}

}  // namespace hookd
