#include "base/clock.h"

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

Duration ProcessorTime(pthread_t thread) {
  clockid_t clock{};
  timespec time{};
  if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &time) != 0) return Duration::zero();
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

const Clock& RealClock() {
  static const MachineClock clock;
  return clock;
}

}  // namespace hookd
