// When an endpoint that was disabled by itself is probed.
#pragma once

#include <optional>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

// For failures, or as gone: what no person has decided, and nobody has to prove.
bool DisabledByItself(const Endpoint& endpoint);

// The first probe after `now`; nullopt = it is not probed. Probes are due `first` after the disablement, then
// twice as long after each other up to `cap`, whatever came of them: that follows from what is stored, so a
// restart moves none, and what was due meanwhile is left out. A disablement in the future (the clock was set
// back) counts from `now`. The policy has passed core/policy_rules.h.
std::optional<WallMs> NextProbe(const Endpoint& endpoint, WallMs now);

}  // namespace hookd
