// What threads have had of a processor.
#pragma once

#include <ctime>

#include "base/clock.h"

namespace hookd {

// Names the calling thread, for ProcessorTime; also once that thread is gone.
clockid_t ThisThreadsProcessorClock();
// Of a thread of this process, so far; zero if it cannot be told, as the thread has ended.
Duration ProcessorTime(clockid_t thread);

}  // namespace hookd
