#include "dispatcher/engine/statistics.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace hookd {
namespace {

struct RingShape {
  std::chrono::seconds slot;
  int64_t slots;  // of the window, with the one that is open
  int64_t window_ms() const { return slot.count() * slots * 1000; }
};
constexpr RingShape kShapes[] = {
    {std::chrono::seconds(10), 6}, {std::chrono::minutes(5), 12}, {std::chrono::hours(1), 24}};

size_t RingOf(StatWindow window) { return static_cast<size_t>(window) - 1; }
int64_t SlotAt(const RingShape& shape, SteadyTime now) { return now.time_since_epoch() / shape.slot; }

constexpr double kFirstClassUs = 100;
constexpr double kClassFactor = 1.75;

// Upper ends, inclusive; the last class has none.
const std::array<int64_t, kLatencyClasses - 1>& Bounds() {
  static const std::array<int64_t, kLatencyClasses - 1> bounds = [] {
    std::array<int64_t, kLatencyClasses - 1> made{};
    double bound = kFirstClassUs;
    for (int64_t& one : made) {
      one = std::llround(bound);
      bound *= kClassFactor;
    }
    return made;
  }();
  return bounds;
}

size_t LatencyClass(int64_t us) {
  return static_cast<size_t>(std::lower_bound(Bounds().begin(), Bounds().end(), us) - Bounds().begin());
}

}  // namespace

int64_t Figures::PercentileUs(double share) const {
  if (attempts == 0) return 0;
  const auto rank = static_cast<uint64_t>(std::ceil(share * static_cast<double>(attempts)));
  uint64_t below = 0;
  size_t found = 0;
  while (found + 1 < kLatencyClasses && (below += latency[found]) < rank) ++found;
  // The middle of the class, as a ratio.
  const double low = kFirstClassUs * std::pow(kClassFactor, static_cast<double>(found) - 1);
  return std::llround(low * std::sqrt(kClassFactor));
}

Statistics Figures::ToStatistics() const {
  Statistics statistics;
  statistics.attempts = attempts;
  statistics.succeeded = succeeded;
  std::copy(by_class.begin(), by_class.end(), statistics.by_class);
  statistics.timeouts = timeouts;
  statistics.p50_us = PercentileUs(0.50);
  statistics.p90_us = PercentileUs(0.90);
  statistics.p99_us = PercentileUs(0.99);
  statistics.since_ms = since_ms;
  return statistics;
}

StatisticsTable::Entry& StatisticsTable::Use(EndpointId endpoint, Now now) {
  std::unique_ptr<Entry>& slot = entries_[endpoint];
  if (slot != nullptr) {
    used_.splice(used_.begin(), used_, slot->place);
    slot->used_ms = now.wall;
    return *slot;
  }
  slot = std::make_unique<Entry>();
  Entry& entry = *slot;
  entry.since_ms = complete_from_;
  entry.used_ms = now.wall;
  used_.push_front(endpoint);
  entry.place = used_.begin();
  if (used_.size() > max_endpoints_) {
    const auto oldest = entries_.find(used_.back());
    complete_from_ = std::max(complete_from_, oldest->second->used_ms);
    entries_.erase(oldest);
    used_.pop_back();
  }
  return entry;
}

void StatisticsTable::Seen(EndpointId endpoint, Now now) {
  absl::MutexLock lock(&mutex_);
  Use(endpoint, now);
}

void StatisticsTable::Attempted(EndpointId endpoint, const Attempt& attempt, Now now) {
  const size_t latency = LatencyClass(attempt.us.total);
  const int digit = attempt.status / 100;
  const size_t status_class = digit >= 1 && digit <= 5 ? static_cast<size_t>(digit) : 0;
  absl::MutexLock lock(&mutex_);
  Entry& entry = Use(endpoint, now);
  for (size_t i = 0; i < kRings; ++i) {
    const int64_t number = SlotAt(kShapes[i], now.steady);
    Ring& ring = entry.rings[i];
    if (ring.empty() || ring.back().number != number) {
      if (static_cast<int64_t>(ring.size()) == kShapes[i].slots) ring.erase(ring.begin());
      ring.emplace_back().number = number;
    }
    Slot& slot = ring.back();
    ++slot.attempts;
    ++slot.by_class[status_class];
    ++slot.latency[latency];
    if (attempt.error == ErrorKind::kNone) ++slot.succeeded;
    if (status_class == 0 && attempt.error == ErrorKind::kTimeout) ++slot.timeouts;
  }
}

void StatisticsTable::AddTo(EndpointId endpoint, StatWindow window, Now now, Figures& figures) const {
  const size_t index = RingOf(window);
  const RingShape& shape = kShapes[index];
  const int64_t oldest = SlotAt(shape, now.steady) - shape.slots + 1;
  const WallMs begin = now.wall - shape.window_ms();
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(endpoint);
  if (found == entries_.end()) {
    figures.since_ms = std::max({figures.since_ms, begin, complete_from_});
    return;
  }
  const Entry& entry = *found->second;
  figures.since_ms = std::max({figures.since_ms, begin, entry.since_ms});
  for (const Slot& slot : entry.rings[index]) {
    if (slot.number < oldest) continue;
    figures.attempts += slot.attempts;
    figures.succeeded += slot.succeeded;
    figures.timeouts += slot.timeouts;
    for (size_t i = 0; i < slot.by_class.size(); ++i) figures.by_class[i] += slot.by_class[i];
    for (size_t i = 0; i < kLatencyClasses; ++i) figures.latency[i] += slot.latency[i];
  }
}

std::vector<EndpointId> StatisticsTable::Endpoints() const {
  absl::MutexLock lock(&mutex_);
  return {used_.begin(), used_.end()};
}

}  // namespace hookd
