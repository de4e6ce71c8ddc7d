// The engine's face: what the API calls. Takes events and changes of configuration, makes them durable, and
// delivers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/core/audit_forms.h"
#include "dispatcher/core/egress_rules.h"
#include "dispatcher/core/profiles.h"
#include "dispatcher/telemetry/telemetry.h"
#include "dispatcher/transport/http_transport.h"
#include "storage/delivery_store.h"

namespace boost::asio {
class io_context;
}

namespace hookd {

class CaptureSink;

// An event that has passed core/event_rules.h. `event.id` and `event.accepted_ms` are the engine's to set.
struct NewEvent {
  Event event;
  std::optional<IdempotencyKey> idempotency;
  const LoadedProfile* checked = nullptr;  // its content fits this one's catalogue: CheckContent
};

// What a publish takes of the intake.
struct IntakeDemand {
  size_t bytes = 0;  // payloads
  size_t events = 0;
  std::vector<std::pair<std::string, size_t>> subscribers;  // bytes by subscriber, each once
};
IntakeDemand DemandOf(const std::vector<NewEvent>& events);

struct PublishOutcome {
  // NOT_FOUND: subscriber; ALREADY_EXISTS: idempotency key used for another event; INVALID_ARGUMENT: the
  // subscriber is strict, and its catalogue does not have this; FAILED_PRECONDITION: its profile is not
  // loaded.
  absl::Status status;
  EventId event;
  bool duplicate = false;
  uint32_t deliveries = 0;
  std::string not_fanned_out = {};  // why, although endpoints match; empty = that is not so
};

using EndpointView = StoredEndpoint;
using SubscriberView = StoredSubscriber;

// The subscriber of an endpoint that is made or changed, as of that moment. Valid during the call that it is
// given to.
struct OwnerView {
  const Subscriber& subscriber;
  const std::map<EndpointId, std::shared_ptr<const Endpoint>>& endpoints;
};
using EndpointChange = std::function<absl::Status(const OwnerView&, Endpoint&)>;

struct EngineStatus {
  bool draining = false;
  uint64_t subscribers = 0;
  uint64_t endpoints = 0;
  uint64_t endpoints_disabled = 0;  // of them
  uint64_t endpoints_paused = 0;    // of them, themselves and not disabled
  uint64_t attempts_in_flight = 0;
  uint64_t intake_bytes = 0;  // payloads that wait for their commit
  Operations operations;
  std::string intake_closed;            // why events are refused: "disk", "stall"; empty = they are not
  bool auto_disable_suspended = false;  // more than half of the active hosts fail to connect
  uint64_t jobs_running = 0;
  CertificateGauges certificates;
  StoreStats store;
  SecretKeyIds secrets;
};

struct Retention {
  Millis pending{30LL * 24 * 3'600'000};  // deliveries that are older end EXPIRED
  Millis payloads{7LL * 24 * 3'600'000};  // of buckets with nothing pending, since their newest end
  Millis history{30LL * 24 * 3'600'000};  // likewise; not less than `payloads`
  Millis audit{400LL * 24 * 3'600'000};   // records of the audit log
  uint64_t audit_bytes = 1u << 30;        // of the newest of them; what is older goes
};

// What may change while it runs.
struct EngineTunables {
  Retention retention;
  uint64_t disk_high_percent = 90;  // used; from there on events are refused
  uint64_t disk_low_percent = 85;   // and below this they are taken again
};

struct EngineOptions {
  size_t shards = 2;           // threads that deliver, 1..64
  size_t max_in_flight = 512;  // attempts, over all shards
  size_t max_per_host = 128;   // of them, to one host and port
  size_t intake_bytes =
      64 * 1024 * 1024;  // payloads that wait for their commit; full = publishes are refused
  size_t intake_bytes_per_subscriber = 16 * 1024 * 1024;  // of them, of one subscriber
  size_t commit_max_items = 1024;                         // facts' sources in one commit
  size_t commit_max_bytes = 4 * 1024 * 1024;              // payload bytes in one commit
  size_t window_bytes = 64 * 1024 * 1024;  // payloads held in memory for delivery, over all shards
  size_t window_items = 256;               // deliveries held in memory per lane
  size_t parked_per_lane = 1000;           // waiting for a retry; at the bound the lane starts nothing new
  EngineTunables tunables;
  std::string user_agent = "hookd";
  std::shared_ptr<const Profiles> profiles = std::make_shared<Profiles>();
  CaptureSink* captures = nullptr;  // outlives the engine; null = no capture acts but by holding its lane
  std::shared_ptr<const EgressPolicy> egress;  // what new URLs have to keep to; null = not looked at
  // Told of each endpoint that was made or changed, once that is on disk; on the committer's thread: it must
  // not block. Outlives the engine; null = nobody is told.
  std::function<void(const Endpoint&)> on_configured;
  const AuditForms* audit = nullptr;  // outlives the engine; null = there is no audit log
};

// What a pending delivery waits for.
enum class WaitKind : uint8_t {
  kInFlight = 1,
  kSlot = 2,
  kRate = 3,
  kBackoff = 4,
  kRetryAfter = 5,
  kBehind = 6,  // another delivery goes before it
  kCap = 7,     // attempts to its host, or of its endpoint
  kNotBefore = 8,
  kPaused = 9,
  kDisabled = 10,
  kServer = 11,   // shutting down, or not loaded yet after a start
  kChannel = 12,  // held by its subscriber
};

struct Waiting {
  WaitKind kind = WaitKind::kSlot;
  WallMs since_ms = 0;  // 0 = not known
  WallMs until_ms = 0;  // 0 = not known, or for somebody to end
  std::optional<DeliveryId> behind;
  std::string detail;  // in plain words; may be empty
};
inline Waiting OfServer(std::string detail) {
  Waiting waiting;
  waiting.kind = WaitKind::kServer;
  waiting.detail = std::move(detail);
  return waiting;
}

struct DeliveryView {
  Delivery delivery;
  std::optional<Waiting> waiting;  // of a pending one
};

// Approximate, of memory. `window`: so much of the past as is kept.
enum class StatWindow : uint8_t { kMinute = 1, kHour = 2, kDay = 3 };
struct Statistics {
  uint64_t attempts = 0;
  uint64_t succeeded = 0;
  uint64_t by_class[6] = {};  // answers by their first digit; [0]: none
  uint64_t timeouts = 0;      // of those without an answer
  int64_t p50_us = 0;         // of all attempts, within about a third
  int64_t p90_us = 0;
  int64_t p99_us = 0;
  uint64_t pending = 0;          // now
  WallMs oldest_pending_ms = 0;  // when it was made; 0 = none is pending
  WallMs since_ms = 0;           // the figures begin here, or with the window
};
enum class TopBy : uint8_t { kAttempts = 1, kFailures = 2, kLatency = 3, kPending = 4 };
struct TopEndpoint {
  std::shared_ptr<const Endpoint> endpoint;
  Statistics statistics;
};

// Of what was accepted since the start, as of one commit; all zero = nothing was.
struct NewestEvents {
  EventId any;
  EventId operational;  // of kOperationsSubscriber
};

// Which endpoints a change in bulk is for: all that is set has to fit.
struct EndpointFilter {
  std::string subscriber_id;
  std::string host;  // "name" or "name:port", lower case
  std::optional<DisableReason> disabled;
  WallMs disabled_from_ms = 0;    // inclusive
  WallMs disabled_before_ms = 0;  // exclusive; 0 = open
};
enum class EndpointAction : uint8_t { kEnable = 1, kDisable = 2, kPause = 3, kResume = 4 };
struct BulkChange {
  EndpointFilter filter;
  EndpointAction action = EndpointAction::kPause;
  std::string note;
  bool dry_run = false;
  EndpointId after;     // exclusive
  size_t limit = 1000;  // endpoints changed
};
struct BulkResult {
  std::vector<EndpointId> changed;
  std::optional<EndpointId> next;  // go on behind it; nullopt = that was all
};

// A token as it is shown once.
struct MadeToken {
  AccessToken token;
  std::string text;
};
// What becomes of those that its subscribers had before.
enum class OldTokens : uint8_t {
  kKeep,            // they stay valid beside it
  kRevoke,          // they end with it
  kRevokeAndClear,  // and their endpoints lose their URLs, and are disabled as kUrlCleared; what queued
                    // stays. One that a person disabled, or that is unverified, is still that, also with a
                    // new URL
};

inline constexpr size_t kMaxMailCursorBytes = 64 * 1024;
inline constexpr size_t kMaxRunningJobs = 16;
inline constexpr size_t kMaxEndedJobs = 1000;  // the oldest beyond are forgotten
inline constexpr uint64_t kMaxDryRunCount = 1'000'000;

// Threads: every call from any thread. What changes something is recorded as the calling thread's Acting
// says. Calls that return a value wait for the commit that holds their change
// (milliseconds); never call them from a completion callback.
// Lifetime: Start once; Drain, then Stop, then destroy; Stop without Drain leaves attempts unrecorded, which
// a restart repeats. `store`, `clock` and `telemetry` outlive it. Failure: when a commit fails its outcome is
// unknown: the engine stops accepting and calls `on_fatal` once.
class Engine {
 public:
  using TransportFactory = std::function<std::unique_ptr<HttpTransport>(boost::asio::io_context&)>;

