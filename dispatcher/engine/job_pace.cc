#include "dispatcher/engine/job_pace.h"

#include <algorithm>
#include <chrono>

namespace hookd {
namespace {

constexpr std::chrono::milliseconds kRefusedPause{500};  // a full backlog
constexpr std::chrono::milliseconds kBusyPause{50};      // live traffic goes first
constexpr uint32_t kStepsPerSecond = 4;

}  // namespace

size_t JobPace::Step() const { return std::clamp<size_t>(rate_ / kStepsPerSecond, 1, cap_); }

void JobPace::Made(size_t deliveries, SteadyTime now) {
  const Duration second = std::chrono::seconds(1);
  next_ = std::max(next_, now - second / kStepsPerSecond) +
          second * static_cast<int64_t>(deliveries) / static_cast<int64_t>(rate_);
  cap_ = std::min(kJobStep, cap_ * 2);
}

void JobPace::Refused(SteadyTime now) {
  cap_ = std::max<size_t>(1, cap_ / 2);
  next_ = now + kRefusedPause;
}

void JobPace::Wait(SteadyTime now) { next_ = std::max(next_, now + kBusyPause); }

}  // namespace hookd
