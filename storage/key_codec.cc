#include "storage/key_codec.h"

#include <algorithm>
#include <utility>

namespace hookd::keys {
namespace {

constexpr char kHistoryKind = 'd';
constexpr char kStateKind = 's';
constexpr char kTimeKind = 't';
constexpr char kRemadeKind = 'e';
constexpr char kJobKind = 'j';
constexpr char kBucketKind = 'b';
constexpr char kPayloadKeyKind = 'p';
constexpr char kChangesHourKind = 'c';
constexpr char kTokenKind = 'k';
constexpr char kTokenOfSubscriberKind = 's';
constexpr int64_t kDayMs = 86'400'000;

template <typename T>
void Put(std::string& out, T value) {
  for (int shift = (sizeof(T) - 1) * 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(value >> shift));
}

template <typename T>
T Take(std::string_view& in) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>((value << 8) | static_cast<uint8_t>(in[i]));
  in.remove_prefix(sizeof(T));
  return value;
}

// 6 bytes.
void PutMs(std::string& out, WallMs ms) {
  for (int shift = 40; shift >= 0; shift -= 8) out.push_back(static_cast<char>(ms >> shift));
}

WallMs TakeMs(std::string_view& in) {
  WallMs ms = 0;
  for (size_t i = 0; i < 6; ++i) ms = (ms << 8) | static_cast<uint8_t>(in[i]);
  in.remove_prefix(6);
  return ms;
}

std::string Prefixed(char kind, size_t reserve) {
  std::string key;
  key.reserve(reserve);
  key.push_back(kind);
  return key;
}

}  // namespace

std::string State() { return "s"; }

std::string OperationsRow() { return "o"; }

std::string MailCursorRow() { return "m"; }

std::string JobPrefix() { return std::string(1, kJobKind); }

std::string JobRow(uint64_t id) {
  std::string key = JobPrefix();
  Put(key, id);
  return key;
}

std::string TokenRow(uint64_t id) {
  std::string key = Prefixed(kTokenKind, 9);
  Put(key, id);
  return key;
}

std::string TokenOfSubscriberRow(uint64_t subscriber, uint64_t id) {
  std::string key = Prefixed(kTokenOfSubscriberKind, 17);
  Put(key, subscriber);
  Put(key, id);
  return key;
}

std::string AfterTokens() { return After(std::string(1, kTokenKind)); }

std::string AfterTokensOfSubscriber(uint64_t subscriber) {
  std::string key = Prefixed(kTokenOfSubscriberKind, 9);
  Put(key, subscriber);
  return After(std::move(key));
}

std::string BucketRow(Bucket b) {
  std::string key = Prefixed(kBucketKind, 5);
  Put(key, b);
  return key;
}

std::string PayloadKeyRow(uint32_t id) {
  std::string key = Prefixed(kPayloadKeyKind, 5);
  Put(key, id);
  return key;
}

std::string ChangesHours() { return std::string(1, kChangesHourKind); }

std::string ChangesHour(Bucket hour) {
  std::string key = ChangesHours();
  Put(key, hour);
  return key;
}

std::string OfSubscriber(std::string_view id) {
  std::string key;
  Put(key, PartitionOf(id));
  key.append(id);
  return key;
}

std::string OfSubscribersEndpoint(std::string_view id, EndpointId endpoint) {
  std::string key = OfSubscriber(id);
  key.push_back('\0');
  Put(key, endpoint.value);
  return key;
}

std::string AfterSubscriber(std::string_view id) {
  std::string key = OfSubscriber(id);
  key.push_back('\x01');
  return key;
}

std::string OfEndpoint(EndpointId id) {
  std::string key;
  Put(key, id.value);
  return key;
}

std::string OfDelivery(EndpointId id, Sequence sequence) {
  std::string key;
  key.reserve(16);
  Put(key, id.value);
  Put(key, sequence);
  return key;
}

std::string EventBucket(Bucket b) {
  std::string key;
  key.reserve(20);
  Put(key, b);
  return key;
}

std::string OfEvent(EventId id) {
  std::string key = EventBucket(id.bucket());
  key.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
  return key;
}

std::string HistoryBucket(Bucket b) {
  std::string key = Prefixed(kHistoryKind, 25);
  Put(key, b);
  return key;
}

