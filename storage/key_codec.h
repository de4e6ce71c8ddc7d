// Stored keys: every integer big-endian, so that bytewise order is the order of the numbers. The byte grammar
// is in docs/storage-format.md and held by golden bytes; it changes only with the format version.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/model.h"

namespace hookd::keys {

// meta
std::string State();                     // "s"
std::string OperationsRow();             // "o"
std::string MailCursorRow();             // "m"
std::string PayloadKeyRow(uint32_t id);  // "p" id(4)
std::string JobRow(uint64_t id);         // "j" id(8)
std::string JobPrefix();
std::string ChangesHour(Bucket hour);  // "c" hour(4): in `changes`, the hours that are kept
std::string ChangesHours();            // their prefix
std::string BucketRow(Bucket b);       // "b" bucket(4)

// subscribers: partition(2) id, and its endpoints directly behind it: partition(2) id 0x00 endpoint(8). An id
// holds no NUL.
std::string OfSubscriber(std::string_view id);
std::string OfSubscribersEndpoint(std::string_view id, EndpointId endpoint);
std::string AfterSubscriber(std::string_view id);  // above all of these rows, and below the next subscriber's

// endpoints, lanes: endpoint(8); its first two bytes are the partition
std::string OfEndpoint(EndpointId id);

// queue, parked: endpoint(8) sequence(8)
std::string OfDelivery(EndpointId id, Sequence sequence);

// events: bucket(4) event(16)
std::string OfEvent(EventId id);
std::string EventBucket(Bucket b);

// history, kind 'd': bucket(4) endpoint(8) sequence(8) attempt(4); the end row comes last
inline constexpr uint32_t kEndRow = 0xffffffff;
std::string HistoryRow(DeliveryId id, uint32_t attempt);
std::string HistoryBucket(Bucket b);
std::string HistoryEnd();  // above every such row

// history, kind 's' (states that are no success): state(1) made_ms(6) endpoint(8) sequence(8). `made_ms`:
// when the delivery was made; the bucket of its id follows from it.
std::string StateRow(DeliveryState state, WallMs made_ms, EndpointId endpoint, Sequence sequence);
std::string StateFrom(DeliveryState state, WallMs made_ms);  // not above the rows of that time, or later

// history, kind 't' (every delivery, from when it is made): bucket(4) subscriber(8) made_ms(6) endpoint(8)
// sequence(8); `subscriber` is StableHash of its id
std::string TimeRow(uint64_t subscriber, WallMs made_ms, EndpointId endpoint, Sequence sequence);
std::string TimeFrom(uint64_t subscriber, WallMs made_ms);  // likewise, within the bucket of made_ms
std::string TimeBucket(Bucket b);

// history, kind 'e' (deliveries made later than their event): event(16) endpoint(8) sequence(8)
std::string RemadeRow(EventId event, EndpointId endpoint, Sequence sequence);
std::string RemadePrefix(EventId event);
std::string RemadeFrom(WallMs event_accepted_ms);

// changes: commit(8)
std::string OfCommit(uint64_t commit);

// tokens, kind 'k': id(8); kind 's': subscriber(8) id(8), one per subscriber that it is bound to;
// `subscriber` is StableHash of its id
std::string TokenRow(uint64_t id);
std::string TokenOfSubscriberRow(uint64_t subscriber, uint64_t id);
std::string AfterTokens();                                 // above every row of kind 'k'
std::string AfterTokensOfSubscriber(uint64_t subscriber);  // above the subscriber's

// audit: number(8), as OfNumber

// idempotency: day(2) key(16); the key's first two bytes are the partition
uint16_t DayOf(WallMs ms);
std::string OfIdempotency(uint16_t day, const std::array<uint8_t, 16>& key);
std::string IdempotencyDay(uint16_t day);

// Values: integers as in keys.
std::string OfId(DeliveryId id);      // bucket(4) endpoint(8) sequence(8)
std::string OfNumber(uint64_t n);     // 8 bytes
std::string OfNumber(Bucket bucket);  // 4 bytes

// Parsers: nullopt = not such a key, or value.
std::optional<DeliveryId> ParseId(std::string_view value);
std::optional<EventId> ParseEventId(std::string_view value);
std::optional<EventId> ParseEvent(std::string_view key);
std::optional<uint64_t> ParseNumber(std::string_view value);
struct EndpointSequence {
  EndpointId endpoint;
  Sequence sequence = 0;
};
struct SubscriberKey {
  std::string_view id;
  std::optional<EndpointId> endpoint;  // nullopt = the subscriber's own row
};
std::optional<SubscriberKey> ParseSubscriber(std::string_view key);
std::optional<EndpointId> ParseEndpoint(std::string_view key);
std::optional<EndpointSequence> ParseDelivery(std::string_view key);
struct HistoryKey {
  DeliveryId id;
  uint32_t attempt = 0;
};
std::optional<HistoryKey> ParseHistoryRow(std::string_view key);
struct MadeKey {
  WallMs made_ms = 0;
  DeliveryId id;
};
std::optional<MadeKey> ParseStateRow(std::string_view key);
struct TimeKey {
  uint64_t subscriber = 0;
  WallMs made_ms = 0;
  DeliveryId id;
};
std::optional<TimeKey> ParseTimeRow(std::string_view key);
std::optional<EndpointSequence> ParseRemadeRow(std::string_view key);
std::optional<uint64_t> ParseCommit(std::string_view key);
std::optional<uint32_t> ParsePayloadKeyRow(std::string_view key);
std::optional<uint64_t> ParseJobRow(std::string_view key);
std::optional<uint64_t> ParseTokenRow(std::string_view key);
std::optional<uint64_t> ParseTokenOfSubscriberRow(std::string_view key);  // the token's id
std::optional<Bucket> ParseBucketRow(std::string_view key);
std::optional<Bucket> ParseChangesHour(std::string_view key);

// The smallest key greater than this one.
std::string JustAfter(std::string key);

// The smallest key greater than every key with this prefix; empty = there is none.
std::string After(std::string prefix);

}  // namespace hookd::keys
