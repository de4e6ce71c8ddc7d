// Lanes as the committer sees them: the read-modify-write that lets the database see blind batches. In memory
// are the lanes that are pending, deleted or changed in the open batch, and a bounded number of idle ones;
// the others are read when they are named. One thread.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/ids.h"
#include "storage/delivery_store.h"
#include "storage/facts.h"

namespace hookd {

class LaneTable {
 public:
  // Beyond it the idle lanes that were not used for longest go, and are read anew when they are named.
  static constexpr size_t kMaxIdleLanes = 16'384;

  // Reads a lane as it was committed; nullopt = there is none.
  using Loader = std::function<absl::StatusOr<std::optional<LaneState>>(EndpointId)>;
  explicit LaneTable(Loader loader) : loader_(std::move(loader)) {}

  // A committed lane, at recovery. Idle ones need not be given.
  void Load(EndpointId endpoint, const LaneState& lane);

  // What the fact does to lanes. A fact that breaks the rules of storage/facts.h is a programmer's error.
  // After a failed read (see status) facts do nothing.
  void Apply(const EndpointChanged& fact);
  void Apply(const EndpointDeleted& fact);
  void Apply(const Accepted& fact);
  void Apply(const Redelivered& fact);
  void Apply(const AttemptRecorded& fact);
  void Apply(const DeliveryParked& fact);
  void Apply(const BatchFormed& fact);
  void Apply(const DeliveryEnded& fact);
  void Apply(const LaneRemoved& fact);

  // Null = there is none, or it could not be read. Valid until the next call of Apply, Find or Trim.
  const LaneState* Find(EndpointId endpoint);
  uint64_t pending() const { return pending_; }
  // The first read that failed. From then on the table is behind its facts.
  const absl::Status& status() const { return status_; }

  // The lanes that changed since the last call, each once; null = removed. Valid as Find's.
  std::vector<std::pair<EndpointId, const LaneState*>> TakeChanged();
  // Forgets idle lanes down to the bound. Only when all that TakeChanged gave is where the loader reads.
  void Trim();

  size_t lanes_in_memory() const { return lanes_.size(); }

 private:
  struct Row {
    LaneState lane;
    bool changed = false;
    bool removed = false;  // in the open batch: the loader still has it
    bool in_clock = false;
    bool used = false;  // since the clock's hand passed
    bool Idle() const { return !changed && !lane.deleted && lane.pending() == 0; }
  };
  Row* FindRow(EndpointId endpoint);
  LaneState* Change(EndpointId endpoint);
  void MarkChanged(EndpointId endpoint, Row& row);
  void AddToClock(EndpointId endpoint, Row& row);
  bool Queue(const AcceptedDelivery& delivery);
  static void MoveCursor(LaneState& lane, Sequence cursor);

  const Loader loader_;
  absl::Status status_;
  absl::flat_hash_map<EndpointId, Row> lanes_;
  std::vector<EndpointId> changed_;
  std::deque<EndpointId> clock_;  // lanes that were idle when they entered, each once
  uint64_t pending_ = 0;
};

}  // namespace hookd
