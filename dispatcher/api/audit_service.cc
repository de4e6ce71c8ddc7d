#include "dispatcher/api/audit_service.h"

#include <string>
#include <utility>

#include <absl/strings/escaping.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/page_token.h"
#include "dispatcher/api/query_convert.h"
#include "dispatcher/api/time_convert.h"

namespace hookd {
namespace {

v1::AuditRecord ToProto(const AuditRecord& record) {
  v1::AuditRecord proto;
  proto.set_number(record.number);
  *proto.mutable_time() = ToTimestamp(record.at_ms);
  proto.set_actor(record.origin.actor);
  proto.set_actor_role(record.origin.role);
  proto.set_actor_name(record.origin.name);
  proto.set_peer(record.origin.peer);
  proto.set_call(record.origin.call);
  proto.set_reason(record.origin.reason);
  proto.set_resource_type(record.change.resource_type);
  proto.set_resource_id(record.change.resource_id);
  proto.set_subscriber_id(record.change.subscriber_id);
  proto.set_before(record.change.before);
  proto.set_after(record.change.after);
  for (const std::string& field : record.change.secrets_changed) proto.add_secrets_changed(field);
  proto.set_hash(absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(record.hash.data()), record.hash.size())));
  return proto;
}

// All that a position depends on.
std::string ListName(v1::ListAuditRecordsRequest request) {
  request.clear_page_token();
  request.clear_page_size();
  return absl::StrCat("audit/", request.SerializeAsString());
}

absl::StatusOr<AuditQuery> MakeQuery(const v1::ListAuditRecordsRequest& request) {
  AuditQuery query;
  ASSIGN_OR_RETURN(query.limit, CheckPageSize(request.page_size()));
  ASSIGN_OR_RETURN(const TimeRange range,
                   MakeTimeRange(request.has_time_from() ? &request.time_from() : nullptr,
                                 request.has_time_before() ? &request.time_before() : nullptr, "time"));
  query.from_ms = range.from_ms;
  query.before_ms = range.before_ms;
  query.actor = request.actor();
  query.subscriber_id = request.subscriber_id();
  query.resource_id = request.resource_id();
  query.call = request.call();
  query.oldest_first = request.oldest_first();
  query.max_bytes = kMaxPageBytes;
  ASSIGN_OR_RETURN(const std::string position, ParsePageToken(ListName(request), request.page_token()));
  if (!position.empty() && (!absl::SimpleAtoi(position, &query.position) || query.position == 0)) {
    return absl::InvalidArgumentError("page_token: holds no position of this list");
  }
  return query;
}

}  // namespace

grpc::Status AuditService::ListAuditRecords(grpc::ServerContext*, const v1::ListAuditRecordsRequest* request,
                                            v1::ListAuditRecordsResponse* response) {
  const absl::StatusOr<AuditQuery> query = MakeQuery(*request);
  if (!query.ok()) return ToGrpc(query.status());
  const absl::StatusOr<AuditPage> page = engine_.ListAudit(*query);
  if (!page.ok()) return ToGrpc(page.status());
  for (const AuditRecord& record : page->records) *response->add_records() = ToProto(record);
  if (page->next != 0) {
    response->set_next_page_token(MakePageToken(ListName(*request), absl::StrCat(page->next)));
  }
  return grpc::Status::OK;
}

grpc::Status AuditService::GetAuditRecord(grpc::ServerContext*, const v1::GetAuditRecordRequest* request,
                                          v1::AuditRecord* response) {
  const absl::StatusOr<AuditRecord> record = engine_.GetAudit(request->number());
  if (record.ok()) *response = ToProto(*record);
  return ToGrpc(record.status());
}

}  // namespace hookd
