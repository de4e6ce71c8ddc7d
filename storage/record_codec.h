// Stored values: base/model.h to and from the records of proto/hookd/storage/v1. DATA_LOSS = the bytes are
// not such a record, or name a number that this version does not know.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "base/ids.h"
#include "base/model.h"
#include "storage/delivery_store.h"
#include "storage/payload_vault.h"
#include "storage/seal.h"

namespace hookd::records {

std::string Encode(const Subscriber& subscriber);
absl::StatusOr<Subscriber> DecodeSubscriber(std::string_view bytes);

// Without its id, which is the key. FAILED_PRECONDITION: sealed under a key that `sealer` lacks.
std::string Encode(const Endpoint& endpoint, const Sealer& sealer);
absl::StatusOr<Endpoint> DecodeEndpoint(EndpointId id, std::string_view bytes, const Sealer& sealer);
// Whether one of its secrets is not sealed under this key (0 = is not in clear).
absl::StatusOr<bool> HasStaleSecrets(std::string_view endpoint, uint32_t key_id);

std::string Encode(const LaneState& lane);
absl::StatusOr<LaneState> DecodeLane(std::string_view bytes);

struct Queued {
  EventId event;
  RemadePtr remade = nullptr;
};
std::string Encode(const Queued& queued);
absl::StatusOr<Queued> DecodeQueued(std::string_view bytes);

std::string Encode(const ParkedDelivery& parked);  // without its sequence, which is in the key
absl::StatusOr<ParkedDelivery> DecodeParked(Sequence sequence, std::string_view bytes);

// `payloads`: seals and opens payloads, and what is kept of exchanges. Null: they are stored in clear, and
// what is sealed is left out.

std::string Encode(const Event& event, const Sealer* payloads = nullptr);  // without its id, which is the key
absl::StatusOr<std::shared_ptr<const Event>> DecodeEvent(EventId id, std::string_view bytes,
                                                         const Sealer* payloads = nullptr);

std::string Encode(const Attempt& attempt, const DeliveryId& delivery = {}, const Sealer* payloads = nullptr);
absl::StatusOr<Attempt> DecodeAttempt(std::string_view bytes, const DeliveryId& delivery = {},
                                      const Sealer* payloads = nullptr);

// How a delivery ended.
struct End {
  EventId event;
  DeliveryState state = DeliveryState::kSucceeded;
  EndReason reason = EndReason::kNone;
  WallMs ended_ms = 0;
  uint32_t attempt_count = 0;
  std::string event_type;
  std::string subscriber_id;
  bool has_attempt = false;
  Attempt last_attempt;  // where has_attempt
  RemadePtr remade = nullptr;
  std::optional<EventId> batch = std::nullopt;
};
std::string Encode(const End& end, const DeliveryId& delivery = {}, const Sealer* payloads = nullptr);
absl::StatusOr<End> DecodeEnd(std::string_view bytes, const DeliveryId& delivery = {},
                              const Sealer* payloads = nullptr);

// Without its id, which is in the key; sealed by the operator's key.
std::string Encode(const PayloadKey& key, const Sealer& sealer);
absl::StatusOr<PayloadKey> DecodePayloadKey(uint32_t id, std::string_view bytes, const Sealer& sealer);

std::string EncodeIdempotency(EventId event, const std::array<uint8_t, 16>& fingerprint);
absl::StatusOr<IdempotencyHit> DecodeIdempotency(std::string_view bytes);

std::string Encode(const BucketView& bucket);  // without its number, which is the key
absl::StatusOr<BucketView> DecodeBucket(Bucket bucket, std::string_view bytes);

std::string Encode(const Job& job);  // without its id, which is the key
absl::StatusOr<Job> DecodeJob(uint64_t id, std::string_view bytes);

std::string Encode(const AccessToken& token);  // without its id, which is the key
absl::StatusOr<AccessToken> DecodeToken(uint64_t id, std::string_view bytes);

std::string Encode(const AuditRecord& record);  // without its number, which is the key
absl::StatusOr<AuditRecord> DecodeAudit(uint64_t number, std::string_view bytes);

std::string Encode(const Operations& operations);
absl::StatusOr<Operations> DecodeOperations(std::string_view bytes);

std::string EncodeMailCursor(const std::string& text);
absl::StatusOr<std::string> DecodeMailCursor(std::string_view bytes);

struct StoreState {
  uint64_t commit = 0;
  WallMs wall_high_water_ms = 0;
  uint64_t next_endpoint_number = 1;
  uint32_t epoch = 1;
  uint64_t next_job = 1;
};
std::string Encode(const StoreState& state);
absl::StatusOr<StoreState> DecodeState(std::string_view bytes);

}  // namespace hookd::records
