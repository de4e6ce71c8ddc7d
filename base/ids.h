// Strong ids and their text forms. Pure values, thread-compatible.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "base/clock.h"

namespace hookd {

// The share of the key space that a subscriber and all that belongs to it live in: a stable hash of the
// subscriber's id. It leads or is contained in every stored key, so that a store can be split later.
using Partition = uint16_t;
inline constexpr Partition kPartitions = 4096;
Partition PartitionOf(std::string_view subscriber_id);

// A hash that never changes (it is stored): FNV-1a, 64 bits, never 0.
uint64_t StableHash(std::string_view text);

// The hour (since the Unix epoch) in which an event was accepted: payloads and history are stored, and
// leave, by such buckets.
using Bucket = uint32_t;
inline constexpr int64_t kBucketMs = 3'600'000;
Bucket BucketOf(WallMs accepted_ms);

// Numbered per endpoint at acceptance, from 1, without gaps.
using Sequence = uint64_t;

// Partition in the high 16 bits, a number that is never reused in the low 48. Text: "ep_" + 16 hex digits.
struct EndpointId {
  uint64_t value = 0;

  static EndpointId Make(Partition partition, uint64_t number);
  static absl::StatusOr<EndpointId> Parse(std::string_view text);
  std::string ToString() const;
  Partition partition() const { return static_cast<Partition>(value >> 48); }
  auto operator<=>(const EndpointId&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, EndpointId id) {
    return H::combine(std::move(h), id.value);
  }
};

// 16 bytes: acceptance time in ms (6), counter within that ms (2), partition (2), random (6). Bytewise order
// is the order of acceptance. Text: "evt_" + 26 letters and digits, no dot, same order.
struct EventId {
  std::array<uint8_t, 16> bytes{};

  static EventId Make(WallMs accepted_ms, uint16_t counter, Partition partition, uint64_t random48);
  static absl::StatusOr<EventId> Parse(std::string_view text);
  std::string ToString() const;
  WallMs accepted_ms() const;
  Bucket bucket() const { return BucketOf(accepted_ms()); }
  Partition partition() const;
  auto operator<=>(const EventId&) const = default;
};

// Where a delivery is found: text "dlv_" + 32 letters and digits.
struct DeliveryId {
  Bucket bucket = 0;  // in which the delivery was made: with its event, or later
  EndpointId endpoint;
  Sequence sequence = 0;

  static absl::StatusOr<DeliveryId> Parse(std::string_view text);
  std::string ToString() const;
  auto operator<=>(const DeliveryId&) const = default;
};

}  // namespace hookd
