#include "dispatcher/telemetry/metrics.h"

#include <array>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "base/check.h"
#include "dispatcher/telemetry/gauges.h"
#include "dispatcher/telemetry/process_stats.h"
#include "dispatcher/telemetry/series.h"

namespace hookd {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::array<std::string_view, 16> kCanonicalCodes = {
    "cancelled",           "unknown",  "invalid_argument", "deadline_exceeded", "not_found",
    "already_exists",      "aborted",  "out_of_range",     "permission_denied", "resource_exhausted",
    "failed_precondition", "internal", "unimplemented",    "unavailable",       "data_loss",
    "unauthenticated"};

// Microseconds.
constexpr std::array<int64_t, 14> kLatencyBuckets = {1'000,     2'500,     5'000,      10'000,    25'000,
                                                     50'000,    100'000,   250'000,    500'000,   1'000'000,
                                                     2'500'000, 5'000'000, 10'000'000, 30'000'000};
constexpr std::array<int64_t, 13> kCommitBuckets = {
    100, 250, 500, 1'000, 2'500, 5'000, 10'000, 25'000, 50'000, 100'000, 500'000, 1'000'000, 5'000'000};
// Up to 25 hours: a backlog drains for as long as that.
constexpr std::array<int64_t, 15> kDelayBuckets = {
    1'000,       5'000,         25'000,         100'000,        500'000,
    1'000'000,   5'000'000,     15'000'000,     60'000'000,     300'000'000,
    900'000'000, 3'600'000'000, 14'400'000'000, 43'200'000'000, 90'000'000'000};
constexpr std::array<int64_t, 13> kItemBuckets = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};
constexpr std::array<int64_t, 5> kMemberBuckets = {1, 2, 5, 10, 25};
constexpr double kMicros = 1e6;

using Latency = HistogramSeries<kLatencyBuckets.size()>;
using Delay = HistogramSeries<kDelayBuckets.size()>;

constexpr std::array<ErrorKind, 11> kOutcomes = {
    ErrorKind::kNone,           ErrorKind::kStatus,         ErrorKind::kTimeout,
    ErrorKind::kName,           ErrorKind::kConnect,        ErrorKind::kTls,
    ErrorKind::kProtocol,       ErrorKind::kResponseTooBig, ErrorKind::kLocal,
    ErrorKind::kRefusedAddress, ErrorKind::kToken};
constexpr std::array<const char*, 7> kStatusClasses = {"none", "1xx", "2xx", "3xx", "4xx", "5xx", "other"};
constexpr std::array<std::pair<DeliveryState, const char*>, 4> kEnds = {
    {{DeliveryState::kSucceeded, "succeeded"},
     {DeliveryState::kExhausted, "exhausted"},
     {DeliveryState::kExpired, "expired"},
     {DeliveryState::kCanceled, "canceled"}}};
constexpr std::array<const char*, 3> kProbeResults = {"success", "failure", "local"};
constexpr std::array<const char*, 5> kPhases = {"name", "connect", "tls", "first_byte", "total"};

// An index into kStatusClasses. Only an attempt that was judged by its status has a class.
size_t StatusClass(ErrorKind error, int status) {
  if (error != ErrorKind::kNone && error != ErrorKind::kStatus) return 0;
  return status >= 100 && status < 600 ? static_cast<size_t>(status / 100) : kStatusClasses.size() - 1;
}

// An index into kProbeResults.
size_t ProbeResult(ErrorKind error) {
  if (error == ErrorKind::kNone) return 0;
  return error == ErrorKind::kLocal ? 2 : 1;
}

int64_t Micros(std::chrono::microseconds time) { return time.count(); }

// Gathers what a scrape shows.
class Collector {
 public:
  using Labels = std::vector<ClientMetric::Label>;

  void Family(const char* name, const char* help, MetricType type) {
    families.push_back({name, help, type, {}});
  }
  // Into the family before.
  void Add(Labels labels, const CounterSeries& counter) {
    ClientMetric metric;
    metric.counter.value = static_cast<double>(counter.value());
    AddMetric(std::move(labels), std::move(metric));
  }
  void AddMetric(Labels labels, ClientMetric metric) {
    metric.label = std::move(labels);
    families.back().metric.push_back(std::move(metric));
  }
  void Counter(const char* name, const char* help, const CounterSeries& counter) {
    Family(name, help, MetricType::Counter);
    Add({}, counter);
  }
  template <typename Histogram>
  void Histo(const char* name, const char* help, const Histogram& histogram) {
    Family(name, help, MetricType::Histogram);
    AddMetric({}, histogram.Collect());
  }

  std::vector<MetricFamily> families;
};

}  // namespace

class Metrics::Impl {
 public:
  explicit Impl(WallMs start) : process_start(start) {
    for (const std::string_view code : kCanonicalCodes) rejected[code];
  }

  void Collect(Collector& to) const;

