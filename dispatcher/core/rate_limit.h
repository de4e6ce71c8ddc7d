// The endpoint's rate limit: GCRA, whose whole state is one theoretical arrival time ("tat").
// Times are microseconds, 0 or more, on whatever clock the caller keeps the tat; a new lane's tat is 0. After
// a change of the limit or a leap of the clock, set the tat back to 0: it may be far ahead.
#pragma once

#include <cstdint>

#include "base/model.h"

namespace hookd {

// The earliest time at which the next attempt may start: it is allowed once now >= this. 0 without a limit.
int64_t GcraEarliestUs(const RateLimit& rate, int64_t tat_us);

// The tat after an attempt that started at `now_us`, which was allowed. Unchanged without a limit. `cost`:
// what the attempt counts as; one that costs more than 1 goes when one of 1 could, and the rest is paid
// afterwards.
int64_t GcraAdvanceUs(const RateLimit& rate, int64_t tat_us, int64_t now_us, uint32_t cost = 1);

}  // namespace hookd
