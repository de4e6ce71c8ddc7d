// What a shard tells the committer about a delivery.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/model.h"
#include "dispatcher/engine/lane.h"
#include "dispatcher/engine/ledger.h"
#include "dispatcher/transport/http_transport.h"

namespace hookd {

struct RequestContext;

// The attempt `work` ended with `result`; the lane hears of it. `settings`: as they were when it started;
// `host`: where it went.
AttemptOutcome MakeOutcome(Lane& lane, const Work& work, const Endpoint& settings, const std::string& host,
                           const RequestContext& context, WallMs started, HttpResult result, Now now,
                           double unit_random);

// A step kEnd, kForm or kPark as its fact. `random`: of a new batch's id.
LaneReport MakeSettlement(const Lane& lane, const LaneStep& step, WallMs now, uint64_t random);

}  // namespace hookd
