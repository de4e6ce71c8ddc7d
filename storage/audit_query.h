// What both stores share of their lists of audit records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "storage/delivery_store.h"

namespace hookd {

// Records that a page looks at.
inline constexpr size_t kAuditLooks = 10'000;

bool Takes(const AuditQuery& query, const AuditRecord& record);

// Takes one record after the other in the query's order, until it is full.
class AuditCollector {
 public:
  explicit AuditCollector(const AuditQuery& query) : query_(query) {}
  // False: the page is full, and the record was not looked at.
  bool Look(AuditRecord record);
  // Without it the page was the last.
  AuditPage TakePage() { return std::move(page_); }

 private:
  const AuditQuery& query_;
  AuditPage page_;
  size_t looked_ = 0;
  size_t bytes_ = 0;
  uint64_t last_ = 0;
};

}  // namespace hookd
