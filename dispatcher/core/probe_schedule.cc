#include "dispatcher/core/probe_schedule.h"

#include <algorithm>

namespace hookd {

bool DisabledByItself(const Endpoint& endpoint) {
  return endpoint.disabled == DisableReason::kFailures || endpoint.disabled == DisableReason::kGone;
}

std::optional<WallMs> NextProbe(const Endpoint& endpoint, WallMs now) {
  const AutoProbe& probe = endpoint.policy.probe;
  if (probe.first <= Millis(0) || !DisabledByItself(endpoint)) return std::nullopt;
  const WallMs cap = std::max(probe.first, probe.cap).count();
  WallMs wait = probe.first.count();
  WallMs due = std::min(endpoint.disabled_ms, now) + wait;
  while (due <= now && wait < cap) {
    wait = std::min(2 * wait, cap);
    due += wait;
  }
  if (due <= now) due += ((now - due) / cap + 1) * cap;
  return due;
}

}  // namespace hookd
