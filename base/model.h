// The terms of docs/architecture.md as plain values. No behaviour beyond names; thread-compatible.
#pragma once

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
enum class DeliveryMode : uint8_t { kOrdered = 1, kParallel = 2 };

struct StatusRange {
  int first = 0;  // inclusive, 100..599
  int last = 0;   // inclusive
  bool operator==(const StatusRange&) const = default;
};

// The n-th retry waits min(step * n, cap), plus up to `jitter` of that, drawn once.
struct LinearBackoff {
  Millis step{15'000};
  Millis cap{15 * 60'000};
  double jitter = 0.10;  // 0..1
  bool operator==(const LinearBackoff&) const = default;
};

// Attempts per second over first attempts and retries alike. per_second 0 = no limit.
struct RateLimit {
  uint32_t per_second = 5;
  uint32_t burst = 5;
  bool operator==(const RateLimit&) const = default;
};

struct DeliveryPolicy {
  DeliveryMode mode = DeliveryMode::kOrdered;
  uint32_t max_in_flight = 16;  // PARALLEL only
  Millis timeout{30'000};       // one deadline over name, connect, TLS and response headers
  std::vector<StatusRange> success = {{200, 209}};
  uint32_t max_retries = 100;  // after the first attempt
  LinearBackoff backoff;
  RateLimit rate;
  bool operator==(const DeliveryPolicy&) const = default;
};

struct Header {
  std::string name;
  std::string value;
  bool secret = false;  // write-only: reads show the name alone
  bool operator==(const Header&) const = default;
};

struct Subscriber {
  std::string id;  // the platform's own
  std::string name;
  bool paused = false;
  WallMs created_ms = 0;
  WallMs updated_ms = 0;
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
  // Raw key bytes of the Standard Webhooks v1 secrets (24..64 bytes each), newest first; at least one.
  std::vector<std::string> signing_keys;
  bool paused = false;
  WallMs created_ms = 0;
  WallMs updated_ms = 0;
};

struct Event {
  EventId id;
  std::string subscriber_id;
  std::string type;
  std::string channel;          // empty = none
  std::string ordering_key;     // empty = none
  std::string idempotency_key;  // empty = none
  std::string traceparent;      // empty = none
  std::string payload;          // JSON text, byte for byte as accepted
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
};
std::string_view ToString(ErrorKind kind);

// Microseconds from the start of the attempt's phase to its end; 0 = the phase did not happen.
struct PhaseTimes {
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
  std::string response_body;           // failures only: the first kKeptBodyBytes
  bool body_truncated = false;
  uint32_t resends = 0;    // times libcurl sent the request again on a fresh connection
  WallMs next_due_ms = 0;  // 0 = no further attempt
};
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
};
std::string_view ToString(EndReason reason);

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
  std::vector<Attempt> attempts;  // oldest first; only where all were asked for
};

}  // namespace hookd
