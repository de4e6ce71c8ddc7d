// The terms of docs/architecture.md as plain values. No behaviour beyond names; thread-compatible.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace hookd {

using Millis = std::chrono::milliseconds;

// Numbers are stored and sent: never reuse one.
enum class DeliveryMode : uint8_t { kOrdered = 1, kParallel = 2, kKeyed = 3 };

struct StatusRange {
  int first = 0;  // inclusive, 100..599
  int last = 0;   // inclusive
  bool operator==(const StatusRange&) const = default;
};

// Numbers are stored and sent: never reuse one.
enum class BackoffKind : uint8_t { kLinear = 1, kFixed = 2, kExponential = 3, kSchedule = 4 };

// How long the n-th retry (1 for the first) waits, plus up to `jitter` of that, drawn once and stored.
struct Backoff {
  BackoffKind kind = BackoffKind::kLinear;
  Millis step{15'000};           // LINEAR: min(step * n, cap). FIXED: step. EXPONENTIAL: see factor
  Millis cap{15 * 60'000};       // LINEAR and EXPONENTIAL
  double factor = 2;             // EXPONENTIAL: min(step * factor^(n-1), cap)
  std::vector<Millis> schedule;  // SCHEDULE: the n-th entry; the last one repeats
  double jitter = 0.10;          // 0..1
  bool exact_first = false;      // the first retry has no jitter
  bool operator==(const Backoff&) const = default;
};
inline Backoff LinearBackoff(Millis step, Millis cap, double jitter) {
  return {BackoffKind::kLinear, step, cap, 2, {}, jitter};
}

// When an endpoint is disabled by itself. Failures that count: all but LOCAL errors and, unless count_429
// says so, status 429.
struct AutoDisable {
  uint32_t failures = 60;  // so many in a row or more; 0 = never
  Millis span{3'600'000};  // and they span at least so long
  bool on_gone = true;     // status 410 disables at once
  bool count_429 = false;  // status 429 counts towards `failures`
  bool operator==(const AutoDisable&) const = default;
};

// What a rate limit counts. Numbers are stored and sent: never reuse one.
enum class RateUnit : uint8_t {
  kRequest = 1,  // a batch counts once
  kMember = 2,   // a batch counts as many as it has members
};

// Attempts per second over first attempts and retries alike. per_second 0 = no limit.
struct RateLimit {
  uint32_t per_second = 5;
  uint32_t burst = 5;
  RateUnit unit = RateUnit::kRequest;
  bool operator==(const RateLimit&) const = default;
};

// Numbers are stored and sent: never reuse one.
enum class HttpVersion : uint8_t { kHttp11 = 1, kHttp2 = 2 };

// Consecutive deliveries of one order key that go out as one POST: a JSON array, also of one.
struct BatchPolicy {
  std::vector<std::string> event_types;  // exact, or a prefix such as "message:*"; empty = batching is off
  uint32_t max_members = 25;             // 1..kMaxBatchMembers
  Millis linger{1'000};                  // from the first member's turn until it goes although it is not full
  bool operator==(const BatchPolicy&) const = default;
};
inline constexpr uint32_t kMaxBatchMembers = 25;
inline constexpr size_t kMaxBatchPayloadBytes =
    1024 * 1024;  // of the members' payloads; one larger than it goes alone

// A disabled endpoint is probed with a test event; when it answers with success it is enabled.
struct AutoProbe {
  Millis first{0};        // after the disablement; 0 = it is not probed by itself
  Millis cap{3'600'000};  // the wait doubles up to this
  bool operator==(const AutoProbe&) const = default;
};

struct DeliveryPolicy {
  DeliveryMode mode = DeliveryMode::kOrdered;
  uint32_t max_in_flight = 16;  // PARALLEL, and KEYED over all keys
  Millis timeout{30'000};       // one deadline over name, connect, TLS and response headers
  std::vector<StatusRange> success = {{200, 209}};
  uint32_t max_retries = 100;  // after the first attempt
  Backoff backoff;
  Millis retry_after_max{3'600'000};  // Retry-After of 429 and 503 is honoured up to this; 0 = ignored
  RateLimit rate;
  uint32_t alert_after = 10;  // failures in a row; 0 = no alert
  AutoDisable disable;
  uint64_t backlog =
      1'000'000;  // pending deliveries; when full the oldest not in flight expires; 0 = unbounded
  HttpVersion http_version = HttpVersion::kHttp11;
  bool keep_all_bodies = false;  // response bodies of successes too
  BatchPolicy batch;
  bool coalesce = false;         // a newer event supersedes a pending older one with the same coalesce_key
  bool mail_subscriber = false;  // alerts about the endpoint go to the subscriber's addresses
  AutoProbe probe;
  bool operator==(const DeliveryPolicy&) const = default;
};

struct Header {
  std::string name;
  std::string value;
  bool secret = false;  // write-only: reads show the name alone
  bool operator==(const Header&) const = default;
};

// How an endpoint's receiver is checked, and who hookd is to it. Empty fields: as for every endpoint.
struct TlsSettings {
  std::string ca_pem;                    // what these certificates issued is trusted, and nothing else
  std::vector<std::string> pinned_keys;  // "sha256//" and base64: the receiver's key is one of them
  std::string client_certificate_pem;    // shown to the receiver, with its chain
  std::string client_key_pem;            // secret; where there is a certificate
  bool operator==(const TlsSettings&) const = default;
};
inline constexpr size_t kMaxTlsPemBytes = 32 * 1024;  // of each of the three
inline constexpr size_t kMaxPinnedKeys = 8;

// Numbers are stored and sent: never reuse one.
enum class SigningScheme : uint8_t {
  kV1 = 1,   // HMAC-SHA256
  kV1a = 2,  // Ed25519
};

// A secret of Standard Webhooks.
struct SigningKey {
  std::string key;  // raw. V1: 24..64 bytes; V1A: the 32 bytes of the private key's seed
  SigningScheme scheme = SigningScheme::kV1;
  WallMs created_ms = 0;  // 0 = not known
  WallMs expires_ms = 0;  // signs nothing from then on; 0 = it does not end
  bool operator==(const SigningKey&) const = default;
};
inline constexpr size_t kMaxSigningKeys = 10;  // of an endpoint, of both schemes together

// HTTP Basic.
struct BasicCredentials {
  std::string user;
  std::string password;  // secret
  bool operator==(const BasicCredentials&) const = default;
};

// OAuth 2.0 client credentials (RFC 6749, 4.4).
struct OAuth2Credentials {
  std::string token_url;
  std::string client_id;
  std::string client_secret;  // secret
  std::vector<std::string> scopes;
  std::string audience;         // empty = none
  bool secret_in_body = false;  // the client shows its secret in the form, not by HTTP Basic
  bool operator==(const OAuth2Credentials&) const = default;
};

// What an endpoint's requests carry in Authorization: one of the two.
struct Authorization {
  std::shared_ptr<const BasicCredentials> basic;
  std::shared_ptr<const OAuth2Credentials> oauth2;
};

struct Subscriber {
  std::string id;  // the platform's own
  std::string name;
  bool paused = false;
  WallMs created_ms = 0;
  WallMs updated_ms = 0;
  std::string profile =
      {};                 // its catalogue, and what its endpoints are made from; empty = hookd's own defaults
  std::string plan = {};  // the platform's word; gates event types and tools where the profile says so
  bool strict = false;    // events outside the catalogue are refused
  std::vector<std::string> alert_addresses = {};  // mail addresses
  std::vector<std::string> held_channels = {};    // their connection is down: see HoldsChannel
};
inline constexpr size_t kMaxAlertAddresses = 10;
inline constexpr size_t kMaxHeldChannels = 1'000;

// Why an endpoint is disabled. Numbers are stored and sent: never reuse one.
enum class DisableReason : uint8_t {
  kNone = 0,      // it is not
  kFailures = 1,  // too many failures in a row, over too long
  kGone = 2,      // it answered 410
  kPerson = 3,
  kUrlCleared = 4,  // a new API key took its URL away
  kUnverified = 5,  // its ownership has to be proven first
};
std::string_view ToString(DisableReason reason);
inline constexpr size_t kMaxStateNote = 256;

// An endpoint's requests go to a bin instead of its URL until `until_ms`; the URL itself never changes.
struct Capture {
  std::string bin;  // the bin's id
  WallMs until_ms = 0;
  bool delivers = false;  // true: what was captured counts as delivered; false: the lane is held meanwhile
  bool operator==(const Capture&) const = default;
};

struct Endpoint {
  EndpointId id;
  std::string subscriber_id;
  std::string description;
  std::string url;
  std::vector<std::string> event_types;  // exact, or a prefix such as "message:*"; empty = all
  std::vector<std::string> channels;     // exact; empty = all
  std::vector<Header> headers;
  DeliveryPolicy policy;
  // Newest first; the newest V1 key has no end.
  std::vector<SigningKey> signing_keys;
  bool paused = false;
  DisableReason disabled = DisableReason::kNone;
  WallMs disabled_ms = 0;  // since when; 0 = it is not
  std::string
      state_note;  // what was said with the last enable, disable, pause or resume, by a person or a probe
  WallMs created_ms = 0;
  WallMs updated_ms = 0;
  std::string profile;  // what it was made from; empty = hookd's own defaults
  // The profile's settings that differ from its defaults, by name. What they do is in `policy` and
  // `muted_event_types` already.
  std::map<std::string, bool> settings;
  std::vector<std::string> muted_event_types;  // exact, or a prefix; not sent although event_types takes them
  std::optional<Capture> capture;
  std::shared_ptr<const TlsSettings> tls;  // null = none of its own
  Authorization authorization;             // both null = none
};

// When the first of its signing keys that end does; 0 = none does.
WallMs KeysEnd(const Endpoint& endpoint);

// True: its subscriber holds the only channel that the endpoint serves, so no attempt starts.
bool HoldsChannel(const Subscriber& subscriber, const Endpoint& endpoint);

// Why no attempt of an endpoint starts, as far as its configuration says; the first that applies.
enum class Hold : uint8_t {
  kNone = 0,
  kEndpoint,    // it is paused or disabled itself
  kSubscriber,  // its subscriber is paused
  kChannel,     // HoldsChannel
};
Hold HoldOf(const Subscriber& subscriber, const Endpoint& endpoint);

// How far ahead an event's not_before may lie.
inline constexpr Millis kMaxNotBefore{30LL * 24 * 3'600'000};

struct Event {
  EventId id;
  std::string subscriber_id;
  std::string type;
  std::string channel;          // empty = none
  std::string ordering_key;     // empty = none
  std::string idempotency_key;  // empty = none
  std::string coalesce_key;     // empty = none; what a newer one with the same key makes superfluous
  std::string traceparent;      // empty = none
  std::string tracestate;       // empty = none; only with a traceparent
  std::string payload;          // JSON text, byte for byte as accepted
  WallMs not_before_ms = 0;     // no attempt starts earlier; 0 = none
  WallMs expires_ms = 0;        // no attempt starts at or after it; 0 = none
  WallMs accepted_ms = 0;
};

// Numbers are stored and sent: never reuse one.
enum class DeliveryState : uint8_t {
  kPending = 1,    // queued, waiting for a retry, or in flight
  kSucceeded = 2,  // terminal from here on; a terminal state is final
  kExhausted = 3,  // retries used up
  kExpired = 4,
  kCanceled = 5,  // endpoint deleted, or by a person
};
inline constexpr bool IsTerminal(DeliveryState state) { return state != DeliveryState::kPending; }
std::string_view ToString(DeliveryState state);

// Why an attempt did not succeed. Numbers are stored and sent: never reuse one.
enum class ErrorKind : uint8_t {
  kNone = 0,
  kStatus = 1,          // an answer outside the endpoint's success ranges
  kTimeout = 2,         // no complete response header block within the deadline
  kName = 3,            // the name does not exist or has no address
  kConnect = 4,         // refused, unreachable, reset while connecting
  kTls = 5,             // handshake or certificate
  kProtocol = 6,        // the connection broke, or what came is not HTTP
  kResponseTooBig = 7,  // response headers over their bound
  kLocal = 8,           // our own trouble: descriptors, resolver, shutdown; not the receiver's failure
  kRefusedAddress = 9,  // the host leads to no address that may be connected to; see core/egress_rules.h
  kToken = 10,          // the OAuth 2.0 token could not be had, so nothing was sent
};
std::string_view ToString(ErrorKind kind);

// Why there is a delivery. Numbers are stored and sent: never reuse one.
enum class Origin : uint8_t {
  kPublish = 0,  // made with its event
  kRetry = 1,    // a person retried a terminal one
  kRecover = 2,  // RecoverDeliveries; or a purge ended it with the rest of its batch
  kReplay = 3,   // ReplayEvents
};

// What is known of a delivery that was made later than its event. Null pointers to it = made with its event.
struct Remade {
  WallMs accepted_ms = 0;  // when the delivery was made; its id's bucket follows from it
  Origin origin = Origin::kRetry;
  std::optional<DeliveryId> replaces;  // the terminal delivery that it was made for
};
using RemadePtr = std::shared_ptr<const Remade>;

inline WallMs AcceptedMs(const EventId& event, const RemadePtr& remade) {
  return remade == nullptr ? event.accepted_ms() : remade->accepted_ms;
}
inline DeliveryId MakeDeliveryId(const EventId& event, const RemadePtr& remade, EndpointId endpoint,
                                 Sequence sequence) {
  return {BucketOf(AcceptedMs(event, remade)), endpoint, sequence};
}

// What an attempt made of its delivery, and why. Numbers are stored and sent: never reuse one.
enum class AttemptDecision : uint8_t {
  kNone = 0,  // recorded before decisions were kept
  kDelivered = 1,
  kBackoff = 2,       // retried when the policy's backoff is over
  kRetryAfter = 3,    // retried when the receiver's Retry-After is over
  kLocalBackoff = 4,  // our own trouble: retried, not counted
  kRetriesUsedUp = 5,
  kExpired = 6,  // the event's expires_at is over
  kEndpointDeleted = 7,
  kNewToken = 8,  // retried at once, with a new OAuth 2.0 token: the receiver takes the old one no longer
};

// Microseconds from the start of the attempt's phase to its end; 0 = the phase did not happen.
struct PhaseTimes {
  int64_t queue = 0;  // before the attempt: from when it could have gone to its start
  int64_t name = 0;
  int64_t connect = 0;
  int64_t tls = 0;
  int64_t first_byte = 0;
  int64_t total = 0;
};

// One HTTP exchange as it is recorded.
struct Attempt {
  uint32_t number = 0;  // 1 for the first
  WallMs started_ms = 0;
  PhaseTimes us;
  ErrorKind error = ErrorKind::kNone;  // kNone = success
  std::string error_detail;            // plain words, at most kMaxErrorDetail bytes, no secrets
  int status = 0;                      // 0 = no response header block came
  std::string remote_address;          // "ip:port", empty = never connected
  int http_version = 0;                // 10, 11, 20; 0 = unknown
  std::string response_body;           // the first kKeptBodyBytes; of successes only if the policy says so
  bool body_truncated = false;
  uint32_t resends = 0;    // times libcurl sent the request again on a fresh connection
  WallMs next_due_ms = 0;  // 0 = no further attempt
  AttemptDecision decision = AttemptDecision::kNone;
  // As the bodies are kept: lines "Name: value\n" in the order of the wire, "Name\n" (no colon) where the
  // value is a secret; at most kKeptHeaderBytes, cut at a line.
  std::string request_headers;
  std::string response_headers;
};
inline constexpr size_t kKeptHeaderBytes = 8 * 1024;
// "1.0", "1.1", "2" for 10, 11, 20; empty for anything else.
std::string_view HttpVersionName(int http_version);
inline constexpr size_t kMaxErrorDetail = 256;
inline constexpr size_t kKeptBodyBytes = 16 * 1024;
inline constexpr size_t kDrainedBodyBytes = 64 * 1024;

// Why a delivery reached its terminal state. Numbers are stored and sent: never reuse one.
enum class EndReason : uint8_t {
  kNone = 0,
  kDelivered = 1,
  kRetriesUsedUp = 2,
  kEndpointDeleted = 3,
  kTooOld = 4,       // pending for longer than the retention
  kExpiresAt = 5,    // the event's own expires_at
  kBacklogFull = 6,  // the oldest of a full backlog
  kCanceledByPerson = 7,
  kExpiredByPerson = 8,  // ExpireBacklog
  kSuperseded = 9,       // a newer event with the same coalesce_key came
  kPurged = 10,          // PurgeEvent, PurgeSubscriber
};
std::string_view ToString(EndReason reason);

// What an operator has stopped, for everything.
struct Operations {
  bool paused = false;         // no attempt starts, of any endpoint
  std::string pause_note;      // what the operator said
  WallMs paused_ms = 0;        // since when; 0 = not paused
  bool clock_suspect = false;  // wall time leapt: nothing expires until an operator confirms it
  bool operator==(const Operations&) const = default;
};

// A delivery as reads show it.
struct Delivery {
  DeliveryId id;
  EventId event;
  std::string subscriber_id;
  std::string event_type;
  DeliveryState state = DeliveryState::kPending;
  EndReason reason = EndReason::kNone;
  WallMs accepted_ms = 0;
  WallMs ended_ms = 0;     // 0 while pending
  WallMs next_due_ms = 0;  // of the next retry; 0 = none waits
  uint32_t attempt_count = 0;
  // Of the last attempt, where it was stored with the end or the retry.
  int last_status = 0;
  ErrorKind last_error = ErrorKind::kNone;
  Origin origin = Origin::kPublish;
  std::optional<DeliveryId> replaces;
  std::optional<DeliveryId> replaced_by;  // of one that did not succeed: the newest made for it
  std::optional<EventId> batch;           // the webhook-id that it was sent under with others
  std::vector<Attempt> attempts;          // oldest first; only where all were asked for
};

// What a token's holder may do. Numbers are stored and sent: never reuse one.
enum class TokenRole : uint8_t {
  kPublisher = 1,   // publishes events
  kOperator = 2,    // everything
  kViewer = 3,      // reads
  kSubscriber = 4,  // the affairs of its subscribers
};
std::string_view ToString(TokenRole role);

// An API key. Its text was shown once; only what verifies it is kept.
struct AccessToken {
  uint64_t id = 0;  // random, not 0; part of the text
  TokenRole role = TokenRole::kSubscriber;
  std::vector<std::string> subscriber_ids;  // of kSubscriber: 1..kMaxTokenSubscribers; else none
  std::string description;                  // for people
  std::array<uint8_t, 32> hash{};           // SHA-256 of the text
  WallMs created_ms = 0;
  WallMs expires_ms = 0;  // not valid from then on; 0 = it does not expire
  // Of what it publishes; 0 = as configured for all.
  uint32_t bytes_per_second = 0;   // payloads
  uint32_t max_payload_bytes = 0;  // of one event
  bool operator==(const AccessToken&) const = default;
};
inline constexpr size_t kMaxTokenSubscribers = 1'000;

// Numbers are stored and sent: never reuse one.
enum class JobKind : uint8_t {
  kExpire = 1,
  kRecover = 2,
  kReplay = 3,
  kPurge = 4,  // payloads and what is kept of answers go, from the files too
  kRekey = 5,  // stored secrets are sealed under the newest key
};
enum class JobState : uint8_t { kRunning = 1, kDone = 2, kCanceled = 3, kFailed = 4 };

// Work on many deliveries. It is stored with every commit of what it does.
struct Job {
  uint64_t id = 0;  // numbered from 1, never reused; text: "job_" and 16 hex digits
  JobKind kind = JobKind::kRecover;
  JobState state = JobState::kRunning;
  // What it is about; zero or empty = any.
  EndpointId endpoint;
  std::string subscriber_id;
  std::string host;        // "name" or "name:port", lower case
  std::string event_type;  // exact, or a prefix such as "message:*"
  WallMs from_ms = 0;      // inclusive
  WallMs before_ms = 0;    // exclusive; never 0 once it runs: what comes later is not its matter
  std::optional<EventId> event = std::nullopt;  // kPurge: this one alone
  std::optional<DeliveryState> only_state;      // kRecover: EXHAUSTED or EXPIRED alone
  uint32_t rate = 1000;                         // deliveries per second
  std::string reason;                           // for people
  // How far it is.
  std::string position;   // of its list, behind the last that it looked at; empty = at the beginning
  uint32_t phase = 0;     // of its lists, the one it is in
  uint64_t matched = 0;   // looked at, that the filters take
  uint64_t done = 0;      // of them: something was made of
  uint64_t skipped = 0;   // of them: left alone
  uint64_t expected = 0;  // what `matched` may come to; 0 = not known
  std::string error;      // kFailed: why
  WallMs created_ms = 0;
  WallMs updated_ms = 0;
  WallMs ended_ms = 0;  // 0 = it runs
};

// A change of a delivery's state, as watchers see it.
struct StateChange {
  DeliveryId delivery;
  EventId event;
  std::string subscriber_id;
  std::string event_type;
  DeliveryState state = DeliveryState::kPending;
  EndReason reason = EndReason::kNone;
  uint32_t attempt_count = 0;  // 0 and PENDING = it was made
  int status = 0;              // of the attempt that changed it; 0 = none, or no answer
  ErrorKind error = ErrorKind::kNone;
  WallMs at_ms = 0;
  WallMs next_due_ms = 0;  // 0 = none waits
};

}  // namespace hookd
