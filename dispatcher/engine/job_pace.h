// How fast a job goes. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace hookd {

// Deliveries that one step, so one commit, of a job makes or ends.
inline constexpr size_t kJobStep = 256;

class JobPace {
 public:
  // `rate`: deliveries per second, at least 1.
  explicit JobPace(uint32_t rate) : rate_(rate) {}

  // The next step begins at this time or later. The epoch: at once.
  SteadyTime next() const { return next_; }
  // What the next step may hold: a quarter of a second's, and no more than kJobStep.
  size_t Step() const;
  // A step was made, of so many. One that came late is caught up with, by one step at most.
  void Made(size_t deliveries, SteadyTime now);
  // There is no room now: the next step is tried later, with half as many.
  void Refused(SteadyTime now);
  // The next step is tried later.
  void Wait(SteadyTime now);

 private:
  uint32_t rate_;
  size_t cap_ = kJobStep;
  SteadyTime next_;
};

}  // namespace hookd
