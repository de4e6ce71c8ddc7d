#include "dispatcher/api/publish_batch.h"

#include <string>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status_macros.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/core/event_rules.h"

namespace hookd {
namespace {

void SetError(const absl::Status& status, v1::PublishResult& result) {
  result.set_code(static_cast<int32_t>(status.code()));
  result.set_message(std::string(status.message()));
}

NewEvent WithKey(Event event) {
  NewEvent made;
  made.event = std::move(event);
  if (!made.event.idempotency_key.empty()) made.idempotency = MakeIdempotencyKey(made.event);
  return made;
}

}  // namespace

void PublishContext::CountRefused(const absl::Status& why, size_t events) {
  const std::string reason = absl::AsciiStrToLower(absl::StatusCodeToString(why.code()));
  for (size_t i = 0; i < events; ++i) telemetry.EventRejected(reason);
}

absl::Status CheckBatchSize(const EventMessages& events, size_t encoded_bytes) {
  if (events.size() > kMaxBatchEvents) {
    return absl::InvalidArgumentError(
        absl::StrCat("events: ", events.size(), " in one message, send at most ", kMaxBatchEvents));
  }
  if (encoded_bytes > kMaxBatchBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("events: ", encoded_bytes, " bytes in one message, send at most ", kMaxBatchBytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<NewEvent> MakeEvent(const v1::NewEvent& message, WallMs now, const Engine& engine) {
  ASSIGN_OR_RETURN(Event event, FromProto(message));
  RETURN_IF_ERROR(CheckEvent(event));
  RETURN_IF_ERROR(CheckEventTimes(event, now));
  NewEvent made = WithKey(std::move(event));
  RETURN_IF_ERROR(engine.CheckContent(made));
  return made;
}

size_t PayloadBytes(const EventMessages& messages) {
  size_t bytes = 0;
  for (const v1::NewEvent& message : messages) bytes += message.payload().size();
  return bytes;
}

void RefuseAll(const absl::Status& why, size_t events, ResultMessages& results, PublishContext& publish) {
  publish.CountRefused(why, events);
  results.Clear();
  for (size_t i = 0; i < events; ++i) SetError(why, *results.Add());
}

CheckedBatch CheckBatch(const EventMessages& messages, ResultMessages& results, PublishContext& publish,
                        const PublishLimits& limits) {
  const WallMs now = publish.clock.Wall();
  CheckedBatch checked;
  checked.events.reserve(messages.size());
  checked.positions.reserve(messages.size());
  results.Clear();
  results.Reserve(messages.size());
  for (int i = 0; i < messages.size(); ++i) {
    v1::PublishResult& result = *results.Add();
    const absl::Status within = limits.CheckPayload(messages[i].payload().size());
    absl::StatusOr<NewEvent> event =
        within.ok() ? MakeEvent(messages[i], now, publish.engine) : absl::StatusOr<NewEvent>(within);
    if (!event.ok()) {
      publish.CountRefused(event.status());
      SetError(event.status(), result);
      continue;
    }
    checked.events.push_back(*std::move(event));
    checked.positions.push_back(i);
  }
  return checked;
}

std::vector<NewEvent> RemakeEvents(const EventMessages& messages, const std::vector<int>& positions) {
  std::vector<NewEvent> events;
  events.reserve(positions.size());
  for (int position : positions) {
    absl::StatusOr<Event> event = FromProto(messages[position]);
    HOOKD_CHECK(event.ok(), "it was converted before");
    events.push_back(WithKey(*std::move(event)));
  }
  return events;
}

void Recheck(std::vector<NewEvent>& events, const Engine& engine) {
  for (NewEvent& event : events) engine.CheckContent(event).IgnoreError();
}

void FillResults(const std::vector<PublishOutcome>& outcomes, const std::vector<int>& positions,
                 ResultMessages& results, PublishContext& publish) {
  HOOKD_CHECK(outcomes.size() == positions.size(), "the engine answers every event that it took");
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const PublishOutcome& outcome = outcomes[i];
    v1::PublishResult& result = results[positions[i]];
    if (!outcome.status.ok()) {
      publish.CountRefused(outcome.status);
      SetError(outcome.status, result);
      continue;
    }
    result.set_event_id(outcome.event.ToString());
    result.set_deliveries(outcome.deliveries);
    result.set_duplicate(outcome.duplicate);
    result.set_not_fanned_out(outcome.not_fanned_out);
  }
}

}  // namespace hookd
