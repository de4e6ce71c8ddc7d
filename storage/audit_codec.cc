#include <algorithm>

#include <absl/status/statusor.h>

#include "hookd/storage/v1/records.pb.h"
#include "storage/record_codec.h"
#include "storage/record_parts.h"

namespace hookd::records {

namespace pb = hookd::storage::v1;

std::string Encode(const AuditRecord& record) {
  pb::AuditRecord out;
  out.set_at_ms(record.at_ms);
  out.set_actor(record.origin.actor);
  out.set_role(record.origin.role);
  out.set_name(record.origin.name);
  out.set_peer(record.origin.peer);
  out.set_call(record.origin.call);
  out.set_reason(record.origin.reason);
  out.set_resource_type(record.change.resource_type);
  out.set_resource_id(record.change.resource_id);
  out.set_subscriber_id(record.change.subscriber_id);
  out.set_before(record.change.before);
  out.set_after(record.change.after);
  for (const std::string& field : record.change.secrets_changed) out.add_secrets_changed(field);
  out.set_hash(record.hash.data(), record.hash.size());
  out.set_log_bytes(record.log_bytes);
  return out.SerializeAsString();
}

absl::StatusOr<AuditRecord> DecodeAudit(uint64_t number, std::string_view bytes) {
  pb::AuditRecord in;
  AuditRecord record;
  if (!Parse(in, bytes) || in.hash().size() != record.hash.size()) return Damaged("audit");
  record.number = number;
  record.at_ms = in.at_ms();
  record.origin = {in.actor(), in.role(), in.name(), in.peer(), in.call(), in.reason()};
  record.change = {in.resource_type(), in.resource_id(),
                   in.subscriber_id(), in.before(),
                   in.after(),         {in.secrets_changed().begin(), in.secrets_changed().end()}};
  std::copy(in.hash().begin(), in.hash().end(), record.hash.begin());
  record.log_bytes = in.log_bytes();
  return record;
}

}  // namespace hookd::records
