// What the ledger makes of an endpoint's health, and of its own: alerts, disablement, operational events.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/concat.h"
#include "dispatcher/core/endpoint_health.h"
#include "dispatcher/core/operational_event.h"
#include "dispatcher/engine/ledger.h"
#include "dispatcher/engine/request.h"

namespace hookd {

void Ledger::Announce(OperationalEvent event) {
  if (!operations_told_) return;
  event.at_ms = now_.wall;
  announced_.push_back(std::move(event));
}

void Ledger::Close() {
  // One that is accepted may be worth telling another (the backlog of an endpoint that takes them), but not
  // for ever: that is told as it is reached.
  for (size_t i = 0; i < announced_.size(); ++i) {
    NewEvent event;
    event.event = MakeOperationalEvent(announced_[i]);
    const absl::Status status = Accept(std::move(event)).status;
    if (!status.ok()) {
      telemetry_.Warn("operational_event", Concat("not kept: ", std::string(status.message())));
    }
  }
  announced_.clear();
}

OperationalEvent Ledger::About(std::string_view type, const Endpoint& endpoint, const LaneState& lane) const {
  OperationalEvent event;
  event.type = type;
  event.endpoint = endpoint.id;
  event.subscriber_id = endpoint.subscriber_id;
  event.host = HostOf(endpoint.url);
  event.description = endpoint.description;
  if (lane.failing_since_ms != 0) event.incident = IncidentId(endpoint.id, lane.failing_since_ms);
  event.failures = lane.consecutive_failures;
  event.failing_since_ms = lane.failing_since_ms;
  event.mail_subscriber = endpoint.policy.mail_subscriber;
  return event;
}

void Ledger::AlertBacklog(const Endpoint& endpoint, const LaneState& lane, uint64_t pending) {
  OperationalEvent told = About(operational::kBacklog, endpoint, lane);
  told.message = Concat(pending, " deliveries are pending, of at most ", endpoint.policy.backlog);
  telemetry_.Alert(AlertKind::kBacklog, endpoint.id, endpoint.subscriber_id, told.message);
  Announce(std::move(told));
}

void Ledger::AnnounceExhausted(const AttemptRecorded& fact) {
  if (!operations_told_) return;
  const absl::StatusOr<Registry::Account*> account = registry_.Find(std::string(kOperationsSubscriber));
  if (!account.ok() || *account == nullptr) return;
  const absl::StatusOr<std::shared_ptr<const Endpoint>> endpoint = registry_.Find(fact.delivery.endpoint);
  if (!endpoint.ok() || *endpoint == nullptr) return;
  // What tells of exhaustion is not told of in its turn. Nobody takes them: as many events as deliveries fail
  // would only fill the disk.
  if ((*endpoint)->subscriber_id == kOperationsSubscriber) return;
  if (Registry::Match(**account, operational::kExhausted, (*endpoint)->subscriber_id).empty()) return;
  const LaneState* lane = store_.Lane(fact.delivery.endpoint);
  if (lane == nullptr) return;
  OperationalEvent told = About(operational::kExhausted, **endpoint, *lane);
  told.message = Concat("attempt ", fact.attempt.number, " was the last: ", fact.attempt.error_detail);
  told.last_status = fact.attempt.status;
  told.last_error = fact.attempt.error;
  told.delivery_id = fact.delivery.ToString();
  told.event_id = fact.event.ToString();
  Announce(std::move(told));
}

void Ledger::AnnounceState(const Endpoint& before, const Endpoint& after) {
  const bool enabled = before.disabled != DisableReason::kNone && after.disabled == DisableReason::kNone;
  const bool disabled = before.disabled == DisableReason::kNone && after.disabled != DisableReason::kNone &&
                        after.disabled != DisableReason::kFailures && after.disabled != DisableReason::kGone;
  if (!operations_told_ || (!enabled && !disabled)) return;
  const LaneState* lane = store_.Lane(after.id);
  if (lane == nullptr) return;
  OperationalEvent told = About(enabled ? operational::kEnabled : operational::kDisabled, after, *lane);
  told.disabled = enabled ? before.disabled : after.disabled;
  told.message = after.state_note;
  Announce(std::move(told));
}

void Ledger::JudgeHealth(const AttemptRecorded& fact, const LaneState& before) {
  const bool failed = fact.attempt.error != ErrorKind::kNone && fact.attempt.error != ErrorKind::kLocal;
  if (before.deleted || (!failed && before.consecutive_failures == 0)) return;
  const EndpointId id = fact.delivery.endpoint;
  const absl::StatusOr<std::shared_ptr<const Endpoint>> found = registry_.Find(id);
  if (!found.ok() || *found == nullptr) return;
  const Endpoint& endpoint = **found;
  const LaneState after = *store_.Lane(id);

  OperationalEvent told;
  switch (AlertFor(endpoint.policy.alert_after, before.consecutive_failures, after.consecutive_failures)) {
    case HealthAlert::kFailing:
      told = About(operational::kFailing, endpoint, after);
      told.message = Concat(after.consecutive_failures,
                            " attempts in a row failed, the last: ", fact.attempt.error_detail);
      telemetry_.Alert(AlertKind::kFailing, id, endpoint.subscriber_id, told.message);
      break;
    case HealthAlert::kRecovered:
      told = About(operational::kRecovered, endpoint, before);
      told.message = Concat("succeeded after ", before.consecutive_failures, " failures in a row");
      telemetry_.Alert(AlertKind::kRecovered, id, endpoint.subscriber_id, told.message);
      break;
    case HealthAlert::kNone:
      break;
  }
  if (!told.type.empty()) {
    told.last_status = fact.attempt.status;
    told.last_error = fact.attempt.error;
    Announce(told);
  }

  if (endpoint.disabled != DisableReason::kNone) return;
  const WallMs ended = fact.attempt.started_ms + fact.attempt.us.total / 1000;
  const DisableReason reason =
      ShouldDisable(endpoint.policy.disable, after.disable_failures, after.disable_since_ms,
                    fact.attempt.error, fact.attempt.status, ended);
  if (reason == DisableReason::kNone) return;
  if (reason == DisableReason::kFailures && outage_.Suspended(now_.steady)) return;
  auto disabled = std::make_shared<Endpoint>(endpoint);
  disabled->disabled = reason;
  disabled->disabled_ms = now_.wall;
  disabled->state_note.clear();
  told = About(operational::kDisabled, *disabled, after);
  told.message = reason == DisableReason::kGone
                     ? std::string("it answered 410")
                     : Concat(after.disable_failures, " attempts in a row failed, over ",
                              (ended - after.disable_since_ms) / 1000, " s");
  Act(OwnOrigin("auto_disable", told.message));
  PutEndpoint(disabled);
  Act(Acting::Now());
  told.last_status = fact.attempt.status;
  told.last_error = fact.attempt.error;
  told.disabled = reason;
  telemetry_.Alert(AlertKind::kDisabled, id, endpoint.subscriber_id, told.message);
  Announce(std::move(told));
}

void Ledger::WatchOutage(const AttemptOutcome& outcome) {
  const Attempt& attempt = outcome.fact.attempt;
  if (attempt.error == ErrorKind::kLocal) return;
  // What a token server answers tells that the network is well, and nothing of this host.
  if (attempt.error == ErrorKind::kToken && !outcome.token_unreached) return;
  outage_.Record(outcome.host, Connected(attempt.error, attempt.status), now_.steady);
  const bool suspended = outage_.Suspended(now_.steady);
  if (suspended && !outage_told_) {
    OperationalEvent told;
    told.type = operational::kOutage;
    told.message =
        "more than half of the active hosts fail to connect: no endpoint is disabled for failures until that "
        "is over";
    telemetry_.Alert(AlertKind::kOutage, EndpointId{}, "", told.message);
    Announce(std::move(told));
  }
  outage_told_ = suspended;
}

WallMs Ledger::TrustedNow(bool leapt) {
  if (!operations_.clock_suspect && !leapt) {
    trusted_ = now_;
    return now_.wall;
  }
  // Suspect since before the start: nothing newer is known than the newest record.
  if (!trusted_) trusted_ = {now_.steady, audit_.at_ms};
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now_.steady - trusted_->steady);
  return std::min<WallMs>(now_.wall, trusted_->wall + since.count());
}

void Ledger::WatchClock() {
  const bool leapt = clock_guard_.Observe(now_.wall, now_.steady);
  trusted_now_ = TrustedNow(leapt);
  if (!leapt || operations_.clock_suspect) return;
  Operations operations = operations_;
  operations.clock_suspect = true;
  Act(OwnOrigin("clock_leap"));
  SetOperations(std::move(operations));
  Act(Acting::Now());
  OperationalEvent told;
  told.type = operational::kClock;
  told.message = "the wall clock leapt by more than an hour: nothing expires until an operator confirms it";
  telemetry_.Alert(AlertKind::kClock, EndpointId{}, "", told.message);
  Announce(std::move(told));
}

}  // namespace hookd
