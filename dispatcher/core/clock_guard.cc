#include "dispatcher/core/clock_guard.h"

namespace hookd {

bool ClockGuard::Observe(WallMs wall, SteadyTime steady) {
  if (!highest_) {
    highest_ = {wall, steady};
    return false;
  }
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(steady - highest_->steady);
  const WallMs ahead = wall - (highest_->wall + elapsed.count());
  if (ahead > 0) highest_ = {wall, steady};
  return ahead > kLeap.count();
}

}  // namespace hookd
