// Whose turn it is: round robin over subscribers, and over the ready endpoints of each. With one attempt as
// the unit and as the quantum, that is what deficit round robin comes to.
#pragma once

#include <cstdint>
#include <list>

#include <absl/container/flat_hash_map.h>

#include "base/ids.h"

namespace hookd {

// Bounded by the lanes of a shard: each is in at most one queue, once. A lane that went stays until its turn.
class FairQueue {
 public:
  void Push(uint64_t subscriber, EndpointId endpoint);
  // Not empty.
  EndpointId Pop();
  bool empty() const { return turns_.empty(); }

 private:
  absl::flat_hash_map<uint64_t, std::list<EndpointId>> ready_;  // by subscriber; none is empty
  std::list<uint64_t> turns_;                                   // each of them once
};

}  // namespace hookd
