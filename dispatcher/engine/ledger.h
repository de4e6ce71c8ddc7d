// What the committer decides: which deliveries an event becomes, what an outcome means for its endpoint, what
// has grown too old. No threads and no clock: a round begins with `now`, applies facts to the store's open
// batch, and leaves news for the shards.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/status/statusor.h>

#include "base/acting.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/core/audit_forms.h"
#include "dispatcher/core/clock_guard.h"
#include "dispatcher/core/operational_event.h"
#include "dispatcher/core/outage.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/registry.h"
#include "dispatcher/engine/scheduler.h"
#include "dispatcher/engine/strict_subscribers.h"
#include "dispatcher/telemetry/telemetry.h"
#include "storage/delivery_store.h"

namespace hookd {

// What a commit tells a shard, in this order.
struct ShardNews {
  struct Configured {
    std::shared_ptr<const Endpoint> endpoint;
    Hold hold = Hold::kNone;
  };
  struct Recorded {
    EndpointId endpoint;
    Sequence sequence = 0;
  };
  struct OverBacklog {
    EndpointId endpoint;
    uint64_t excess = 0;
  };
  std::optional<Operations> operations;
  std::vector<Configured> configured;
  std::vector<NewDelivery> accepted;
  std::vector<Recorded> recorded;
  std::vector<OverBacklog> over_backlog;
  std::vector<EndpointId> deleted;
  WallMs expire_accepted_before = 0;  // 0 = as before
  bool empty() const {
    return !operations && configured.empty() && accepted.empty() && recorded.empty() &&
           over_backlog.empty() && deleted.empty() && expire_accepted_before == 0;
  }
};

// What a shard reports. An attempt names the host that it went to.
struct AttemptOutcome {
  AttemptRecorded fact;
  std::vector<AttemptRecorded> others;  // of a batch: its further members
  uint64_t host = 0;
  bool token_unreached = false;  // of kToken: nor was its server (core/outage.h)
};
// All members of a batch end, without an attempt.
struct BatchEnded {
  std::vector<DeliveryEnded> members;
  // One per member, or none: not null = it ends for another's sake, and a new delivery of this event is made.
  std::vector<std::shared_ptr<const Event>> again = {};
};
// By this caller, who is not refused.
struct DeliveryCanceled {
  DeliveryEnded ended;
  AuditOrigin by;
};
using LaneReport =
    std::variant<AttemptOutcome, DeliveryEnded, DeliveryParked, BatchFormed, BatchEnded, DeliveryCanceled>;

// How much older than the newest payload a bucket must be to go early because the disk is full.
inline constexpr Millis kMinPayloadRetention{24LL * 3'600'000};

// Endpoints whose ended signing keys leave their records in one call of Keep.
inline constexpr size_t kEndedKeysEachKeep = 64;

// Thread: the committer's.
// Deliveries that others were made for lately, as Ledger::ReplacedLately knows them: far more than there can
// be between the read of a job's page and its commit.
inline constexpr size_t kReplacedLately = 4'096;

class Ledger {
 public:
  // `profiles`, `strict` and `forms` outlive it. Without `forms` there is no audit log.
  Ledger(DeliveryStore& store, Telemetry& telemetry, size_t shards, uint64_t seed,
         const Profiles* profiles = nullptr, StrictSubscribers* strict = nullptr,
         const AuditForms* forms = nullptr);

  // Before the first round: what the store remembers.
  void Recovered(const DeliveryStore::Recovered& recovered);

  // A round: Begin, any of the following, Close, the store's Commit if HasFacts, and Committed or nothing.
  void Begin(Now now);
  // What the round made worth telling becomes events of kOperationsSubscriber, in the same commit; if that
  // exists.
  void Close();
  WallMs now() const { return now_.wall; }
  // For what must not be dated ahead, or end, because the clock leapt: while that is suspect, the time before
  // the leap and the steady time since; `now` if that is earlier.
  WallMs trusted_now() const { return trusted_now_; }
  bool HasFacts() const { return has_facts_; }
  // The round is on disk. Gives the news, by shard.
  std::vector<ShardNews> Committed();