  const WallMs process_start;
  CounterSeries accepted;
  CounterSeries created;
  CounterSeries duplicates;
  std::map<std::string_view, CounterSeries> rejected;  // by canonical code; its keys never change
  CounterSeries committed_bytes;
  HistogramSeries<kCommitBuckets.size()> commit_duration{kCommitBuckets, kMicros};
  HistogramSeries<kItemBuckets.size()> commit_items{kItemBuckets, 1};
  std::array<std::array<CounterSeries, kStatusClasses.size()>, kOutcomes.size()> attempts;  // by ErrorKind
  CounterSeries resends;
  std::array<Latency, kPhases.size()> phases{{{kLatencyBuckets, kMicros},
                                              {kLatencyBuckets, kMicros},
                                              {kLatencyBuckets, kMicros},
                                              {kLatencyBuckets, kMicros},
                                              {kLatencyBuckets, kMicros}}};
  Delay queue_delay{kDelayBuckets, kMicros};
  Delay first_attempt{kDelayBuckets, kMicros};
  Delay success{kDelayBuckets, kMicros};
  std::array<CounterSeries, 6> ended;  // by DeliveryState
  HistogramSeries<kMemberBuckets.size()> batch_members{kMemberBuckets, 1};
  std::array<CounterSeries, kProbeResults.size()> probes;
  std::array<CounterSeries, kAlertKinds> alerts;
  CounterSeries job_examined;
  CounterSeries job_created;
  std::array<CounterSeries, kJobEnds> jobs_ended;
  std::array<CounterSeries, kAuthFailures> auth_failures;
  std::array<CounterSeries, kMailResults> mails;
};

void Metrics::Impl::Collect(Collector& to) const {
  to.Counter("hookd_events_accepted_total", "Events made durable, duplicates not counted", accepted);
  to.Counter("hookd_events_duplicate_total",
             "Publishes answered with an earlier event by their idempotency key", duplicates);
  to.Family("hookd_events_rejected_total", "Events refused, by canonical code", MetricType::Counter);
  for (const auto& [code, counter] : rejected) to.Add({{"reason", std::string(code)}}, counter);
  to.Counter("hookd_deliveries_created_total", "Deliveries that accepted events fanned out to", created);
  to.Family("hookd_deliveries_ended_total", "Deliveries by terminal state", MetricType::Counter);
  for (const auto& [state, name] : kEnds) to.Add({{"state", name}}, ended[static_cast<size_t>(state)]);

  to.Family("hookd_attempts_total", "Attempts by outcome, and by the class of the answer's status",
            MetricType::Counter);
  for (const ErrorKind kind : kOutcomes) {
    const std::string outcome = kind == ErrorKind::kNone ? "success" : std::string(ToString(kind));
    const bool answered = kind == ErrorKind::kNone || kind == ErrorKind::kStatus;
    for (size_t c = answered ? 1 : 0; c < (answered ? kStatusClasses.size() : 1); ++c) {
      to.Add({{"outcome", outcome}, {"status_class", kStatusClasses[c]}},
             attempts[static_cast<size_t>(kind)][c]);
    }
  }
  to.Counter("hookd_resends_total", "Requests sent again at once because a reused connection had died",
             resends);
  to.Family("hookd_attempt_duration_seconds",
            "Attempts by phase; a phase that did not happen is not observed", MetricType::Histogram);
  for (size_t i = 0; i < kPhases.size(); ++i) to.AddMetric({{"phase", kPhases[i]}}, phases[i].Collect());
  to.Histo("hookd_queue_delay_seconds",
           "From an attempt's due time (a first attempt: from acceptance) to its start", queue_delay);
  to.Histo("hookd_first_attempt_delay_seconds", "From acceptance to the start of the first attempt",
           first_attempt);
  to.Histo("hookd_success_delay_seconds", "From acceptance to the success, retries included", success);

  to.Histo("hookd_batch_members", "Deliveries that were put together as one request", batch_members);
  to.Family("hookd_probes_total", "Test events sent to disabled endpoints by themselves, by result",
            MetricType::Counter);
  for (size_t i = 0; i < kProbeResults.size(); ++i) to.Add({{"result", kProbeResults[i]}}, probes[i]);

  to.Histo("hookd_commit_duration_seconds", "One group commit, with its fsync", commit_duration);
  to.Histo("hookd_commit_batch_items", "Items in one group commit", commit_items);
  to.Counter("hookd_committed_bytes_total", "Payload bytes made durable", committed_bytes);

  to.Family("hookd_alerts_total", "Alerts raised, by kind", MetricType::Counter);
  for (size_t i = 0; i < kAlertKinds; ++i) {
    to.Add({{"kind", std::string(ToString(static_cast<AlertKind>(i)))}}, alerts[i]);
  }
  to.Counter("hookd_job_items_examined_total", "Deliveries and events that durable jobs looked at",
             job_examined);
  to.Counter("hookd_job_deliveries_created_total", "Deliveries that durable jobs made", job_created);
  to.Family("hookd_alert_mails_total", "Tries to send a mail about alerts, by result", MetricType::Counter);
  for (size_t i = 0; i < kMailResults; ++i) {
    to.Add({{"result", std::string(ToString(static_cast<MailResult>(i)))}}, mails[i]);
  }
  to.Family("hookd_jobs_ended_total", "Durable jobs that ended, by result", MetricType::Counter);
  for (size_t i = 0; i < kJobEnds; ++i) {
    to.Add({{"result", std::string(ToString(static_cast<JobEnd>(i)))}}, jobs_ended[i]);
  }
  to.Family("hookd_auth_failures_total", "Calls refused for who makes them, by reason", MetricType::Counter);
  for (size_t i = 0; i < kAuthFailures; ++i) {
    to.Add({{"reason", std::string(ToString(static_cast<AuthFailure>(i)))}}, auth_failures[i]);
  }
}

