// Notices when the wall clock is set far ahead.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"

namespace hookd {

// Compares wall time with the highest seen so far plus the steady time since. So drift never adds up to a
// leap, and neither a leap back nor the return from one is one. A machine that slept has leapt: the steady
// clock stood still. Thread-compatible.
class ClockGuard {
 public:
  static constexpr std::chrono::milliseconds kLeap = std::chrono::hours(1);

  // Whether wall time is more than kLeap ahead of what it should be. Each leap is told once; the first
  // observation is none.
  bool Observe(WallMs wall, SteadyTime steady);

 private:
  struct Observation {
    WallMs wall = 0;
    SteadyTime steady;
  };

  std::optional<Observation> highest_;
};

}  // namespace hookd
