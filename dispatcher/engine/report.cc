#include "dispatcher/engine/report.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/concat.h"
#include "dispatcher/core/delivery_state.h"
#include "dispatcher/core/endpoint_health.h"
#include "dispatcher/core/outage.h"
#include "dispatcher/core/outcome.h"
#include "dispatcher/engine/kept_headers.h"
#include "dispatcher/engine/request.h"

namespace hookd {
namespace {

// From when it could have gone, as far as its own times say, to its start. The first attempt's is known on
// the wall clock alone.
int64_t QueuedUs(const Work& work, WallMs started, int64_t took_us, Now now) {
  if (work.was_parked) {
    const auto since = std::chrono::duration_cast<std::chrono::microseconds>(now.steady - work.due);
    return std::max<int64_t>(0, since.count() - took_us);
  }
  const WallMs made = AcceptedMs(work.event->id, work.remade);
  return std::max<int64_t>(0, started - std::max(made, work.event->not_before_ms)) * 1000;
}

// A time ahead as it is stored; 0 = it is past.
WallMs WallOf(SteadyTime time, Now now) {
  if (time <= now.steady) return 0;
  return now.wall + std::chrono::duration_cast<std::chrono::milliseconds>(time - now.steady).count();
}

// The same attempt, as the record of every member but the first.
std::vector<AttemptRecorded> OtherMembers(const Lane& lane, const Batch& batch,
                                          const AttemptRecorded& first) {
  std::vector<AttemptRecorded> facts;
  for (size_t i = 1; i < batch.members.size(); ++i) {
    const Batch::Member& member = batch.members[i];
    AttemptRecorded& fact = facts.emplace_back(first);
    fact.delivery = MakeDeliveryId(member.event_id, member.remade, lane.id(), member.sequence);
    fact.event = member.event_id;
    fact.remade = member.remade;
    fact.event_type = member.event->type;
    fact.ordering_key_hash = member.key;
    fact.follows = true;
  }
  return facts;
}

// The batch has its id from here on.
BatchFormed FormBatch(const Lane& lane, const LaneStep& step, WallMs now, uint64_t random) {
  Batch& batch = *step.work.batch;
  batch.id = EventId::Make(now, 0, batch.members.front().event_id.partition(), random);
  BatchFormed fact;
  fact.batch = batch.id;
  fact.cursor = step.cursor;
  for (const Batch::Member& member : batch.members) {
    fact.members.push_back({MakeDeliveryId(member.event_id, member.remade, lane.id(), member.sequence),
                            member.event_id, member.remade, member.key, member.was_parked});
  }
  return fact;
}

}  // namespace

AttemptOutcome MakeOutcome(Lane& lane, const Work& work, const Endpoint& settings, const std::string& host,
                           const RequestContext& context, WallMs started, HttpResult result, Now now,
                           double unit_random) {
  const DeliveryPolicy& policy = settings.policy;
  AttemptOutcome outcome;
  outcome.host = StableHash(host);
  outcome.token_unreached = !Connected(result.token_error, 0);
  AttemptRecorded& fact = outcome.fact;
  fact.delivery = MakeDeliveryId(work.event->id, work.remade, lane.id(), work.sequence);
  fact.event = work.event->id;
  fact.remade = work.remade;
  fact.event_type = work.event->type;
  fact.subscriber_id = work.event->subscriber_id;
  fact.ordering_key_hash = OrderingKeyHash(*work.event);

  Attempt& attempt = fact.attempt;
  attempt.number = work.attempt;
  attempt.started_ms = started;
  attempt.us = result.us;
  attempt.us.queue = QueuedUs(work, started, result.us.total, now);
  attempt.error = Judge(policy, result.error, result.status);
  attempt.error_detail = std::move(result.error_detail);
  if (attempt.error == ErrorKind::kStatus && attempt.error_detail.empty()) {
    attempt.error_detail = Concat("answered ", result.status);
  }
  attempt.status = result.status;
  attempt.remote_address = std::move(result.remote_address);
  attempt.http_version = result.http_version;
  attempt.resends = result.resends;
  if (attempt.error != ErrorKind::kNone || policy.keep_all_bodies) {
    attempt.response_body = std::move(result.body);
    attempt.body_truncated = result.body_truncated;
    attempt.request_headers =
        KeptRequestHeaders(RequestHeaders(settings, work, started, context, ""), settings);
    attempt.response_headers = KeptResponseHeaders(result.headers);
  }

  AttemptEnd end;
  end.failures = work.failures;
  end.attempt = work.attempt;
  end.error = attempt.error;
  end.status = attempt.status;
  end.retry_after = result.retry_after;
  end.token_refused = result.token_refused;
  end.endpoint_deleted = lane.deleted();
  if (work.batch == nullptr)
    end.expires_ms = work.event->expires_ms;  // else it was looked at before it formed
  const Decision decision = Decide(policy, end, now.wall, unit_random);
  attempt.next_due_ms = decision.next_due_ms;
  attempt.decision = decision.why;
  fact.was_parked = work.was_parked;
  fact.state = decision.state;
  fact.reason = decision.reason;
  fact.failures = decision.failures;
  fact.counts_towards_disable = CountsTowardsDisable(policy.disable, attempt.error, attempt.status);
  if (work.batch != nullptr) fact.batch = work.batch->id;

  AfterAttempt after;
  after.parked = !IsTerminal(decision.state);
  after.attempts = work.attempt;
  after.failures = decision.failures;
  after.due = now.steady + Millis(decision.next_due_ms - now.wall);
  if (decision.hold_until_ms != 0) after.hold_until = now.steady + Millis(decision.hold_until_ms - now.wall);
  after.success = attempt.error == ErrorKind::kNone;
  after.counted = CountsAsFailure(attempt.error);
  after.took_us = attempt.us.total;
  after.ended_ms = now.wall;
  fact.cursor = lane.Submit(work.sequence, after);
  fact.rate_tat_ms = WallOf(FromMicros(lane.rate_tat_us()), now);
  fact.hold_until_ms = WallOf(lane.hold_until(), now);
  if (work.batch != nullptr) outcome.others = OtherMembers(lane, *work.batch, fact);
  return outcome;
}

LaneReport MakeSettlement(const Lane& lane, const LaneStep& step, WallMs now, uint64_t random) {
  const Work& work = step.work;
  if (step.kind == LaneStep::Kind::kForm) return FormBatch(lane, step, now, random);
  const Event& event = *work.event;
  const DeliveryId delivery = MakeDeliveryId(event.id, work.remade, lane.id(), work.sequence);
  if (step.kind == LaneStep::Kind::kPark) {
    DeliveryParked fact;
    fact.delivery = delivery;
    fact.event = event.id;
    fact.remade = work.remade;
    fact.ordering_key_hash = step.key;
    fact.due_ms = step.park_until_ms;
    fact.cursor = step.cursor;
    return fact;
  }
  DeliveryEnded fact;
  fact.delivery = delivery;
  fact.event = event.id;
  fact.remade = work.remade;
  fact.event_type = event.type;
  fact.subscriber_id = event.subscriber_id;
  fact.state = step.state;
  fact.reason = step.reason;
  fact.was_parked = work.was_parked;
  fact.ordering_key_hash = step.key;
  fact.attempt_count = work.attempt - 1;
  fact.cursor = step.cursor;
  if (work.batch == nullptr) return fact;
  fact.batch = work.batch->id;
  BatchEnded all;
  for (const Batch::Member& member : work.batch->members) {
    DeliveryEnded& end = all.members.emplace_back(fact);
    end.delivery = MakeDeliveryId(member.event_id, member.remade, lane.id(), member.sequence);
    end.event = member.event_id;
    end.remade = member.remade;
    end.event_type = member.event->type;
    end.ordering_key_hash = member.key;
    if (step.reason == EndReason::kPurged) {
      all.again.push_back(step.purged.contains(member.sequence) ? nullptr : member.event);
    }
  }
  return all;
}

}  // namespace hookd
