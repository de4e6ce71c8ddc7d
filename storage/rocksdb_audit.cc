// The audit log.
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <absl/status/status.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/audit_query.h"
#include "storage/key_codec.h"
#include "storage/rocksdb_reader.h"
#include "storage/rocksdb_scan.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {
namespace {

absl::StatusOr<AuditRecord> Decode(std::string_view key, std::string_view value) {
  const std::optional<uint64_t> number = keys::ParseNumber(key);
  if (!number) return absl::DataLossError("an unknown row in the family audit");
  return records::DecodeAudit(*number, value);
}

// The first record in that direction from [first, last].
absl::StatusOr<std::optional<AuditRecord>> Edge(const RocksDbStore::Reader& reader, bool newest) {
  ScanBudget budget;
  RowCursor cursor(reader, kAudit, keys::OfNumber(uint64_t{0}),
                   keys::OfNumber(std::numeric_limits<uint64_t>::max()), newest, budget);
  cursor.Begin();
  if (!cursor.Valid()) {
    RETURN_IF_ERROR(cursor.status());
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(AuditRecord record, Decode(cursor.key(), cursor.value()));
  return record;
}

}  // namespace

void RocksDbStore::Write(const Audited& fact) {
  Put(kAudit, keys::OfNumber(fact.record.number), records::Encode(fact.record));
}

void RocksDbStore::Write(const AuditTrimmed& fact) {
  DeleteRange(kAudit, keys::OfNumber(uint64_t{0}), keys::OfNumber(fact.before));
}

absl::Status RocksDbStore::RecoverAudit(Recovered& recovered) const {
  const Reader reader(*this);
  ASSIGN_OR_RETURN(const std::optional<AuditRecord> newest, Edge(reader, true));
  if (!newest) return absl::OkStatus();
  recovered.audit = {newest->number, newest->at_ms, newest->hash, newest->log_bytes};
  ASSIGN_OR_RETURN(const std::optional<AuditRecord> oldest, Edge(reader, false));
  if (oldest) recovered.audit_first = oldest->number;
  return absl::OkStatus();
}

absl::StatusOr<AuditRecord> RocksDbStore::ReadAudit(uint64_t number) const {
  const Reader reader(*this);
  std::string value;
  ASSIGN_OR_RETURN(const bool found, reader.Get(kAudit, keys::OfNumber(number), value));
  if (!found) {
    return absl::NotFoundError(Concat("no audit record has the number ", number, ", or it is gone by age"));
  }
  return records::DecodeAudit(number, value);
}

absl::StatusOr<AuditPage> RocksDbStore::ListAudit(const AuditQuery& query) const {
  const Reader reader(*this);
  ASSIGN_OR_RETURN(const std::optional<AuditRecord> oldest, Edge(reader, false));
  if (!oldest) return AuditPage();
  ASSIGN_OR_RETURN(const std::optional<AuditRecord> newest, Edge(reader, true));
  // Numbers have no gaps, and times never fall: the first record of a time is found by halves.
  const auto first_at = [&](WallMs time) -> absl::StatusOr<uint64_t> {
    uint64_t low = oldest->number;
    uint64_t high = newest->number + 1;
    while (low < high) {
      const uint64_t middle = low + (high - low) / 2;
      std::string value;
      ASSIGN_OR_RETURN(const bool found, reader.Get(kAudit, keys::OfNumber(middle), value));
      if (!found) return absl::DataLossError("the audit log has a gap");
      ASSIGN_OR_RETURN(const AuditRecord record, records::DecodeAudit(middle, value));
      if (record.at_ms < time) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  uint64_t from = oldest->number;
  uint64_t to = newest->number + 1;
  if (query.from_ms > oldest->at_ms) {
    ASSIGN_OR_RETURN(from, first_at(query.from_ms));
  }
  if (query.before_ms != 0) {
    ASSIGN_OR_RETURN(to, first_at(query.before_ms));
  }
  if (query.position != 0 && query.oldest_first) from = std::max(from, query.position + 1);
  if (query.position != 0 && !query.oldest_first) to = std::min(to, query.position);
  AuditCollector collector(query);
  if (from >= to) return collector.TakePage();
  ScanBudget budget;
  RowCursor cursor(reader, kAudit, keys::OfNumber(from), keys::OfNumber(to), !query.oldest_first, budget);
  for (cursor.Begin(); cursor.Valid(); cursor.Next()) {
    ASSIGN_OR_RETURN(AuditRecord record, Decode(cursor.key(), cursor.value()));
    if (!collector.Look(std::move(record))) return collector.TakePage();
  }
  RETURN_IF_ERROR(cursor.status());
  return collector.TakePage();
}

}  // namespace hookd
