// What the ledger writes into the audit log, beside the changes themselves.
#include <string>
#include <utility>

#include <absl/strings/str_format.h>

#include "base/concat.h"
#include "dispatcher/core/access_token.h"
#include "dispatcher/core/audit_chain.h"
#include "dispatcher/engine/ledger.h"

namespace hookd {
namespace {

// Whose a token is, where that is one.
std::string OwnerOf(const AccessToken& token) {
  return token.subscriber_ids.size() == 1 ? token.subscriber_ids.front() : std::string();
}

template <typename Resource>
AuditChange ChangeOf(const AuditForms& forms, std::string type, std::string id, std::string subscriber_id,
                     const Resource* before, const Resource* after) {
  return {std::move(type),
          std::move(id),
          std::move(subscriber_id),
          before == nullptr ? std::string() : forms.Show(*before),
          after == nullptr ? std::string() : forms.Show(*after),
          {}};
}

}  // namespace

void Ledger::Act(AuditOrigin origin) { origin_ = std::move(origin); }

void Ledger::Note(AuditChange change) {
  if (forms_ == nullptr) return;
  AuditRecord record;
  record.origin = origin_;
  record.change = std::move(change);
  Chain(record, trusted_now_, audit_);
  if (audit_first_ == 0) audit_first_ = record.number;
  Apply(Audited{std::move(record)});
}

void Ledger::NoteEndpoint(const Endpoint* before, const Endpoint* after) {
  if (forms_ == nullptr) return;
  const Endpoint& either = after == nullptr ? *before : *after;
  AuditChange change =
      ChangeOf(*forms_, "endpoint", either.id.ToString(), either.subscriber_id, before, after);
  if (before != nullptr && after != nullptr) change.secrets_changed = SecretsChanged(*before, *after);
  Note(std::move(change));
}

void Ledger::NoteSubscriber(const Subscriber* before, const Subscriber* after) {
  if (forms_ == nullptr) return;
  const std::string& id = after == nullptr ? before->id : after->id;
  Note(ChangeOf(*forms_, "subscriber", id, id, before, after));
}

void Ledger::NoteToken(const AccessToken* before, const AccessToken* after) {
  if (forms_ == nullptr) return;
  const AccessToken& either = after == nullptr ? *before : *after;
  Note(ChangeOf(*forms_, "token", TokenName(either.id), OwnerOf(either), before, after));
}

void Ledger::NoteJob(const Job* before, const Job& after) {
  if (forms_ == nullptr) return;
  Note(ChangeOf(*forms_, "job", absl::StrFormat("job_%016x", after.id), after.subscriber_id, before, &after));
}

void Ledger::NoteOperations(const Operations& after) {
  if (forms_ == nullptr) return;
  Note(ChangeOf(*forms_, "operations", "", "", &operations_, &after));
}

void Ledger::NoteDelivery(const DeliveryId& id, const std::string& subscriber_id, std::string before,
                          std::string after) {
  Note({"delivery", id.ToString(), subscriber_id, std::move(before), std::move(after), {}});
}

void Ledger::NoteRestore(const DeliveryStore::Recovered& recovered) {
  AuditRecord record = RestoreRecord(recovered.restored_backup, recovered.epoch);
  Act(std::move(record.origin));
  Note(std::move(record.change));
  Act(Acting::Now());
}

void Ledger::PutToken(const AccessToken& token, const AccessToken* before) {
  if (before != nullptr) Apply(TokenRevoked{*before});
  Apply(TokenMade{token});
  NoteToken(before, &token);
}

void Ledger::RemoveToken(const AccessToken& token) {
  Apply(TokenRevoked{token});
  NoteToken(&token, nullptr);
}

void Ledger::NoteCanceled(DeliveryCanceled canceled) {
  const DeliveryEnded& ended = canceled.ended;
  Act(std::move(canceled.by));
  NoteDelivery(
      ended.delivery, ended.subscriber_id, R"({"state":"PENDING"})",
      Concat("{\"state\":\"", ToString(ended.state), "\",\"endReason\":\"", ToString(ended.reason), "\"}"));
  Act(Acting::Now());
}

void Ledger::TrimAudit(const Retention& retention) {
  // The newest stays: the next one is chained to it.
  const auto goes = [&](uint64_t number) {
    const absl::StatusOr<AuditRecord> record = store_.ReadAudit(number);
    return record.ok() && (record->at_ms < now_.wall - retention.audit.count() ||
                           audit_.log_bytes - record->log_bytes >= retention.audit_bytes);
  };
  if (audit_first_ == 0 || audit_first_ >= audit_.number || !goes(audit_first_)) return;
  // By age and by size alike, what goes is older than all that stays.
  uint64_t low = audit_first_ + 1;
  uint64_t high = audit_.number;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (goes(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  audit_first_ = low;
  Apply(AuditTrimmed{low});
}

}  // namespace hookd
