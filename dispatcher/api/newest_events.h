// The newest events of an endpoint or a subscriber, read from the newest on.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/engine/engine.h"

namespace hookd {

inline constexpr size_t kMaxNewestEvents = 100;
// What one read looks at, at most.
inline constexpr size_t kMaxNewestDeliveries = 10'000;
inline constexpr size_t kMaxNewestReads = 2'000;  // events

struct NewestQuery {
  std::optional<EndpointId> endpoint;
  std::string subscriber_id;  // with an endpoint: empty
  std::string event_type;     // exact, or a prefix; empty = any
  std::string ordering_key;   // exact; empty = any
  size_t limit = kMaxNewestEvents;
};

struct NewestPage {
  std::vector<std::shared_ptr<const Event>> events;  // the newest first, each once
  EventId newest;                                    // of all that were looked at; all zero = there was none
  bool incomplete = false;                           // a bound ended the read: there may be more that fit
};

// Of events that deliveries were made of as they were accepted. Reads the disk. Errors: the engine's.
absl::StatusOr<NewestPage> ReadNewest(Engine& engine, const NewestQuery& query);

}  // namespace hookd