  Engine(EngineOptions options, DeliveryStore& store, const Clock& clock, Telemetry& telemetry,
         TransportFactory transports, std::function<void(absl::Status)> on_fatal);
  ~Engine();

  // Loads what the store remembers and resumes every delivery.
  absl::Status Start();

  // Intake ends (UNAVAILABLE); attempts in flight may end until `deadline`, the rest is recorded as LOCAL and
  // resumes after a restart. Returns when nothing is in flight and everything is on disk. Idempotent.
  void Drain(Duration deadline);

  // Joins every thread. Idempotent.
  void Stop();

  // All of `events` are taken in, in their order, or none. `done` runs once they are on disk, on the
  // committer's thread: it must not block. RESOURCE_EXHAUSTED: intake is full; UNAVAILABLE: draining; `done`
  // never runs then.
  using PublishDone = std::function<void(std::vector<PublishOutcome>)>;
  absl::Status Publish(std::vector<NewEvent> events, PublishDone done);

  // Holds the content of a strict subscriber's event against its catalogue, and notes that in the event, as
  // far as the subscriber is known to be strict without a look at the disk; what is not noted is held against
  // it when it is published, on the committer's thread. INVALID_ARGUMENT.
  absl::Status CheckContent(NewEvent& event) const;

  // For as long as the engine lives.
  const Profiles& profiles() const;

