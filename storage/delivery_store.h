// The durable queue, as everything outside storage/ sees it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/audit.h"
#include "base/ids.h"
#include "base/model.h"
#include "storage/facts.h"

namespace hookd {

// What is stored of an endpoint's lane: where its queue begins and ends, and its health.
struct LaneState {
  Sequence cursor = 1;  // no queue row is below it
  Sequence next = 1;    // what the next accepted delivery gets
  uint64_t queued = 0;  // never attempted
  uint64_t parked = 0;  // attempted, waiting for a retry
  uint32_t consecutive_failures = 0;
  WallMs failing_since_ms = 0;  // start of the first of them; 0 = not failing
  WallMs last_success_ms = 0;
  WallMs rate_tat_ms = 0;
  // Of the row of failures, those that count towards auto-disable, and the end of the first of them.
  uint32_t disable_failures = 0;
  WallMs disable_since_ms = 0;
  WallMs hold_until_ms = 0;  // a Retry-After: no attempt starts earlier; 0 = none
  bool deleted = false;      // the endpoint is gone; what is pending is being ended
  // Its endpoint is, itself, as of its newest change: here too, so that a start counts endpoints without
  // reading them.
  bool endpoint_paused = false;
  bool endpoint_disabled = false;
  WallMs endpoint_keys_end_ms = 0;  // the next end of one of its signing keys; 0 = none has one. Likewise
  uint64_t pending() const { return queued + parked; }
};

struct StoredSubscriber {
  Subscriber subscriber;
  uint32_t endpoint_count = 0;
};

struct StoredEndpoint {
  std::shared_ptr<const Endpoint> endpoint;
  LaneState lane;
};

// A subscriber with all of its endpoints, by id.
struct StoredAccount {
  Subscriber subscriber;
  std::vector<std::shared_ptr<const Endpoint>> endpoints;
};

// A bucket of acceptance that still has anything stored.
struct BucketView {
  Bucket bucket = 0;
  uint64_t pending = 0;        // deliveries made in it
  uint64_t pins = 0;           // pending deliveries made in later buckets, of events accepted in this one
  WallMs last_ended_ms = 0;    // when the newest of the others ended; 0 = none has
  uint64_t payload_bytes = 0;  // 0 once they are gone
  bool payloads_gone = false;  // only the history is left
};

// How long state changes are kept at least.
inline constexpr Millis kChangesKept{24LL * 3'600'000};

struct DiskSpace {
  uint64_t total_bytes = 0;  // of the file system; 0 = not known (the store in memory)
  uint64_t free_bytes = 0;   // for hookd's user
};

struct QueuedDelivery {
  Sequence sequence = 0;
  std::shared_ptr<const Event> event;
  RemadePtr remade = nullptr;
};

struct ParkedDelivery {
  Sequence sequence = 0;
  EventId event;
  uint64_t ordering_key_hash = 0;
  uint32_t attempts = 0;  // made so far
  uint32_t failures = 0;  // of them, counted as retries
  WallMs due_ms = 0;
  // Of the last attempt; 0 and kNone before the first.
  int last_status = 0;
  ErrorKind last_error = ErrorKind::kNone;
  RemadePtr remade = nullptr;
  std::optional<EventId> batch = std::nullopt;  // that it belongs to, for good
};

struct IdempotencyHit {
  EventId event;
  std::array<uint8_t, 16> fingerprint{};
};

// At least one of endpoint, subscriber and state is set. These and the times go by indexes; the other filters
// are looked for in what those give.
struct DeliveryQuery {
  std::optional<EndpointId> endpoint;
  std::string subscriber_id;  // empty = any
  std::optional<DeliveryState> state;
  WallMs accepted_from_ms = 0;     // when the delivery was made: inclusive
  WallMs accepted_before_ms = 0;   // exclusive; 0 = open
  std::string event_type;          // exact, or a prefix such as "message:*"; empty = any
  int status_class = 0;            // of the last attempt: 1..5; 0 = any
  std::optional<ErrorKind> error;  // of the last attempt
  bool not_replaced = false;       // only those that no other delivery was made for
  bool newest_first = false;
  std::string position;  // opaque, from the page before; empty = from the beginning
  size_t limit = 100;    // deliveries returned, at most
};

// Retained events in the order of acceptance.
struct EventQuery {
  std::string subscriber_id;           // required
  std::optional<EndpointId> endpoint;  // only those that it has had a delivery of
  bool delivered_only = true;     // false: also events that no delivery was made of (with a subscriber alone)
  WallMs accepted_from_ms = 0;    // inclusive
  WallMs accepted_before_ms = 0;  // exclusive; 0 = open
  std::string event_type;         // exact, or a prefix; empty = any
  std::string ordering_key;       // exact; empty = any
  EventId after;                  // exclusive; all zero = from the beginning
  size_t limit = 100;
  size_t max_bytes = 2u << 20;  // of payloads, but at least one event
};

struct EventPage {
  std::vector<std::shared_ptr<const Event>> events;
  EventId last;       // looked at, taken or not: where the next page begins; `after` when nothing was
  bool more = false;  // there may be more right away
};

// State changes of whole commits, in their order.
struct ChangePage {
  std::vector<StateChange> changes;
  uint64_t commit = 0;  // of the last commit that was read
  bool more = false;
};

// Endpoints whose stored secrets are not sealed under the newest key.
struct StalePage {
  std::vector<EndpointId> stale;
  EndpointId last;    // looked at: where the next page begins
  bool more = false;  // there may be more
};

// Of the keys that stored secrets are sealed under; 0 = in clear.
struct SecretKeyIds {
  uint32_t newest = 0;
  std::vector<uint32_t> old;  // that may still be in use: they have to stay configured
};

// All that is set has to fit.
struct AuditQuery {
  WallMs from_ms = 0;    // inclusive
  WallMs before_ms = 0;  // exclusive; 0 = open
  std::string actor;     // exact, as the next two
  std::string subscriber_id;
  std::string resource_id;
  std::string call;  // "EndpointService/PauseEndpoint", or what follows the slash
  bool oldest_first = false;
  uint64_t position = 0;  // exclusive; 0 = from the beginning
  size_t limit = 100;
  size_t max_bytes = 2u << 20;  // about, but at least one record
};

struct AuditPage {
  std::vector<AuditRecord> records;
  uint64_t next = 0;  // where the next page begins; 0 = this was the last
};

// What a scouring takes out of the files.
enum class Scoured : uint8_t { kPayloads, kSecrets };

struct DeliveryPage {
  std::vector<Delivery> deliveries;  // without attempts
  std::string next_position;         // empty = this was the last page
};

// The database's own figures; all 0 in memory.
struct DatabaseStats {
  uint64_t stalls = 0;             // since it was opened: how often writes began to be delayed or stopped
  uint64_t background_errors = 0;  // likewise
  uint64_t pending_compaction_bytes = 0;
  uint64_t running_compactions = 0;
  uint64_t running_flushes = 0;
  uint64_t memtable_bytes = 0;
  uint64_t block_cache_bytes = 0;
  uint64_t table_reader_bytes = 0;
  uint64_t table_files = 0;
  uint64_t blob_files = 0;
  uint64_t blob_garbage_bytes = 0;
};

// Numbers that go up with every write; for the status page and the metrics.
struct StoreStats {
  uint64_t commits = 0;
  uint64_t last_commit = 0;    // number of the newest commit; survives a restart
  uint64_t pending = 0;        // deliveries
  uint64_t bytes_on_disk = 0;  // of tables and blobs, without the log; 0 = not known
};

// Threads: Apply, Commit, Lane and Buckets belong to one thread (the committer); everything else may be
// called from any thread, may block on the disk, and sees what was committed, never an open batch. Lifetime:
// Recover once, before anything else. After any error from Commit the store is poisoned: the batch may or may
// not be there ("unknown"), and the process must stop and open it anew.
class DeliveryStore {
 public:
  virtual ~DeliveryStore() = default;

