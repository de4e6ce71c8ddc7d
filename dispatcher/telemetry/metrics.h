// Every metric that hookd exports. Labels are few and fixed: none ever names an endpoint, a subscriber or a
// URL.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "dispatcher/telemetry/telemetry.h"

namespace hookd {

// Thread-safe. Every series exists, at zero, from the start.
class Metrics {
 public:
  explicit Metrics(WallMs process_start);
  ~Metrics();

  void EventsAccepted(uint64_t events, uint64_t deliveries, uint64_t duplicates);
  // Anything but a canonical code in lower case is counted as "unknown".
  void EventRejected(std::string_view reason);
  void Committed(std::chrono::microseconds took, size_t items, size_t bytes);
  void AttemptDone(const AttemptEvent& event);
  void Alert(AlertKind kind);
  // `state` is terminal.
  void DeliveriesEnded(DeliveryState state, uint64_t count);
  void BatchFormed(size_t members);
  void ProbeDone(ErrorKind error);
  void JobProgress(uint64_t examined, uint64_t created);
  void JobEnded(JobEnd end);
  void AuthFailed(AuthFailure failure);
  void MailTried(MailResult result);

  // In Prometheus' text format 0.0.4. `gauges` null = none are exported, but that hookd is not ready.
  std::string Scrape(const Gauges* gauges, uint64_t log_lines_dropped) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd
