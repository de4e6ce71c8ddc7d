#include "base/ids.h"

#include <span>

#include "base/check.h"
#include "base/concat.h"

namespace hookd {
namespace {

// Crockford's base 32, lower case: order-preserving, no dot, no look-alikes.
constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";

std::string Encode32(std::string_view prefix, std::span<const uint8_t> bytes) {
  std::string text(prefix);
  text.reserve(prefix.size() + (bytes.size() * 8 + 4) / 5);
  uint32_t buffer = 0;
  int bits = 0;
  for (uint8_t byte : bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text.push_back(kAlphabet[(buffer >> bits) & 31]);
    }
  }
  if (bits > 0) text.push_back(kAlphabet[(buffer << (5 - bits)) & 31]);
  return text;
}

// False unless `text` is exactly what Encode32 makes of some bytes.
bool Decode32(std::string_view prefix, std::string_view text, std::span<uint8_t> bytes) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  if (text.size() != (bytes.size() * 8 + 4) / 5) return false;
  uint32_t buffer = 0;
  int bits = 0;
  size_t out = 0;
  for (char c : text) {
    const size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return false;
    buffer = (buffer << 5) | static_cast<uint32_t>(digit);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[out++] = static_cast<uint8_t>(buffer >> bits);
    }
  }
  return out == bytes.size() && (buffer & ((1u << bits) - 1)) == 0;
}

void PutBig(uint64_t value, std::span<uint8_t> out) {
  for (size_t i = out.size(); i-- > 0; value >>= 8) out[i] = static_cast<uint8_t>(value);
}

uint64_t GetBig(std::span<const uint8_t> in) {
  uint64_t value = 0;
  for (uint8_t byte : in) value = (value << 8) | byte;
  return value;
}

absl::Status BadId(std::string_view kind, std::string_view example) {
  return absl::InvalidArgumentError(Concat("not ", kind, " id: it looks like ", example));
}

}  // namespace

uint64_t StableHash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return hash == 0 ? 1 : hash;
}

Partition PartitionOf(std::string_view subscriber_id) {
  const uint64_t hash = StableHash(subscriber_id);
  return static_cast<Partition>((hash ^ (hash >> 32)) % kPartitions);
}

Bucket BucketOf(WallMs accepted_ms) {
  return accepted_ms <= 0 ? 0 : static_cast<Bucket>(accepted_ms / kBucketMs);
}

EndpointId EndpointId::Make(Partition partition, uint64_t number) {
  HOOKD_CHECK(number < (uint64_t{1} << 48), "endpoint numbers have 48 bits");
  return EndpointId{(uint64_t{partition} << 48) | number};
}

absl::StatusOr<EndpointId> EndpointId::Parse(std::string_view text) {
  const absl::Status bad = BadId("an endpoint", "ep_0a3f000000000001");
  if (text.size() != 19 || text.substr(0, 3) != "ep_") return bad;
  uint64_t value = 0;
  for (char c : text.substr(3)) {
    const size_t digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) return bad;
    value = (value << 4) | digit;
  }
  return EndpointId{value};
}

std::string EndpointId::ToString() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "ep_";
  for (int shift = 60; shift >= 0; shift -= 4) text.push_back(kDigits[(value >> shift) & 15]);
  return text;
}

EventId EventId::Make(WallMs accepted_ms, uint16_t counter, Partition partition, uint64_t random48) {
  EventId id;
  std::span<uint8_t> out(id.bytes);
  PutBig(static_cast<uint64_t>(accepted_ms), out.subspan(0, 6));
  PutBig(counter, out.subspan(6, 2));
  PutBig(partition, out.subspan(8, 2));
  PutBig(random48, out.subspan(10, 6));
  return id;
}

absl::StatusOr<EventId> EventId::Parse(std::string_view text) {
  EventId id;
  if (!Decode32("evt_", text, id.bytes)) return BadId("an event", "evt_06gzqqtbk80002cqngqnv7vzd0");
  return id;
}

std::string EventId::ToString() const { return Encode32("evt_", bytes); }

WallMs EventId::accepted_ms() const {
  return static_cast<WallMs>(GetBig(std::span<const uint8_t>(bytes).subspan(0, 6)));
}

Partition EventId::partition() const {
  return static_cast<Partition>(GetBig(std::span<const uint8_t>(bytes).subspan(8, 2)));
}

absl::StatusOr<DeliveryId> DeliveryId::Parse(std::string_view text) {
  std::array<uint8_t, 20> bytes;
  if (!Decode32("dlv_", text, bytes)) return BadId("a delivery", "dlv_ and 32 letters and digits");
  std::span<const uint8_t> in(bytes);
  return DeliveryId{static_cast<Bucket>(GetBig(in.subspan(0, 4))), EndpointId{GetBig(in.subspan(4, 8))},
                    GetBig(in.subspan(12, 8))};
}

std::string DeliveryId::ToString() const {
  std::array<uint8_t, 20> bytes;
  std::span<uint8_t> out(bytes);
  PutBig(bucket, out.subspan(0, 4));
  PutBig(endpoint.value, out.subspan(4, 8));
  PutBig(sequence, out.subspan(12, 8));
  return Encode32("dlv_", bytes);
}

}  // namespace hookd
