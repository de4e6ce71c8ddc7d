// The engine's bounds as its parts have them.
#pragma once

#include "dispatcher/engine/committer.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/scheduler.h"

namespace hookd {

CommitterOptions ForCommitter(const EngineOptions& options);
SchedulerLimits ForShard(const EngineOptions& options);

}  // namespace hookd