  // Runs `ready` once, on any thread, as soon as the intake has room for this (perhaps at once) or the
  // engine drains; callers are served in their order.
  void WhenRoom(IntakeDemand demand, std::function<void()> ready);

  absl::StatusOr<SubscriberView> CreateSubscriber(Subscriber subscriber);
  absl::StatusOr<SubscriberView> GetSubscriber(const std::string& id);
  // In a fixed order, that of DeliveryStore::ListSubscribers.
  absl::StatusOr<std::vector<SubscriberView>> ListSubscribers(const std::string& after, size_t limit);
  // `change` runs on the current values; its error is returned and changes nothing.
  // On the committer's thread, as is UpdateEndpoint's: it must be quick.
  absl::StatusOr<SubscriberView> UpdateSubscriber(const std::string& id,
                                                  std::function<absl::Status(Subscriber&)> change);
  absl::Status DeleteSubscriber(const std::string& id);

  // `endpoint.id` is the engine's to set. `finish` runs on it first, on the committer's thread: it must be
  // quick. Its error is returned, and nothing is made. A URL that EngineOptions.egress refuses is
  // INVALID_ARGUMENT, here and when UpdateEndpoint changes it.
  absl::StatusOr<EndpointView> CreateEndpoint(Endpoint endpoint, const EndpointChange& finish = nullptr);
  absl::StatusOr<EndpointView> GetEndpoint(EndpointId id);
  // Ids greater than `after`, ascending; `subscriber_id` empty = of all.
  absl::StatusOr<std::vector<EndpointView>> ListEndpoints(const std::string& subscriber_id, EndpointId after,
                                                          size_t limit);
  absl::StatusOr<EndpointView> UpdateEndpoint(EndpointId id, std::function<absl::Status(Endpoint&)> change);
  absl::StatusOr<EndpointView> UpdateEndpoint(EndpointId id, const EndpointChange& change);
  // See core/signing_keys.h.
  absl::StatusOr<EndpointView> RotateSecret(EndpointId id, const SigningKey& key, Millis overlap);
  absl::Status DeleteEndpoint(EndpointId id);
  // The receiver has proven that it wants it: ends a disablement as unverified, and the row of failures with
  // it. `change` runs as UpdateEndpoint's, on the endpoint as it is then; an error changes nothing.
  absl::StatusOr<EndpointView> EndpointVerified(EndpointId id, std::function<absl::Status(Endpoint&)> change);
  // Ends a disablement, and the row of failures. `note`: at most kMaxStateNote bytes. FAILED_PRECONDITION: it
  // is unverified, or has no URL.
  absl::StatusOr<EndpointView> EnableEndpoint(EndpointId id, const std::string& note);
  // As EnableEndpoint. FAILED_PRECONDITION: it is not disabled for failures or as gone since then any more,
  // or has another URL.
  absl::StatusOr<EndpointView> EnableProbed(const Endpoint& probed, const std::string& note);
  absl::StatusOr<EndpointView> DisableEndpoint(EndpointId id, const std::string& note);
  absl::StatusOr<EndpointView> SetEndpointPaused(EndpointId id, bool paused, const std::string& note);

