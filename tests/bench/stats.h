// What every benchmark needs: the steady clock, and figures out of many.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <thread>
#include <vector>

#include "base/check.h"

namespace hookd::bench {

// Of the steady clock, which all processes of a machine share.
inline double NowSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline void SleepSeconds(double seconds) {
  if (seconds > 0) std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// The smallest value that `share` (0 to 1) of all values do not exceed (nearest rank).
inline double Percentile(std::vector<double> values, double share) {
  HOOKD_CHECK(!values.empty(), "a percentile of nothing");
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  const size_t index = std::min(std::max<size_t>(rank, 1), values.size()) - 1;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index), values.end());
  return values[index];
}

inline double Median(const std::vector<double>& values) { return Percentile(values, 0.5); }

// The median of what `pick` takes from each of `all`.
template <typename T, typename Pick>
double MedianOf(const std::vector<T>& all, const Pick& pick) {
  std::vector<double> values;
  for (const T& one : all) values.push_back(pick(one));
  return Median(values);
}

}  // namespace hookd::bench
