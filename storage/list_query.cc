#include "storage/list_query.h"

#include <algorithm>
#include <limits>

#include <absl/status/status.h>

#include "base/concat.h"

namespace hookd {
namespace {

constexpr WallMs kLastMs = 0xffff'ffff'ffff;  // a key holds 6 bytes
constexpr std::string_view kHexDigits = "0123456789abcdef";

void AppendHex(std::string& out, uint64_t value, int digits) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out.push_back(kHexDigits[(value >> shift) & 15]);
}

// Removes so many lower-case hex digits from the front; nullopt if they are not there.
std::optional<uint64_t> TakeHex(std::string_view& text, size_t digits) {
  if (text.size() < digits) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text.substr(0, digits)) {
    const size_t digit = kHexDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = (value << 4) | digit;
  }
  text.remove_prefix(digits);
  return value;
}

std::string PositionPrefix(const DeliveryQuery& query, ListOrder order) {
  std::string prefix = {static_cast<char>(order), query.newest_first ? 'b' : 'f'};
  AppendHex(prefix, query.state ? static_cast<uint64_t>(*query.state) : 0, 1);
  const std::string endpoint = query.endpoint ? query.endpoint->ToString() : std::string();
  AppendHex(prefix, StableHash(Concat(endpoint, "/", query.subscriber_id)), 16);
  return prefix;
}

uint64_t LastTimeOf(ListOrder order) {
  switch (order) {
    case ListOrder::kSubscriber:
    case ListOrder::kFailed:
      return kLastMs;
    case ListOrder::kEndpoint:
    case ListOrder::kSucceeded:
      return std::numeric_limits<Bucket>::max();
    case ListOrder::kPending:
      return 0;
  }
  return 0;
}

}  // namespace

MadeRange ClampedRange(WallMs from_ms, WallMs before_ms) {
  const WallMs before = before_ms == 0 ? kLastMs : before_ms;
  return {std::clamp<WallMs>(from_ms, 0, kLastMs), std::clamp<WallMs>(before, 0, kLastMs)};
}

absl::StatusOr<ListOrder> OrderOf(const DeliveryQuery& query) {
  if (query.state && IsFailed(*query.state)) return ListOrder::kFailed;
  if (query.endpoint) return ListOrder::kEndpoint;
  if (!query.subscriber_id.empty()) return ListOrder::kSubscriber;
  if (query.state == DeliveryState::kPending) return ListOrder::kPending;
  if (query.state == DeliveryState::kSucceeded) return ListOrder::kSucceeded;
  return absl::InvalidArgumentError("endpoint_id, subscriber_id, state: at least one of them is needed");
}

ListPosition PositionOf(ListOrder order, const DeliveryId& id, WallMs made_ms) {
  switch (order) {
    case ListOrder::kSubscriber:
    case ListOrder::kFailed:
      return {static_cast<uint64_t>(made_ms), id.endpoint, id.sequence};
    case ListOrder::kEndpoint:
    case ListOrder::kSucceeded:
      return {id.bucket, id.endpoint, id.sequence};
    case ListOrder::kPending:
      break;
  }
  return {0, id.endpoint, id.sequence};
}

bool ComesBefore(const DeliveryQuery& query, const ListPosition& a, const ListPosition& b) {
  return query.newest_first ? b < a : a < b;
}

std::string EncodePosition(const DeliveryQuery& query, ListOrder order, const ListPosition& position) {
  std::string text = PositionPrefix(query, order);
  AppendHex(text, position.time, 12);
  AppendHex(text, position.endpoint.value, 16);
  AppendHex(text, position.sequence, 16);
  return text;
}

absl::StatusOr<std::optional<ListPosition>> ParsePosition(const DeliveryQuery& query, ListOrder order) {
  if (query.position.empty()) return std::nullopt;
  const absl::Status bad = absl::InvalidArgumentError(
      "position: not one that this query gave; pass next_position of the page before, or leave it empty");
  const std::string prefix = PositionPrefix(query, order);
  std::string_view rest = query.position;
  if (!rest.starts_with(prefix)) return bad;
  rest.remove_prefix(prefix.size());
  const std::optional<uint64_t> time = TakeHex(rest, 12);
  const std::optional<uint64_t> endpoint = TakeHex(rest, 16);
  const std::optional<uint64_t> sequence = TakeHex(rest, 16);
  if (!time || !endpoint || !sequence || !rest.empty()) return bad;
  if (*time > LastTimeOf(order)) return bad;
  const ListPosition position{*time, EndpointId{*endpoint}, *sequence};
  if (order == ListOrder::kEndpoint && position.endpoint != *query.endpoint) return bad;
  return position;
}

bool MatchesType(std::string_view pattern, std::string_view type) {
  if (pattern.empty()) return true;
  if (!pattern.ends_with('*')) return type == pattern;
  pattern.remove_suffix(1);
  return type.starts_with(pattern);
}

bool TakesTime(const DeliveryQuery& query, WallMs made_ms) {
  return made_ms >= query.accepted_from_ms &&
         (query.accepted_before_ms == 0 || made_ms < query.accepted_before_ms);
}

bool TakesOutcome(const DeliveryQuery& query, int last_status, ErrorKind last_error) {
  return (query.status_class == 0 || last_status / 100 == query.status_class) &&
         (!query.error || *query.error == last_error);
}

bool Takes(const DeliveryQuery& query, const Delivery& delivery) {
  return (!query.endpoint || delivery.id.endpoint == *query.endpoint) &&
         (query.subscriber_id.empty() || delivery.subscriber_id == query.subscriber_id) &&
         (!query.state || delivery.state == *query.state) && TakesTime(query, delivery.accepted_ms) &&
         MatchesType(query.event_type, delivery.event_type) &&
         TakesOutcome(query, delivery.last_status, delivery.last_error) &&
         !(query.not_replaced && delivery.replaced_by);
}

}  // namespace hookd
