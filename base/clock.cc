#include "base/clock.h"

#include <pthread.h>

#include <ctime>

#include "base/processor_time.h"

namespace hookd {
namespace {

class MachineClock final : public Clock {
 public:
  WallMs Wall() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  SteadyTime Steady() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace

clockid_t ThisThreadsProcessorClock() {
  clockid_t clock{};
  return pthread_getcpuclockid(pthread_self(), &clock) == 0 ? clock : CLOCK_THREAD_CPUTIME_ID;
}

Duration ProcessorTime(clockid_t thread) {
  timespec time{};
  if (clock_gettime(thread, &time) != 0) return Duration::zero();
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

const Clock& RealClock() {
  static const MachineClock clock;
  return clock;
}

}  // namespace hookd
