// The audit log's end: numbers records, and chains each to the one before it. Pure.
#pragma once

#include "base/audit.h"

namespace hookd {

AuditHash HashOf(const AuditRecord& record, const AuditHash& before);

// Gives the record its number, time, hash and size, and makes it the newest. What is too large of it is left
// out.
void Chain(AuditRecord& record, WallMs now, AuditTail& tail);

// That the folder was restored from a backup, and began this epoch of hookd-sequence. Not chained yet.
AuditRecord RestoreRecord(uint32_t backup, uint32_t epoch);

}  // namespace hookd
