// The lanes of all endpoints in memory, as the committer sees them: the read-modify-write that lets the
// database see blind batches. One thread.
#pragma once

#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/ids.h"
#include "storage/delivery_store.h"
#include "storage/facts.h"

namespace hookd {

class LaneTable {
 public:
  void Load(EndpointId endpoint, const LaneState& lane);

  // What the fact does to lanes. A fact that breaks the rules of storage/facts.h is a programmer's error.
  void Apply(const EndpointChanged& fact);
  void Apply(const EndpointDeleted& fact);
  void Apply(const Accepted& fact);
  void Apply(const AttemptRecorded& fact);
  void Apply(const DeliveryEnded& fact);
  void Apply(const LaneRemoved& fact);

  const LaneState* Find(EndpointId endpoint) const;
  uint64_t pending() const { return pending_; }

  // The lanes that changed since the last call, each once; null = removed.
  std::vector<std::pair<EndpointId, const LaneState*>> TakeChanged();

 private:
  struct Row {
    LaneState lane;
    bool changed = false;
  };
  LaneState& Change(EndpointId endpoint);

  absl::flat_hash_map<EndpointId, Row> lanes_;
  std::vector<EndpointId> changed_;
  uint64_t pending_ = 0;
};

}  // namespace hookd
