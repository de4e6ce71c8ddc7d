// What hookd tells the platform about itself: events of the reserved subscriber `hookd.operations`, delivered
// and polled as any others. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/model.h"

namespace hookd {

// Nobody else publishes to it. Its events are made only while it exists.
inline constexpr std::string_view kOperationsSubscriber = "hookd.operations";

namespace operational {
// An incident of an endpoint: opens at `alert_after` failures in a row or with a disablement by itself, and
// ends with a success or when a person enables it.
inline constexpr std::string_view kFailing = "endpoint.failing";
inline constexpr std::string_view kRecovered = "endpoint.recovered";
inline constexpr std::string_view kDisabled = "endpoint.disabled";
inline constexpr std::string_view kEnabled = "endpoint.enabled";
// One delivery each; only while an endpoint takes them.
inline constexpr std::string_view kExhausted = "delivery.exhausted";
// 80 % of an endpoint's backlog are pending.
inline constexpr std::string_view kBacklog = "endpoint.backlog";
// hookd as a whole.
inline constexpr std::string_view kOutage = "hookd.outage";
inline constexpr std::string_view kClock = "hookd.clock";
inline constexpr std::string_view kDisk = "hookd.disk";
}  // namespace operational

// No secrets: of a URL only the host.
struct OperationalEvent {
  std::string type;
  WallMs at_ms = 0;
  std::string message;        // in plain words, for people; at most kMaxOperationalMessage bytes
  EndpointId endpoint;        // 0 = it concerns the whole of hookd; then the next six are empty
  std::string subscriber_id;  // the endpoint's
  std::string host;           // "name" or "name:port"
  std::string description;    // the endpoint's
  std::string incident;       // the same from its first event to its last: IncidentId
  uint32_t failures = 0;      // in a row
  WallMs failing_since_ms = 0;
  int last_status = 0;  // of the last attempt; 0 = no answer
  ErrorKind last_error = ErrorKind::kNone;
  DisableReason disabled = DisableReason::kNone;  // kDisabled; of kEnabled, what has ended
  bool mail_subscriber = false;                   // the policy's
  std::string delivery_id;                        // kExhausted
  std::string event_id;                           // kExhausted
  bool operator==(const OperationalEvent&) const = default;
};
inline constexpr size_t kMaxOperationalMessage = 512;

// "ep_..." and the time at which the row of failures began.
std::string IncidentId(EndpointId endpoint, WallMs failing_since_ms);

// A JSON object; members that are empty are left out, times are RFC 3339 in UTC with milliseconds.
std::string OperationalPayload(const OperationalEvent& event);
// INVALID_ARGUMENT: not such an object. Members that it does not know are ignored.
absl::StatusOr<OperationalEvent> ParseOperationalPayload(std::string_view payload);

// As hookd publishes it: `channel` is the endpoint's subscriber, `ordering_key` the endpoint. Id and time of
// acceptance are the engine's to set.
Event MakeOperationalEvent(const OperationalEvent& event);

}  // namespace hookd
