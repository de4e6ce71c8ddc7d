#include "dispatcher/telemetry/metrics.h"

#include <array>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "base/check.h"

namespace hookd {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Histogram;
using prometheus::Registry;
using Buckets = Histogram::BucketBoundaries;

constexpr std::array<std::string_view, 17> kCanonicalCodes = {
    "cancelled",           "unknown",  "invalid_argument", "deadline_exceeded", "not_found",
    "already_exists",      "aborted",  "out_of_range",     "permission_denied", "resource_exhausted",
    "failed_precondition", "internal", "unimplemented",    "unavailable",       "data_loss",
    "unauthenticated",     "ok"};

// Seconds.
const Buckets kLatencyBuckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
const Buckets kCommitBuckets = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                0.025,  0.05,    0.1,    0.5,   1,      5};
// Up to 25 hours: a backlog drains for as long as that.
const Buckets kQueueDelayBuckets = {0.001, 0.005, 0.025, 0.1,  0.5,   1,     5,    15,
                                    60,    300,   900,   3600, 14400, 43200, 90000};
const Buckets kItemBuckets = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

constexpr std::array<ErrorKind, 9> kOutcomes = {
    ErrorKind::kNone, ErrorKind::kStatus,   ErrorKind::kTimeout,        ErrorKind::kName, ErrorKind::kConnect,
    ErrorKind::kTls,  ErrorKind::kProtocol, ErrorKind::kResponseTooBig, ErrorKind::kLocal};

double Seconds(std::chrono::microseconds time) { return std::chrono::duration<double>(time).count(); }

