// The typed facts that the committer writes. Facts are numbered by commit; applying one is deterministic,
// so the same facts in the same order give the same store, here or on another node.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/model.h"

namespace hookd {

// A subscriber was made or changed; holds all of its new values.
struct SubscriberChanged {
  Subscriber subscriber;
};

// A subscriber without endpoints is gone.
struct SubscriberDeleted {
  std::string id;
};

// An endpoint was made or changed (configuration, pause); holds all of its new values. Making one makes its
// lane.
struct EndpointChanged {
  std::shared_ptr<const Endpoint> endpoint;
};

// A range fact over the whole lane: the configuration is gone at once, nothing is accepted or started any
// more; DeliveryEnded rows follow, then LaneRemoved.
struct EndpointDeleted {
  EndpointId endpoint;
};

// `key`: the subscriber's partition (2 bytes) and 14 bytes of SHA-256 over subscriber and key; `fingerprint`:
// 16 bytes of SHA-256 over what was published under it.
struct IdempotencyKey {
  std::array<uint8_t, 16> key{};
  std::array<uint8_t, 16> fingerprint{};
};

struct AcceptedDelivery {
  EndpointId endpoint;
  Sequence sequence = 0;  // must be the lane's next
};

// An event was accepted, with every delivery that it fans out to (none is fine).
struct Accepted {
  std::shared_ptr<const Event> event;
  std::vector<AcceptedDelivery> deliveries;
  std::optional<IdempotencyKey> idempotency;
};

// An attempt ended. In one fact: the attempt's record, the delivery's next state, the endpoint's health and
// rate, and the cursor.
struct AttemptRecorded {
  DeliveryId delivery;
  EventId event;
  std::string event_type;     // kept with the end of the delivery: payloads may go earlier
  std::string subscriber_id;  // likewise
  Attempt attempt;
  bool was_parked = false;                        // false = it came from the queue (its first attempt)
  DeliveryState state = DeliveryState::kPending;  // kPending = parked until attempt.next_due_ms
  EndReason reason = EndReason::kNone;            // set when `state` is terminal
  uint32_t failures = 0;                          // retries counted so far, for the parked row
  uint64_t ordering_key_hash = 0;                 // 0 = none
  Sequence cursor = 0;                            // no queue row of the lane is below it any more
  WallMs rate_tat_ms = 0;                         // GCRA's theoretical arrival time, wall ms
};

// A pending delivery ended without an attempt.
struct DeliveryEnded {
  DeliveryId delivery;
  EventId event;
  std::string event_type;
  std::string subscriber_id;
  DeliveryState state = DeliveryState::kCanceled;
  EndReason reason = EndReason::kNone;
  WallMs at_ms = 0;
  bool was_parked = false;
  uint64_t ordering_key_hash = 0;
  uint32_t attempt_count = 0;
};

// A deleted endpoint's lane has nothing pending left and goes.
struct LaneRemoved {
  EndpointId endpoint;
};

using Fact = std::variant<SubscriberChanged, SubscriberDeleted, EndpointChanged, EndpointDeleted, Accepted,
                          AttemptRecorded, DeliveryEnded, LaneRemoved>;

}  // namespace hookd
