#include "dispatcher/api/event_service.h"

#include <utility>
#include <vector>

#include "dispatcher/api/event_reads.h"
#include "dispatcher/api/publish_call.h"
#include "dispatcher/api/publish_stream.h"

namespace hookd {

EventService::EventService(std::shared_ptr<PublishContext> publish, std::shared_ptr<FeedContext> feed)
    : publish_(std::move(publish)), feed_(std::move(feed)) {}

grpc::ServerUnaryReactor* EventService::PublishEventWithin(const PublishLimits& limits,
                                                           grpc::CallbackServerContext* context,
                                                           const v1::PublishEventRequest* request,
                                                           v1::PublishEventResponse* response) {
  if (!request->has_event()) {
    return PublishCall::Refused(*publish_, *context, absl::InvalidArgumentError("event: is missing"));
  }
  const size_t bytes = request->event().payload().size();
  absl::Status within = limits.CheckPayload(bytes);
  if (within.ok()) within = limits.Charge(bytes);
  if (!within.ok()) return PublishCall::Refused(*publish_, *context, within);
  absl::StatusOr<NewEvent> event = MakeEvent(request->event(), publish_->clock.Wall(), publish_->engine);
  if (!event.ok()) return PublishCall::Refused(*publish_, *context, event.status());
  std::vector<NewEvent> events;
  events.push_back(*std::move(event));
  return PublishCall::Start(
      publish_, *context, std::move(events),
      [response, publish = publish_](const std::vector<PublishOutcome>& outcomes) -> absl::Status {
        const PublishOutcome& outcome = outcomes.front();
        if (!outcome.status.ok()) {
          publish->CountRefused(outcome.status);
          return outcome.status;
        }
        response->set_event_id(outcome.event.ToString());
        response->set_deliveries(outcome.deliveries);
        response->set_duplicate(outcome.duplicate);
        response->set_not_fanned_out(outcome.not_fanned_out);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* EventService::PublishEventsWithin(const PublishLimits& limits,
                                                            grpc::CallbackServerContext* context,
                                                            const v1::PublishEventsRequest* request,
                                                            v1::PublishEventsResponse* response) {
  absl::Status bad = CheckBatchSize(request->events(), request->ByteSizeLong());
  if (request->events().empty()) bad = absl::InvalidArgumentError("events: is empty, send 1 to 1000");
  if (bad.ok()) bad = limits.Charge(PayloadBytes(request->events()));
  if (!bad.ok()) return PublishCall::Refused(*publish_, *context, bad);
  CheckedBatch batch = CheckBatch(request->events(), *response->mutable_results(), *publish_, limits);
  if (batch.events.empty()) return PublishCall::Finished(*context, absl::OkStatus());
  return PublishCall::Start(publish_, *context, std::move(batch.events),
                            [response, publish = publish_, positions = std::move(batch.positions)](
                                const std::vector<PublishOutcome>& outcomes) -> absl::Status {
                              FillResults(outcomes, positions, *response->mutable_results(), *publish);
                              return absl::OkStatus();
                            });
}

grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>*
EventService::PublishStreamWhile(grpc::CallbackServerContext* context, StillAllowed allowed,
                                 PublishLimits limits) {
  return hookd::PublishStream::Start(publish_, *context, std::move(allowed), std::move(limits));
}

grpc::ServerUnaryReactor* EventService::GetEvent(grpc::CallbackServerContext* context,
                                                 const v1::GetEventRequest* request, v1::Event* response) {
  return GetEventCall(feed_, *context, *request, *response);
}

grpc::ServerUnaryReactor* EventService::PollEvents(grpc::CallbackServerContext* context,
                                                   const v1::PollEventsRequest* request,
                                                   v1::PollEventsResponse* response) {
  return PollEventsCall(feed_, *context, *request, *response);
}

}  // namespace hookd
