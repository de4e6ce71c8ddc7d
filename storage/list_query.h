// What both stores share of their lists: in which order a query goes, its positions, and what it takes.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "base/ids.h"
#include "base/model.h"
#include "storage/delivery_store.h"

namespace hookd {

// The letters are part of positions, which callers may keep.
enum class ListOrder : char {
  kEndpoint = 'e',    // bucket and sequence of one endpoint
  kSubscriber = 't',  // time made, endpoint, sequence
  kFailed = 's',      // likewise, of one state that is no success
  kPending = 'p',     // endpoint, sequence
  kSucceeded = 'd',   // bucket, endpoint, sequence
};

// A place in an order: between the deliveries before it and those behind it.
struct ListPosition {
  uint64_t time = 0;  // the bucket, the time made in ms, or 0: as the order goes
  EndpointId endpoint;
  Sequence sequence = 0;
  auto operator<=>(const ListPosition&) const = default;
};

// Of what is asked for, in ms: both within what a key can hold, `before` never open.
struct MadeRange {
  WallMs from = 0;
  WallMs before = 0;
};
MadeRange ClampedRange(WallMs from_ms, WallMs before_ms);

inline bool IsFailed(DeliveryState state) { return IsTerminal(state) && state != DeliveryState::kSucceeded; }

// INVALID_ARGUMENT: neither endpoint nor subscriber nor state is given.
absl::StatusOr<ListOrder> OrderOf(const DeliveryQuery& query);

ListPosition PositionOf(ListOrder order, const DeliveryId& id, WallMs made_ms);

// Whether `a` comes before `b`, in the query's direction.
bool ComesBefore(const DeliveryQuery& query, const ListPosition& a, const ListPosition& b);

// The text tells order, direction, state, endpoint and subscriber; parsing refuses what another query gave.
std::string EncodePosition(const DeliveryQuery& query, ListOrder order, const ListPosition& position);
// Nullopt = from the beginning.
absl::StatusOr<std::optional<ListPosition>> ParsePosition(const DeliveryQuery& query, ListOrder order);

// `pattern`: exact, or a prefix that ends with '*'; empty takes all.
bool MatchesType(std::string_view pattern, std::string_view type);
inline bool MatchesKey(const EventQuery& query, const Event& event) {
  return query.ordering_key.empty() || query.ordering_key == event.ordering_key;
}

// The parts of Takes that need less than the whole delivery.
bool TakesTime(const DeliveryQuery& query, WallMs made_ms);
bool TakesOutcome(const DeliveryQuery& query, int last_status, ErrorKind last_error);
// `delivery.replaced_by` is asked for last: until it is known, leave it empty.
bool Takes(const DeliveryQuery& query, const Delivery& delivery);

}  // namespace hookd
