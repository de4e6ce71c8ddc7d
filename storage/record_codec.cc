#include "storage/record_codec.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <absl/status/status.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "hookd/storage/v1/records.pb.h"
#include "storage/key_codec.h"
#include "storage/record_parts.h"

namespace hookd::records {
namespace {

namespace pb = hookd::storage::v1;

std::string_view View(const EventId& id) {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

bool TakeEventId(const std::string& bytes, EventId& id) {
  if (bytes.size() != id.bytes.size()) return false;
  std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return true;
}

void SetEventId(const EventId& id, std::string* field) { field->assign(View(id)); }

template <typename Record>
void SetBatch(const std::optional<EventId>& batch, Record& record) {
  if (batch) SetEventId(*batch, record.mutable_batch_id());
}

bool TakeBatch(const std::string& bytes, std::optional<EventId>& batch) {
  return bytes.empty() || TakeEventId(bytes, batch.emplace());
}

template <typename Record>
void SetRemade(const RemadePtr& remade, Record& record) {
  if (remade == nullptr) return;
  pb::RemadeRecord* out = record.mutable_remade();
  out->set_made_ms(remade->accepted_ms);
  out->set_origin(static_cast<uint32_t>(remade->origin));
  if (remade->replaces) out->set_replaces(keys::OfId(*remade->replaces));
}

template <typename Record>
bool TakeRemade(const Record& record, RemadePtr& remade) {
  if (!record.has_remade()) return true;
  const pb::RemadeRecord& in = record.remade();
  if (in.origin() == 0 || !UpTo(Origin::kReplay, in.origin())) return false;
  auto out = std::make_shared<Remade>();
  out->accepted_ms = in.made_ms();
  out->origin = static_cast<Origin>(in.origin());
  if (!in.replaces().empty()) {
    out->replaces = keys::ParseId(in.replaces());
    if (!out->replaces) return false;
  }
  remade = std::move(out);
  return true;
}

std::string PayloadPlace(const EventId& id) { return Concat("event/", id.ToString(), "/payload"); }

std::string KeptPlace(const DeliveryId& delivery, uint32_t attempt) {
  return Concat("delivery/", delivery.ToString(), "/", attempt);
}

// Of what payload keys have sealed: those are stored beside it.
absl::StatusOr<std::string> OpenPayload(const pb::SealedValue& sealed, const std::string& place,
                                        const Sealer& payloads) {
  absl::StatusOr<std::string> plain = payloads.Open(sealed, place);
  if (plain.ok()) return plain;
  return absl::DataLossError(Concat("what is sealed of ", place, " does not open: it or its key is damaged"));
}

void SealKept(const DeliveryId& delivery, const Sealer* payloads, pb::AttemptRecord& record) {
  if (payloads == nullptr) return;
  pb::KeptRecord kept;
  kept.set_response_body(std::move(*record.mutable_response_body()));
  kept.set_request_headers(std::move(*record.mutable_request_headers()));
  kept.set_response_headers(std::move(*record.mutable_response_headers()));
  record.clear_response_body();
  record.clear_request_headers();
  record.clear_response_headers();
  const std::string plain = kept.SerializeAsString();
  if (plain.empty()) return;
  payloads->Seal(plain, KeptPlace(delivery, record.number()), *record.mutable_sealed_kept());
}

absl::Status OpenKept(const DeliveryId& delivery, const Sealer* payloads, pb::AttemptRecord& record) {
  if (payloads == nullptr || !record.has_sealed_kept()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string plain,
                   OpenPayload(record.sealed_kept(), KeptPlace(delivery, record.number()), *payloads));
  pb::KeptRecord kept;
  if (!Parse(kept, plain)) return Damaged("attempt");
  record.set_response_body(std::move(*kept.mutable_response_body()));
  record.set_request_headers(std::move(*kept.mutable_request_headers()));
  record.set_response_headers(std::move(*kept.mutable_response_headers()));
  return absl::OkStatus();
}

void Fill(const Attempt& attempt, pb::AttemptRecord& record) {
  record.set_number(attempt.number);
  record.set_started_ms(attempt.started_ms);
  record.set_name_us(attempt.us.name);
  record.set_connect_us(attempt.us.connect);
  record.set_tls_us(attempt.us.tls);
  record.set_first_byte_us(attempt.us.first_byte);
  record.set_total_us(attempt.us.total);
  record.set_error(static_cast<uint32_t>(attempt.error));
  record.set_error_detail(attempt.error_detail);
  record.set_status(static_cast<uint32_t>(attempt.status));
  record.set_remote_address(attempt.remote_address);
  record.set_http_version(static_cast<uint32_t>(attempt.http_version));
  record.set_response_body(attempt.response_body);
  record.set_body_truncated(attempt.body_truncated);
  record.set_resends(attempt.resends);
  record.set_next_due_ms(attempt.next_due_ms);
  record.set_queue_us(attempt.us.queue);
  record.set_decision(static_cast<uint32_t>(attempt.decision));
  record.set_request_headers(attempt.request_headers);
  record.set_response_headers(attempt.response_headers);
}

bool Read(const pb::AttemptRecord& record, Attempt& attempt) {
  if (!UpTo(ErrorKind::kToken, record.error()) || !UpTo(AttemptDecision::kNewToken, record.decision())) {
    return false;
  }
  attempt.number = record.number();
  attempt.started_ms = record.started_ms();
  attempt.us = {record.queue_us(), record.name_us(),       record.connect_us(),
                record.tls_us(),   record.first_byte_us(), record.total_us()};
  attempt.error = static_cast<ErrorKind>(record.error());
  attempt.error_detail = record.error_detail();
  attempt.status = static_cast<int>(record.status());
  attempt.remote_address = record.remote_address();
  attempt.http_version = static_cast<int>(record.http_version());
  attempt.response_body = record.response_body();
  attempt.body_truncated = record.body_truncated();
  attempt.resends = record.resends();
  attempt.next_due_ms = record.next_due_ms();
  attempt.decision = static_cast<AttemptDecision>(record.decision());
  attempt.request_headers = record.request_headers();
  attempt.response_headers = record.response_headers();
  return true;
}

}  // namespace

std::string Encode(const Subscriber& subscriber) {
  pb::SubscriberRecord record;
  record.set_id(subscriber.id);
  record.set_name(subscriber.name);
  record.set_paused(subscriber.paused);
  record.set_created_ms(subscriber.created_ms);
  record.set_updated_ms(subscriber.updated_ms);
  record.set_profile(subscriber.profile);
  record.set_plan(subscriber.plan);
  record.set_strict(subscriber.strict);
  for (const std::string& address : subscriber.alert_addresses) record.add_alert_addresses(address);
  for (const std::string& channel : subscriber.held_channels) record.add_held_channels(channel);
  return record.SerializeAsString();
}

absl::StatusOr<Subscriber> DecodeSubscriber(std::string_view bytes) {
  pb::SubscriberRecord record;
  if (!Parse(record, bytes)) return Damaged("subscriber");
  Subscriber subscriber;
  subscriber.id = record.id();
  subscriber.name = record.name();
  subscriber.paused = record.paused();
  subscriber.created_ms = record.created_ms();
  subscriber.updated_ms = record.updated_ms();
  subscriber.profile = record.profile();
  subscriber.plan = record.plan();
  subscriber.strict = record.strict();
  subscriber.alert_addresses.assign(record.alert_addresses().begin(), record.alert_addresses().end());
  subscriber.held_channels.assign(record.held_channels().begin(), record.held_channels().end());
  return subscriber;
}

std::string Encode(const LaneState& lane) {
  pb::LaneRecord record;
  record.set_cursor(lane.cursor);
  record.set_next(lane.next);
  record.set_queued(lane.queued);
  record.set_parked(lane.parked);
  record.set_consecutive_failures(lane.consecutive_failures);
  record.set_failing_since_ms(lane.failing_since_ms);
  record.set_last_success_ms(lane.last_success_ms);
  record.set_rate_tat_ms(lane.rate_tat_ms);
  record.set_deleted(lane.deleted);
  record.set_disable_failures(lane.disable_failures);
  record.set_disable_since_ms(lane.disable_since_ms);
  record.set_hold_until_ms(lane.hold_until_ms);
  record.set_endpoint_paused(lane.endpoint_paused);
  record.set_endpoint_disabled(lane.endpoint_disabled);
  record.set_endpoint_keys_end_ms(lane.endpoint_keys_end_ms);
  return record.SerializeAsString();
}

absl::StatusOr<LaneState> DecodeLane(std::string_view bytes) {
  pb::LaneRecord record;
  if (!Parse(record, bytes)) return Damaged("lane");
  LaneState lane;
  lane.cursor = record.cursor();
  lane.next = record.next();
  lane.queued = record.queued();
  lane.parked = record.parked();
  lane.consecutive_failures = record.consecutive_failures();
  lane.failing_since_ms = record.failing_since_ms();
  lane.last_success_ms = record.last_success_ms();
  lane.rate_tat_ms = record.rate_tat_ms();
  lane.deleted = record.deleted();
  lane.disable_failures = record.disable_failures();
  lane.disable_since_ms = record.disable_since_ms();
  lane.hold_until_ms = record.hold_until_ms();
  lane.endpoint_paused = record.endpoint_paused();
  lane.endpoint_disabled = record.endpoint_disabled();
  lane.endpoint_keys_end_ms = record.endpoint_keys_end_ms();
  return lane;
}

std::string Encode(const Queued& queued) {
  pb::QueueRecord record;
  SetEventId(queued.event, record.mutable_event_id());
  SetRemade(queued.remade, record);
  return record.SerializeAsString();
}

absl::StatusOr<Queued> DecodeQueued(std::string_view bytes) {
  pb::QueueRecord record;
  Queued queued;
  if (!Parse(record, bytes) || !TakeEventId(record.event_id(), queued.event) ||
      !TakeRemade(record, queued.remade)) {
    return Damaged("queue");
  }
  return queued;
}

std::string Encode(const ParkedDelivery& parked) {
  pb::ParkedRecord record;
  SetEventId(parked.event, record.mutable_event_id());
  record.set_attempts(parked.attempts);
  record.set_failures(parked.failures);
  record.set_due_ms(parked.due_ms);
  record.set_ordering_key_hash(parked.ordering_key_hash);
  SetRemade(parked.remade, record);
  record.set_last_status(static_cast<uint32_t>(parked.last_status));
  record.set_last_error(static_cast<uint32_t>(parked.last_error));
  SetBatch(parked.batch, record);
  return record.SerializeAsString();
}

absl::StatusOr<ParkedDelivery> DecodeParked(Sequence sequence, std::string_view bytes) {
  pb::ParkedRecord record;
  ParkedDelivery parked;
  if (!Parse(record, bytes) || !TakeEventId(record.event_id(), parked.event) ||
      !TakeRemade(record, parked.remade) || !TakeBatch(record.batch_id(), parked.batch) ||
      !UpTo(ErrorKind::kToken, record.last_error())) {
    return Damaged("parked");
  }
  parked.sequence = sequence;
  parked.ordering_key_hash = record.ordering_key_hash();
  parked.attempts = record.attempts();
  parked.failures = record.failures();
  parked.due_ms = record.due_ms();
  parked.last_status = static_cast<int>(record.last_status());
  parked.last_error = static_cast<ErrorKind>(record.last_error());
  return parked;
}

std::string Encode(const Event& event, const Sealer* payloads) {
  pb::EventRecord record;
  record.set_subscriber_id(event.subscriber_id);
  record.set_type(event.type);
  record.set_channel(event.channel);
  record.set_ordering_key(event.ordering_key);
  record.set_idempotency_key(event.idempotency_key);
  record.set_traceparent(event.traceparent);
  if (payloads == nullptr) {
    record.set_payload(event.payload);
  } else {
    payloads->Seal(event.payload, PayloadPlace(event.id), *record.mutable_sealed_payload());
  }
  record.set_not_before_ms(event.not_before_ms);
  record.set_expires_ms(event.expires_ms);
  record.set_tracestate(event.tracestate);
  record.set_coalesce_key(event.coalesce_key);
  return record.SerializeAsString();
}

absl::StatusOr<std::shared_ptr<const Event>> DecodeEvent(EventId id, std::string_view bytes,
                                                         const Sealer* payloads) {
  pb::EventRecord record;
  if (!Parse(record, bytes)) return Damaged("event");
  if (payloads != nullptr && record.has_sealed_payload()) {
    ASSIGN_OR_RETURN(*record.mutable_payload(),
                     OpenPayload(record.sealed_payload(), PayloadPlace(id), *payloads));
  }
  auto event = std::make_shared<Event>();
  event->id = id;
  event->subscriber_id = std::move(*record.mutable_subscriber_id());
  event->type = std::move(*record.mutable_type());
  event->channel = std::move(*record.mutable_channel());
  event->ordering_key = std::move(*record.mutable_ordering_key());
  event->idempotency_key = std::move(*record.mutable_idempotency_key());
  event->traceparent = std::move(*record.mutable_traceparent());
  event->payload = std::move(*record.mutable_payload());
  event->not_before_ms = record.not_before_ms();
  event->expires_ms = record.expires_ms();
  event->tracestate = std::move(*record.mutable_tracestate());
  event->coalesce_key = std::move(*record.mutable_coalesce_key());
  event->accepted_ms = id.accepted_ms();
  return std::shared_ptr<const Event>(std::move(event));
}

std::string Encode(const Attempt& attempt, const DeliveryId& delivery, const Sealer* payloads) {
  pb::AttemptRecord record;
  Fill(attempt, record);
  SealKept(delivery, payloads, record);
  return record.SerializeAsString();
}

absl::StatusOr<Attempt> DecodeAttempt(std::string_view bytes, const DeliveryId& delivery,
                                      const Sealer* payloads) {
  pb::AttemptRecord record;
  Attempt attempt;
  if (!Parse(record, bytes)) return Damaged("attempt");
  RETURN_IF_ERROR(OpenKept(delivery, payloads, record));
  if (!Read(record, attempt)) return Damaged("attempt");
  return attempt;
}

std::string Encode(const End& end, const DeliveryId& delivery, const Sealer* payloads) {
  pb::EndRecord record;
  SetEventId(end.event, record.mutable_event_id());
  record.set_state(static_cast<uint32_t>(end.state));
  record.set_reason(static_cast<uint32_t>(end.reason));
  record.set_ended_ms(end.ended_ms);
  record.set_attempt_count(end.attempt_count);
  record.set_event_type(end.event_type);
  record.set_subscriber_id(end.subscriber_id);
  if (end.has_attempt) {
    Fill(end.last_attempt, *record.mutable_last_attempt());
    SealKept(delivery, payloads, *record.mutable_last_attempt());
  }
  SetRemade(end.remade, record);
  SetBatch(end.batch, record);
  return record.SerializeAsString();
}

absl::StatusOr<End> DecodeEnd(std::string_view bytes, const DeliveryId& delivery, const Sealer* payloads) {
  pb::EndRecord record;
  End end;
  if (!Parse(record, bytes) || !TakeEventId(record.event_id(), end.event) ||
      record.state() <= static_cast<uint32_t>(DeliveryState::kPending) ||
      !UpTo(DeliveryState::kCanceled, record.state()) || !UpTo(EndReason::kPurged, record.reason()) ||
      !TakeRemade(record, end.remade) || !TakeBatch(record.batch_id(), end.batch)) {
    return Damaged("history");
  }
  if (record.has_last_attempt()) {
    RETURN_IF_ERROR(OpenKept(delivery, payloads, *record.mutable_last_attempt()));
  }
  if (!Read(record.last_attempt(), end.last_attempt)) return Damaged("history");
  end.state = static_cast<DeliveryState>(record.state());
  end.reason = static_cast<EndReason>(record.reason());
  end.ended_ms = record.ended_ms();
  end.attempt_count = record.attempt_count();
  end.event_type = record.event_type();
  end.subscriber_id = record.subscriber_id();
  end.has_attempt = record.has_last_attempt();
  return end;
}

std::string Encode(const PayloadKey& key, const Sealer& sealer) {
  pb::PayloadKeyRecord record;
  const std::string_view bytes(reinterpret_cast<const char*>(key.key.bytes.data()), key.key.bytes.size());
  sealer.Seal(bytes, Concat("payload_key/", KeyIdText(key.key.id())), *record.mutable_key());
  record.set_made_ms(key.made_ms);
  return record.SerializeAsString();
}

absl::StatusOr<PayloadKey> DecodePayloadKey(uint32_t id, std::string_view bytes, const Sealer& sealer) {
  pb::PayloadKeyRecord record;
  PayloadKey key;
  if (!Parse(record, bytes)) return Damaged("payload key");
  ASSIGN_OR_RETURN(const std::string plain, sealer.Open(record.key(), Concat("payload_key/", KeyIdText(id))));
  if (plain.size() != key.key.bytes.size()) return Damaged("payload key");
  std::copy(plain.begin(), plain.end(), key.key.bytes.begin());
  if (key.key.id() != id) return Damaged("payload key");
  key.made_ms = record.made_ms();
  return key;
}

std::string EncodeIdempotency(EventId event, const std::array<uint8_t, 16>& fingerprint) {
  pb::IdempotencyRecord record;
  SetEventId(event, record.mutable_event_id());
  record.set_fingerprint(fingerprint.data(), fingerprint.size());
  return record.SerializeAsString();
}

absl::StatusOr<IdempotencyHit> DecodeIdempotency(std::string_view bytes) {
  pb::IdempotencyRecord record;
  IdempotencyHit hit;
  if (!Parse(record, bytes) || !TakeEventId(record.event_id(), hit.event) ||
      record.fingerprint().size() != hit.fingerprint.size()) {
    return Damaged("idempotency");
  }
  std::memcpy(hit.fingerprint.data(), record.fingerprint().data(), hit.fingerprint.size());
  return hit;
}

std::string Encode(const BucketView& bucket) {
  pb::BucketRecord record;
  record.set_pending(bucket.pending);
  record.set_last_ended_ms(bucket.last_ended_ms);
  record.set_payload_bytes(bucket.payload_bytes);
  record.set_payloads_gone(bucket.payloads_gone);
  record.set_pins(bucket.pins);
  return record.SerializeAsString();
}

absl::StatusOr<BucketView> DecodeBucket(Bucket bucket, std::string_view bytes) {
  pb::BucketRecord record;
  if (!Parse(record, bytes)) return Damaged("bucket");
  return BucketView{bucket,
                    record.pending(),
                    record.pins(),
                    record.last_ended_ms(),
                    record.payload_bytes(),
                    record.payloads_gone()};
}

std::string Encode(const Operations& operations) {
  pb::OperationsRecord record;
  record.set_paused(operations.paused);
  record.set_pause_note(operations.pause_note);
  record.set_paused_ms(operations.paused_ms);
  record.set_clock_suspect(operations.clock_suspect);
  return record.SerializeAsString();
}

absl::StatusOr<Operations> DecodeOperations(std::string_view bytes) {
  pb::OperationsRecord record;
  if (!Parse(record, bytes)) return Damaged("operations");
  return Operations{record.paused(), record.pause_note(), record.paused_ms(), record.clock_suspect()};
}

std::string EncodeMailCursor(const std::string& text) {
  pb::MailCursorRecord record;
  record.set_text(text);
  return record.SerializeAsString();
}

absl::StatusOr<std::string> DecodeMailCursor(std::string_view bytes) {
  pb::MailCursorRecord record;
  if (!Parse(record, bytes)) return Damaged("mail cursor");
  return record.text();
}

std::string Encode(const StoreState& state) {
  pb::StateRecord record;
  record.set_commit(state.commit);
  record.set_wall_high_water_ms(state.wall_high_water_ms);
  record.set_next_endpoint_number(state.next_endpoint_number);
  record.set_epoch(state.epoch);
  record.set_next_job(state.next_job);
  return record.SerializeAsString();
}

absl::StatusOr<StoreState> DecodeState(std::string_view bytes) {
  pb::StateRecord record;
  if (!Parse(record, bytes)) return Damaged("state");
  return StoreState{record.commit(), record.wall_high_water_ms(), record.next_endpoint_number(),
                    record.epoch(), std::max<uint64_t>(record.next_job(), 1)};
}

}  // namespace hookd::records
