// Whether audit records are as hookd wrote them: each names the hash of the one before it.
#pragma once

#include <optional>
#include <string>

#include "base/audit.h"
#include "hookd/v1/audit_service.pb.h"

namespace hookd::cli {

// Of records that follow each other, the oldest first.
class AuditVerifier {
 public:
  // What is wrong with it; nullopt = nothing. The first record's link to what came before it is only known
  // where it is number 1.
  std::optional<std::string> Take(const v1::AuditRecord& record);

  uint64_t taken() const { return taken_; }
  uint64_t number() const { return number_; }             // of the newest
  const std::string& hash() const { return hash_text_; }  // likewise, in hex

 private:
  uint64_t taken_ = 0;
  uint64_t number_ = 0;
  AuditHash hash_{};
  std::string hash_text_;
};

}  // namespace hookd::cli