  // What the store remembers, for start-up. Called once, before the first Apply.
  struct ActiveLane {
    EndpointId id;
    LaneState lane;
    std::shared_ptr<const Endpoint> endpoint;  // null: it was deleted, and is not swept yet
    Hold hold = Hold::kNone;                   // of a lane that is not deleted
  };
  struct Recovered {
    // Only what has something pending or remembered (a rate, a hold, a row of failures of a disabled one is
    // not), and deleted lanes: memory follows the active endpoints.
    std::vector<ActiveLane> lanes;
    uint64_t subscribers = 0;
    uint64_t endpoints = 0;
    uint64_t endpoints_disabled = 0;
    uint64_t endpoints_paused = 0;                           // and not disabled
    std::vector<std::pair<WallMs, EndpointId>> keys_ending;  // of lanes with endpoint_keys_end_ms, by id
    Operations operations;
    uint64_t next_endpoint_number = 1;
    WallMs wall_high_water_ms = 0;  // no id and no stored time was made later than this
    uint32_t epoch = 1;             // of hookd-sequence; a restore from backup starts a new one
    uint32_t restored_backup = 0;   // this opening is the first after a restore of it; 0 = of none
    std::vector<Job> jobs;          // all that are kept, by id
    uint64_t next_job = 1;
    std::string mail_cursor;  // the newest MailCursorChanged's; empty = there is none
    AuditTail audit;
    uint64_t audit_first = 0;  // number of the oldest record that is kept; 0 = there is none
  };
  virtual absl::StatusOr<Recovered> Recover() = 0;

