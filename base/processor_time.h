// What threads have had of a processor.
#pragma once

#include <pthread.h>

#include "base/clock.h"

namespace hookd {

// Of a thread of this process, so far; zero if it cannot be told.
Duration ProcessorTime(pthread_t thread);

}  // namespace hookd