  PublishOutcome Accept(NewEvent event);
  // Makes a new delivery of a stored event, at the tail of the endpoint's lane. `replaced_*`: of `replaces`,
  // as storage/facts.h says. NOT_FOUND: the endpoint or the payload is gone; nothing is made then.
  absl::StatusOr<DeliveryId> Redeliver(const std::shared_ptr<const Event>& event, EndpointId endpoint,
                                       Origin origin, std::optional<DeliveryId> replaces,
                                       DeliveryState replaced_state, WallMs replaced_accepted_ms);
  // A delivery was made for it a moment ago: a page read before may not show it.
  bool ReplacedLately(DeliveryId delivery) const {
    return replaced_.contains({delivery.endpoint, delivery.sequence});
  }
  // A purge's. What is kept of the exchanges of a delivery that has ended: `delivery` is as it was read, with
  // all attempts, and without it.
  void EraseResponses(Delivery delivery);
  // An event's payload, of which nothing was pending as of commit `seen`. False: a delivery of it was made
  // since; look again.
  bool EraseEvent(const Event& event, uint64_t seen);
  // Stores the endpoint as it is, so that its secrets are sealed under the newest key.
  void Reseal(EndpointId id);
  void Report(LaneReport report);
  // A time that everything accepted so far is before, and nothing accepted later.
  WallMs NextInstant();
  // Ends what is older than the retention, and drops what nobody needs any more, signing keys that have ended
  // too. `disk_full`: also payloads before their time, the oldest bucket first, one in each call.
  void Keep(const Retention& retention, bool disk_full);

  // Becomes an event when the round closes, while kOperationsSubscriber exists; else it is dropped.
  void Announce(OperationalEvent event);

  // For changes of configuration.
  DeliveryStore& store() { return store_; }
  Registry& registry() { return registry_; }
  const Operations& operations() const { return operations_; }
  EndpointId NextEndpointId(const std::string& subscriber_id);
  void Apply(const Fact& fact);
  // The newest event that was accepted since the start, and the newest of kOperationsSubscriber; all zero =
  // none was.
  const EventId& newest_event() const { return newest_event_; }
  const EventId& newest_operational() const { return newest_operational_; }
  // At most kMaxMailCursorBytes.
  void SetMailCursor(const std::string& text);
  const std::string& mail_cursor() const { return mail_cursor_; }
  // Makes it a fact, and tells all shards.
  void SetOperations(Operations operations);
  // Stores the endpoint, a new one or other values, and tells its shard.
  void PutEndpoint(const std::shared_ptr<const Endpoint>& endpoint, bool reset_failures = false);
  void PutSubscriber(const Subscriber& subscriber);
  void RemoveSubscriber(const std::string& id);
  void RemoveEndpoint(const Endpoint& endpoint);
  // Tells the endpoint's shard its values again: its subscriber has changed.
  void Tell(const Registry::Account& account, const std::shared_ptr<const Endpoint>& endpoint);

  // As the fact. `before`: what it was, where it is changed.
  void PutToken(const AccessToken& token, const AccessToken* before = nullptr);
  void RemoveToken(const AccessToken& token);

  // The audit log: every change above leaves a record of its own, and these are for the others. Whose the
  // changes are from now on; until the next call, or the next Begin.
  void Act(AuditOrigin origin);
  void Note(AuditChange change);
  void NoteJob(const Job* before, const Job& after);
  void NoteDelivery(const DeliveryId& id, const std::string& subscriber_id, std::string before,
                    std::string after);
  // Of the first round after the opening that says so.
  void NoteRestore(const DeliveryStore::Recovered& recovered);

  // Null = it has none, or that is not loaded.
  const LoadedProfile* ProfileOf(const Subscriber& subscriber) const;

  bool auto_disable_suspended() const { return outage_.Suspended(now_.steady); }
  uint64_t subscribers() const { return subscribers_; }
  uint64_t endpoints() const { return endpoints_; }
  uint64_t endpoints_disabled() const { return disabled_; }
  uint64_t endpoints_paused() const { return paused_; }
  // Any thread.
  size_t ShardOf(EndpointId endpoint) const { return absl::Hash<EndpointId>()(endpoint) % shards_; }

