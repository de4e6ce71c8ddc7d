#include "dispatcher/core/audit_chain.h"

#include <algorithm>
#include <string>

#include <openssl/sha.h>

#include "base/concat.h"

namespace hookd {
namespace {

void Bound(std::string& state) {
  if (state.size() > kMaxAuditStateBytes) state = Concat("{\"bytes\":", state.size(), "}");
}

}  // namespace

AuditHash HashOf(const AuditRecord& record, const AuditHash& before) {
  std::string text(reinterpret_cast<const char*>(before.data()), before.size());
  text += AuditText(record);
  AuditHash hash{};
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), hash.data());
  return hash;
}

AuditRecord RestoreRecord(uint32_t backup, uint32_t epoch) {
  AuditRecord record;
  record.origin.actor = std::string(kLocalActor);
  record.origin.call = "hookd --restore-backup";
  record.change = {"backup", Concat(backup), "", "", Concat("{\"epoch\":", epoch, "}"), {}};
  return record;
}

void Chain(AuditRecord& record, WallMs now, AuditTail& tail) {
  Bound(record.change.before);
  Bound(record.change.after);
  record.number = tail.number + 1;
  record.at_ms = std::max(now, tail.at_ms);
  record.hash = HashOf(record, tail.hash);
  record.log_bytes = tail.log_bytes + AuditText(record).size() + record.hash.size();
  tail = {record.number, record.at_ms, record.hash, record.log_bytes};
}

}  // namespace hookd