  // Adds a fact to the open batch; Lane() moves on at once. Facts that break their own rules (a sequence that
  // is not the next, a delivery that is not pending) are a programmer's error.
  virtual void Apply(const Fact& fact) = 0;

  // Makes the open batch durable, atomically, with one fsync. `now` only ever raises the high-water mark.
  // OK = it survives a power cut. Error = unknown, see above.
  virtual absl::Status Commit(WallMs now) = 0;

  // The lane as of the last Apply; null = no such lane. Valid until the next Apply or Lane. May read the
  // disk: idle lanes are not kept in memory. If that fails the store is poisoned, and null is returned.
  virtual const LaneState* Lane(EndpointId endpoint) = 0;

  // As of the last Apply, oldest first.
  virtual std::vector<BucketView> Buckets() const = 0;

  // Configuration as committed. Errors: NOT_FOUND, and those of the disk.
  virtual absl::StatusOr<StoredAccount> ReadAccount(const std::string& subscriber_id) const = 0;
  virtual absl::StatusOr<StoredSubscriber> ReadSubscriber(const std::string& id) const = 0;
  virtual absl::StatusOr<StoredEndpoint> ReadEndpoint(EndpointId id) const = 0;
  // In the order of (partition, id), after `after` (exclusive; empty = from the first), whether it exists or
  // not.
  virtual absl::StatusOr<std::vector<StoredSubscriber>> ListSubscribers(const std::string& after,
                                                                        size_t limit) const = 0;
  // Ids greater than `after`, ascending; `subscriber_id` empty = of all. An unknown subscriber has none.
  virtual absl::StatusOr<std::vector<StoredEndpoint>> ListEndpoints(const std::string& subscriber_id,
                                                                    EndpointId after, size_t limit) const = 0;

  // NOT_FOUND when there is none (any more). Expired ones are there.
  virtual absl::StatusOr<AccessToken> ReadToken(uint64_t id) const = 0;
  // By id, greater than `after`; `subscriber_id` empty = all.
  virtual absl::StatusOr<std::vector<AccessToken>> ListTokens(const std::string& subscriber_id,
                                                              uint64_t after, size_t limit) const = 0;

