// What people ask the scheduler about one delivery.
#include <utility>

#include "base/concat.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/scheduler.h"

namespace hookd {
namespace {

using Place = LanePosition::Place;

// What holds all of the endpoint's deliveries; nullopt = nothing does.
std::optional<Waiting> WaitForHold(const Endpoint& endpoint, Hold hold, const Operations& operations) {
  Waiting waiting;
  if (operations.paused) {
    waiting.kind = WaitKind::kPaused;
    waiting.since_ms = operations.paused_ms;
    waiting.detail = "everything is paused";
    if (!operations.pause_note.empty()) waiting.detail += Concat(": ", operations.pause_note);
    return waiting;
  }
  if (endpoint.disabled != DisableReason::kNone) {
    waiting.kind = WaitKind::kDisabled;
    waiting.since_ms = endpoint.disabled_ms;
    waiting.detail = Concat("its endpoint is disabled (", ToString(endpoint.disabled), ")");
  } else if (endpoint.paused) {
    waiting.kind = WaitKind::kPaused;
    waiting.detail = "its endpoint is paused";
  } else if (hold == Hold::kSubscriber) {
    waiting.kind = WaitKind::kPaused;
    waiting.detail = "its subscriber is paused";
    return waiting;
  } else if (hold == Hold::kChannel) {
    waiting.kind = WaitKind::kChannel;
    waiting.detail = Concat("its channel is held: ", endpoint.channels[0]);
    return waiting;
  } else {
    return std::nullopt;
  }
  if (!endpoint.state_note.empty()) waiting.detail += Concat(": ", endpoint.state_note);
  return waiting;
}

}  // namespace

LanePosition Scheduler::Retry(EndpointId endpoint, Sequence sequence, Now now) {
  Entry* entry = FindEntry(endpoint);
  if (entry == nullptr || entry->lane.deleted()) return {};
  const LanePosition position = entry->lane.Retry(sequence, now);
  MakeReady(*entry);
  return position;
}

EndAnswer::Kind Scheduler::End(const EndOrder& order, const std::shared_ptr<const Event>& row) {
  Entry* entry = FindEntry(order.delivery.id.endpoint);
  if (entry == nullptr || entry->lane.deleted()) return EndAnswer::Kind::kGone;
  if (row == nullptr && unrecorded_ - attempts_ >= kMaxShardSettling) return EndAnswer::Kind::kBusy;
  EndAnswer answer = entry->lane.End(order, row);
  if (answer.kind == EndAnswer::Kind::kEnds) {
    ++unrecorded_;
    MakeReady(*entry);
    host_.Settle(entry->lane, std::move(answer.step));
  }
  if (answer.kind == EndAnswer::Kind::kBusy) MakeReady(*entry);  // it may have a step to make first
  return answer.kind;
}

void Scheduler::DropClaim(EndpointId endpoint, Sequence sequence) {
  if (Entry* entry = FindEntry(endpoint)) entry->lane.DropClaim(sequence);
}

bool Scheduler::LearnParked(EndpointId endpoint) {
  Entry* entry = FindEntry(endpoint);
  if (entry == nullptr || entry->lane.deleted() || entry->lane.parked_known()) return false;
  if (entry->lane.LearnParked()) host_.ReadParked(endpoint);
  return true;
}

std::optional<Waiting> Scheduler::WhyWaiting(EndpointId endpoint, Sequence sequence, Now now) {
  Entry* entry = FindEntry(endpoint);
  if (entry == nullptr) return std::nullopt;
  Lane& lane = entry->lane;
  const LanePosition position = lane.Position(sequence);
  if (position.place == Place::kGone) return std::nullopt;
  if (position.place == Place::kInFlight) {
    Waiting waiting;
    waiting.kind = WaitKind::kInFlight;
    waiting.since_ms = lane.InFlightSince(sequence);
    return waiting;
  }
  if (lane.deleted()) return OfServer("its endpoint is deleted: it is being canceled");
  if (position.place == Place::kSettling) return OfServer("its next state is on the way to the disk");
  if (stopped_) return OfServer("hookd is shutting down");
  if (std::optional<Waiting> hold = WaitForHold(*lane.endpoint(), lane.hold(), operations_)) return hold;
  if (lane.Captured(now)) {
    const Capture& capture = *lane.endpoint()->capture;
    Waiting waiting;
    waiting.kind = WaitKind::kPaused;
    waiting.until_ms = capture.until_ms;
    waiting.detail = Concat("a capture holds its endpoint (", capture.bin, ")");
    return waiting;
  }
  if (position.place == Place::kUnknown) return OfServer("its lane is being read after a start");
  if (position.place == Place::kBehind) {
    Waiting waiting;
    waiting.kind = WaitKind::kBehind;
    waiting.behind = position.behind;
    if (!position.behind) waiting.detail = "others that are on disk";
    return waiting;
  }
  Waiting waiting = lane.WhyNot(sequence, now);
  if (waiting.kind == WaitKind::kSlot) ExplainSlot(*entry, waiting);
  return waiting;
}

void Scheduler::ExplainSlot(const Entry& entry, Waiting& waiting) const {
  const LaneClass c = entry.lane.lane_class();
  if (const auto host = gates_.find(entry.host);
      host != gates_.end() && host->second.in_flight >= limits_.max_per_host) {
    waiting.kind = WaitKind::kCap;
    waiting.detail = Concat(host->second.in_flight, " attempts to its host are in flight, the most");
  } else if (const auto unproven = gates_.find(UnprovenGate(entry.subscriber));
             c == LaneClass::kUnproven && unproven != gates_.end() &&
             unproven->second.in_flight >= MostUnprovenOfSubscriber()) {
    waiting.kind = WaitKind::kCap;
    waiting.detail = "its subscriber's endpoints that have never succeeded have all of their slots in use";
  } else if (!HasSlot(c)) {
    waiting.detail = attempts_ >= limits_.max_in_flight ? "all slots are in use"
                     : c == LaneClass::kPoor ? "the slots of endpoints that fail or are slow are in use"
                                             : "the slots of endpoints that have never succeeded are in use";
  }
}

}  // namespace hookd