Family<Counter>& CounterFamily(Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

Counter& OneCounter(Registry& registry, const std::string& name, const std::string& help) {
  return CounterFamily(registry, name, help).Add({});
}

Family<Histogram>& HistogramFamily(Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

prometheus::MetricFamily ComputedGauge(const char* name, const char* help, uint64_t value) {
  prometheus::ClientMetric metric;
  metric.gauge.value = static_cast<double>(value);
  return {name, help, prometheus::MetricType::Gauge, {metric}};
}

}  // namespace

class Metrics::Impl {
 public:
  explicit Impl(WallMs process_start)
      : accepted(OneCounter(registry, "hookd_events_accepted_total",
                            "Events made durable, duplicates not counted")),
        created(OneCounter(registry, "hookd_deliveries_created_total",
                           "Deliveries that accepted events fanned out to")),
        duplicates(OneCounter(registry, "hookd_events_duplicate_total",
                              "Publishes answered with an earlier event by their idempotency key")),
        resends(OneCounter(registry, "hookd_resends_total",
                           "Requests sent again at once because a reused connection had died")),
        committed_bytes(OneCounter(registry, "hookd_committed_bytes_total", "Payload bytes made durable")),
        commit_duration(
            HistogramFamily(registry, "hookd_commit_duration_seconds", "One group commit, with its fsync")
                .Add({}, kCommitBuckets)),
        commit_items(HistogramFamily(registry, "hookd_commit_batch_items", "Items in one group commit")
                         .Add({}, kItemBuckets)),
        queue_delay(
            HistogramFamily(registry, "hookd_queue_delay_seconds",
                            "From an attempt's due time (a first attempt: from acceptance) to its start")
                .Add({}, kQueueDelayBuckets)) {
    auto& rejections =
        CounterFamily(registry, "hookd_events_rejected_total", "Events refused, by canonical code");
    for (const std::string_view code : kCanonicalCodes) {
      if (code != "ok") rejected.emplace(code, &rejections.Add({{"reason", std::string(code)}}));
    }
    auto& ends = CounterFamily(registry, "hookd_deliveries_ended_total", "Deliveries by terminal state");
    for (const auto& [state, name] :
         {std::pair(DeliveryState::kSucceeded, "succeeded"),
          std::pair(DeliveryState::kExhausted, "exhausted"), std::pair(DeliveryState::kExpired, "expired"),
          std::pair(DeliveryState::kCanceled, "canceled")}) {
      ended[static_cast<size_t>(state)] = &ends.Add({{"state", name}});
    }
    auto& outcomes = CounterFamily(registry, "hookd_attempts_total", "Attempts by outcome");
    for (const ErrorKind kind : kOutcomes) {
      const std::string name = kind == ErrorKind::kNone ? "success" : std::string(ToString(kind));
      attempts[static_cast<size_t>(kind)] = &outcomes.Add({{"outcome", name}});
    }
    auto& kinds = CounterFamily(registry, "hookd_alerts_total", "Alerts raised, by kind");
    for (size_t kind = 0; kind < kAlertKinds; ++kind) {
      alerts[kind] = &kinds.Add({{"kind", std::string(ToString(static_cast<AlertKind>(kind)))}});
    }
    auto& phases = HistogramFamily(registry, "hookd_attempt_duration_seconds",
                                   "Attempts by phase; a phase that did not happen is not observed");
    const auto phase = [&phases](const char* name) {
      return &phases.Add({{"phase", name}}, kLatencyBuckets);
    };
    name_phase = phase("name");
    connect_phase = phase("connect");
    tls_phase = phase("tls");
    first_byte_phase = phase("first_byte");
    total_phase = phase("total");
    prometheus::BuildGauge()
        .Name("hookd_build_info")
        .Help("Always 1; the version is in the label")
        .Register(registry)
        .Add({{"version", HOOKD_VERSION}})
        .Set(1);
    prometheus::BuildGauge()
        .Name("process_start_time_seconds")
        .Help("Start time of the process since the Unix epoch in seconds")
        .Register(registry)
        .Add({})
        .Set(static_cast<double>(process_start) / 1000);
  }

  Registry registry;  // owns all that follows
  Counter& accepted;
  Counter& created;
  Counter& duplicates;
  Counter& resends;
  Counter& committed_bytes;
  Histogram& commit_duration;
  Histogram& commit_items;
  Histogram& queue_delay;
  std::map<std::string_view, Counter*> rejected;
  std::array<Counter*, 6> ended{};                    // by DeliveryState
  std::array<Counter*, kOutcomes.size()> attempts{};  // by ErrorKind
  std::array<Counter*, kAlertKinds> alerts{};         // by AlertKind
  Histogram* name_phase = nullptr;
  Histogram* connect_phase = nullptr;
  Histogram* tls_phase = nullptr;
  Histogram* first_byte_phase = nullptr;
  Histogram* total_phase = nullptr;
};

Metrics::Metrics(WallMs process_start) : impl_(std::make_unique<Impl>(process_start)) {}
Metrics::~Metrics() = default;

void Metrics::EventsAccepted(uint64_t events, uint64_t deliveries, uint64_t duplicates) {
  impl_->accepted.Increment(static_cast<double>(events));
  impl_->created.Increment(static_cast<double>(deliveries));
  impl_->duplicates.Increment(static_cast<double>(duplicates));
}

void Metrics::EventRejected(std::string_view reason) {
  auto found = impl_->rejected.find(reason);
  if (found == impl_->rejected.end()) found = impl_->rejected.find("unknown");
  found->second->Increment();
}

void Metrics::Committed(std::chrono::microseconds took, size_t items, size_t bytes) {
  impl_->commit_duration.Observe(Seconds(took));
  impl_->commit_items.Observe(static_cast<double>(items));
  impl_->committed_bytes.Increment(static_cast<double>(bytes));
}

void Metrics::AttemptDone(const Attempt& attempt, std::chrono::microseconds queued) {
  const auto kind = static_cast<size_t>(attempt.error);
  HOOKD_CHECK(kind < impl_->attempts.size(), "kOutcomes has to name every ErrorKind");
  impl_->attempts[kind]->Increment();
  impl_->resends.Increment(attempt.resends);
  impl_->queue_delay.Observe(Seconds(queued));
  impl_->total_phase->Observe(Seconds(std::chrono::microseconds(attempt.us.total)));
  const auto observe = [](Histogram* phase, int64_t us) {
    if (us > 0) phase->Observe(Seconds(std::chrono::microseconds(us)));
  };
  observe(impl_->name_phase, attempt.us.name);
  observe(impl_->connect_phase, attempt.us.connect);
  observe(impl_->tls_phase, attempt.us.tls);
  observe(impl_->first_byte_phase, attempt.us.first_byte);
}

void Metrics::Alert(AlertKind kind) { impl_->alerts[static_cast<size_t>(kind)]->Increment(); }

void Metrics::DeliveriesEnded(DeliveryState state, uint64_t count) {
  HOOKD_CHECK(IsTerminal(state), "only a terminal state ends a delivery");
  impl_->ended[static_cast<size_t>(state)]->Increment(static_cast<double>(count));
}

std::string Metrics::Scrape(const Gauges* gauges, uint64_t log_lines_dropped) const {
  std::vector<prometheus::MetricFamily> families = impl_->registry.Collect();
  prometheus::ClientMetric dropped;
  dropped.counter.value = static_cast<double>(log_lines_dropped);
  families.push_back({"hookd_log_lines_dropped_total",
                      "Lines lost because the log's queue was full",
                      prometheus::MetricType::Counter,
                      {dropped}});
  if (gauges != nullptr) {
    families.push_back(ComputedGauge("hookd_pending_deliveries", "Deliveries not in a terminal state",
                                     gauges->pending_deliveries));
    families.push_back(
        ComputedGauge("hookd_attempts_in_flight", "Attempts under way", gauges->attempts_in_flight));
    families.push_back(ComputedGauge("hookd_endpoints", "Endpoints registered", gauges->endpoints));
    families.push_back(ComputedGauge("hookd_subscribers", "Subscribers registered", gauges->subscribers));
    families.push_back(
        ComputedGauge("hookd_intake_bytes", "Payload bytes that wait to be on disk", gauges->intake_bytes));
    families.push_back(ComputedGauge("hookd_disk_bytes", "Size of the database", gauges->bytes_on_disk));
    families.push_back(
        ComputedGauge("hookd_paused", "1 while an operator has paused everything", gauges->paused));
    families.push_back(ComputedGauge(
        "hookd_intake_held", "1 while events are refused: disk, or a write stall", gauges->intake_held));
    families.push_back(ComputedGauge("hookd_auto_disable_suspended",
                                     "1 while more than half of the active hosts fail to connect",
                                     gauges->auto_disable_suspended));
    families.push_back(ComputedGauge("hookd_clock_suspect",
                                     "1 after a leap of the wall clock, until an operator confirms it",
                                     gauges->clock_suspect));
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

}  // namespace hookd