std::string HistoryRow(DeliveryId id, uint32_t attempt) {
  std::string key = HistoryBucket(id.bucket);
  Put(key, id.endpoint.value);
  Put(key, id.sequence);
  Put(key, attempt);
  return key;
}

std::string HistoryEnd() { return After(std::string(1, kHistoryKind)); }

std::string StateFrom(DeliveryState state, WallMs made_ms) {
  std::string key = Prefixed(kStateKind, 24);
  Put(key, static_cast<uint8_t>(state));
  PutMs(key, made_ms);
  return key;
}

std::string StateRow(DeliveryState state, WallMs made_ms, EndpointId endpoint, Sequence sequence) {
  std::string key = StateFrom(state, made_ms);
  Put(key, endpoint.value);
  Put(key, sequence);
  return key;
}

std::string TimeBucket(Bucket b) {
  std::string key = Prefixed(kTimeKind, 35);
  Put(key, b);
  return key;
}

std::string TimeFrom(uint64_t subscriber, WallMs made_ms) {
  std::string key = TimeBucket(BucketOf(made_ms));
  Put(key, subscriber);
  PutMs(key, made_ms);
  return key;
}

std::string TimeRow(uint64_t subscriber, WallMs made_ms, EndpointId endpoint, Sequence sequence) {
  std::string key = TimeFrom(subscriber, made_ms);
  Put(key, endpoint.value);
  Put(key, sequence);
  return key;
}

std::string RemadeFrom(WallMs event_accepted_ms) {
  std::string key = Prefixed(kRemadeKind, 33);
  PutMs(key, event_accepted_ms);
  return key;
}

std::string RemadePrefix(EventId event) {
  std::string key = Prefixed(kRemadeKind, 33);
  key.append(reinterpret_cast<const char*>(event.bytes.data()), event.bytes.size());
  return key;
}

std::string RemadeRow(EventId event, EndpointId endpoint, Sequence sequence) {
  std::string key = RemadePrefix(event);
  Put(key, endpoint.value);
  Put(key, sequence);
  return key;
}

std::string OfCommit(uint64_t commit) {
  std::string key;
  Put(key, commit);
  return key;
}

uint16_t DayOf(WallMs ms) { return static_cast<uint16_t>(ms / kDayMs); }

std::string IdempotencyDay(uint16_t day) {
  std::string key;
  Put(key, day);
  return key;
}

std::string OfIdempotency(uint16_t day, const std::array<uint8_t, 16>& key) {
  std::string out = IdempotencyDay(day);
  out.append(reinterpret_cast<const char*>(key.data()), key.size());
  return out;
}

std::string OfId(DeliveryId id) {
  std::string value;
  value.reserve(20);
  Put(value, id.bucket);
  Put(value, id.endpoint.value);
  Put(value, id.sequence);
  return value;
}

std::string OfNumber(uint64_t n) {
  std::string value;
  Put(value, n);
  return value;
}

std::string OfNumber(Bucket bucket) {
  std::string value;
  Put(value, bucket);
  return value;
}

std::optional<DeliveryId> ParseId(std::string_view value) {
  if (value.size() != 20) return std::nullopt;
  DeliveryId id;
  id.bucket = Take<uint32_t>(value);
  id.endpoint.value = Take<uint64_t>(value);
  id.sequence = Take<uint64_t>(value);
  return id;
}

std::optional<uint64_t> ParseNumber(std::string_view value) {
  if (value.size() != 8) return std::nullopt;
  return Take<uint64_t>(value);
}

std::optional<EventId> ParseEventId(std::string_view value) {
  EventId id;
  if (value.size() != id.bytes.size()) return std::nullopt;
  std::copy(value.begin(), value.end(), id.bytes.begin());
  return id;
}

std::optional<EventId> ParseEvent(std::string_view key) {
  if (key.size() < sizeof(Bucket)) return std::nullopt;
  return ParseEventId(key.substr(sizeof(Bucket)));
}

std::optional<SubscriberKey> ParseSubscriber(std::string_view key) {
  if (key.size() < sizeof(Partition)) return std::nullopt;
  key.remove_prefix(sizeof(Partition));
  const size_t nul = key.find('\0');
  if (nul == std::string_view::npos) return SubscriberKey{key, std::nullopt};
  const std::optional<EndpointId> endpoint = ParseEndpoint(key.substr(nul + 1));
  if (!endpoint) return std::nullopt;
  return SubscriberKey{key.substr(0, nul), endpoint};
}

