// Time, as hookd reads it. `core/` takes `now` as an argument; shells hold a Clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace hookd {

// Timers, timeouts and rate limits run on the steady clock; it is never stored.
using SteadyTime = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

inline SteadyTime FromMicros(int64_t us) {
  return SteadyTime(std::chrono::duration_cast<Duration>(std::chrono::microseconds(us)));
}

// Wall time in milliseconds since the Unix epoch: what is stored, signed and shown.
using WallMs = int64_t;

// One look at both clocks.
struct Now {
  SteadyTime steady;
  WallMs wall = 0;
};

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallMs Wall() const = 0;
  virtual SteadyTime Steady() const = 0;
  Now Read() const { return {Steady(), Wall()}; }
};

// The machine's clocks: the only place that reads them. Lives as long as the process.
const Clock& RealClock();

}  // namespace hookd
