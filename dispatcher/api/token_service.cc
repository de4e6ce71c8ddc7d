#include "dispatcher/api/token_service.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/page_token.h"
#include "dispatcher/api/query_convert.h"
#include "dispatcher/api/time_convert.h"
#include "dispatcher/core/access_token.h"
#include "dispatcher/core/event_rules.h"

namespace hookd {
namespace {

absl::StatusOr<AccessToken> FromProto(const v1::Token& proto) {
  AccessToken token;
  switch (proto.role()) {
    case v1::TOKEN_ROLE_PUBLISHER:
    case v1::TOKEN_ROLE_OPERATOR:
    case v1::TOKEN_ROLE_VIEWER:
    case v1::TOKEN_ROLE_SUBSCRIBER:
      token.role = static_cast<TokenRole>(proto.role());
      break;
    default:
      return absl::InvalidArgumentError(
          "token.role: is TOKEN_ROLE_PUBLISHER, TOKEN_ROLE_OPERATOR, TOKEN_ROLE_VIEWER or "
          "TOKEN_ROLE_SUBSCRIBER");
  }
  if (static_cast<size_t>(proto.subscriber_ids_size()) > kMaxTokenSubscribers) {
    return absl::InvalidArgumentError(
        absl::StrCat("token.subscriber_ids: name at most ", kMaxTokenSubscribers, " subscribers"));
  }
  token.subscriber_ids.assign(proto.subscriber_ids().begin(), proto.subscriber_ids().end());
  token.description = proto.description();
  token.bytes_per_second = proto.bytes_per_second();
  token.max_payload_bytes = proto.max_payload_bytes();
  if (proto.has_expire_time()) {
    ASSIGN_OR_RETURN(token.expires_ms, FromTimestamp(proto.expire_time(), "token.expire_time"));
    if (token.expires_ms == 0) token.expires_ms = -1;  // 1970, which is over: 0 would mean never
  }
  return token;
}

}  // namespace

v1::Token ToProto(const AccessToken& token) {
  v1::Token proto;
  proto.set_id(TokenName(token.id));
  proto.set_role(static_cast<v1::TokenRole>(token.role));
  for (const std::string& id : token.subscriber_ids) proto.add_subscriber_ids(id);
  proto.set_description(token.description);
  *proto.mutable_create_time() = ToTimestamp(token.created_ms);
  if (token.expires_ms != 0) *proto.mutable_expire_time() = ToTimestamp(token.expires_ms);
  proto.set_bytes_per_second(token.bytes_per_second);
  proto.set_max_payload_bytes(token.max_payload_bytes);
  return proto;
}

grpc::Status TokenService::CreateToken(grpc::ServerContext*, const v1::CreateTokenRequest* request,
                                       v1::CreateTokenResponse* response) {
  if (!request->has_token()) return ToGrpc(absl::InvalidArgumentError("token: is missing"));
  absl::StatusOr<AccessToken> token = FromProto(request->token());
  if (!token.ok()) return ToGrpc(token.status());
  if (absl::Status bad = CheckToken(*token, clock_.Wall()); !bad.ok()) return ToGrpc(bad);
  const OldTokens old = request->revoke_older() ? OldTokens::kRevoke : OldTokens::kKeep;
  absl::StatusOr<MadeToken> made = engine_.MakeToken(*std::move(token), old);
  if (!made.ok()) return ToGrpc(made.status());
  *response->mutable_token() = ToProto(made->token);
  response->set_text(std::move(made->text));
  return grpc::Status::OK;
}

grpc::Status TokenService::ListTokens(grpc::ServerContext*, const v1::ListTokensRequest* request,
                                      v1::ListTokensResponse* response) {
  const absl::StatusOr<size_t> size = CheckPageSize(request->page_size());
  if (!size.ok()) return ToGrpc(size.status());
  if (!request->subscriber_id().empty()) {
    if (absl::Status bad = CheckSubscriberId("subscriber_id", request->subscriber_id()); !bad.ok()) {
      return ToGrpc(bad);
    }
  }
  const std::string query = absl::StrCat("tokens/", request->subscriber_id());
  const absl::StatusOr<std::string> position = ParsePageToken(query, request->page_token());
  if (!position.ok()) return ToGrpc(position.status());
  uint64_t after = 0;
  if (!position->empty()) {
    const std::optional<uint64_t> id = ParseTokenName(*position);
    if (!id) return ToGrpc(absl::InvalidArgumentError("page_token: holds no position of this list"));
    after = *id;
  }
  // One more than asked for tells whether there is another page.
  absl::StatusOr<std::vector<AccessToken>> tokens =
      engine_.ListTokens(request->subscriber_id(), after, *size + 1);
  if (!tokens.ok()) return ToGrpc(tokens.status());
  if (tokens->size() > *size) {
    tokens->resize(*size);
    response->set_next_page_token(MakePageToken(query, TokenName(tokens->back().id)));
  }
  for (const AccessToken& token : *tokens) *response->add_tokens() = ToProto(token);
  return grpc::Status::OK;
}

grpc::Status TokenService::RevokeToken(grpc::ServerContext*, const v1::RevokeTokenRequest* request,
                                       google::protobuf::Empty*) {
  const std::optional<uint64_t> id = ParseTokenName(request->id());
  if (!id) {
    return ToGrpc(
        absl::InvalidArgumentError("id: is \"tok_\" and 16 hex digits, as CreateToken and ListTokens say"));
  }
  return ToGrpc(engine_.RevokeToken(*id));
}

}  // namespace hookd
