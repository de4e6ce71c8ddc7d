// What unary, batch and stream have in common: from messages to the engine's events, from outcomes to
// results.
#pragma once

#include <cstddef>
#include <vector>

#include <absl/status/status.h>

#include "base/clock.h"
#include "dispatcher/api/answer_thread.h"
#include "dispatcher/api/call_registry.h"
#include "dispatcher/api/publish_limits.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/telemetry/telemetry.h"
#include "hookd/v1/event_service.pb.h"

namespace hookd {

inline constexpr int kMaxBatchEvents = 1000;
// Of one encoded message.
inline constexpr size_t kMaxBatchBytes = 4 * 1024 * 1024;

// What a call that publishes works with. Shared, as an engine's callback may outlive the server; what it
// refers to outlives every call that is in `calls`.
struct PublishContext {
  PublishContext(Engine& the_engine, Telemetry& the_telemetry, const Clock& the_clock)
      : engine(the_engine), telemetry(the_telemetry), clock(the_clock) {}

  // Counts events that were not taken, by the code that their answer says.
  void CountRefused(const absl::Status& why, size_t events = 1);

  Engine& engine;
  Telemetry& telemetry;
  const Clock& clock;
  CallRegistry calls;
  AnswerThread answers;
};

using EventMessages = google::protobuf::RepeatedPtrField<v1::NewEvent>;
using ResultMessages = google::protobuf::RepeatedPtrField<v1::PublishResult>;

// INVALID_ARGUMENT when a message holds more events or bytes than one may.
absl::Status CheckBatchSize(const EventMessages& events, size_t encoded_bytes);

// An event that passed its rules, with its idempotency key; or why it did not.
absl::StatusOr<NewEvent> MakeEvent(const v1::NewEvent& message, WallMs now, const Engine& engine);

// The good events of a message, in their order, and where each stands in it. `results` becomes as long as the
// message, with the refusals filled in and counted.
struct CheckedBatch {
  std::vector<NewEvent> events;
  std::vector<int> positions;
};
CheckedBatch CheckBatch(const EventMessages& messages, ResultMessages& results, PublishContext& publish,
                        const PublishLimits& limits = {});

size_t PayloadBytes(const EventMessages& messages);
// Every event of a message is refused, and counted.
void RefuseAll(const absl::Status& why, size_t events, ResultMessages& results, PublishContext& publish);

// The same events once more, for another try. They passed their rules before.
std::vector<NewEvent> RemakeEvents(const EventMessages& messages, const std::vector<int>& positions);
// Those of strict subscribers are held against their catalogues again; the engine refuses what does not fit
// any more.
void Recheck(std::vector<NewEvent>& events, const Engine& engine);

// Fills in what became of the events at `positions`, and counts the refusals.
void FillResults(const std::vector<PublishOutcome>& outcomes, const std::vector<int>& positions,
                 ResultMessages& results, PublishContext& publish);

}  // namespace hookd