Metrics::Metrics(WallMs process_start) : impl_(std::make_unique<Impl>(process_start)) {}
Metrics::~Metrics() = default;

void Metrics::EventsAccepted(uint64_t events, uint64_t deliveries, uint64_t duplicates) {
  impl_->accepted.Add(events);
  impl_->created.Add(deliveries);
  impl_->duplicates.Add(duplicates);
}

void Metrics::EventRejected(std::string_view reason) {
  auto found = impl_->rejected.find(reason);
  if (found == impl_->rejected.end()) found = impl_->rejected.find("unknown");
  found->second.Add();
}

void Metrics::Committed(std::chrono::microseconds took, size_t items, size_t bytes) {
  impl_->commit_duration.Observe(Micros(took));
  impl_->commit_items.Observe(static_cast<int64_t>(items));
  impl_->committed_bytes.Add(bytes);
}

void Metrics::AttemptDone(const AttemptEvent& event) {
  const Attempt& attempt = *event.attempt;
  const auto kind = static_cast<size_t>(attempt.error);
  HOOKD_CHECK(kind < impl_->attempts.size(), "kOutcomes has to name every ErrorKind");
  impl_->attempts[kind][StatusClass(attempt.error, attempt.status)].Add();
  if (attempt.resends > 0) impl_->resends.Add(attempt.resends);
  impl_->queue_delay.Observe(Micros(event.queued));
  const std::array<int64_t, kPhases.size()> times = {attempt.us.name, attempt.us.connect, attempt.us.tls,
                                                     attempt.us.first_byte, attempt.us.total};
  for (size_t i = 0; i < times.size(); ++i) {
    if (times[i] > 0 || i + 1 == times.size()) impl_->phases[i].Observe(times[i]);
  }
  const int64_t since_acceptance_us = (attempt.started_ms - event.event.accepted_ms()) * 1000;
  if (attempt.number == 1) impl_->first_attempt.Observe(since_acceptance_us);
  if (attempt.error == ErrorKind::kNone) impl_->success.Observe(since_acceptance_us + attempt.us.total);
}

void Metrics::Alert(AlertKind kind) { impl_->alerts[static_cast<size_t>(kind)].Add(); }

void Metrics::DeliveriesEnded(DeliveryState state, uint64_t count) {
  HOOKD_CHECK(IsTerminal(state), "only a terminal state ends a delivery");
  impl_->ended[static_cast<size_t>(state)].Add(count);
}

void Metrics::BatchFormed(size_t members) { impl_->batch_members.Observe(static_cast<int64_t>(members)); }

void Metrics::ProbeDone(ErrorKind error) { impl_->probes[ProbeResult(error)].Add(); }

void Metrics::JobProgress(uint64_t examined, uint64_t created) {
  impl_->job_examined.Add(examined);
  impl_->job_created.Add(created);
}

void Metrics::AuthFailed(AuthFailure failure) { impl_->auth_failures[static_cast<size_t>(failure)].Add(); }

void Metrics::MailTried(MailResult result) { impl_->mails[static_cast<size_t>(result)].Add(); }

void Metrics::JobEnded(JobEnd end) { impl_->jobs_ended[static_cast<size_t>(end)].Add(); }

std::string Metrics::Scrape(const Gauges* gauges, uint64_t log_lines_dropped) const {
  Collector collector;
  impl_->Collect(collector);
  std::vector<MetricFamily>& families = collector.families;
  families.push_back(OneMetric("hookd_log_lines_dropped_total", "Lines lost because the log's queue was full",
                               MetricType::Counter, static_cast<double>(log_lines_dropped)));
  families.push_back(OneMetric("hookd_ready", "1 while hookd takes traffic", MetricType::Gauge,
                               gauges != nullptr && gauges->ready));
  if (gauges != nullptr) AppendGauges(*gauges, families);
  families.push_back(
      OneMetric("hookd_build_info", "Always 1; the version is in the label", MetricType::Gauge, 1));
  families.back().metric.front().label = {{"version", HOOKD_VERSION}};
  AppendProcess(ReadProcessStats(), impl_->process_start, families);
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

}  // namespace hookd