  // `token` has passed core/access_token.h; the engine sets id, hash and time.
  // NOT_FOUND: a subscriber; RESOURCE_EXHAUSTED: core/access_token.h has the bounds.
  absl::StatusOr<MadeToken> MakeToken(AccessToken token, OldTokens old);
  absl::StatusOr<AccessToken> GetToken(uint64_t id);
  // By id, greater than `after`; `subscriber_id` empty = all.
  absl::StatusOr<std::vector<AccessToken>> ListTokens(const std::string& subscriber_id, uint64_t after,
                                                      size_t limit);
  // Not valid any more once this returns.
  absl::Status RevokeToken(uint64_t id);
  // Whose text it is. UNAUTHENTICATED: nobody's, or it has expired. Reads the disk.
  absl::StatusOr<AccessToken> Authenticate(std::string_view text);
  // Grows before a call that ended or changed a token returns: what was read before it may be out of date.
  // Cheap.
  uint64_t TokenChanges() const;

  // Starts no attempt of any endpoint while paused; events keep queueing. Durable.
  absl::Status SetPaused(bool paused, const std::string& note);
  // An operator has looked at the wall clock: expiry and retention go on.
  absl::Status ConfirmClock();

  // Reads may block on the disk.
  absl::StatusOr<DeliveryView> GetDelivery(DeliveryId id);
  absl::StatusOr<DeliveryPage> ListDeliveries(const DeliveryQuery& query);
  absl::StatusOr<std::shared_ptr<const Event>> GetEvent(EventId id);
  absl::StatusOr<EventPage> ListEvents(const EventQuery& query);
  absl::StatusOr<std::vector<DeliveryId>> DeliveriesOf(const Event& event, size_t limit);
  absl::StatusOr<ChangePage> ReadChanges(uint64_t after_commit, size_t limit);

  // The number of the newest commit. Cheap.
  uint64_t last_commit() const;

  // Cheap.
  NewestEvents newest_events() const;

  // The audit log. Read the disk.
  absl::StatusOr<AuditRecord> GetAudit(uint64_t number);
  absl::StatusOr<AuditPage> ListAudit(const AuditQuery& query);
  // Records a change of something that the engine does not keep. On disk once it returns.
  absl::Status NoteAudit(AuditChange change);

  // How far the mails about operational events are, in their own words; empty = there is none. What was saved
  // is on disk. At most kMaxMailCursorBytes.
  std::string MailCursor() const;
  absl::Status SaveMailCursor(const std::string& text);

  // A pending delivery that is the next of its lane is due now; of a terminal one a new delivery is made,
  // which is returned. NOT_FOUND: it, its endpoint, or its payload; FAILED_PRECONDITION: in flight, or behind
  // another.
  absl::StatusOr<DeliveryView> RetryDelivery(DeliveryId id);
  // FAILED_PRECONDITION: in flight, or terminal.
  absl::StatusOr<DeliveryView> CancelDelivery(DeliveryId id);

  // `job`: what it is about, as base/model.h says; the engine sets the rest. `dry_run`: counts up to
  // kMaxDryRunCount and starts nothing; the answer has id 0. RESOURCE_EXHAUSTED: kMaxRunningJobs run.
  absl::StatusOr<Job> StartJob(Job job, bool dry_run);
  absl::StatusOr<Job> GetJob(uint64_t id);
  // Newest first; ids below `before` (0 = all).
  absl::StatusOr<std::vector<Job>> ListJobs(uint64_t before, size_t limit, bool running_only);
  // FAILED_PRECONDITION: it has ended otherwise.
  absl::StatusOr<Job> CancelJob(uint64_t id);

  // Each endpoint by itself; UNAVAILABLE in the middle leaves what was done.
  absl::StatusOr<BulkResult> ChangeEndpoints(const BulkChange& change);

  absl::StatusOr<Statistics> EndpointStatistics(EndpointId id, StatWindow window);
  absl::StatusOr<Statistics> SubscriberStatistics(const std::string& id, StatWindow window);
  // The largest first; `subscriber_id` empty = of all.
  absl::StatusOr<std::vector<TopEndpoint>> TopEndpoints(TopBy by, StatWindow window, size_t limit,
                                                        const std::string& subscriber_id);

  EngineStatus Status();

  // Acted on from the next look at disk and retention on, about a second later.
  void Tune(const EngineTunables& tunables);
  // For the metrics: what the lanes waited for when they were last counted. Each call starts the next count;
  // it never waits.
  LaneGauges Survey();
  // The least number of counts that any shard has ended. While it grows from Survey to Survey, every shard
  // runs.
  uint64_t Surveys() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd
