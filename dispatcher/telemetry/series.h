// Counters and histograms that cost the observer a relaxed addition or two. prometheus-cpp's own take a mutex
// for each observation. Values are whole numbers in a small unit (microseconds, bytes); they become base
// units when they are collected.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <limits>

#include <prometheus/client_metric.h>

namespace hookd {

// Thread-safe.
class CounterSeries {
 public:
  void Add(uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Thread-safe. `bounds` ascend; what is above the last one has a bucket of its own.
template <size_t N>
class HistogramSeries {
 public:
  // `per_unit`: how many of what is observed make one base unit.
  constexpr HistogramSeries(const std::array<int64_t, N>& bounds, double per_unit)
      : bounds_(bounds), per_unit_(per_unit) {}

  void Observe(int64_t value) {
    value = std::max<int64_t>(value, 0);
    const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
    counts_[static_cast<size_t>(bound - bounds_.begin())].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(static_cast<uint64_t>(value), std::memory_order_relaxed);
  }

  // Observations that come meanwhile are in it or not; the count is always that of its buckets.
  prometheus::ClientMetric Collect() const {
    prometheus::ClientMetric metric;
    uint64_t count = 0;
    for (size_t i = 0; i <= N; ++i) {
      count += counts_[i].load(std::memory_order_relaxed);
      const double bound =
          i < N ? static_cast<double>(bounds_[i]) / per_unit_ : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({count, bound});
    }
    metric.histogram.sample_count = count;
    metric.histogram.sample_sum = static_cast<double>(sum_.load(std::memory_order_relaxed)) / per_unit_;
    return metric;
  }

 private:
  const std::array<int64_t, N>& bounds_;
  const double per_unit_;
  std::array<std::atomic<uint64_t>, N + 1> counts_{};
  std::atomic<uint64_t> sum_{0};
};

}  // namespace hookd
