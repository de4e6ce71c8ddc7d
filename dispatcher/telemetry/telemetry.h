// What hookd tells about itself: Prometheus metrics and the structured log. Secrets never come here.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/model.h"

namespace hookd {

// One attempt, wide: every id and the decision that followed. One line of the log each.
struct AttemptEvent {
  DeliveryId delivery;
  EventId event;
  std::string_view subscriber_id;
  std::string_view event_type;
  std::string_view trace_id;                      // 32 hex digits of the event's traceparent; empty = none
  std::string_view url_host;                      // host and port only: the path and query may hold a key
  const Attempt* attempt = nullptr;               // response bodies are not logged
  DeliveryState state = DeliveryState::kPending;  // after the attempt
  std::chrono::microseconds queued{0};            // since it became due (a first attempt: since acceptance)
};

// What a person should hear of.
enum class AlertKind : uint8_t {
  kFailing,    // an endpoint: as many failures in a row as its policy says
  kRecovered,  // it succeeded again
  kDisabled,   // an endpoint was disabled by itself
  kBacklog,    // an endpoint: 80 % of its backlog are pending
  kOutage,     // more than half of the active hosts fail to connect
  kClock,      // the wall clock leapt
  kDisk,       // above the high-water mark: events are refused
};
inline constexpr size_t kAlertKinds = 7;
std::string_view ToString(AlertKind kind);

struct Gauges {
  uint64_t pending_deliveries = 0;
  uint64_t attempts_in_flight = 0;
  uint64_t endpoints = 0;
  uint64_t subscribers = 0;
  uint64_t intake_bytes = 0;
  uint64_t bytes_on_disk = 0;
  bool paused = false;                  // by an operator, everything
  bool intake_held = false;             // disk or stall
  bool auto_disable_suspended = false;  // an outage
  bool clock_suspect = false;
};

// Thread-safe. No method blocks on anything but the log's own bounded queue.
class Telemetry {
 public:
  virtual ~Telemetry() = default;
  virtual void EventsAccepted(uint64_t events, uint64_t deliveries, uint64_t duplicates) = 0;
  // `reason`: a canonical code in lower case, such as "invalid_argument".
  virtual void EventRejected(std::string_view reason) = 0;
  virtual void Committed(std::chrono::microseconds took, size_t items, size_t bytes) = 0;
  virtual void AttemptDone(const AttemptEvent& event) = 0;
  virtual void DeliveriesEnded(DeliveryState state, uint64_t count) = 0;
  // `endpoint` 0 and `subscriber_id` empty: it concerns the whole of hookd.
  virtual void Alert(AlertKind kind, EndpointId endpoint, std::string_view subscriber_id,
                     std::string_view message) = 0;
  virtual void Info(std::string_view event, std::string_view message) = 0;
  virtual void Warn(std::string_view event, std::string_view message) = 0;
  virtual void Error(std::string_view event, std::string_view message) = 0;
  // As Error, for a process that ends next: the line is written, past the queue, when this returns; or given
  // up if nobody reads the log for a second.
  virtual void Fatal(std::string_view event, std::string_view message) = 0;

  // Totals since the start, for the status page.
  struct Totals {
    uint64_t events_accepted = 0;
    uint64_t deliveries_succeeded = 0;
    uint64_t attempts_failed = 0;
  };
  virtual Totals Since() const = 0;

  // Read at every scrape; must not block for long. Null = no gauges.
  virtual void SetGauges(std::function<Gauges()> read) = 0;

  // The metrics in Prometheus' text format 0.0.4.
  virtual std::string Scrape() const = 0;
};

}  // namespace hookd
