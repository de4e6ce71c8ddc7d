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
std::string State();              // "s"
std::string BucketRow(Bucket b);  // "b" bucket(4)

// subscribers: partition(2) id
std::string OfSubscriber(std::string_view id);

// endpoints, lanes: endpoint(8); its first two bytes are the partition
std::string OfEndpoint(EndpointId id);

// queue, parked: endpoint(8) sequence(8)
std::string OfDelivery(EndpointId id, Sequence sequence);

// events: bucket(4) event(16)
std::string OfEvent(EventId id);

// history, kind 'd': bucket(4) endpoint(8) sequence(8) attempt(4); the end row comes last
inline constexpr uint32_t kEndRow = 0xffffffff;
std::string HistoryRow(DeliveryId id, uint32_t attempt);
std::string HistoryEnd();  // above every such row

// history, kind 's' (states that are no success): state(1) bucket(4) endpoint(8) sequence(8)
std::string StateRow(DeliveryState state, DeliveryId id);
std::string StatePrefix(DeliveryState state);

// idempotency: day(2) key(16); the key's first two bytes are the partition
uint16_t DayOf(WallMs ms);
std::string OfIdempotency(uint16_t day, const std::array<uint8_t, 16>& key);
std::string IdempotencyDay(uint16_t day);

// Parsers: nullopt = not such a key.
struct EndpointSequence {
  EndpointId endpoint;
  Sequence sequence = 0;
};
std::optional<EndpointId> ParseEndpoint(std::string_view key);
std::optional<EndpointSequence> ParseDelivery(std::string_view key);
struct HistoryKey {
  DeliveryId id;
  uint32_t attempt = 0;
};
std::optional<HistoryKey> ParseHistoryRow(std::string_view key);
std::optional<DeliveryId> ParseStateRow(std::string_view key);
std::optional<Bucket> ParseBucketRow(std::string_view key);

// The smallest key greater than every key with this prefix; empty = there is none.
std::string After(std::string prefix);

}  // namespace hookd::keys
