#include "dispatcher/telemetry/prometheus_telemetry.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "dispatcher/telemetry/event_log.h"
#include "dispatcher/telemetry/metrics.h"

namespace hookd {
namespace {

class PrometheusTelemetry : public Telemetry {
 public:
  explicit PrometheusTelemetry(const TelemetryOptions& options)
      : metrics_(RealClock().Wall()), log_(options.log_level, options.log_file) {}

  void EventsAccepted(uint64_t events, uint64_t deliveries, uint64_t duplicates) override {
    metrics_.EventsAccepted(events, deliveries, duplicates);
    events_accepted_.fetch_add(events, std::memory_order_relaxed);
  }

  void EventRejected(std::string_view reason) override { metrics_.EventRejected(reason); }

  void AuthFailed(AuthFailure failure) override { metrics_.AuthFailed(failure); }

  void Committed(std::chrono::microseconds took, size_t items, size_t bytes) override {
    metrics_.Committed(took, items, bytes);
  }

  void AttemptDone(const AttemptEvent& event) override {
    log_.WriteAttempt(event);
    metrics_.AttemptDone(event);
    if (event.attempt->error != ErrorKind::kNone) attempts_failed_.fetch_add(1, std::memory_order_relaxed);
  }

  void DeliveriesEnded(DeliveryState state, uint64_t count) override {
    metrics_.DeliveriesEnded(state, count);
    if (state == DeliveryState::kSucceeded) deliveries_succeeded_.fetch_add(count, std::memory_order_relaxed);
  }

  void BatchFormed(size_t members) override { metrics_.BatchFormed(members); }
  void ProbeDone(ErrorKind error) override { metrics_.ProbeDone(error); }
  void JobProgress(uint64_t examined, uint64_t created) override { metrics_.JobProgress(examined, created); }
  void JobEnded(JobEnd end) override { metrics_.JobEnded(end); }

  void MailTried(MailResult result) override { metrics_.MailTried(result); }

  void Alert(AlertKind kind, EndpointId endpoint, std::string_view subscriber_id,
             std::string_view message) override {
    JsonLine line;
    line.Text("kind", ToString(kind));
    if (endpoint.value != 0)
      line.Text("endpoint_id", endpoint.ToString()).Text("subscriber_id", subscriber_id);
    log_.Write(EventLog::Level::kWarn, "alert", line.Text("message", message));
    metrics_.Alert(kind);
  }

  void Info(std::string_view event, std::string_view message) override {
    Write(EventLog::Level::kInfo, event, message);
  }
  void Warn(std::string_view event, std::string_view message) override {
    Write(EventLog::Level::kWarn, event, message);
  }
  void Error(std::string_view event, std::string_view message) override {
    Write(EventLog::Level::kError, event, message);
  }
  void Fatal(std::string_view event, std::string_view message) override {
    JsonLine line;
    line.Text("message", message);
    log_.WriteNow(event, line);
  }

  bool ReopenLog(const std::string& level) override { return log_.Reopen(level); }

  Totals Since() const override {
    return {events_accepted_.load(std::memory_order_relaxed),
            deliveries_succeeded_.load(std::memory_order_relaxed),
            attempts_failed_.load(std::memory_order_relaxed)};
  }

  // Waits for a scrape under way: once it returns, the function before is not called again.
  void SetGauges(std::function<Gauges()> read) override {
    const std::lock_guard lock(gauges_mutex_);
    read_gauges_ = std::move(read);
  }

  std::string Scrape() const override {
    const std::lock_guard lock(gauges_mutex_);
    if (!read_gauges_) return metrics_.Scrape(nullptr, log_.dropped());
    const Gauges gauges = read_gauges_();
    return metrics_.Scrape(&gauges, log_.dropped());
  }

 private:
  void Write(EventLog::Level level, std::string_view event, std::string_view message) {
    log_.Write(level, event, JsonLine().Text("message", message));
  }

  Metrics metrics_;
  EventLog log_;
  std::atomic<uint64_t> events_accepted_{0};
  std::atomic<uint64_t> deliveries_succeeded_{0};
  std::atomic<uint64_t> attempts_failed_{0};
  mutable std::mutex gauges_mutex_;
  std::function<Gauges()> read_gauges_;
};

}  // namespace

std::string_view ToString(AlertKind kind) {
  switch (kind) {
    case AlertKind::kFailing:
      return "failing";
    case AlertKind::kRecovered:
      return "recovered";
    case AlertKind::kDisabled:
      return "disabled";
    case AlertKind::kBacklog:
      return "backlog";
    case AlertKind::kOutage:
      return "outage";
    case AlertKind::kClock:
      return "clock";
    case AlertKind::kDisk:
      return "disk";
  }
  return "unknown";
}

std::string_view ToString(MailResult result) {
  switch (result) {
    case MailResult::kSent:
      return "sent";
    case MailResult::kRetried:
      return "retried";
    case MailResult::kRefused:
      return "refused";
  }
  return "unknown";
}

std::string_view ToString(JobEnd end) {
  switch (end) {
    case JobEnd::kDone:
      return "done";
    case JobEnd::kCanceled:
      return "canceled";
    case JobEnd::kFailed:
      return "failed";
  }
  return "unknown";
}

std::string_view ToString(AuthFailure failure) {
  switch (failure) {
    case AuthFailure::kMissing:
      return "missing";
    case AuthFailure::kInvalid:
      return "invalid";
    case AuthFailure::kSlowed:
      return "slowed";
    case AuthFailure::kRole:
      return "role";
    case AuthFailure::kRate:
      return "rate";
    case AuthFailure::kBytes:
      return "bytes";
  }
  return "unknown";
}

std::unique_ptr<Telemetry> MakeTelemetry(const TelemetryOptions& options) {
  return std::make_unique<PrometheusTelemetry>(options);
}

}  // namespace hookd