std::optional<EndpointId> ParseEndpoint(std::string_view key) {
  if (key.size() != 8) return std::nullopt;
  return EndpointId{Take<uint64_t>(key)};
}

std::optional<EndpointSequence> ParseDelivery(std::string_view key) {
  if (key.size() != 16) return std::nullopt;
  const EndpointId endpoint{Take<uint64_t>(key)};
  return EndpointSequence{endpoint, Take<uint64_t>(key)};
}

std::optional<HistoryKey> ParseHistoryRow(std::string_view key) {
  if (key.size() != 25 || key[0] != kHistoryKind) return std::nullopt;
  key.remove_prefix(1);
  HistoryKey parsed;
  parsed.id.bucket = Take<uint32_t>(key);
  parsed.id.endpoint.value = Take<uint64_t>(key);
  parsed.id.sequence = Take<uint64_t>(key);
  parsed.attempt = Take<uint32_t>(key);
  return parsed;
}

std::optional<MadeKey> ParseStateRow(std::string_view key) {
  if (key.size() != 24 || key[0] != kStateKind) return std::nullopt;
  key.remove_prefix(2);
  MadeKey parsed;
  parsed.made_ms = TakeMs(key);
  parsed.id.bucket = BucketOf(parsed.made_ms);
  parsed.id.endpoint.value = Take<uint64_t>(key);
  parsed.id.sequence = Take<uint64_t>(key);
  return parsed;
}

std::optional<TimeKey> ParseTimeRow(std::string_view key) {
  if (key.size() != 35 || key[0] != kTimeKind) return std::nullopt;
  key.remove_prefix(1);
  TimeKey parsed;
  parsed.id.bucket = Take<uint32_t>(key);
  parsed.subscriber = Take<uint64_t>(key);
  parsed.made_ms = TakeMs(key);
  parsed.id.endpoint.value = Take<uint64_t>(key);
  parsed.id.sequence = Take<uint64_t>(key);
  return parsed;
}

std::optional<EndpointSequence> ParseRemadeRow(std::string_view key) {
  if (key.size() != 33 || key[0] != kRemadeKind) return std::nullopt;
  return ParseDelivery(key.substr(17));
}

std::optional<uint64_t> ParseCommit(std::string_view key) {
  if (key.size() != 8) return std::nullopt;
  return Take<uint64_t>(key);
}

std::optional<uint64_t> ParseJobRow(std::string_view key) {
  if (key.size() != 9 || key[0] != kJobKind) return std::nullopt;
  key.remove_prefix(1);
  return Take<uint64_t>(key);
}

std::optional<uint64_t> ParseTokenRow(std::string_view key) {
  if (key.size() != 9 || key[0] != kTokenKind) return std::nullopt;
  key.remove_prefix(1);
  return Take<uint64_t>(key);
}

std::optional<uint64_t> ParseTokenOfSubscriberRow(std::string_view key) {
  if (key.size() != 17 || key[0] != kTokenOfSubscriberKind) return std::nullopt;
  key.remove_prefix(9);
  return Take<uint64_t>(key);
}

std::optional<uint32_t> ParsePayloadKeyRow(std::string_view key) {
  if (key.size() != 5 || key[0] != kPayloadKeyKind) return std::nullopt;
  key.remove_prefix(1);
  return Take<uint32_t>(key);
}

std::optional<Bucket> ParseBucketRow(std::string_view key) {
  if (key.size() != 5 || key[0] != kBucketKind) return std::nullopt;
  key.remove_prefix(1);
  return Take<uint32_t>(key);
}

std::optional<Bucket> ParseChangesHour(std::string_view key) {
  if (key.size() != 5 || key[0] != kChangesHourKind) return std::nullopt;
  key.remove_prefix(1);
  return Take<uint32_t>(key);
}

std::string JustAfter(std::string key) {
  key.push_back('\0');
  return key;
}

std::string After(std::string prefix) {
  while (!prefix.empty()) {
    if (static_cast<uint8_t>(prefix.back()) != 0xff) {
      ++prefix.back();
      return prefix;
    }
    prefix.pop_back();
  }
  return prefix;
}

}  // namespace hookd::keys
