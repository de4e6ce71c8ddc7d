#include "storage/audit_query.h"

#include <string_view>
#include <utility>

namespace hookd {
namespace {

bool IsCall(std::string_view call, std::string_view wanted) {
  return call == wanted || (call.size() > wanted.size() && call.ends_with(wanted) &&
                            call[call.size() - wanted.size() - 1] == '/');
}

}  // namespace

bool Takes(const AuditQuery& query, const AuditRecord& record) {
  return record.at_ms >= query.from_ms && (query.before_ms == 0 || record.at_ms < query.before_ms) &&
         (query.actor.empty() || record.origin.actor == query.actor) &&
         (query.subscriber_id.empty() || record.change.subscriber_id == query.subscriber_id) &&
         (query.resource_id.empty() || record.change.resource_id == query.resource_id) &&
         (query.call.empty() || IsCall(record.origin.call, query.call));
}

bool AuditCollector::Look(AuditRecord record) {
  if (looked_ == kAuditLooks || page_.records.size() == query_.limit || bytes_ >= query_.max_bytes) {
    page_.next = last_;
    return false;
  }
  ++looked_;
  last_ = record.number;
  if (!Takes(query_, record)) return true;
  const size_t size = AuditText(record).size();
  if (!page_.records.empty() && bytes_ + size > query_.max_bytes) {
    bytes_ = query_.max_bytes;
    page_.next = page_.records.back().number;
    return false;
  }
  bytes_ += size;
  page_.records.push_back(std::move(record));
  return true;
}

}  // namespace hookd