 private:
  // Of a strict subscriber's event: OK, or why it is refused.
  absl::Status HoldToCatalogue(const Subscriber& subscriber, const LoadedProfile* profile,
                               const NewEvent& event);
  ShardNews& NewsFor(EndpointId endpoint) { return news_[ShardOf(endpoint)]; }
  // The next delivery of the endpoint: watches its backlog, and fills in all but event and remade. Error: of
  // the disk.
  absl::StatusOr<NewDelivery> NextDelivery(const Registry::Account& account,
                                           const std::shared_ptr<const Endpoint>& endpoint);
  // Counts it in its state (1), or no more (-1).
  void Count(const Endpoint& endpoint, int by);
  // Signing keys that have ended leave their records.
  void DropEndedKeys();
  void NoteKeysEnd(const Endpoint& endpoint);
  bool PayloadsKept(Bucket bucket);
  bool HistoryKept(Bucket bucket);
  void LearnBuckets();
  void RememberReplaced(DeliveryId delivery);
  void RememberErased(const EventId& event);
  absl::StatusOr<std::optional<IdempotencyHit>> FindKey(const IdempotencyKey& key);
  EventId NextEventId(WallMs now, Partition partition);
  void MakeAnew(const BatchEnded& batch);
  void End(DeliveryEnded& ended);
  // What ledger_alerts.cc knows of the endpoint.
  OperationalEvent About(std::string_view type, const Endpoint& endpoint, const LaneState& lane) const;
  void AlertBacklog(const Endpoint& endpoint, const LaneState& lane, uint64_t pending);
  void AnnounceExhausted(const AttemptRecorded& fact);
  // Enabled, or disabled by something else than its failures: JudgeHealth has more to say about those.
  void AnnounceState(const Endpoint& before, const Endpoint& after);
  // The alerts and the disablement that follow from the lane's row of failures.
  void JudgeHealth(const AttemptRecorded& fact, const LaneState& before);
  void WatchOutage(const AttemptOutcome& outcome);
  void WatchClock();
  WallMs TrustedNow(bool leapt);
  // What ledger_audit.cc knows. Null: it was, or is, not there.
  void NoteEndpoint(const Endpoint* before, const Endpoint* after);
  void NoteSubscriber(const Subscriber* before, const Subscriber* after);
  void NoteToken(const AccessToken* before, const AccessToken* after);
  void NoteOperations(const Operations& after);
  void NoteCanceled(DeliveryCanceled canceled);
  void TrimAudit(const Retention& retention);

  const size_t shards_;
  DeliveryStore& store_;
  Telemetry& telemetry_;
  const Profiles* const profiles_;
  StrictSubscribers* const strict_;
  const AuditForms* const forms_;
  Registry registry_;
  Operations operations_;
  ClockGuard clock_guard_;
  std::optional<Now> trusted_;  // when the clock was not suspect last
  OutageDetector outage_;
  bool outage_told_ = false;
  bool operations_told_ = false;  // kOperationsSubscriber exists
  uint64_t next_endpoint_number_ = 1;
  uint64_t subscribers_ = 0;
  uint64_t endpoints_ = 0;
  uint64_t disabled_ = 0;
  uint64_t paused_ = 0;                    // and not disabled
  std::map<EndpointId, WallMs> keys_end_;  // of the endpoints that have keys with an end, the first of these
  WallMs last_event_ms_ = 0;
  uint16_t event_counter_ = 0;
  EventId newest_event_;
  EventId newest_operational_;
  std::string mail_cursor_;
  absl::flat_hash_set<std::pair<EndpointId, Sequence>> replaced_;
  std::deque<std::pair<EndpointId, Sequence>> replaced_order_;  // the oldest first
  // Events that lately got a delivery anew, and in which commit; events that lately lost their payloads: what
  // was read before that may not show it.
  std::deque<std::pair<EventId, uint64_t>> remade_;
  absl::flat_hash_set<std::array<uint8_t, 16>> erased_;
  std::deque<EventId> erased_order_;  // the oldest first
  std::mt19937_64 random_;

  AuditTail audit_;
  uint64_t audit_first_ = 0;  // the oldest that is kept; 0 = there is none

  // Of the round.
  AuditOrigin origin_;
  Now now_;
  WallMs trusted_now_ = 0;
  bool has_facts_ = false;
  std::vector<OperationalEvent> announced_;  // until Close
  std::vector<ShardNews> news_;
  // Idempotency keys of the open batch, which the store does not find yet.
  absl::flat_hash_map<std::array<uint8_t, 16>, IdempotencyHit> open_keys_;
  std::optional<absl::flat_hash_map<Bucket, bool>>
      kept_;  // buckets, and whether they have payloads, once asked
  // For the counters, once it is on disk.
  uint64_t accepted_ = 0;
  uint64_t created_ = 0;
  uint64_t duplicates_ = 0;
  std::array<uint64_t, 8> ended_{};  // by DeliveryState
  std::vector<size_t> formed_;       // of each batch, its members
};

}  // namespace hookd
