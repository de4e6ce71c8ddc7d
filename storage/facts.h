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

#include "base/audit.h"
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

// An endpoint was made or changed (configuration, pause, disablement); holds all of its new values. Making
// one makes its lane.
struct EndpointChanged {
  std::shared_ptr<const Endpoint> endpoint;
  bool reset_failures = false;  // the lane's row of failures starts afresh (a person enabled it)
};

// A range fact over the whole lane: the configuration is gone at once, nothing is accepted or started any
// more; DeliveryEnded rows follow, then LaneRemoved.
struct EndpointDeleted {
  EndpointId endpoint;
  std::string subscriber_id;
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

// A new delivery of an event that was accepted before. `event` is stored, and its payload is not gone.
struct Redelivered {
  std::shared_ptr<const Event> event;
  AcceptedDelivery delivery;
  RemadePtr remade;  // never null; accepted_ms is not before that of the lane's newest delivery
  // Of remade->replaces, where that ended without success: what finds its row in the index by state.
  DeliveryState replaced_state = DeliveryState::kPending;
  WallMs replaced_accepted_ms = 0;
};

// A job was made, got on, or ended; holds all of its new values.
struct JobChanged {
  Job job;
};

// A job that ended long ago is forgotten.
struct JobDeleted {
  uint64_t id = 0;
};

// An attempt ended. In one fact: the attempt's record, the delivery's next state, the endpoint's health and
// rate, and the cursor.
struct AttemptRecorded {
  DeliveryId delivery;
  EventId event;
  RemadePtr remade;
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
  WallMs hold_until_ms = 0;                       // the lane's hold (Retry-After); 0 = none
  bool counts_towards_disable = true;             // of a failure of the receiver's
  std::optional<EventId> batch;                   // that it was sent in
  // A further member of the batch whose first member's fact comes before it in the same commit: the
  // endpoint's health has the attempt already.
  bool follows = false;
};

// Deliveries that were never attempted are put together, for good: they are in `parked` from then on, and are
// sent, retried and ended as one.
struct BatchFormed {
  struct Member {
    DeliveryId delivery;
    EventId event;
    RemadePtr remade;
    uint64_t ordering_key_hash = 0;
    bool was_parked = false;
  };
  EventId batch;                // what receivers see as webhook-id
  std::vector<Member> members;  // of one endpoint, by sequence; at least one
  Sequence cursor = 0;          // no queue row of the lane is below it any more
};

// A delivery was reached that cannot go yet: KEYED, while an earlier one of its key waits, or before its
// not_before. It leaves the queue for `parked`, with no attempt made, so that the cursor can go on.
struct DeliveryParked {
  DeliveryId delivery;
  EventId event;
  RemadePtr remade;
  uint64_t ordering_key_hash = 0;
  WallMs due_ms = 0;    // not_before; 0 = none
  Sequence cursor = 0;  // no queue row of the lane is below it any more
};

// A pending delivery ended without an attempt.
struct DeliveryEnded {
  DeliveryId delivery;
  EventId event;
  RemadePtr remade;
  std::string event_type;
  std::string subscriber_id;
  DeliveryState state = DeliveryState::kCanceled;
  EndReason reason = EndReason::kNone;
  WallMs at_ms = 0;
  bool was_parked = false;
  uint64_t ordering_key_hash = 0;
  uint32_t attempt_count = 0;
  Sequence cursor = 0;  // no queue row of the lane is below it any more; 0 = as it was
  std::optional<EventId> batch = std::nullopt;
};

// A deleted endpoint's lane has nothing pending left and goes.
struct LaneRemoved {
  EndpointId endpoint;
};

// Retention: nothing of the bucket is pending. Its payloads go, and with `history` also all that is known of
// its deliveries: range deletes, and with `history` the bucket's own row.
struct BucketDropped {
  Bucket bucket = 0;
  bool history = false;
};

// What an operator has stopped, or what waits for one; holds all of its new values.
struct OperationsChanged {
  Operations operations;
};

// A token was made, or lost a subscriber; holds all of its values.
struct TokenMade {
  AccessToken token;
};

// It is valid no more. Holds its values: rows are found by them.
struct TokenRevoked {
  AccessToken token;
};

// How far the mails about operational events are. The text is theirs to read.
struct MailCursorChanged {
  std::string text;
};

// A purge: what was kept of the exchanges of a delivery that has ended goes; its figures stay. As it is read
// with all of its attempts, and without bodies and headers.
struct ResponsesErased {
  Delivery delivery;
};

// A purge: an event's payload goes, and all else that its row holds. No delivery of it is pending.
struct EventErased {
  EventId event;
  uint64_t payload_bytes = 0;
};

// A change was made, in this commit. Records are numbered without gaps.
struct Audited {
  AuditRecord record;
};

// Retention of the audit log: records below this number go, but never the newest.
struct AuditTrimmed {
  uint64_t before = 0;
};

using Fact =
    std::variant<SubscriberChanged, SubscriberDeleted, EndpointChanged, EndpointDeleted, Accepted,
                 AttemptRecorded, DeliveryParked, DeliveryEnded, LaneRemoved, BucketDropped,
                 OperationsChanged, Redelivered, JobChanged, JobDeleted, TokenMade, BatchFormed, TokenRevoked,
                 MailCursorChanged, ResponsesErased, EventErased, Audited, AuditTrimmed>;

}  // namespace hookd
