#include "storage/change_log.h"

#include <cstring>

#include "base/concat.h"
#include "hookd/storage/v1/records.pb.h"
#include "storage/record_parts.h"

namespace hookd {
namespace {

namespace pb = hookd::storage::v1;

void Name(const EventId& event, std::string_view subscriber_id, std::string_view event_type,
          const RemadePtr& remade, pb::ChangeRecord& change) {
  change.mutable_event_id()->assign(reinterpret_cast<const char*>(event.bytes.data()), event.bytes.size());
  change.mutable_subscriber_id()->assign(subscriber_id);
  change.mutable_event_type()->assign(event_type);
  if (remade != nullptr) change.set_made_ms(remade->accepted_ms);
}

void Add(EndpointId endpoint, Sequence sequence, pb::ChangeRecord& change) {
  change.add_deliveries(endpoint.value);
  change.add_deliveries(sequence);
}

// `before_ms` is told from the commit's time once that is known; until then it holds the change's own.
void SetState(DeliveryState state, EndReason reason, uint32_t attempt_count, WallMs at_ms,
              pb::ChangeRecord& change) {
  if (state != DeliveryState::kPending) change.set_state(static_cast<uint32_t>(state));
  change.set_reason(static_cast<uint32_t>(reason));
  change.set_attempt_count(attempt_count);
  change.set_before_ms(at_ms);
}

}  // namespace

ChangeLog::ChangeLog() : open_(std::make_unique<pb::ChangesRecord>()) {}
ChangeLog::~ChangeLog() = default;

void ChangeLog::Apply(const Accepted& fact) {
  if (fact.deliveries.empty()) return;
  const Event& event = *fact.event;
  pb::ChangeRecord& change = *open_->add_changes();
  Name(event.id, event.subscriber_id, event.type, nullptr, change);
  for (const AcceptedDelivery& delivery : fact.deliveries) Add(delivery.endpoint, delivery.sequence, change);
  SetState(DeliveryState::kPending, EndReason::kNone, 0, event.accepted_ms, change);
}

void ChangeLog::Apply(const Redelivered& fact) {
  const Event& event = *fact.event;
  pb::ChangeRecord& change = *open_->add_changes();
  Name(event.id, event.subscriber_id, event.type, fact.remade, change);
  Add(fact.delivery.endpoint, fact.delivery.sequence, change);
  SetState(DeliveryState::kPending, EndReason::kNone, 0, fact.remade->accepted_ms, change);
}

void ChangeLog::Apply(const AttemptRecorded& fact) {
  const Attempt& attempt = fact.attempt;
  pb::ChangeRecord& change = *open_->add_changes();
  Name(fact.event, fact.subscriber_id, fact.event_type, fact.remade, change);
  Add(fact.delivery.endpoint, fact.delivery.sequence, change);
  SetState(fact.state, fact.reason, attempt.number, attempt.started_ms + attempt.us.total / 1000, change);
  change.set_status(static_cast<uint32_t>(attempt.status));
  change.set_error(static_cast<uint32_t>(attempt.error));
  if (!IsTerminal(fact.state)) change.set_next_due_ms(attempt.next_due_ms);
}

void ChangeLog::Apply(const DeliveryEnded& fact) {
  pb::ChangeRecord& change = *open_->add_changes();
  Name(fact.event, fact.subscriber_id, fact.event_type, fact.remade, change);
  Add(fact.delivery.endpoint, fact.delivery.sequence, change);
  SetState(fact.state, fact.reason, fact.attempt_count, fact.at_ms, change);
}

const std::string& ChangeLog::Take(WallMs committed_ms) {
  bytes_.clear();
  const int count = open_->changes_size();
  if (count == 0) return bytes_;
  open_->set_at_ms(committed_ms);
  for (pb::ChangeRecord& change : *open_->mutable_changes()) {
    change.set_before_ms(committed_ms - change.before_ms());
  }
  open_->AppendToString(&bytes_);
  if (count > kMaxReused) {
    *open_ = pb::ChangesRecord();
  } else {
    open_->Clear();
  }
  return bytes_;
}

absl::Status DecodeChanges(std::string_view bytes, std::vector<StateChange>& changes) {
  pb::ChangesRecord record;
  if (!records::Parse(record, bytes)) return records::Damaged("changes");
  for (const pb::ChangeRecord& group : record.changes()) {
    StateChange change;
    if (group.event_id().size() != change.event.bytes.size() || group.deliveries_size() % 2 != 0 ||
        !records::UpTo(DeliveryState::kCanceled, group.state()) ||
        !records::UpTo(EndReason::kPurged, group.reason()) ||
        !records::UpTo(ErrorKind::kToken, group.error())) {
      return records::Damaged("changes");
    }
    std::memcpy(change.event.bytes.data(), group.event_id().data(), change.event.bytes.size());
    change.subscriber_id = group.subscriber_id();
    change.event_type = group.event_type();
    if (group.state() != 0) change.state = static_cast<DeliveryState>(group.state());
    change.reason = static_cast<EndReason>(group.reason());
    change.attempt_count = group.attempt_count();
    change.status = static_cast<int>(group.status());
    change.error = static_cast<ErrorKind>(group.error());
    change.at_ms = record.at_ms() - group.before_ms();
    change.next_due_ms = group.next_due_ms();
    change.delivery.bucket = group.made_ms() != 0 ? BucketOf(group.made_ms()) : change.event.bucket();
    for (int i = 0; i + 1 < group.deliveries_size(); i += 2) {
      change.delivery.endpoint.value = group.deliveries(i);
      change.delivery.sequence = group.deliveries(i + 1);
      changes.push_back(change);
    }
  }
  return absl::OkStatus();
}

absl::Status LaterThanNewest(uint64_t newest_commit) {
  return absl::OutOfRangeError(
      Concat("after_commit: later than the newest commit, ", newest_commit, "; begin there"));
}

absl::Status OlderThanKept(uint64_t oldest_kept_commit) {
  return absl::OutOfRangeError(
      Concat("after_commit: the changes behind it are older than 24 h and gone; begin with ",
             oldest_kept_commit - 1, " or later"));
}

std::optional<ChangeHours::Hour> ChangeHours::Begin(WallMs now, uint64_t commit) {
  const Bucket hour = BucketOf(now);
  if (!hours_.empty() && hours_.back().hour >= hour) return std::nullopt;
  return hours_.emplace_back(Hour{hour, commit});
}

std::optional<ChangeHours::Hour> ChangeHours::TakeExpired(WallMs now) {
  if (hours_.size() < 2) return std::nullopt;
  const Hour oldest = hours_.front();
  const WallMs over_ms = (WallMs{oldest.hour} + 1) * kBucketMs;
  if (over_ms + kChangesKept.count() > now) return std::nullopt;
  hours_.pop_front();
  return oldest;
}

}  // namespace hookd
