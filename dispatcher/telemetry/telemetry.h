// What hookd tells about itself: Prometheus metrics and the structured log. Secrets never come here.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
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

// The database's own figures, from its properties.
struct DatabaseGauges {
  bool stalled = false;                   // writes are delayed or stopped until it has compacted
  uint64_t stalls = 0;                    // since the start: how often that began
  uint64_t background_errors = 0;         // since the start
  uint64_t pending_compaction_bytes = 0;  // that it would rewrite to have every level in shape
  uint64_t running_compactions = 0;
  uint64_t running_flushes = 0;
  uint64_t memtable_bytes = 0;  // also of those that are being flushed
  uint64_t block_cache_bytes = 0;
  uint64_t table_reader_bytes = 0;  // filters and indexes outside the cache
  uint64_t table_files = 0;
  uint64_t blob_files = 0;
  uint64_t blob_garbage_bytes = 0;
};

// What the lanes in memory wait for: those of endpoints with anything pending or just done. As of the last
// count, which each scrape starts anew.
struct LaneGauges {
  uint64_t enabled = 0;           // endpoints that may send
  uint64_t paused = 0;            // or their subscriber is
  uint64_t disabled = 0;          // whether paused or not
  uint64_t throttled = 0;         // of those enabled: wait for their rate limit
  uint64_t held_back = 0;         // likewise, for a Retry-After
  uint64_t retries_due = 0;       // of those enabled: retries that could go now
  WallMs oldest_accepted_ms = 0;  // of those enabled: of the oldest delivery pending; 0 = none

  LaneGauges& operator+=(const LaneGauges& other) {
    enabled += other.enabled;
    paused += other.paused;
    disabled += other.disabled;
    throttled += other.throttled;
    held_back += other.held_back;
    retries_due += other.retries_due;
    if (oldest_accepted_ms == 0 ||
        (other.oldest_accepted_ms != 0 && other.oldest_accepted_ms < oldest_accepted_ms)) {
      oldest_accepted_ms = other.oldest_accepted_ms;
    }
    return *this;
  }
};

// Of the receivers' certificates seen within the last day.
struct CertificateGauges {
  uint64_t seen = 0;      // hosts
  uint64_t expiring = 0;  // of them, those whose certificate ends within 14 days, or has
  WallMs soonest_ms = 0;  // the first end of all; 0 = none was seen
};

// Of the backups; all 0 where there is no folder for them.
struct BackupGauges {
  bool configured = false;
  bool running = false;            // a backup, or a verification
  uint64_t interval_seconds = 0;   // backup.every
  WallMs last_success_ms = 0;      // when the newest backup was made; 0 = there is none
  double last_seconds = 0;         // that the last one took; since the start
  uint64_t last_bytes = 0;         // of the newest backup
  uint64_t last_copied_bytes = 0;  // of them, those that the last one copied; since the start
  uint64_t made = 0;               // since the start
  uint64_t failed = 0;             // likewise
};

struct Gauges {
  WallMs now_ms = 0;
  bool ready = false;
  uint64_t pending_deliveries = 0;
  uint64_t attempts_in_flight = 0;
  uint64_t max_attempts_in_flight = 0;
  uint64_t endpoints = 0;
  uint64_t endpoints_disabled = 0;  // of them
  uint64_t endpoints_paused = 0;    // of them, themselves and not disabled
  uint64_t subscribers = 0;
  uint64_t intake_bytes = 0;
  uint64_t max_intake_bytes = 0;
  uint64_t bytes_on_disk = 0;
  uint64_t disk_size_bytes = 0;         // of the file system; 0 = not known
  uint64_t disk_free_bytes = 0;         // of it, for hookd's user
  uint64_t jobs_running = 0;            // recover, replay and the like
  uint64_t alert_mail_backlog = 0;      // recipients that the mails at hand have not reached
  bool paused = false;                  // by an operator, everything
  bool intake_held = false;             // disk or stall
  bool auto_disable_suspended = false;  // an outage
  bool clock_suspect = false;
  LaneGauges lanes = {};
  CertificateGauges certificates = {};
  DatabaseGauges database = {};
  BackupGauges backup = {};
};

// How a durable job ended.
enum class JobEnd : uint8_t {
  kDone,
  kCanceled,
  kFailed,
};
inline constexpr size_t kJobEnds = 3;
std::string_view ToString(JobEnd end);

// Why a call was refused before it was looked at.
enum class AuthFailure : uint8_t {
  kMissing,  // it has no token
  kInvalid,  // nobody's token, or one that is not valid any more
  kSlowed,   // too many of those came from its address
  kRole,     // the token's role does not have the call
  kRate,     // the token's calls are too many
  kBytes,    // it published more, or a larger event, than it may
};
inline constexpr size_t kAuthFailures = 6;
std::string_view ToString(AuthFailure failure);

// What became of a try to send a mail about alerts.
enum class MailResult : uint8_t {
  kSent,
  kRetried,  // it failed, and is tried again
  kRefused,  // given up
};
inline constexpr size_t kMailResults = 3;
std::string_view ToString(MailResult result);

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
  // So many deliveries were put together, for good.
  virtual void BatchFormed(size_t members) = 0;
  // A disabled endpoint was probed; kNone = it answered with success.
  virtual void ProbeDone(ErrorKind error) = 0;
  // A durable job looked at `examined` more deliveries or events and made `created` new deliveries of them.
  virtual void JobProgress(uint64_t examined, uint64_t created) = 0;
  virtual void JobEnded(JobEnd end) = 0;
  virtual void AuthFailed(AuthFailure failure) = 0;
  // `endpoint` 0 and `subscriber_id` empty: it concerns the whole of hookd.
  virtual void Alert(AlertKind kind, EndpointId endpoint, std::string_view subscriber_id,
                     std::string_view message) = 0;
  virtual void MailTried(MailResult result) = 0;
  virtual void Info(std::string_view event, std::string_view message) = 0;
  virtual void Warn(std::string_view event, std::string_view message) = 0;
  virtual void Error(std::string_view event, std::string_view message) = 0;
  // As Error, for a process that ends next: the line is written, past the queue, when this returns; or given
  // up if nobody reads the log for a second.
  virtual void Fatal(std::string_view event, std::string_view message) = 0;

  // Another log level (trace, debug, info, warn, error), and the log's file opened anew. False: that failed,
  // and the log goes on where it was.
  virtual bool ReopenLog(const std::string& level) = 0;

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