  // Idempotency keys accepted within the last 24 h of `now`. Committed keys only.
  virtual absl::StatusOr<std::optional<IdempotencyHit>> FindIdempotency(const std::array<uint8_t, 16>& key,
                                                                        WallMs now) const = 0;

  // The lane's queue rows from `from` on, in order, with their events: at most `limit` rows and about
  // `max_bytes` of payload, but at least one row if there is one.
  virtual absl::StatusOr<std::vector<QueuedDelivery>> ReadQueue(EndpointId endpoint, Sequence from,
                                                                size_t limit, size_t max_bytes) const = 0;

  // The lane's parked rows, by sequence; at most `limit`.
  virtual absl::StatusOr<std::vector<ParkedDelivery>> ReadParked(EndpointId endpoint, size_t limit) const = 0;

  // NOT_FOUND when there is none (any more).
  virtual absl::StatusOr<std::shared_ptr<const Event>> ReadEvent(EventId id) const = 0;

  // With all of its attempts. NOT_FOUND when there is none (any more).
  virtual absl::StatusOr<Delivery> ReadDelivery(DeliveryId id) const = 0;

  // By endpoint: by sequence. By subscriber, or by a state that is no success: by the time they were made,
  // then endpoint, then sequence. PENDING alone: by endpoint and sequence; SUCCEEDED alone: by bucket,
  // endpoint and sequence. `newest_first` turns each around. A page looks at no more than a budget of rows,
  // and may come back short with a position. INVALID_ARGUMENT: nothing given, or a position that this query
  // never gave.
  virtual absl::StatusOr<DeliveryPage> ListDeliveries(const DeliveryQuery& query) const = 0;

  // Of the subscriber, or of its endpoint. Within a budget of rows, as above.
  virtual absl::StatusOr<EventPage> ListEvents(const EventQuery& query) const = 0;

  // The deliveries that were made for an event, oldest first; at most `limit` of the newest.
  virtual absl::StatusOr<std::vector<DeliveryId>> DeliveriesOf(const Event& event, size_t limit) const = 0;

  // State changes of the commits after `after_commit`, about `limit` of them. OUT_OF_RANGE: those are older
  // than kChangesKept and gone, or later than the newest commit.
  virtual absl::StatusOr<ChangePage> ReadChanges(uint64_t after_commit, size_t limit) const = 0;

  // NOT_FOUND when there is none (any more).
  virtual absl::StatusOr<AuditRecord> ReadAudit(uint64_t number) const = 0;
  // By number. A page looks at no more than a budget of records, and may come back short, or empty, with a
  // position.
  virtual absl::StatusOr<AuditPage> ListAudit(const AuditQuery& query) const = 0;

  // By id, after `after`; looks at `limit` endpoints.
  virtual absl::StatusOr<StalePage> StaleSecrets(EndpointId after, size_t limit) const = 0;
  virtual SecretKeyIds Secrets() const = 0;

  // What was deleted or overwritten before this call is in no file any more once it returns OK. Takes minutes
  // where much is stored: rewrites it, beside the traffic. CANCELLED: `stop` became true; UNAVAILABLE: a
  // backup runs, which keeps all files: try again later. One at a time.
  virtual absl::Status Scour(Scoured what, std::atomic<bool>& stop) = 0;
  // Nothing is sealed under the old keys any more: they need not be configured at the next opening.
  virtual absl::Status ForgetOldKeys() = 0;

  virtual StoreStats Stats() const = 0;

  // As in StoreStats; cheap.
  virtual uint64_t LastCommit() const = 0;
  // Any thread; takes the database's mutex some hundred times.
  virtual DatabaseStats Database() const { return {}; }

  // The database delays or refuses writes until it has compacted: commits may take seconds. Any thread,
  // cheap.
  virtual bool Stalled() const = 0;

  // Of the data folder's file system. Any thread.
  virtual absl::StatusOr<DiskSpace> Disk() const = 0;
};

}  // namespace hookd
