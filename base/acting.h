// On whose behalf a thread makes changes.
#pragma once

#include "base/audit.h"

namespace hookd {

// As long as it lives, changes that its thread asks for are this origin's; the innermost counts. Lives on the
// stack.
class Acting {
 public:
  explicit Acting(AuditOrigin origin);
  ~Acting();
  Acting(const Acting&) = delete;
  Acting& operator=(const Acting&) = delete;

  // Of this thread. Where there is none, hookd acts by itself.
  static const AuditOrigin& Now();

 private:
  const AuditOrigin origin_;
  const Acting* const outer_;
};

// hookd by itself; `what`: "auto_disable".
AuditOrigin OwnOrigin(std::string_view what, std::string reason = "");

}  // namespace hookd
