#include "dispatcher/telemetry/gauges.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace hookd {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

class Writer {
 public:
  explicit Writer(std::vector<MetricFamily>& families) : families_(families) {}

  template <typename T>
  void Gauge(const char* name, const char* help, T value) {
    families_.push_back(OneMetric(name, help, MetricType::Gauge, static_cast<double>(value)));
  }
  template <typename T>
  void Counter(const char* name, const char* help, T value) {
    families_.push_back(OneMetric(name, help, MetricType::Counter, static_cast<double>(value)));
  }
  void ByState(const char* name, const char* help,
               std::initializer_list<std::pair<const char*, uint64_t>> states) {
    MetricFamily family{name, help, MetricType::Gauge, {}};
    for (const auto& [state, value] : states) {
      prometheus::ClientMetric metric;
      metric.label.push_back({"state", state});
      metric.gauge.value = static_cast<double>(value);
      family.metric.push_back(std::move(metric));
    }
    families_.push_back(std::move(family));
  }

 private:
  std::vector<MetricFamily>& families_;
};

void AppendLanes(const LaneGauges& lanes, WallMs now, Writer& write) {
  write.ByState("hookd_active_endpoints", "Endpoints with deliveries pending or just done, by state",
                {{"enabled", lanes.enabled}, {"paused", lanes.paused}, {"disabled", lanes.disabled}});
  write.Gauge("hookd_throttled_endpoints", "Enabled endpoints that wait for their rate limit",
              lanes.throttled);
  write.Gauge("hookd_held_back_endpoints", "Enabled endpoints that wait for a Retry-After", lanes.held_back);
  write.Gauge("hookd_retries_due", "Retries of enabled endpoints that could go now", lanes.retries_due);
  const WallMs age = lanes.oldest_accepted_ms == 0 ? 0 : std::max<WallMs>(0, now - lanes.oldest_accepted_ms);
  write.Gauge("hookd_oldest_pending_age_seconds", "Of the oldest delivery pending of an enabled endpoint",
              static_cast<double>(age) / 1000);
}

void AppendDatabase(const DatabaseGauges& database, Writer& write) {
  write.Gauge("hookd_database_stalled", "1 while the database delays or stops writes", database.stalled);
  write.Counter("hookd_database_stalls_total", "Times that the database began to delay or stop writes",
                database.stalls);
  write.Counter("hookd_database_background_errors_total", "Errors of the database in the background",
                database.background_errors);
  write.Gauge("hookd_database_pending_compaction_bytes", "What compactions still have to rewrite, estimated",
              database.pending_compaction_bytes);
  write.Gauge("hookd_database_running_compactions", "Compactions under way", database.running_compactions);
  write.Gauge("hookd_database_running_flushes", "Flushes under way", database.running_flushes);
  write.Gauge("hookd_database_memtable_bytes", "Memory of rows that are not in tables yet",
              database.memtable_bytes);
  write.Gauge("hookd_database_block_cache_bytes", "Memory of the block cache in use",
              database.block_cache_bytes);
  write.Gauge("hookd_database_table_reader_bytes", "Memory of open tables outside the block cache",
              database.table_reader_bytes);
  write.Gauge("hookd_database_table_files", "Tables", database.table_files);
  write.Gauge("hookd_database_blob_files", "Blob files, which hold large payloads", database.blob_files);
  write.Gauge("hookd_database_blob_garbage_bytes", "Of the blob files, what nothing refers to any more",
              database.blob_garbage_bytes);
}

void AppendBackups(const BackupGauges& backup, Writer& write) {
  if (!backup.configured) return;
  write.Gauge("hookd_backup_running", "1 while a backup is made or verified", backup.running);
  write.Gauge("hookd_backup_interval_seconds", "backup.every; 0 = made when somebody asks",
              backup.interval_seconds);
  write.Gauge("hookd_backup_last_success_timestamp_seconds",
              "When the newest backup was made; 0 = there is none",
              static_cast<double>(backup.last_success_ms) / 1000);
  write.Gauge("hookd_backup_last_duration_seconds", "That the last backup took; 0 = none since the start",
              backup.last_seconds);
  write.Gauge("hookd_backup_last_bytes", "Size of the newest backup", backup.last_bytes);
  write.Gauge("hookd_backup_last_copied_bytes", "That the last backup copied; 0 = none since the start",
              backup.last_copied_bytes);
  write.Counter("hookd_backups_made_total", "Backups that succeeded", backup.made);
  write.Counter("hookd_backups_failed_total", "Backups that failed", backup.failed);
}

}  // namespace

