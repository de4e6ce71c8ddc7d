#include "base/acting.h"

#include <utility>

#include "base/concat.h"

namespace hookd {
namespace {

thread_local const Acting* innermost = nullptr;

}  // namespace

Acting::Acting(AuditOrigin origin) : origin_(std::move(origin)), outer_(innermost) { innermost = this; }
Acting::~Acting() { innermost = outer_; }

const AuditOrigin& Acting::Now() {
  static const AuditOrigin& own = *new AuditOrigin(OwnOrigin("itself"));
  return innermost == nullptr ? own : innermost->origin_;
}

AuditOrigin OwnOrigin(std::string_view what, std::string reason) {
  AuditOrigin origin;
  origin.actor = std::string(kOwnActor);
  origin.call = Concat(kOwnActor, "/", what);
  origin.reason = std::move(reason);
  return origin;
}

}  // namespace hookd
