// EndpointService's calls about many endpoints, and about what they did.
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/endpoint_service.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/page_token.h"
#include "dispatcher/api/query_convert.h"
#include "dispatcher/core/endpoint_rules.h"
#include "dispatcher/core/url_rules.h"

namespace hookd {
namespace {

constexpr size_t kDefaultTop = 10;
constexpr size_t kMaxTop = 100;
constexpr size_t kChangedPerCall = 1000;

absl::StatusOr<BulkChange> MakeChange(const v1::ChangeEndpointsRequest& request) {
  BulkChange change;
  if (request.action() == v1::ENDPOINT_ACTION_UNSPECIFIED || !v1::EndpointAction_IsValid(request.action())) {
    return absl::InvalidArgumentError("action: is ENABLE, DISABLE, PAUSE or RESUME");
  }
  change.action = static_cast<EndpointAction>(request.action());
  change.filter.subscriber_id = request.subscriber_id();
  ASSIGN_OR_RETURN(change.filter.host, NormalHost(request.host()));
  if (!v1::DisableReason_IsValid(request.disable_reason())) {
    return absl::InvalidArgumentError("disable_reason: is none");
  }
  if (request.disable_reason() != v1::DISABLE_REASON_UNSPECIFIED) {
    change.filter.disabled = static_cast<DisableReason>(request.disable_reason());
  }
  ASSIGN_OR_RETURN(const TimeRange range,
                   MakeTimeRange(request.has_disable_time_from() ? &request.disable_time_from() : nullptr,
                                 request.has_disable_time_before() ? &request.disable_time_before() : nullptr,
                                 "disable_time"));
  change.filter.disabled_from_ms = range.from_ms;
  change.filter.disabled_before_ms = range.before_ms;
  if (change.filter.subscriber_id.empty() && change.filter.host.empty() && !change.filter.disabled &&
      range.from_ms == 0 && range.before_ms == 0) {
    return absl::InvalidArgumentError(
        "subscriber_id: is empty, and so are host, disable_reason and the times: give one of them");
  }
  RETURN_IF_ERROR(CheckStateNote(request.reason()));
  change.note = request.reason();
  change.dry_run = request.dry_run();
  change.limit = kChangedPerCall;
  return change;
}

// All that a position depends on.
std::string ChangeName(v1::ChangeEndpointsRequest request) {
  request.clear_page_token();
  return absl::StrCat("change/", request.SerializeAsString());
}

std::string OriginOf(const std::string& url) {
  const absl::StatusOr<ParsedUrl> parsed = ParseUrl(url);
  if (!parsed.ok()) return "";
  const bool ipv6 = parsed->host_is_ip && parsed->host.find(':') != std::string::npos;
  return absl::StrCat(parsed->scheme, "://", ipv6 ? "[" : "", parsed->host, ipv6 ? "]" : "", ":",
                      parsed->port);
}

}  // namespace

grpc::Status EndpointService::ChangeEndpoints(grpc::ServerContext*, const v1::ChangeEndpointsRequest* request,
                                              v1::ChangeEndpointsResponse* response) {
  absl::StatusOr<BulkChange> change = MakeChange(*request);
  if (!change.ok()) return ToGrpc(change.status());
  const std::string name = ChangeName(*request);
  const absl::StatusOr<std::string> position = ParsePageToken(name, request->page_token());
  if (!position.ok()) return ToGrpc(position.status());
  if (!position->empty()) {
    const absl::StatusOr<EndpointId> after = EndpointId::Parse(*position);
    if (!after.ok()) return ToGrpc(absl::InvalidArgumentError("page_token: holds no position"));
    change->after = *after;
  }
  const absl::StatusOr<BulkResult> result = engine_.ChangeEndpoints(*change);
  if (!result.ok()) return ToGrpc(result.status());
  for (const EndpointId id : result->changed) response->add_endpoint_ids(id.ToString());
  if (result->next) response->set_next_page_token(MakePageToken(name, result->next->ToString()));
  return grpc::Status::OK;
}

grpc::Status EndpointService::GetEndpointStatistics(grpc::ServerContext*,
                                                    const v1::GetEndpointStatisticsRequest* request,
                                                    v1::Statistics* response) {
  const absl::StatusOr<EndpointId> id = EndpointId::Parse(request->id());
  if (!id.ok()) return ToGrpc(absl::InvalidArgumentError(absl::StrCat("id: ", id.status().message())));
  const absl::StatusOr<StatWindow> window = FromProto(request->window());
  if (!window.ok()) return ToGrpc(window.status());
  const absl::StatusOr<Statistics> statistics = engine_.EndpointStatistics(*id, *window);
  if (statistics.ok()) *response = ToProto(*statistics, *window);
  return ToGrpc(statistics.status());
}

grpc::Status EndpointService::ListTopEndpoints(grpc::ServerContext*,
                                               const v1::ListTopEndpointsRequest* request,
                                               v1::ListTopEndpointsResponse* response) {
  const absl::StatusOr<StatWindow> window = FromProto(request->window());
  if (!window.ok()) return ToGrpc(window.status());
  if (!v1::TopBy_IsValid(request->by())) return ToGrpc(absl::InvalidArgumentError("by: is none"));
  const TopBy by =
      request->by() == v1::TOP_BY_UNSPECIFIED ? TopBy::kAttempts : static_cast<TopBy>(request->by());
  if (request->limit() < 0 || static_cast<size_t>(request->limit()) > kMaxTop) {
    return ToGrpc(
        absl::InvalidArgumentError(absl::StrCat("limit: is 1 to ", kMaxTop, ", or 0 for ", kDefaultTop)));
  }
  const size_t limit = request->limit() == 0 ? kDefaultTop : static_cast<size_t>(request->limit());
  const absl::StatusOr<std::vector<TopEndpoint>> top =
      engine_.TopEndpoints(by, *window, limit, request->subscriber_id());
  if (!top.ok()) return ToGrpc(top.status());
  for (const TopEndpoint& one : *top) {
    v1::TopEndpoint& added = *response->add_endpoints();
    added.set_id(one.endpoint->id.ToString());
    added.set_subscriber_id(one.endpoint->subscriber_id);
    added.set_origin(OriginOf(one.endpoint->url));
    *added.mutable_statistics() = ToProto(one.statistics, *window);
  }
  return grpc::Status::OK;
}

}  // namespace hookd