MetricFamily OneMetric(const char* name, const char* help, MetricType type, double value) {
  prometheus::ClientMetric metric;
  metric.gauge.value = value;
  metric.counter.value = value;
  return {name, help, type, {metric}};
}

void AppendGauges(const Gauges& gauges, std::vector<MetricFamily>& families) {
  Writer write(families);
  write.Gauge("hookd_pending_deliveries", "Deliveries not in a terminal state", gauges.pending_deliveries);
  write.Gauge("hookd_attempts_in_flight", "Attempts under way", gauges.attempts_in_flight);
  write.Gauge("hookd_attempts_in_flight_limit", "delivery.max_in_flight", gauges.max_attempts_in_flight);
  write.ByState("hookd_endpoints", "Endpoints registered, by their own state",
                {{"enabled", gauges.endpoints - gauges.endpoints_disabled - gauges.endpoints_paused},
                 {"paused", gauges.endpoints_paused},
                 {"disabled", gauges.endpoints_disabled}});
  write.Gauge("hookd_subscribers", "Subscribers registered", gauges.subscribers);
  write.Gauge("hookd_intake_bytes", "Payload bytes that wait to be on disk", gauges.intake_bytes);
  write.Gauge("hookd_intake_limit_bytes", "intake.bytes", gauges.max_intake_bytes);
  write.Gauge("hookd_disk_bytes", "Size of the database", gauges.bytes_on_disk);
  write.Gauge("hookd_filesystem_size_bytes", "Of the data folder's file system", gauges.disk_size_bytes);
  write.Gauge("hookd_filesystem_free_bytes", "Of the data folder's file system, for hookd's user",
              gauges.disk_free_bytes);
  write.Gauge("hookd_paused", "1 while an operator has paused everything", gauges.paused);
  write.Gauge("hookd_intake_held", "1 while events are refused: disk, or a write stall", gauges.intake_held);
  write.Gauge("hookd_auto_disable_suspended", "1 while more than half of the active hosts fail to connect",
              gauges.auto_disable_suspended);
  write.Gauge("hookd_clock_suspect", "1 after a leap of the wall clock, until an operator confirms it",
              gauges.clock_suspect);
  write.Gauge("hookd_jobs_running", "Durable jobs that have not ended", gauges.jobs_running);
  write.Gauge("hookd_alert_mail_backlog", "Recipients that the mails at hand have not reached",
              gauges.alert_mail_backlog);
  write.Gauge("hookd_receiver_certificates", "Hosts whose certificate was seen within the last day",
              gauges.certificates.seen);
  write.Gauge("hookd_receiver_certificates_expiring", "Of them, those whose certificate ends within 14 days",
              gauges.certificates.expiring);
  write.Gauge("hookd_receiver_certificate_soonest_end_seconds",
              "Since the Unix epoch, when the first of them ends; 0 = none was seen",
              static_cast<double>(gauges.certificates.soonest_ms) / 1000);
  AppendLanes(gauges.lanes, gauges.now_ms, write);
  AppendDatabase(gauges.database, write);
  AppendBackups(gauges.backup, write);
}

void AppendProcess(const ProcessStats& process, WallMs start, std::vector<MetricFamily>& families) {
  Writer write(families);
  write.Counter("process_cpu_seconds_total", "User and system CPU time", process.cpu_seconds);
  write.Gauge("process_resident_memory_bytes", "Resident memory", process.resident_bytes);
  write.Gauge("process_virtual_memory_bytes", "Virtual memory", process.virtual_bytes);
  write.Gauge("process_open_fds", "Open file descriptors", process.open_descriptors);
  write.Gauge("process_max_fds", "Limit of open file descriptors", process.max_descriptors);
  write.Gauge("process_threads", "Threads", process.threads);
  write.Gauge("process_start_time_seconds", "Start time of the process since the Unix epoch",
              static_cast<double>(start) / 1000);
}

}  // namespace hookd
